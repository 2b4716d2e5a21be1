"""NR-Precision of eleven properties: ours, pytorch-metric-learning, and a bare matrix product."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from benchmarks.measure import Row, medians, peak_memory
from dml_analysis.metrics.nearest_neighbors import queries_at_once
from dml_analysis.metrics.nr_precision import Precision, nr_precision
from dml_analysis.metrics.permutation_null import permutation_null
from dml_analysis.paper import PROPERTIES

DIMENSIONS, MAX_GB = 128, 0.4


def embedded_cars(n: int) -> tuple[Float[np.ndarray, "n 128"], Int[np.ndarray, "n 11"]]:
    """Return embeddings and labels, sampled as for the rendered cars.

    An embedding is noise and a direction for each value.
    """
    rng = np.random.default_rng(n)
    labels = np.stack([rng.integers(0, len(prop.values), n) for prop in PROPERTIES], axis=1)
    embeddings = rng.standard_normal((n, DIMENSIONS), dtype=np.float32)
    for column, prop in zip(labels.T, PROPERTIES):
        directions = rng.standard_normal((len(prop.values), DIMENSIONS), dtype=np.float32)
        embeddings += 0.3 * directions[column]
    return embeddings, labels


def ours(n: int) -> Callable[[], Precision]:
    """Return a function that computes NR-Precision of n cars."""
    embeddings, labels = embedded_cars(n)
    nr_precision(embeddings[:100], labels[:100])  # so that it is compiled
    return lambda: nr_precision(embeddings, labels)


def metric_learning(n: int) -> Callable[[], list[float]]:
    """Return a function that computes R-Precision with faiss, one property after the other."""
    embeddings, labels = map(torch.as_tensor, embedded_cars(n))
    calculator = AccuracyCalculator(("r_precision",), k="max_bin_count", device=torch.device("cpu"))
    return lambda: [
        calculator.get_accuracy(embeddings, column)["r_precision"] for column in labels.T
    ]


def bare_product(n: int) -> Callable[[], None]:
    """Return a function that computes the products of nr_precision's blocks, in float64."""
    embeddings = embedded_cars(n)[0].astype(np.float64)
    doubled, block = -2 * embeddings.T, np.empty((queries_at_once(n), n))

    def run() -> None:
        for start in range(0, n, len(block)):
            queries = embeddings[start : start + len(block)]
            np.matmul(queries, doubled, out=block[: len(queries)])

    return run


def against_metric_learning(n: int = 20_000, rounds: int = 3, compared: int = 2_000) -> list[Row]:
    """Return time and memory; that both give the same is checked on fewer embeddings."""
    difference = np.abs(ours(compared)().r_precision - metric_learning(compared)()).max()
    seconds = medians({"ours": ours(n), "theirs": metric_learning(n)}, rounds)
    gigabytes = [peak_memory(prepare, n) for prepare in (ours, metric_learning)]
    what, against = f"NR-Precision, 11 properties, n = {n:,}", "pytorch-metric-learning, faiss"
    return [
        Row(what, against, "s", 20, *seconds.values(), difference),
        Row(what, against, "GB", 10, *gigabytes),
    ]


def against_product(n: int = 100_000, rounds: int = 3) -> list[Row]:
    """Return time and memory."""
    seconds = medians({"ours": ours(n), "product": bare_product(n)}, rounds)
    what = f"NR-Precision, 11 properties, n = {n:,}"
    limit = f"a limit of {MAX_GB:g} GB beyond the embeddings"
    return [
        Row(what, "float64 matrix product of the blocks", "s", 0.7, *seconds.values()),
        Row(what, limit, "GB", 1, peak_memory(ours, n), MAX_GB),
    ]


def null_against_calls(
    n: int = 20_000, permutations: int = 1_000, calls: int = 3, rounds: int = 3
) -> list[Row]:
    """Return the time of the permutation null, and of a call of nr_precision per permutation.

    Only some of these calls are made, and their time is scaled.
    """
    embeddings, labels = embedded_cars(n)
    permutation_null(embeddings[:100], labels[:100], 1, 0)  # so that it is compiled
    seconds = medians(
        {
            "null": lambda: permutation_null(embeddings, labels, permutations, 0),
            "calls": lambda: [nr_precision(embeddings, labels) for _ in range(calls)],
        },
        rounds,
    )
    what = f"null of NR-Precision, 11 properties, {permutations:,} permutations, n = {n:,}"
    against = f"{permutations:,} calls of NR-Precision: the time of {calls}, scaled"
    theirs = seconds["calls"] * permutations / calls
    return [Row(what, against, "s", 20, seconds["null"], theirs)]
