"""Measures of embedding spaces: ours, and the way that the study's public code goes for the same."""

from statistics import median

import numpy as np
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from scipy.spatial.distance import pdist
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

from benchmarks.measure import Row, medians, time_and_memory
from benchmarks.neighbors import GB
from dml_analysis.metrics.coordinates import unit
from dml_analysis.metrics.geometry import pi_inter, pi_intra, singular_values
from dml_analysis.metrics.retrieval import retrieval

DIMENSIONS, CLASSES = 128, 100
QUERIES = 1000  # whose similarities pytorch-metric-learning has in memory at once


def embedded_classes(n):
    """(embeddings (n, 128) float32, labels (n,)): every class a direction, and noise."""
    rng = np.random.default_rng(n)
    labels = rng.permutation(n) % CLASSES
    directions = 0.3 * rng.standard_normal((CLASSES, DIMENSIONS), dtype=np.float32)
    return directions[labels] + rng.standard_normal((n, DIMENSIONS), dtype=np.float32), labels


# ---------------------------------------------------------------------------------------------------------------------
# Density and the spectrum.
# ---------------------------------------------------------------------------------------------------------------------
def our_density(n):
    embeddings, labels = embedded_classes(n)
    return lambda: (pi_intra(embeddings, labels), pi_inter(embeddings, labels))


def pairwise_density(n):
    """The distances of all pairs, class by class, and those of the class means."""
    embeddings, labels = embedded_classes(n)

    def run():
        points = normalize(embeddings.astype(np.float64))
        members = [points[labels == label] for label in range(CLASSES)]
        means = np.stack([some.mean(axis=0) for some in members])
        return np.mean([pdist(some, "cosine").mean() for some in members]), pdist(means, "cosine").mean()

    return run


def our_spectrum(n):
    embeddings, _ = embedded_classes(n)
    return lambda: singular_values(embeddings)


def truncated_spectrum(n):
    """All singular values but the smallest."""
    embeddings, _ = embedded_classes(n)
    svd = TruncatedSVD(DIMENSIONS - 1, random_state=0)
    return lambda: svd.fit(normalize(embeddings.astype(np.float64))).singular_values_


def shape(n=10_000, rounds=9):
    """Time of both, of density and of the spectrum."""
    what = f"{DIMENSIONS} dimensions, n = {n:,}"
    contests = [
        (f"pi_intra and pi_inter, {what}", "SciPy pdist, class by class", 1.5, our_density(n), pairwise_density(n)),
        (f"singular values, {what}", "scikit-learn TruncatedSVD", 2, our_spectrum(n), truncated_spectrum(n)),
    ]
    for name, against, target, ours, theirs in contests:
        found = np.array(theirs())
        difference = np.abs(np.array(ours())[: len(found)] - found).max()
        seconds = medians({"ours": ours, "theirs": theirs}, rounds)
        yield Row(name, against, "cpu", "s", target, seconds["ours"], seconds["theirs"], rounds, difference)


# ---------------------------------------------------------------------------------------------------------------------
# Retrieval.
# ---------------------------------------------------------------------------------------------------------------------
def our_retrieval(n):
    embeddings, labels = embedded_classes(n)
    retrieval(unit(embeddings[:500]), labels[:500])  # so that it is compiled
    return lambda: retrieval(unit(embeddings), labels)


def neighbor_lists(n):
    """mAP by pytorch-metric-learning, from the list of all neighbours of every query.

    Torch makes the lists, some queries at a time.
    """
    embeddings, labels = (torch.as_tensor(each) for each in embedded_classes(n))
    lists = CustomKNN(CosineSimilarity(), batch_size=QUERIES)
    calculator = AccuracyCalculator(("mean_average_precision",), knn_func=lists, device=torch.device("cpu"))
    return lambda: calculator.get_accuracy(embeddings, labels)["mean_average_precision"]


def neighbors(n=10_000, rounds=3):
    """Time and memory of both; ours gives all measures of retrieval, theirs mAP."""
    difference = abs(our_retrieval(n)().mean_ap - neighbor_lists(n)())
    contestants = (our_retrieval, neighbor_lists)
    runs = [{each: time_and_memory(each, n) for each in contestants} for _ in range(rounds)]
    seconds, memory = ([median(run[each][i] for run in runs) for each in contestants] for i in (0, 1))
    what, against = f"mAP, {CLASSES} classes, n = {n:,}", "pytorch-metric-learning, all neighbours"
    return [
        Row(what, against, "cpu", "s", 2, *seconds, rounds, difference),
        Row(what, against, "cpu", "GB", 10, *(each / GB for each in memory), rounds),
    ]
