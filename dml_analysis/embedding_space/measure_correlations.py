"""Correlations of measures of embedding spaces with performance on test images, and their CSV file.

There are three kinds of points: methods, each the mean of its folds' networks, as in Roth et al.;
networks, one per method and fold; looks, all validation steps of their trainings after the start.
Intervals are over methods in all three.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dml_analysis import paper
from dml_analysis.embedding_space import embedding_spaces
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.metrics import correlations
from dml_analysis.metrics.embedding_measures import LABELS, PERFORMANCE, SHAPE
from dml_analysis.paper import Protocol
from dml_analysis.properties.property_scores import COLUMNS as SCORES
from dml_analysis.properties.property_scores import scores_file
from dml_analysis.seeds import derived_seed

if TYPE_CHECKING:
    from dml_analysis.config import Settings

POINTS = ("methods", "networks", "looks")
KEY = ["points", "kind", "measure", "of", "performance"]
SHARE = csv_files.between(-1, 1)
DIGITS = 4  # of a correlation in the file
COLUMNS = {"points": csv_files.one_of(POINTS), "kind": csv_files.one_of(correlations.KINDS), "measure": str, "of": str,
           "performance": csv_files.one_of(PERFORMANCE), "n_points": int, "n_methods": int, "correlation": SHARE,
           "low": SHARE, "high": SHARE}  # fmt: skip
# Read off the figures of Roth et al.
PUBLISHED = paper.PUBLISHED / "roth_correlations.csv"
PUBLISHED_COLUMNS = {"measure": csv_files.one_of(SHAPE), "dataset": str, "pearson": SHARE}
COURSE = {
    "Recall@1, test": ("recall_at_1", "test"),
    "π ratio, training": ("pi_ratio", "train"),
    "ρ@2, training": ("rho_2", "train"),
}


def csv_file(settings: "Settings", dataset: str) -> Path:
    """Return the path of correlations_<dataset>.csv."""
    return embedding_spaces.folder(settings) / f"correlations_{dataset}.csv"


def published() -> dict[str, dict[str, float]]:
    """Return measure -> dataset -> Pearson correlation with test Recall@1, over 16 methods.

    The measures are of training images.
    """
    table = csv_files.read(PUBLISHED, PUBLISHED_COLUMNS, key=["measure", "dataset"])
    by_measure = table.groupby("measure", sort=False)
    return {measure: dict(zip(rows.dataset, rows.pearson)) for measure, rows in by_measure}


# --------------------------------------------------------------------------------------------------
# Points: tables with an index that begins with the method, and columns (measure, what it is of).
# --------------------------------------------------------------------------------------------------
def _points(table: pd.DataFrame, index: Sequence[str]) -> pd.DataFrame:
    return table.pivot(index=list(index), columns="part", values=list(LABELS))


def of_networks(settings: "Settings", dataset: str) -> pd.DataFrame:
    """Return the measures of a dataset's trained networks, with a row (loss, fold) for each.

    NR-Precision by every protocol is included if these networks embed images with properties. Raises
    InputError if there are no measures.
    """
    file = embedding_spaces.spaces_file(settings)
    table = csv_files.read(file, embedding_spaces.SPACES, key=["loss", "dataset", "fold", "part"])
    trained = [model.name for model in settings.whole.models if model.trained]
    table = table[(table.dataset == dataset) & table.loss.isin(trained)]
    if table.empty:
        raise InputError(
            f"{file}: no trained network of {dataset} in it; "
            "run embedding_space/1_measure_spaces.py first"
        )
    points = _points(table, ["loss", "fold"])
    if dataset != settings.properties.networks:
        return points
    for protocol in settings.protocols:
        scores = csv_files.read(
            scores_file(settings, protocol), SCORES, key=["loss", "fold", "property"]
        )
        scores = scores.pivot(index=["loss", "fold"], columns="property", values="nr_precision")
        scores.columns = pd.MultiIndex.from_product(
            [scores.columns, [of_properties(settings, protocol)]]
        )
        points = points.join(scores)
    return points


def of_properties(settings: "Settings", protocol: Protocol) -> str:
    """Return the words for what the NR-Precision of a property is of."""
    images = "cars" if settings.properties.of_cars else settings.properties.dataset
    return f"{images}, {protocol.name}"


def of_methods(networks: pd.DataFrame) -> pd.DataFrame:
    """Return the means over the networks of each method, of the points of of_networks."""
    return networks.groupby(level=0, sort=False).mean()


def of_steps(settings: "Settings", dataset: str) -> pd.DataFrame | None:
    """Return the measures at every step, rows (loss, fold, iteration); None if there are none."""
    if not embedding_spaces.saves_steps(settings):
        return None
    file, key = embedding_spaces.steps_file(settings, dataset), ["loss", "fold", "iteration"]
    table = csv_files.read(file, embedding_spaces.STEPS, key=[*key, "part"])
    return None if table.empty else _points(table, key)


# --------------------------------------------------------------------------------------------------
# Correlations.
# --------------------------------------------------------------------------------------------------
def rows(points: pd.DataFrame, name: str, seed: int) -> Iterator[tuple]:
    """Yield rows of COLUMNS for points, which are of this name; seed: the settings'."""
    methods = points.index.get_level_values(0)
    purpose = derived_seed(seed, "bootstrap of correlations", name)
    for measure, of in points.columns:
        for performance in PERFORMANCE:
            x, y = points[measure, of], points[performance, "test"]
            both = np.isfinite(x) & np.isfinite(y)
            sizes = both.sum(), methods[both].nunique()
            for kind in correlations.KINDS:
                values = correlations.correlation(x, y, methods, kind, purpose)
                rounded = (round(value, DIGITS) for value in values)
                yield (name, kind, measure, of, performance, *sizes, *rounded)


def over_methods(table: pd.DataFrame) -> pd.DataFrame:
    """Return the Pearson correlations over methods, as in Roth et al., of a table of COLUMNS."""
    return table[(table.points == "methods") & (table.kind == "pearson")]


def write(settings: "Settings", dataset: str) -> pd.DataFrame:
    """Write correlations_<dataset>.csv and return it. Raises InputError as of_networks does."""
    networks, steps = of_networks(settings, dataset), of_steps(settings, dataset)
    tables = {"methods": of_methods(networks), "networks": networks}
    if steps is not None:
        tables["looks"] = steps[steps.index.get_level_values("iteration") > 0]
    lines = [row for name, points in tables.items() for row in rows(points, name, settings.seed)]
    csv_files.write(csv_file(settings, dataset), lines, COLUMNS)
    return read(settings, dataset)


def read(settings: "Settings", dataset: str) -> pd.DataFrame:
    """Return correlations_<dataset>.csv."""
    return csv_files.read(csv_file(settings, dataset), COLUMNS, key=KEY)


# --------------------------------------------------------------------------------------------------
# Printing.
# --------------------------------------------------------------------------------------------------
def show(table: pd.DataFrame, dataset: str) -> None:
    """Print correlations of training images' measures, and of properties, with test Recall@1."""
    print(
        f"{dataset}: Pearson correlation with Recall@1 on test images, over methods, "
        "95% interval; right: those of Roth et al."
    )
    table = over_methods(table)
    table = table[table.performance == "recall_at_1"]
    of_roth = published()
    for row in table[(table.of == "train") & table.measure.isin(SHAPE)].itertuples():
        values = of_roth.get(row.measure, {})
        numbers = ", ".join(f"{value:.2f} {name}" for name, value in values.items())
        _show_row(LABELS[row.measure], row, numbers)
    for row in table[~table.of.isin(["train", "test"])].itertuples():
        _show_row(row.measure, row, f"NR-Precision, {row.of}")


def _show_row(label: str, row, words: str) -> None:
    numbers = f"{row.correlation:6.2f}   {row.low:6.2f} to {row.high:5.2f}"
    print(f"{label:16}{numbers}   n = {row.n_methods:<4}{words}")


def show_course(settings: "Settings", dataset: str) -> None:
    """Print means over all trainings at each validation step, if their embeddings were saved."""
    steps = of_steps(settings, dataset)
    if steps is None:
        return
    by_iteration = steps.groupby(level="iteration")
    counts, means = by_iteration.size(), by_iteration.mean()
    print(f"{'iteration':>9}{'trainings':>11}" + "".join(f"{head:>20}" for head in COURSE))
    for iteration, count in counts.items():
        cells = "".join(f"{means.loc[iteration, column]:20.3f}" for column in COURSE.values())
        print(f"{iteration:9}{count:11}{cells}")
