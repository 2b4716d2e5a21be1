"""Whether maps, embeddings and properties group the models alike: similarities of models, tests."""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dml_analysis.controls import compared_representations
from dml_analysis.controls.compared_representations import Matrix
from dml_analysis.datasets.readers import properties_of
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import grouped
from dml_analysis.metrics import groupings
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import Model, Protocol
from dml_analysis.properties import property_scores
from dml_analysis.saliency import saliency_tables
from dml_analysis.seeds import derived_seed

if TYPE_CHECKING:
    from dml_analysis.config import Settings

# measure -> its name among the analyses
EMBEDDINGS = {
    "linear_cka": "embeddings",
    "mutual_knn": "embeddings (neighbours)",
    "procrustes": "embeddings (Procrustes)",
}
ANALYSES = ("maps", *EMBEDDINGS.values(), "properties")
MIN_MODELS = 4
ANALYSIS, R, SHARE = csv_files.one_of(ANALYSES), csv_files.between(-1, 1), csv_files.between(0, 1)
SIMILARITIES = {"analysis": ANALYSIS, "loss_a": str, "loss_b": str, "similarity": R}
GROUPS = {"analysis": ANALYSIS, "n_models": int, "within_minus_between": float, "p_value": SHARE, "assignments": int,
          "exact": csv_files.one_of(["yes", "no"]), "cophenetic": R, "adjusted_rand": float}  # fmt: skip
MANTEL = {"analysis_a": ANALYSIS, "analysis_b": ANALYSIS, "kind": csv_files.one_of(groupings.KINDS), "n_models": int,
          "correlation": R, "p_value": SHARE}  # fmt: skip


def file_of(settings: "Settings", protocol: Protocol, name: str) -> Path:
    """Return the path of model_similarities.csv, groupings.csv or another file of `write`."""
    return settings.results / protocol.name / "controls" / f"{name}.csv"


def models_of(
    settings: "Settings", protocol: Protocol, embedded: Collection[str]
) -> tuple[list[Model], dict[str, Matrix]]:
    """Return the models to compare, and "maps" and "properties" -> their similarities.

    embedded: the names of models with embeddings. The models are the trained ones that have maps,
    embeddings and scores, in the order of the tables. Untrained ones are left out, because a profile
    says how a model differs from the mean of the compared ones. Raises InputError if they are too
    few.
    """
    dataset = settings.properties.networks
    subject = saliency_tables.Subject("", settings, protocol, dataset, "correlation")
    maps = saliency_tables.defined(saliency_tables.similarities(subject))
    profiles = _profiles(settings, protocol)
    models = [model for model in grouped(settings.models) if model.trained
              and (model.name, model.name) in maps and model.name in embedded and model.name in profiles.index]  # fmt: skip
    names = [model.name for model in models]
    n_missing = sum(pair not in maps for pair in combinations(names, 2))
    if len(models) < MIN_MODELS or n_missing:
        raise InputError(
            f"settings {settings.name!r}: {len(models)} trained models have maps of {dataset}, "
            f"embeddings and scores, and {n_missing} pairs of maps are not compared; "
            "give at least four models"
        )
    return models, {
        "maps": np.array([[maps[a, b].mean for b in names] for a in names]),
        "properties": groupings.profile_similarity(profiles.loc[names].to_numpy()),
    }


def _profiles(settings: "Settings", protocol: Protocol) -> pd.DataFrame:
    """Return the NR-Precisions of each model (rows) and property, means over the folds."""
    file = property_scores.scores_file(settings, protocol)
    hint = "run properties/3_score_properties.py first"
    names = [prop.name for prop in properties_of(settings)]
    columns = property_scores.COLUMNS | {"property": csv_files.one_of(names)}
    scores = csv_files.table(file, columns, list(property_scores.KEY), hint)
    scores = scores[scores.fold.isin([*settings.folds, ALL_FOLDS])]
    profiles = scores.pivot_table("nr_precision", "loss", "property")
    return profiles.reindex(columns=names)


def write(
    settings: "Settings",
    protocol: Protocol,
    models: Sequence[Model],
    matrices: dict[str, Matrix],
    embeddings: pd.DataFrame,
) -> None:
    """Write the four CSV files.

    models, matrices: of models_of. embeddings: similarities, of compared_representations.table_of.
    """
    names, groups, seed = [m.name for m in models], [m.group for m in models], settings.seed
    of_models = embeddings[embeddings.loss_a.isin(names) & embeddings.loss_b.isin(names)]
    file = file_of(settings, protocol, "representation_similarities")
    csv_files.write_table(file, of_models)
    by_measure = {
        analysis: compared_representations.matrix(of_models, measure, names)
        for measure, analysis in EMBEDDINGS.items()
    }
    matrices = {analysis: (matrices | by_measure)[analysis] for analysis in ANALYSES}
    rows = [(analysis, a, b, matrix[i, j]) for analysis, matrix in matrices.items()
            for (i, a), (j, b) in combinations(enumerate(names), 2)]  # fmt: skip
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
