"""Improvements over the frozen backbone: MAP@R of networks and of the trunk that they started from.

Both are measured on the same images, class by class, so that an improvement has a confidence
interval by the bootstrap over classes. On the validation classes of a fold it is a little too
large: they select the iteration, and on the first fold the learning rate. Test classes select
nothing.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from dml_analysis.config import Settings
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import unit
from dml_analysis.networks.specifications import LayoutNetwork, Network, networks_of
from dml_analysis.seeds import derived_seed, described
from dml_analysis.store import ResultStore
from dml_analysis.training.training_runs import SPLITS
from dml_analysis.views import View

RESAMPLES = 10_000
LEVEL = 0.95
START = "frozen trunk"  # in the place of a model: the features of the trunk of "None"
MEASURED = SPLITS[1:]
SHARE = csv_files.between(0, 1)
KEY = {"loss": str, "type": str, "dataset": str, "part": csv_files.one_of(MEASURED)}
CLASSES = {**KEY, "fold": int, "class": int, "n_images": int, "map_at_r": SHARE}
COLUMNS = {
    **KEY, "n_folds": int, "n_classes": int, "frozen_trunk": SHARE, "trained": SHARE,
    "gain": float, "low": float, "high": float, "clear": csv_files.one_of(["yes", "no"]),
}  # fmt: skip


# -------------------------------------------------------------------------------------------------
# Maths.
# -------------------------------------------------------------------------------------------------
def map_at_r_of_classes(
    embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, " classes"]:
    """Return the mean MAP@R of each class with two images or more, in the order of their labels.

    Each image is a query of all others. Neighbours are by cosine, whatever the model's distance:
    as in the Reality Check's model selection, and as features of a frozen trunk have no loss's
    distance. Raises ZeroEmbedding if an embedding is zero.
    """
    from dml_analysis.metrics.retrieval import (  # compiled code takes seconds to load
        Retrieval,
        retrieval_of_queries,
    )

    labels = np.asarray(labels)
    values = retrieval_of_queries(unit(embeddings), labels)[:, Retrieval._fields.index("map_at_r")]
    means = np.array([values[labels == label].mean() for label in np.unique(labels)])
    return means[~np.isnan(means)]


def bootstrap_interval(
    values: Float[np.ndarray, " n"] | Sequence[float],
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval (low, high) of the mean of values."""
    values, rng = np.asarray(values, dtype=float), np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def improvements(table: pd.DataFrame, seed: int) -> list[tuple]:
    """Return a row of COLUMNS for every trained model and split of a table of CLASSES.

    The improvement of a class is the mean over the folds in which it and the frozen trunk were
    measured, because folds are not independent. That of a model is the mean over classes; it is
    clear if its interval is above zero. seed: of the bootstrap.
    """
    key, rows = ["dataset", "part", "fold", "class"], []
    start = table[table.loss == START].set_index(key).map_at_r.rename("start")
    trained = table[table.loss != START].join(start, on=key).dropna(subset=["start", "map_at_r"])
    for (dataset, split, loss), pairs in trained.groupby(["dataset", "part", "loss"], sort=False):
        classes = pairs.groupby("class")[["start", "map_at_r"]].mean()
        differences = classes.map_at_r - classes.start
        purpose = derived_seed(seed, "bootstrap of gains", dataset, split, loss)
        low, high = bootstrap_interval(differences, purpose)
        rows.append(
            (loss, pairs.type.iloc[0], dataset, split, pairs.fold.nunique(), len(classes),
             classes.start.mean(), classes.map_at_r.mean(), differences.mean(), low, high,
             "yes" if low > 0 else "no")
        )  # fmt: skip
    return rows


# -------------------------------------------------------------------------------------------------
# Stores.
# -------------------------------------------------------------------------------------------------
def comparisons(settings: Settings) -> list[tuple[str, list[LayoutNetwork], list[Sample]]]:
    """Return (split, networks, samples) of every dataset, fold and measured split.

    The networks are "None" and those that started from its trunk. Raises InputError if the
    settings have no such networks.
    """
    triples = []
    for dataset, fold, split in product(settings.datasets, settings.folds, MEASURED):
        networks = measured_networks(settings, dataset, fold)
        if not networks:
            raise InputError(
                "models: an improvement takes None, whose trunk training starts from, and a model "
                "that started from it"
            )
        triples.append((split, networks, samples_of(settings, dataset, fold, split)))
    return triples


def measured_networks(settings: Settings, dataset: str, fold: int) -> list[LayoutNetwork]:
    """Return "None" and the networks that started from its trunk; nothing if there is only one."""
    networks = [
        network
        for network in networks_of(settings, dataset, [fold])
        if isinstance(network, LayoutNetwork)
        and (network.model.is_none or (network.model.trained and not network.model.network))
    ]
    has_none = any(network.model.is_none for network in networks)
    return networks if has_none and len(networks) > 1 else []


def samples_of(settings: Settings, dataset: str, fold: int, split: str) -> list[Sample]:
    """Return the images of a fold's split, of classes with two images or more."""
    samples = readers.required_samples(settings, dataset, split, fold)
    counts = pd.Series([sample.label for sample in samples]).value_counts()
    return [sample for sample in samples if counts[sample.label] > 1]


def store_of(network: LayoutNetwork, samples: Sequence[Sample], split: str) -> ResultStore:
    """Return the store of a network's MAP@R, one row per class; of "None" its trunk's."""
    labels, is_start = [sample.label for sample in samples], network.model.is_none
    provenance = {
        "images": image_digests.described(network.records, samples),
        "classes": described(labels),
        **network.provenance(),
    }
    names = {"part": split} | ({"loss": START, "type": START} if is_start else {})
    if is_start:
        del provenance["embedder"]
    folder = network.records.results / "reality_check" / "classes" / split / network.path
    arrays = {"map_at_r": Array("f8", low=0, high=1), "n_images": Array("i8")}
    rows = [str(label) for label in sorted(set(labels))]
    return ResultStore(folder, provenance, [rows], arrays, network, network.labels | names)


def measure(
    network: Network, embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]
) -> dict[str, Any]:
    """Return the arrays of a network's store; see store_of."""
    counts = np.unique(labels, return_counts=True)[1]
    return {"map_at_r": map_at_r_of_classes(embeddings, labels), "n_images": counts}


# -------------------------------------------------------------------------------------------------
# CSV files.
# -------------------------------------------------------------------------------------------------
def classes_file(settings: Settings, dataset: str) -> Path:
    """Return the CSV file of a dataset's classes."""
    return settings.results / "reality_check" / f"classes_{dataset}.csv"


def csv_file(settings: Settings, dataset: str) -> Path:
    """Return the CSV file of a dataset's improvements."""
    return settings.results / "reality_check" / f"gains_{dataset}.csv"


def views(settings: Settings) -> list[View]:
    """Return classes_<dataset>.csv of the settings' datasets, of all models and folds."""
    files = []
    for dataset in settings.datasets:
        stores = []
        for fold, split in product(settings.whole.folds, MEASURED):
            samples = samples_of(settings.whole, dataset, fold, split)
            networks = measured_networks(settings.whole, dataset, fold)
            stores += [store_of(n, samples, split) for n in networks if n.is_known()]
        files.append(View(classes_file(settings, dataset), CLASSES, stores))
    return files


def read(settings: Settings, dataset: str) -> pd.DataFrame:
    """Return a dataset's improvements, a table of COLUMNS, from its CSV file of classes.

    Raises MissingFile if that does not exist.
    """
    key = ["loss", "dataset", "part", "fold", "class"]
    classes = csv_files.read(classes_file(settings, dataset), CLASSES, key)
    return pd.DataFrame(improvements(classes, settings.seed), columns=list(COLUMNS))


def show(settings: Settings) -> None:
    """Write gains_<dataset>.csv, and print it."""
    for dataset in settings.datasets:
        table = read(settings, dataset)
        csv_files.write(csv_file(settings, dataset), table.values.tolist(), COLUMNS)
        print(f"wrote {csv_file(settings, dataset)}")
        print(
            f"{dataset:26}{'part':12}{'classes':>8}{'frozen':>8}{'trained':>8}{'gain':>8}   "
            "95% interval, MAP@R in %"
        )
        for row in table.itertuples():
            numbers = f"{100 * row.frozen_trunk:8.2f}{100 * row.trained:8.2f}{100 * row.gain:8.2f}"
            interval = f"[{100 * row.low:.2f}, {100 * row.high:.2f}]"
            note = "" if row.clear == "yes" else "   includes zero: not shown to have learned"
            print(f"{row.loss:26}{row.part:12}{row.n_classes:8}{numbers}   {interval}{note}")
    print(
        "Validation classes selected iterations and learning rates, so improvements on them are a "
        "little too large."
    )
    if settings.note:
        print(settings.note)
