"""Controls of NR-Precision: permutation nulls, intervals, smallest differences, rank stability.

The z-scores of every query are saved, so that folds and models can be compared query by query.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats
from jaxtyping import Float, Int

from dml_analysis.config import unlike_defaults
from dml_analysis.datasets.readers import Sample, evenly_spaced, ids_of, properties_of
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics import permutation_null, sample_size
from dml_analysis.metrics.nr_precision import nr_precision
from dml_analysis.paper import Property, Protocol
from dml_analysis.properties import property_scores
from dml_analysis.properties.property_scores import Scored, coordinates_by
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore
from dml_analysis.views import View

if TYPE_CHECKING:
    from dml_analysis.config import Settings

Measure = Callable[..., dict[str, Any]]  # of embeddings, codes, Scored and the names of rows
SHARE = csv_files.between(0, 1)
NULL = {"r_precision": SHARE, "r_null_mean": SHARE, "r_null_std": float, "r_p_value": SHARE, "nr_precision": float,
        "null_mean": float, "null_std": float, "p_value": SHARE}  # fmt: skip
NULLS = {"loss": str, "type": str, "dataset": str, "fold": int, "property": str, "max_neighbors": str, "n_images": int,
         "permutations": int, **NULL}  # fmt: skip
INTERVALS = {"loss": str, "type": str, "property": str, "n_images": int, "n_folds": int, "nr_precision": float,
             "low": float, "high": float, "low_folds": float, "high_folds": float}  # fmt: skip
DIFFERENCES = {"property": str, "n_images": int, "queries": int, "folds": int, "n_pairs": int, "least": float,
               "told_apart": SHARE}  # fmt: skip
ORDERS = {
    "loss": str,
    "type": str,
    "n_images": int,
    "n_all": int,
    "order_as_all": csv_files.between(-1, 1),
}
DIVISORS = (64, 16, 4)  # of the number of all images, for smaller numbers of images,
MIN_IMAGES = 100  # but not smaller than this


def file_of(settings: "Settings", protocol: Protocol, name: str) -> Path:
    """Return the path of nulls.csv, intervals.csv, differences.csv or orders.csv."""
    return settings.results / protocol.name / "controls" / f"{name}.csv"


# --------------------------------------------------------------------------------------------------
# Stores, made from the store of a network's scores, whose rows are the properties.
# --------------------------------------------------------------------------------------------------
def _folder(scored: ResultStore, kind: str) -> Path:
    network, protocol = scored.subject
    return network.records.results / protocol.name / "controls" / kind / network.path


def query_store(scored: ResultStore, samples: Sequence[Sample]) -> ResultStore:
    """Return the store of the z-scores of every query, with a row for each image."""
    provenance = {"scores": scored.digest}
    arrays = {"scores": Array("f4", (len(scored.rows),), finite=False)}
    folder, rows = _folder(scored, "query_scores"), [ids_of(samples)]
    return ResultStore(folder, provenance, rows, arrays, scored.subject, scored.labels)


def null_store(scored: ResultStore, settings: "Settings") -> ResultStore:
    """Return the store of the permutation null, with a row for each property."""
    permutations = {"permutations": settings.controls.permutations}
    provenance = {"scores": scored.digest, **permutations, **unlike_defaults(settings, "seed")}
    arrays = dict.fromkeys(NULL, Array("f8", finite=False)) | {"n_images": Array("i8")}
    folder, labels = _folder(scored, "nulls"), scored.labels | permutations
    return ResultStore(folder, provenance, [scored.rows], arrays, scored.subject, labels)


def order_store(scored: ResultStore, n: int) -> ResultStore:
    """Return the store of NR-Precisions among fewer images, evenly spaced over all n.

    It has a row for each number of images, all of them last.
    """
    rows = [[str(number)] for number in numbers_of_images(n)]
    provenance = {"scores": scored.digest}
    arrays = {"nr_precision": Array("f8", (len(scored.rows),), finite=False)}
    folder = _folder(scored, "orders")
    return ResultStore(folder, provenance, rows, arrays, scored.subject, scored.labels)


def numbers_of_images(n: int) -> list[int]:
    """Return some numbers of images up to n, in ascending order."""
    return sorted({min(n, max(MIN_IMAGES, n // divisor)) for divisor in DIVISORS} | {n})


def work_of(
    settings: "Settings",
    samples: Sequence[Sample],
    properties: Sequence[Property],
    codes: Int[np.ndarray, "n k"],
    embedded: ResultStore,
    protocol: Protocol,
) -> list[tuple[Measure, ResultStore]]:
    """Return each store of a network's controls by a protocol, with the function for its arrays.

    samples, codes: the images and their values of the properties. embedded: the network's embeddings.
    """
    scored = property_scores.store_of(embedded.subject, protocol, embedded, properties, codes)
    options, seed = settings.controls, settings.seed
    null = partial(null_arrays, permutations=options.permutations, seed=seed)
    return [
        (query_arrays, query_store(scored, samples)),
        (null, null_store(scored, settings)),
        (order_arrays, order_store(scored, len(samples))),
    ]


# --------------------------------------------------------------------------------------------------
# Arrays.
# --------------------------------------------------------------------------------------------------
def query_arrays(
    embeddings: Float[np.ndarray, "n d"], codes: Int[np.ndarray, "n k"], scored: Scored, _: Any
) -> dict[str, Float[np.ndarray, "n k"]]:
    """Return the z-scores of all queries."""
    coordinates, cap = coordinates_by(*scored, embeddings), scored.protocol.max_neighbors
    return {"scores": permutation_null.query_scores(coordinates, codes, cap)}


def null_arrays(
    embeddings: Float[np.ndarray, "n d"],
    codes: Int[np.ndarray, "n k"],
    scored: Scored,
    _: Any,
    permutations: int,
    seed: int,
) -> dict[str, Any]:
    """Return the columns of NULL for every property; seed: the settings'."""
    network, protocol = scored
    observed = property_scores.score(embeddings, codes, scored)
    purpose = derived_seed(seed, "null", protocol.name, *network.path.parts)
    coordinates = coordinates_by(*scored, embeddings)
    null = permutation_null.permutation_null(
        coordinates, codes, permutations, purpose, protocol.max_neighbors
    )
    arrays: dict[str, Any] = {"n_images": [len(codes)] * codes.shape[1]}
    for name, prefix in (("r_precision", "r_"), ("nr_precision", "")):
        scores = getattr(observed, name)
        summary = permutation_null.null_summary(scores, getattr(null, name))
        arrays |= {name: scores, f"{prefix}null_mean": summary.mean, f"{prefix}null_std": summary.std,
                   f"{prefix}p_value": summary.p_value}  # fmt: skip
    return arrays


def order_arrays(
    embeddings: Float[np.ndarray, "n d"],
    codes: Int[np.ndarray, "n k"],
    scored: Scored,
    rows: Sequence[str],
) -> dict[str, list[Float[np.ndarray, " k"]]]:
    """Return the NR-Precisions among as many images as the only row's name says."""
    (number,) = rows
    indices = evenly_spaced(range(len(codes)), int(number))
    coordinates, cap = coordinates_by(*scored, embeddings)[indices], scored.protocol.max_neighbors
    return {"nr_precision": [nr_precision(coordinates, codes[indices], cap).nr_precision]}


# --------------------------------------------------------------------------------------------------
# CSV files.
# --------------------------------------------------------------------------------------------------
def views(settings: "Settings") -> list[View]:
    """Return the four CSV files of the complete settings, by every protocol."""
    whole, files = settings.whole, []
    samples, _ = property_scores.images_and_codes(whole)
    names = [prop.name for prop in properties_of(whole)]
    # The same bootstrap samples for all models, which are compared
    intervals = partial(interval_rows, names, derived_seed(whole.seed, "bootstrap of queries"))
    differences = partial(difference_rows, names)
    for protocol in settings.protocols:
        scored = property_scores.known_stores(whole, protocol)
        queries = [query_store(store, samples) for store in scored]
        nulls = [null_store(store, settings) for store in scored]
        orders = [order_store(store, len(samples)) for store in scored]
        files += [
            View(file_of(settings, protocol, "nulls"), NULLS, nulls),
            View(file_of(settings, protocol, "intervals"), INTERVALS, queries, intervals),
            View(file_of(settings, protocol, "differences"), DIFFERENCES, queries, differences),
            View(file_of(settings, protocol, "orders"), ORDERS, orders, order_rows),
        ]
    return files


def by_model(stores: Sequence[ResultStore]) -> dict[str, list[ResultStore]]:
    """Return model -> its stores, one for each fold."""
    models: dict[str, list[ResultStore]] = {}
    for store in stores:
        models.setdefault(store.subject.network.model.name, []).append(store)
    return models


def fold_numbers(folds: Sequence[ResultStore]) -> tuple[int, ...]:
    """Return the folds of a model's stores."""
    return tuple(store.subject.network.fold for store in folds)


def read(folds: Sequence[ResultStore]) -> Float[np.ndarray, "folds n k"]:
    """Return the z-scores of a model's queries."""
    return np.stack([store.read("scores")["scores"] for store in folds]).astype(np.float64)


def interval_rows(
    names: Sequence[str], seed: int, stores: Sequence[ResultStore], _: dict[str, Any]
) -> Iterator[list]:
    """Yield a row for each model and property: the mean over its folds, with two intervals.

    They are over queries, and over queries and folds. names: of the properties. seed: of the bootstrap.
    """
    for name, folds in by_model(stores).items():
        scores = read(folds)
        undefined = np.full((len(names), 2), np.nan)  # a single fold
        intervals = [
            permutation_null.bootstrap(scores, seed, over=over)
            if over == "queries" or len(folds) > 1
            else undefined
            for over in permutation_null.OVER
        ]
        means, bounds = np.nanmean(scores, axis=1).mean(axis=0), np.concatenate(intervals, axis=1)
        labels = [name, folds[0].labels["type"]]
        for k, prop in enumerate(names):
            yield [*labels, prop, scores.shape[1], len(folds), means[k], *bounds[k]]


def difference_rows(
    names: Sequence[str], stores: Sequence[ResultStore], _: dict[str, Any]
) -> Iterator[list]:
    """Yield how small a difference of two trained models a test can find.

    There is a row for each property and number of queries and folds. least: the median over all
    pairs of models. told_apart: the share of pairs whose observed difference is at least that. The
    variance over folds is the mean of all pairs', because one pair has too few folds. Yields
    nothing for fewer than two models, or if they do not have the same folds.
    """
    trained = {
        name: sorted(folds, key=lambda store: store.subject.network.fold)
        for name, folds in by_model(stores).items()
        if folds[0].subject.network.model.trained
    }
    if len(trained) < 2 or len({fold_numbers(folds) for folds in trained.values()}) > 1:
        return
    models = [read(folds) for folds in trained.values()]
    pairs = [a - b for a, b in combinations(models, 2)]
    of_queries, of_folds = map(np.array, zip(*map(sample_size.variances, pairs)))
    of_folds = np.nan_to_num(of_folds.mean(axis=0))
    observed = np.abs([np.nanmean(pair.mean(axis=0), axis=0) for pair in pairs])
    n_folds, n = models[0].shape[:2]
    for queries in sorted({max(MIN_IMAGES, n // divisor) for divisor in DIVISORS} | {n}):
        for folds in sorted({1, n_folds, 4}):
            least = sample_size.least_difference(of_queries, of_folds, queries, folds)
            medians, shares = np.median(least, axis=0), (observed >= least).mean(axis=0)
            for k, prop in enumerate(names):
                yield [prop, n, queries, folds, len(pairs), medians[k], shares[k]]


def order_rows(stores: Sequence[ResultStore], _: dict[str, Any]) -> Iterator[list]:
    """Yield Spearman's correlation of the properties' order among fewer images with that among all.

    There is a row for each model and number of images. It is NaN if a score is not finite.
    """
    for name, folds in by_model(stores).items():
        scores = np.mean([store.read("nr_precision")["nr_precision"] for store in folds], axis=0)
        *numbers, n = map(int, folds[0].rows)
        for number, row in zip(numbers, scores[:-1], strict=True):
            finite = np.isfinite([row, scores[-1]]).all()
            order = scipy.stats.spearmanr(row, scores[-1]).statistic if finite else np.nan
            yield [name, folds[0].labels["type"], number, n, order]
