"""How alike the models embed images, by several measures, beside chance and two folds."""

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from tqdm import tqdm

from dml_analysis.datasets.readers import evenly_spaced
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.metrics import representation_similarity
from dml_analysis.metrics.representation_similarity import MEASURES, NEIGHBORS, PERMUTATIONS
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import Model
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.seeds import derived_seed

if TYPE_CHECKING:
    from dml_analysis.config import Settings

Embeddings = dict[int, Float[np.ndarray, "n d"]]  # by fold
Matrix = Float[np.ndarray, "l l"]

MAX_IMAGES = 5_000  # which are enough: three decimals, and seconds for each pair of networks
R, SHARE = csv_files.between(-1, 1), csv_files.between(0, 1)
# A row of a loss with itself is of two folds.
COLUMNS = {"measure": csv_files.one_of(MEASURES), "loss_a": str, "loss_b": str, "n_images": int, "n_pairs": int,
           "similarity": R, "null_mean": R, "null_std": float, "p_value": SHARE}  # fmt: skip
KEY = ("measure", "loss_a", "loss_b")


def embeddings_of(settings: "Settings") -> dict[str, Embeddings]:
    """Return trained model -> its complete embeddings of at most MAX_IMAGES images."""
    embeddings: dict[str, Embeddings] = {}
    samples, _ = property_scores.images_and_codes(settings)
    rows = evenly_spaced(range(len(samples)), min(MAX_IMAGES, len(samples)))
    for store in car_embeddings.complete_stores(settings, samples)[0]:
        network = store.subject
        if network.model.trained:
            of_model = embeddings.setdefault(network.model.name, {})
            of_model[network.fold] = car_embeddings.read(store)[rows]
    return embeddings


def table_of(
    name: str, embeddings: dict[str, Embeddings], seed: int, permutations: int = PERMUTATIONS
) -> pd.DataFrame:
    """Return a table of COLUMNS, with a row for each measure and two models, or two folds of one.

    A similarity is the mean over the folds that both models have; a network for all folds is
    compared with each network of the other model. Its null is of the same mean. name, seed: the
    settings'. Raises InputError if two models have other folds, or a similarity is undefined.
    """
    networks = {}
    for a, b in combinations_with_replacement(embeddings, 2):
        where = f"settings {name!r}: embeddings by {a} and {b}"
        networks[a, b] = same_fold(embeddings[a], embeddings[b], where) if a != b else [
            (fold, other) for fold, other in combinations(embeddings[a], 2)
        ]  # fmt: skip
    rows = [
        row
        for measure in MEASURES
        for row in _rows_of(measure, name, embeddings, networks, seed, permutations)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows_of(
    measure: str,
    name: str,
    embeddings: dict[str, Embeddings],
    networks: dict[tuple[str, str], list[tuple[int, int]]],
    seed: int,
    permutations: int,
) -> Iterator[list]:
    """Yield the rows of a measure; networks: the folds to compare, for each two models."""
    prepared = {
        (model, fold): _prepared(measure, name, model, array)
        for model, folds in embeddings.items()
        for fold, array in folds.items()
    }
    compare, label = MEASURES[measure].compare, MEASURES[measure].label
    for (a, b), folds in tqdm(networks.items(), desc=f"embeddings: {label}", unit="pair"):
        if not folds:  # one fold alone
            continue
        n = len(embeddings[a][folds[0][0]])
        values, nulls = [], []
        for i, j in folds:
            first, second = prepared[a, i], prepared[b, j]
            purpose = derived_seed(seed, "representations", measure, a, i, b, j)
            values.append(compare(first, second, np.arange(n)))
            nulls.append(
                representation_similarity.null(first, second, measure, n, permutations, purpose)
            )
        mean, null = float(np.mean(values)), np.mean(nulls, axis=0)
        yield [measure, a, b, n, len(folds), *representation_similarity.summary(mean, null)]


def _prepared(measure: str, name: str, model: str, embeddings: Float[np.ndarray, "n d"]) -> Any:
    try:
        representation_similarity.check_number(len(embeddings))
        return MEASURES[measure].prepare(embeddings, NEIGHBORS, "compared")
    except ValueError as error:
        raise InputError(
            f"settings {name!r}: embeddings by {model}: {error}; check its "
            "networks, and `images` of `properties`"
        ) from None


def same_fold(a: Embeddings, b: Embeddings, where: str) -> list[tuple[int, int]]:
    """Return the folds of two models that are compared; ALL_FOLDS goes with any fold.

    Raises InputError, which begins with `where`, if one of them has a fold that the other has not.
    """
    if a.keys() != b.keys() and ALL_FOLDS not in a.keys() | b.keys():
        folds = [", ".join(map(str, sorted(model))) for model in (a, b)]
        raise InputError(
            f"{where}: they are of folds {folds[0]} and {folds[1]}; run properties/2_embed_cars.py"
        )
    return [(i, j) for i in a for j in b if i == j or ALL_FOLDS in (i, j)]


def kinds_of(rows: pd.DataFrame, models: Sequence[Model]) -> list[tuple[str, pd.Series]]:
    """Return the similarities of each kind of pair, and those by chance, from rows of a measure.

    Kinds without pairs are left out.
    """
    groups = {model.name: model.group for model in models}
    group_a, group_b = rows.loss_a.map(groups), rows.loss_b.map(groups)
    own = rows.loss_a == rows.loss_b
    kinds = [
        ("two folds of a loss", rows.similarity[own]),
        ("two losses of a group", rows.similarity[~own & (group_a == group_b)]),
        ("two losses of two groups", rows.similarity[~own & (group_a != group_b)]),
        ("chance", rows.null_mean[~own]),
    ]
    return [(kind, values) for kind, values in kinds if len(values)]


def matrix(table: pd.DataFrame, measure: str, names: list[str]) -> Matrix:
    """Return the similarities of models by a measure, from a table of COLUMNS, 1 for themselves."""
    values = table[table.measure == measure].set_index(["loss_a", "loss_b"]).similarity
    similarities = np.eye(len(names))
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        pair = (a, b) if (a, b) in values.index else (b, a)
        similarities[i, j] = similarities[j, i] = values[pair]
    return similarities
