"""NR-Precision of eleven properties: ours, pytorch-metric-learning, and the bare product of the
same blocks.
"""

from statistics import median

import numpy as np
import torch
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from benchmarks.measure import Row, medians, time_and_memory
from dml_analysis.metrics.nearest_neighbors import queries_at_once
from dml_analysis.metrics.nr_precision import nr_precision
from dml_analysis.metrics.permutation_null import permutation_null
from dml_analysis.paper import PROPERTIES

GB = 1e9
DIMENSIONS = 128


def embedded_cars(n):
    """(embeddings (n, 128) float32, labels (n, 11)): values drawn as for the rendered cars, each a
    direction and noise.
    """
    rng = np.random.default_rng(n)
    labels = np.stack([rng.integers(0, len(each.values), n) for each in PROPERTIES], axis=1)
    embeddings = rng.standard_normal((n, DIMENSIONS), dtype=np.float32)
    for column, each in zip(labels.T, PROPERTIES):
        embeddings += (
            0.3 * rng.standard_normal((len(each.values), DIMENSIONS), dtype=np.float32)[column]
        )
    return embeddings, labels


def ours(n):
    embeddings, labels = embedded_cars(n)
    nr_precision(embeddings[:100], labels[:100])  # so that it is compiled
    return lambda: nr_precision(embeddings, labels)


def metric_learning(n):
    """R-Precision by pytorch-metric-learning with faiss, one property after the other, as its
    interface has it.
    """
    embeddings, labels = (torch.as_tensor(each) for each in embedded_cars(n))
    calculator = AccuracyCalculator(
        include=("r_precision",), k="max_bin_count", device=torch.device("cpu")
    )
    return lambda: [
        calculator.get_accuracy(embeddings, column)["r_precision"] for column in labels.T
    ]


def bare_product(n):
    """The products of the blocks that nr_precision compares, in float64, and nothing else."""
    embeddings = embedded_cars(n)[0].astype(np.float64)
    doubled, block = -2 * embeddings.T, np.empty((queries_at_once(n), n))

    def run():
        for start in range(0, n, len(block)):
            some = embeddings[start : start + len(block)]
            np.matmul(some, doubled, out=block[: len(some)])

    return run


def against_metric_learning(n=20_000, rounds=3, compared=2_000):
    """Time and memory of both; that they find the same is checked on fewer embeddings."""
    difference = np.abs(ours(compared)().r_precision - metric_learning(compared)()).max()
    runs = [
        {each: time_and_memory(each, n) for each in (ours, metric_learning)} for _ in range(rounds)
    ]
    seconds, memory = (
        [median(run[each][i] for run in runs) for each in (ours, metric_learning)] for i in (0, 1)
    )
    what, against = f"NR-Precision, 11 properties, n = {n:,}", "pytorch-metric-learning, faiss"
    return [
        Row(what, against, "cpu", "s", 20, *seconds, rounds, difference),
        Row(what, against, "cpu", "GB", 10, *(each / GB for each in memory), rounds),
    ]


def against_the_product(n=100_000, rounds=3, most=0.4):
    """The time of both; the memory of ours beside the most, in GB, that it may be."""
    seconds = medians({"ours": ours(n), "bare": bare_product(n)}, rounds)
    memory = time_and_memory(ours, n)[1] / GB
    what = f"NR-Precision, 11 properties, n = {n:,}"
    return [
        Row(
            what,
            "bare float64 product of the blocks",
            "cpu",
            "s",
            0.7,
            seconds["ours"],
            seconds["bare"],
            rounds,
        ),
        Row(what, f"a limit of {most:g} GB beside the embeddings", "cpu", "GB", 1, memory, most),
    ]


def null_against_calls(n=20_000, permutations=1_000, calls=3, rounds=3):
    """The permutation null beside that many calls of nr_precision, of which some are timed and the
    time is scaled.
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
    return [
        Row(
            what,
            against,
            "cpu",
            "s",
            20,
            seconds["null"],
            seconds["calls"] * permutations / calls,
            rounds,
        )
    ]
