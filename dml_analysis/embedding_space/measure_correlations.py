"""Which measures are correlated with performance on test images, over which points, and the CSV that says so.

Three kinds of points: methods, each the mean of its folds' networks, as in Roth et al.; networks, one per method and fold;
looks, all of their trainings after the start. Intervals are over methods in all three.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from dml_analysis.embedding_space import embedding_spaces
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.metrics import correlations
from dml_analysis.metrics.embedding_measures import LABELS, PERFORMANCE, SHAPE
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties.property_scores import COLUMNS as SCORES
from dml_analysis.properties.property_scores import scores_file
from dml_analysis.seeds import derived_seed

POINTS = ("methods", "networks", "looks")
KEY = ["points", "kind", "measure", "of", "performance"]
SHARE = csv_files.between(-1, 1)
DIGITS = 4  # of a correlation in the file
COLUMNS = {"points": csv_files.one_of(POINTS), "kind": csv_files.one_of(correlations.KINDS), "measure": str, "of": str,
           "performance": csv_files.one_of(PERFORMANCE), "n_points": int, "n_methods": int, "correlation": SHARE,
           "low": SHARE, "high": SHARE}  # fmt: skip
PUBLISHED = (
    Path(__file__).parents[1] / "published" / "roth_correlations.csv"
)  # read off the study's figures
PUBLISHED_COLUMNS = {"measure": csv_files.one_of(SHAPE), "dataset": str, "pearson": SHARE}


def csv_file(settings, dataset):
    return embedding_spaces.folder(settings) / f"correlations_{dataset}.csv"


def published():
    """Measure -> {dataset: Pearson correlation on training images with test Recall@1, over 16 methods}."""
    table = csv_files.read(PUBLISHED, PUBLISHED_COLUMNS, key=["measure", "dataset"])
    return {
        measure: dict(zip(some.dataset, some.pearson))
        for measure, some in table.groupby("measure", sort=False)
    }


def wide(table, index):
    """A row for each of `index`, and for each measure and part a column: (measure, part)."""
    return table.pivot(index=index, columns="part", values=list(LABELS))


def of_networks(settings, dataset):
    """The measures of the trained networks of a dataset, a row (loss, fold) each: columns (measure, what it is of).

    With NR-Precision by every protocol, where rendered cars were embedded by these networks. Raises InputError if there
    are no measures.
    """
    file = embedding_spaces.spaces_file(settings)
    table = csv_files.read(file, embedding_spaces.SPACES, key=["loss", "dataset", "fold", "part"])
    trained = [model.name for model in settings.whole.models if model.trained]
    table = table[(table.dataset == dataset) & table.loss.isin(trained)]
    if table.empty:
        raise InputError(
            f"{file}: no trained network of {dataset} in it; run embedding_space/1_measure_spaces.py first"
        )
    found = wide(table, ["loss", "fold"])
    if dataset != settings.properties.networks:
        return found
    for protocol in settings.protocols:
        scores = csv_files.read(
            scores_file(settings, protocol), SCORES, key=["loss", "fold", "property"]
        )
        scores = scores.pivot(index=["loss", "fold"], columns="property", values="nr_precision")
        scores.columns = pd.MultiIndex.from_product([scores.columns, [of_cars(protocol)]])
        found = found.join(scores)
    return found


def of_cars(protocol):
    """What the NR-Precision of a property is of."""
    return f"cars, {protocol.name}"


def of_looks(settings, dataset):
    """The measures at every look, a row (loss, fold, iteration) each; None if there are none."""
    if not embedding_spaces.keeps_looks(settings):
        return None
    table = csv_files.read(
        embedding_spaces.file_of_looks(settings, dataset),
        embedding_spaces.LOOKS,
        key=["loss", "fold", "iteration", "part"],
    )
    return None if table.empty else wide(table, ["loss", "fold", "iteration"])


def after_start(looks):
    """The points of the looks: those of a table of of_looks that training has made."""
    return looks[looks.index.get_level_values("iteration") > 0]


def rows(points, name, seed):
    """The rows of COLUMNS for a table of points, whose index begins with their method."""
    methods = points.index.get_level_values(0)
    for measure, of in points.columns:
        for performance in PERFORMANCE:
            x, y = points[measure, of], points[performance, "test"]
            both = np.isfinite(x) & np.isfinite(y)
            for kind in correlations.KINDS:
                purpose = derived_seed(seed, "bootstrap of correlations", name)
                found = correlations.correlation(x, y, methods, kind, purpose)
                values = (round(value, DIGITS) for value in found)
                yield (
                    name,
                    kind,
                    measure,
                    of,
                    performance,
                    both.sum(),
                    methods[both].nunique(),
                    *values,
                )


def means_of_methods(networks):
    """The points that methods are: the means of their networks, of a table of of_networks."""
    return networks.groupby(level=0, sort=False).mean()


def over_methods(table):
    """The Pearson correlations over methods, as in the study, of a table of COLUMNS."""
    return table[(table.points == "methods") & (table.kind == "pearson")]


def write(settings, dataset):
    """Write correlations_<dataset>.csv; returns it as a table. Raises InputError as of_networks does."""
    networks, looks = of_networks(settings, dataset), of_looks(settings, dataset)
    tables = {"methods": means_of_methods(networks), "networks": networks}
    tables |= {"looks": after_start(looks)} if looks is not None else {}
    found = [row for name, points in tables.items() for row in rows(points, name, settings.seed)]
    csv_files.write(csv_file(settings, dataset), found, COLUMNS)
    return read(settings, dataset)


def read(settings, dataset):
    return csv_files.read(csv_file(settings, dataset), COLUMNS, key=KEY)


def show(table, dataset):
    """Print what the study's figures are about: measures on training images against Recall@1 on test images."""
    study = published()
    print(
        f"{dataset}: Pearson correlation with Recall@1 on test images, over methods, 95% interval; Roth et al. beside it"
    )
    chosen = over_methods(table)
    chosen = chosen[chosen.performance == "recall_at_1"]
    for row in chosen[(chosen.of == "train") & chosen.measure.isin(SHAPE)].itertuples():
        theirs = ", ".join(
            f"{value:.2f} {name}" for name, value in study.get(row.measure, {}).items()
        )
        interval = f"{row.low:6.2f} to {row.high:5.2f}"
        print(
            f"{LABELS[row.measure]:16}{row.correlation:6.2f}   {interval}   n = {row.n_methods:<4}{theirs}"
        )
    names = [each.name for each in PROPERTIES]
    for row in chosen[chosen.measure.isin(names)].itertuples():
        interval = f"{row.low:6.2f} to {row.high:5.2f}"
        print(
            f"{row.measure:16}{row.correlation:6.2f}   {interval}   n = {row.n_methods:<4}NR-Precision, {row.of}"
        )


def show_course(settings, dataset):
    """Print what all trainings have in common from look to look: means over them, where their looks were kept."""
    looks = of_looks(settings, dataset)
    if looks is None:
        return
    at = looks.groupby(level="iteration")
    shown = {
        "Recall@1, test": ("recall_at_1", "test"),
        "π ratio, training": ("pi_ratio", "train"),
        "ρ@2, training": ("rho_2", "train"),
    }
    print(f"{'iteration':>9}{'trainings':>11}" + "".join(f"{head:>20}" for head in shown))
    for (iteration, some), count in zip(at.mean().iterrows(), at.size()):
        print(
            f"{iteration:9}{count:11}"
            + "".join(f"{some[column]:20.3f}" for column in shown.values())
        )
