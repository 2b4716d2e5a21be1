"""Whether maps, embeddings and properties group the models alike: similarities of models, tests."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import grouped
from dml_analysis.metrics import groupings
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import PROPERTIES, Model, Protocol
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.saliency import saliency_tables
from dml_analysis.seeds import derived_seed

if TYPE_CHECKING:
    from dml_analysis.config import Settings

Embeddings = dict[int, Float[np.ndarray, "n d"]]  # by fold
Matrix = Float[np.ndarray, "l l"]
Aligned = Callable[[tuple[str, ...]], Matrix]

ANALYSES = ("maps", "embeddings", "properties")
MIN_MODELS = 4
ANALYSIS, R, SHARE = csv_files.one_of(ANALYSES), csv_files.between(-1, 1), csv_files.between(0, 1)
SIMILARITIES = {"analysis": ANALYSIS, "loss_a": str, "loss_b": str, "similarity": R}
GROUPS = {"analysis": ANALYSIS, "n_models": int, "within_minus_between": float, "p_value": SHARE, "assignments": int,
          "exact": csv_files.one_of(["yes", "no"]), "cophenetic": R, "adjusted_rand": float}  # fmt: skip
MANTEL = {"analysis_a": ANALYSIS, "analysis_b": ANALYSIS, "kind": csv_files.one_of(groupings.KINDS), "n_models": int,
          "correlation": R, "p_value": SHARE}  # fmt: skip


def file_of(settings: "Settings", protocol: Protocol, name: str) -> Path:
    """Return the path of model_similarities.csv, groupings.csv or mantel.csv."""
    return settings.results / protocol.name / "controls" / f"{name}.csv"


def similarities(
    settings: "Settings", protocol: Protocol, embeddings: dict[str, Embeddings], aligned: Aligned
) -> tuple[dict[str, Matrix], list[Model]]:
    """Return analysis -> similarities of the trained models that have all three, and these models.

    embeddings: of the rendered cars, by model. aligned: returns the alignment of these models.

    Models are in the order of the tables. Only trained ones are included, because a profile says
    how a model differs from the mean of the compared ones. Raises InputError if they are too few.
    """
    dataset = settings.properties.networks
    subject = saliency_tables.Subject("", settings, protocol, dataset, "correlation")
    maps = saliency_tables.defined(saliency_tables.similarities(subject))
    profiles = _profiles(settings, protocol)
    models = [model for model in grouped(settings.models) if model.trained
              and (model.name, model.name) in maps and model.name in embeddings and model.name in profiles.index]  # fmt: skip
    names = [model.name for model in models]
    n_missing = sum(pair not in maps for pair in combinations(names, 2))
    if len(models) < MIN_MODELS or n_missing:
        raise InputError(
            f"settings {settings.name!r}: {len(models)} trained models have maps of {dataset}, "
            f"embeddings and scores, and {n_missing} pairs of maps are not compared; "
            "give at least four models"
        )
    matrices = {
        "maps": np.array([[maps[a, b].mean for b in names] for a in names]),
        "embeddings": aligned(tuple(names)),
        "properties": groupings.profile_similarity(profiles.loc[names].to_numpy()),
    }
    return matrices, models


def _embeddings(settings: "Settings") -> dict[str, Embeddings]:
    """Return model -> its complete embeddings of the rendered cars."""
    embeddings: dict[str, Embeddings] = {}
    samples, _ = property_scores.cars_of(settings)
    for store in car_embeddings.complete_stores(settings, samples)[0]:
        network = store.subject
        embeddings.setdefault(network.model.name, {})[network.fold] = car_embeddings.read(store)
    return embeddings


def _profiles(settings: "Settings", protocol: Protocol) -> pd.DataFrame:
    """Return the NR-Precisions of each model (rows) and property, means over the folds."""
    file = property_scores.scores_file(settings, protocol)
    hint = "run properties/3_score_properties.py first"
    scores = csv_files.table(file, property_scores.COLUMNS, list(property_scores.KEY), hint)
    scores = scores[scores.fold.isin([*settings.folds, ALL_FOLDS])]
    profiles = scores.pivot_table("nr_precision", "loss", "property")
    return profiles[[prop.name for prop in PROPERTIES]]


def alignment(name: str, embeddings: dict[str, Embeddings]) -> Matrix:
    """Return debiased linear CKA of every two models' embeddings, means over the folds.

    A network for all folds is compared with each network of the other model. name: the settings'.
    Raises InputError if two models have other folds, or a CKA is undefined.
    """
    matrix, models = np.eye(len(embeddings)), list(embeddings)

    @cache
    def own(model: str, fold: int) -> tuple[float, float]:
        return groupings.own_hsic(embeddings[model][fold])

    for (i, a), (j, b) in combinations(enumerate(models), 2):
        where = f"settings {name!r}: embeddings of rendered cars by {a} and {b}"
        try:
            values = [
                groupings.linear_cka(embeddings[a][k], embeddings[b][m], [own(a, k), own(b, m)])
                for k, m in same_fold(embeddings[a], embeddings[b], where)
            ]
            matrix[i, j] = matrix[j, i] = np.mean(values)
        except ValueError as error:
            raise InputError(
                f"{where}: {error}; check these networks, and `images` of `properties`"
            ) from None
    return matrix


def same_fold(a: Embeddings, b: Embeddings, where: str) -> list[tuple[int, int]]:
    """Return the pairs of folds to compare of two models; ALL_FOLDS goes with any fold.

    Raises InputError, which begins with `where`, if one of them has a fold that the other has not.
    """
    if a.keys() != b.keys() and ALL_FOLDS not in a.keys() | b.keys():
        folds = [", ".join(map(str, sorted(model))) for model in (a, b)]
        raise InputError(
            f"{where}: they are of folds {folds[0]} and {folds[1]}; run properties/2_embed_cars.py"
        )
    return [(i, j) for i in a for j in b if i == j or ALL_FOLDS in (i, j)]


def write(settings: "Settings") -> None:
    """Write the three CSV files of each protocol."""
    embeddings = _embeddings(settings)

    @cache  # usually protocols are about the same models
    def aligned(names: tuple[str, ...]) -> Matrix:
        return alignment(settings.name, {name: embeddings[name] for name in names})

    for protocol in settings.protocols:
        matrices, models = similarities(settings, protocol, embeddings, aligned)
        _write(settings, protocol, matrices, models)


def _write(
    settings: "Settings", protocol: Protocol, matrices: dict[str, Matrix], models: list[Model]
) -> None:
    rows = [(analysis, a.name, b.name, matrix[i, j]) for analysis, matrix in matrices.items()
            for (i, a), (j, b) in combinations(enumerate(models), 2)]  # fmt: skip
    groups, seed = [model.group for model in models], settings.seed
    csv_files.write(file_of(settings, protocol, "model_similarities"), rows, SIMILARITIES)
    tests = list(_group_rows(matrices, groups, seed))
    csv_files.write(file_of(settings, protocol, "groupings"), tests, GROUPS)
    csv_files.write(
        file_of(settings, protocol, "mantel"), list(_mantel_rows(matrices, seed)), MANTEL
    )


def _group_rows(matrices: dict[str, Matrix], groups: Sequence[str], seed: int) -> Iterator[list]:
    """Yield for each analysis a test whether models of a group are more alike."""
    for analysis, matrix in matrices.items():
        tree = groupings.linkage(matrix)
        test = groupings.within_between_test(matrix, groups, derived_seed(seed, "groups", analysis))
        yield [analysis, len(matrix), test.statistic, test.p_value, test.assignments, "yes" if test.exact else "no",
               groupings.cophenetic(tree, matrix), groupings.agreement(tree, groups)]  # fmt: skip


def _mantel_rows(matrices: dict[str, Matrix], seed: int) -> Iterator[list]:
    """Yield for every two analyses the correlation of their similarities, and its test."""
    for a, b in combinations(matrices, 2):
        for kind in groupings.KINDS:
            purpose = derived_seed(seed, "mantel", a, b, kind)
            test = groupings.mantel(matrices[a], matrices[b], purpose, kind=kind)
            yield [a, b, kind, len(matrices[a]), *test]


def show(settings: "Settings", protocol: Protocol) -> None:
    """Print groupings.csv and mantel.csv."""
    for name, columns in (("groupings", GROUPS), ("mantel", MANTEL)):
        print(f"protocol {protocol.name}:")
        print(csv_files.read(file_of(settings, protocol, name), columns).to_string(index=False))
