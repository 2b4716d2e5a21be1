"""How alike the models embed images, by several measures, compared with chance and two folds."""

from collections.abc import Sequence
from itertools import combinations, combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from dml_analysis.config import unlike_defaults
from dml_analysis.datasets.readers import evenly_spaced
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.methods import slug
from dml_analysis.metrics import representation_similarity
from dml_analysis.metrics.representation_similarity import MEASURES, NEIGHBORS
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import Model
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore

if TYPE_CHECKING:
    from dml_analysis.config import Settings

Embeddings = dict[int, Float[np.ndarray, "n d"]]  # by fold
Matrix = Float[np.ndarray, "l l"]

PERMUTATIONS = 20  # of each pair; similarities are tens of standard deviations above chance
MAX_IMAGES = 5_000  # which are enough: three decimals, and seconds for each pair of networks
R, SHARE = csv_files.between(-1, 1), csv_files.between(0, 1)
# A row of a loss with itself is of two folds.
COLUMNS = {"measure": csv_files.one_of(MEASURES), "loss_a": str, "loss_b": str, "n_images": int, "n_pairs": int,
           "similarity": R, "null_mean": R, "null_std": float, "p_value": SHARE}  # fmt: skip
KEY = ("measure", "loss_a", "loss_b")


def embedded_cars(settings: "Settings") -> tuple[dict[str, Embeddings], dict[str, dict[int, str]]]:
    """Return trained model -> its complete embeddings of at most MAX_IMAGES images, and their digests."""
    embeddings: dict[str, Embeddings] = {}
    digests: dict[str, dict[int, str]] = {}
    samples, _ = property_scores.images_and_codes(settings)
    rows = evenly_spaced(range(len(samples)), min(MAX_IMAGES, len(samples)))
    for store in car_embeddings.complete_stores(settings, samples)[0]:
        network = store.subject
        if network.model.trained:
            of_model = embeddings.setdefault(network.model.name, {})
            of_model[network.fold] = car_embeddings.read(store)[rows]
            digests.setdefault(network.model.name, {})[network.fold] = store.digest
    return embeddings, digests


def stores_of(
    settings: "Settings", comparer: "Comparer", digests: dict[str, dict[int, str]]
) -> list[ResultStore]:
    """Return a store for each two models, and for each model with two folds: its subject is the pair.

    Its one row has, for each measure, the similarity and then those of its permutation null.
    digests: of the embeddings of each model and fold. Raises InputError as Comparer.folds does.
    """
    arrays = {measure: Array("f8", (1 + PERMUTATIONS,), low=-1, high=1) for measure in MEASURES}
    folder = settings.results / "controls" / "representations"
    return [
        ResultStore(
            folder / slug(a) / slug(b),
            {"embeddings": [digests[a], digests[b]]} | unlike_defaults(settings),
            [[f"{a}, {b}"]],
            arrays,
            (a, b),
        )
        for a, b in combinations_with_replacement(comparer.embeddings, 2)
        if comparer.folds(a, b)
    ]


class Comparer:
    """Compares embeddings of models; what concerns one network is computed once."""

    def __init__(self, name: str, embeddings: dict[str, Embeddings]):
        """name: the settings', for messages."""
        self.name, self.embeddings = name, embeddings
        self.prepared: dict[tuple[str, str, int], Any] = {}

    def folds(self, a: str, b: str) -> list[tuple[int, int]]:
        """Return the folds of two models that are compared, or each two folds of one model.

        Raises InputError if two models have other folds.
        """
        if a == b:
            return list(combinations(self.embeddings[a], 2))
        where = f"settings {self.name!r}: embeddings by {a} and {b}"
        return same_fold(self.embeddings[a], self.embeddings[b], where)

    def similarities(
        self, a: str, b: str, seed: int, permutations: int = PERMUTATIONS
    ) -> dict[str, Float[np.ndarray, "1 p+1"]]:
        """Return each measure's similarity of two models, and those of its permutation null.

        All are means over the folds; a network for all folds is compared with each network of the
        other model. Raises InputError if a similarity is undefined, and as folds does.
        """
        folds, result = self.folds(a, b), {}
        for measure, (_, _, compare) in MEASURES.items():
            rows = []
            for i, j in folds:
                first, second = self._prepared(measure, a, i), self._prepared(measure, b, j)
                n = len(self.embeddings[a][i])
                purpose = derived_seed(seed, "representations", measure, a, i, b, j)
                null = representation_similarity.null(
                    first, second, measure, n, permutations, purpose
                )
                rows.append([compare(first, second, np.arange(n)), *null])
            result[measure] = np.mean(rows, axis=0)[None]
        return result

    def _prepared(self, measure: str, model: str, fold: int) -> Any:
        key = (measure, model, fold)
        if key not in self.prepared:
            embeddings = self.embeddings[model][fold]
            try:
                representation_similarity.check_number(len(embeddings))
                self.prepared[key] = MEASURES[measure].prepare(embeddings, NEIGHBORS, "compared")
            except ValueError as error:
                raise InputError(
                    f"settings {self.name!r}: embeddings by {model}: {error}; check its "
                    "networks, and `images` of `properties`"
                ) from None
        return self.prepared[key]


def table_of(
    comparer: Comparer, similarities: dict[tuple[str, str], dict[str, Float[np.ndarray, "1 p+1"]]]
) -> pd.DataFrame:
    """Return a table of COLUMNS, with a row for each measure and two models, or two folds of one.

    similarities: of each two models, as Comparer.similarities returns them.
    """
    rows = []
    for measure in MEASURES:
        for (a, b), of_pair in similarities.items():
            folds, (values,) = comparer.folds(a, b), of_pair[measure]
            n = len(comparer.embeddings[a][folds[0][0]])
            summary = representation_similarity.summary(float(values[0]), values[1:])
            rows.append([measure, a, b, n, len(folds), *summary])
    return pd.DataFrame(rows, columns=list(COLUMNS))


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
