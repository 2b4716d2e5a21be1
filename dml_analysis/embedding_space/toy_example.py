"""The toy example of Roth et al. (ICML 2020): points on segments, a small network onto the unit circle, seven ways to train it.

Its regularised run has a flatter spectrum than its plain one. Here the things by which the two differ are taken apart: in
the public code the plain loss of a triplet (a, p, n) is a pull, d(a, p), and a push, max(0, margin - d(a, n)); the
regularised run has switched negatives, and no pull. The pull of the common triplet loss, max(0, d(a, p) - d(a, n) + margin),
ends where the negative is far enough away, which that of the plain loss never does.
"""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from dml_analysis.files import csv_files
from dml_analysis.metrics.coordinates import unit
from dml_analysis.metrics.geometry import decay_of, singular_values
from dml_analysis.metrics.intervals import mean_interval
from dml_analysis.metrics.retrieval import retrieval
from dml_analysis.seeds import derived_seed

TRAIN_SEGMENTS = (
    ((0.1, 0.1), (0.3, 0.3)),
    ((0.35, 0.35), (0.55, 0.55)),
    ((0.6, 0.6), (0.8, 0.8)),
    ((0.85, 0.85), (1.05, 1.05)),
)
TEST_SEGMENTS = (
    ((0.2, 0.2), (0.2, 0.4)),
    ((0.2, 0.55), (0.2, 0.85)),
    ((0.4, 0.2), (0.6, 0.2)),
    ((0.7, 0.2), (0.9, 0.2)),
)
GRID, POINTS = 100, 15  # points of a segment, and how many of them there are data of
WIDTHS = (2, 30, 30, 2)  # of the network's layers, from the input on
LEARNING_RATE, BATCH, ITERATIONS, MARGIN = 0.03, 24, 200, 0.1

# What a triplet with these two distances costs
LOSSES = {
    "pull and push": lambda positive, negative, margin: positive + torch.relu(margin - negative),
    "push": lambda positive, negative, margin: torch.relu(margin - negative),
    "triplet": lambda positive, negative, margin: torch.relu(positive - negative + margin),
}


class Variant(NamedTuple):
    name: str
    loss: str  # of LOSSES
    p: float  # with what probability a triplet's negative is another point of the anchor's class
    source: str  # whose it is


PUBLIC_CODE, ARTICLE, COMPARED = "public code", "article's words", "for comparison"
VARIANTS = (
    Variant("plain", "pull and push", 0, PUBLIC_CODE),
    Variant("push only, p = 0", "push", 0, PUBLIC_CODE),
    Variant("push only, p = .001", "push", 0.001, PUBLIC_CODE),
    Variant("swap, p = .001", "pull and push", 0.001, ARTICLE),
    Variant("swap, p = .2", "pull and push", 0.2, ARTICLE),
    Variant("triplet loss", "triplet", 0, COMPARED),
    Variant("triplet loss, swap, p = .2", "triplet", 0.2, COMPARED),
)
SHARE = csv_files.between(0, 1)
MEASURES = {
    "s1": SHARE,
    "s2": SHARE,
    "rho": csv_files.number_or_infinite,
    "recall_at_1": SHARE,
}  # see `measured`
COLUMNS = {
    "variant": str,
    "seed": int,
    **MEASURES,
    **{f"test_{name}": kind for name, kind in MEASURES.items()},
}


class Data(NamedTuple):
    train: np.ndarray  # (60, 2), points
    train_classes: np.ndarray  # (60,)
    test: np.ndarray
    test_classes: np.ndarray


class Result(NamedTuple):
    data: Data
    variants: tuple
    seeds: tuple
    train: np.ndarray  # (variants, seeds, 60, 2), embeddings of the training points, of length 1
    test: np.ndarray


# ---------------------------------------------------------------------------------------------------------------------
# Data, network and loss.
# ---------------------------------------------------------------------------------------------------------------------
def data():
    """The Data: of each segment 15 evenly spaced ones of 100 points, its ends among them. The public code draws them."""
    classes = np.repeat(np.arange(len(TRAIN_SEGMENTS)), POINTS)
    return Data(_points(TRAIN_SEGMENTS), classes, _points(TEST_SEGMENTS), classes)


def _points(segments):
    chosen = np.linspace(0, GRID - 1, POINTS).round().astype(int)
    return np.concatenate([np.linspace(start, end, GRID)[chosen] for start, end in segments])


def initial_parameters(rng):
    """A (weights (in, out), biases (1, out)) for every layer, uniform within ±1 / sqrt(in), as PyTorch's layers are."""
    bounds = [(rows, columns, rows**-0.5) for rows, columns in zip(WIDTHS, WIDTHS[1:])]
    return [
        (rng.uniform(-b, b, (rows, columns)), rng.uniform(-b, b, (1, columns)))
        for rows, columns, b in bounds
    ]


def embed(parameters, points):
    """Embeddings (r, n, 2), of length 1, of points (r, n, 2) by r networks, one for each run.

    parameters: for each layer weights (r, in, out) and biases (r, 1, out).
    """
    *layers, (weights, biases) = parameters
    for each in layers:
        points = torch.relu(torch.baddbmm(each[1], points, each[0]))
    return torch.nn.functional.normalize(torch.baddbmm(biases, points, weights), dim=2)


def distances(embeddings):
    """Euclidean distances (..., n, n) of embeddings (..., n, d); where two are equal, the gradient is 0."""
    return torch.linalg.vector_norm(embeddings.unsqueeze(-2) - embeddings.unsqueeze(-3), dim=-1)


def triplets(classes):
    """All (anchors, positives, negatives), each (t,), of a batch: two points of a class, one of another. classes (n,)."""
    same = classes[:, None] == classes
    positive = same & ~np.eye(len(classes), dtype=bool)
    return np.nonzero(positive[:, :, None] & ~same[:, None, :])


def others_of_class(anchors, classes, rng):
    """For each of anchors (t,) another point of its class, each with the same probability. classes (n,), of the batch.

    Raises ValueError if an anchor is the only one of its class.
    """
    order = np.argsort(classes, kind="stable")
    _, class_numbers, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    starts, places = np.cumsum(sizes) - sizes, np.argsort(order)
    of_class = class_numbers[anchors]
    start, size = starts[of_class], sizes[of_class]
    # A step of 1 to size - 1 around the circle of a class never ends where it began.
    return order[start + (places[anchors] - start + rng.integers(1, size)) % size]


# ---------------------------------------------------------------------------------------------------------------------
# Training.
# ---------------------------------------------------------------------------------------------------------------------
class Batch(NamedTuple):
    """Points of a run, and all their triplets by where distances from the anchor are in the flat matrix of distances."""

    points: np.ndarray  # (24,), numbers of training points
    positives: np.ndarray  # (t,), places of the distances to the positives
    negatives: np.ndarray  # (t,)
    others: np.ndarray  # (t,), to another point of the anchor's class, which may be the positive
    uniform: np.ndarray  # (t,), in [0, 1): triplets for which it is below p are switched


def generators(seed, number):
    """Purpose -> the random generator of a run for it. All variants of a run share them, and no other run does."""
    purposes = ("network", "batches", "switches")
    return {
        purpose: np.random.default_rng(derived_seed(seed, "toy", number, purpose))
        for purpose in purposes
    }


def draw_batch(generators, classes):
    """The next Batch of a run. classes (n,): of all training points."""
    chosen = generators["batches"].choice(len(classes), BATCH, replace=False)
    anchors, positives, negatives = triplets(classes[chosen])
    others = others_of_class(anchors, classes[chosen], generators["switches"])
    places = [anchors * BATCH + each for each in (positives, negatives, others)]
    return Batch(chosen, *places, generators["switches"].random(len(anchors)))


def joined(batches):
    """(Batch, weights (t,)) of several runs' batches, whose flat matrices of distances are one behind the other.

    A triplet's weight is 1 by the number of triplets of its run.
    """
    counts = [len(each.uniform) for each in batches]
    shifts = np.repeat(np.arange(len(batches)) * BATCH**2, counts)
    points, *places, uniform = (np.concatenate(each) for each in zip(*batches))
    return Batch(points, *(each + shifts for each in places), uniform), 1 / np.repeat(
        counts, counts
    )


def switched(negatives, others, uniform, p):
    """Negatives (t,), those replaced by others (t,) for which a uniform draw (t,) in [0, 1) is below p."""
    return np.where(uniform < p, others, negatives)


def total_loss(distances, variants, batch, weights):
    """Sum over variants and runs of the mean loss of triplets. distances (variants, runs, 24, 24), the rest as of `joined`."""
    total = 0
    for variant, flat in zip(variants, distances.flatten(1)):
        negatives = switched(batch.negatives, batch.others, batch.uniform, variant.p)
        positive, negative = (
            flat.index_select(0, torch.from_numpy(each)) for each in (batch.positives, negatives)
        )
        total = total + LOSSES[variant.loss](positive, negative, MARGIN) @ torch.from_numpy(weights)
    return total


def train(data, variants, seeds, seed, iterations=ITERATIONS):
    """Train a network for every variant and seed, all at once and in float64; returns the Result.

    seeds: whole numbers, one for each repetition; seed: of the study. All variants of a seed begin alike and see the
    same batches, and what is switched with a small p is switched with a larger one too.
    """
    runs = [generators(seed, number) for number in seeds]
    layers = _stacked([initial_parameters(each["network"]) for each in runs], len(variants))
    optimizer = torch.optim.Adam([each for layer in layers for each in layer], lr=LEARNING_RATE)
    with _one_thread():
        for _ in range(iterations):
            batch, weights = joined([draw_batch(each, data.train_classes) for each in runs])
            points = torch.from_numpy(data.train[batch.points]).reshape(len(seeds), BATCH, 2)
            found = distances(embed(layers, points.repeat(len(variants), 1, 1)))
            optimizer.zero_grad()
            total_loss(
                found.unflatten(0, (len(variants), len(seeds))), variants, batch, weights
            ).backward()
            optimizer.step()
    spaces = [_embedded(layers, points, len(seeds)) for points in (data.train, data.test)]
    return Result(data, tuple(variants), tuple(seeds), *spaces)


def _stacked(networks, times):
    """The layers of networks, each of them `times` times, with an axis of runs in front: (times * networks, ...)."""
    layers = [
        [torch.from_numpy(np.stack(each)).repeat(times, 1, 1) for each in zip(*layer)]
        for layer in zip(*networks)
    ]
    return [[each.requires_grad_() for each in layer] for layer in layers]


@torch.no_grad()
def _embedded(layers, points, n_seeds):
    """Embeddings (variants, seeds, n, 2) of points (n, 2) by all networks."""
    found = embed(layers, torch.from_numpy(points).expand(len(layers[0][0]), -1, -1))
    return found.unflatten(0, (-1, n_seeds)).numpy()


@contextmanager
def _one_thread():
    """PyTorch on one thread: so small matrices are no work for more, which would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---------------------------------------------------------------------------------------------------------------------
# What came out.
# ---------------------------------------------------------------------------------------------------------------------
def measured(embeddings, classes):
    """(s1, s2, rho, Recall@1), the MEASURES, of embeddings (n, 2), of length 1; classes (n,).

    s: the singular values, not centred, divided by their sum; rho: KL(uniform || s) in nats, 0 for a flat spectrum.
    """
    values = singular_values(embeddings)
    return (
        *(values / values.sum()).tolist(),
        decay_of(values),
        float(retrieval(unit(embeddings), classes).recall_at_1),
    )


def rows_of(result):
    """A row of COLUMNS for every variant and seed of a Result."""
    data = result.data
    for variant, train, test in zip(result.variants, result.train, result.test):
        for number, *spaces in zip(result.seeds, train, test):
            found = zip(spaces, (data.train_classes, data.test_classes))
            yield (variant.name, number, *(value for each in found for value in measured(*each)))


def rows(seeds, seed):
    """A row of COLUMNS for every variant and each of `seeds`, whole numbers; seed: of the study."""
    return list(rows_of(train(data(), VARIANTS, seeds, seed)))


def summary(rows, column="s2"):
    """(variant, mean, low, high) of one of COLUMNS for every variant, with 95% intervals by Student's t over the seeds."""
    place, names = list(COLUMNS).index(column), dict.fromkeys(row[0] for row in rows)
    return [
        (name, *mean_interval([row[place] for row in rows if row[0] == name])) for name in names
    ]
