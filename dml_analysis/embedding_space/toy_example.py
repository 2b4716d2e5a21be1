"""The toy example of Roth et al. (ICML 2020): points on segments, embedded on the unit circle.

Its regularised training has a flatter spectrum than its plain one. The variants here separate the
ways in which the two differ. In the public code the plain loss of a triplet (a, p, n) is a pull,
d(a, p), and a push, max(0, margin - d(a, n)). The regularised training has switched negatives, and
no pull. The common triplet loss, max(0, d(a, p) - d(a, n) + margin), also has a pull, but it ends
when the negative is far enough away.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped

from dml_analysis import threads
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
GRID, POINTS = 100, 15  # points of a segment, and how many of them are used
WIDTHS = (2, 30, 30, 2)  # of the network's layers, starting with the input
LEARNING_RATE, BATCH, ITERATIONS, MARGIN = 0.03, 24, 200, 0.1

# The loss of triplets with these distances
LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]] = {
    "pull and push": lambda positive, negative, margin: positive + torch.relu(margin - negative),
    "push": lambda positive, negative, margin: torch.relu(margin - negative),
    "triplet": lambda positive, negative, margin: torch.relu(positive - negative + margin),
}


class Variant(NamedTuple):
    """A way to train."""

    name: str
    loss: str  # of LOSSES
    p: float  # the probability that a triplet's negative is another point of the anchor's class
    source: str


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
MEASURES = {"s1": SHARE, "s2": SHARE, "rho": csv_files.number_or_infinite, "recall_at_1": SHARE}
COLUMNS = {"variant": str, "seed": int, **MEASURES}
COLUMNS |= {f"test_{name}": kind for name, kind in MEASURES.items()}


class Data(NamedTuple):
    """The points and their classes."""

    train: Float[np.ndarray, "n 2"]
    train_classes: Int[np.ndarray, " n"]
    test: Float[np.ndarray, "n 2"]
    test_classes: Int[np.ndarray, " n"]


class Result(NamedTuple):
    """The embeddings of all points, of length 1, by a network for each variant and seed."""

    data: Data
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    train: Float[np.ndarray, "variants seeds n 2"]
    test: Float[np.ndarray, "variants seeds n 2"]


# ---------------------------------------------------------------------------------------------------------------------
# Data, network and loss.
# ---------------------------------------------------------------------------------------------------------------------
def data() -> Data:
    """Return 15 evenly spaced ones of the 100 points of each segment, both ends included.

    The public code samples them.
    """
    classes = np.repeat(np.arange(len(TRAIN_SEGMENTS)), POINTS)
    return Data(_points(TRAIN_SEGMENTS), classes, _points(TEST_SEGMENTS), classes)


def _points(segments: Iterable) -> Float[np.ndarray, "n 2"]:
    indices = np.linspace(0, GRID - 1, POINTS).round().astype(int)
    return np.concatenate([np.linspace(start, end, GRID)[indices] for start, end in segments])


def initial_parameters(
    rng: np.random.Generator,
) -> list[tuple[Float[np.ndarray, "i o"], Float[np.ndarray, "1 o"]]]:
    """Return weights and biases of every layer, uniform within ±1 / sqrt(i), as PyTorch's are."""
    layers = []
    for inputs, outputs in zip(WIDTHS, WIDTHS[1:]):
        bound = inputs**-0.5
        weights = rng.uniform(-bound, bound, (inputs, outputs))
        layers.append((weights, rng.uniform(-bound, bound, (1, outputs))))
    return layers


def embed(
    layers: Sequence[Sequence[torch.Tensor]], points: Float[torch.Tensor, "r n 2"]
) -> Float[torch.Tensor, "r n 2"]:
    """Return embeddings of length 1 of the points of r runs, each by its own network.

    layers: weights (r, i, o) and biases (r, 1, o) of each layer.
    """
    *hidden, (last_weights, last_biases) = layers
    for weights, biases in hidden:
        points = torch.relu(torch.baddbmm(biases, points, weights))
    return torch.nn.functional.normalize(torch.baddbmm(last_biases, points, last_weights), dim=2)


def distances(embeddings: Float[torch.Tensor, "*r n d"]) -> Float[torch.Tensor, "*r n n"]:
    """Return Euclidean distances; the gradient of equal embeddings is 0."""
    return torch.linalg.vector_norm(embeddings.unsqueeze(-2) - embeddings.unsqueeze(-3), dim=-1)


def triplets(classes: Shaped[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " t"], ...]:
    """Return all (anchors, positives, negatives) of a batch."""
    same = classes[:, None] == classes
    positive = same & ~np.eye(len(classes), dtype=bool)
    return np.nonzero(positive[:, :, None] & ~same[:, None, :])


def others_of_class(
    anchors: Int[np.ndarray, " t"], classes: Shaped[np.ndarray, " n"], rng: np.random.Generator
) -> Int[np.ndarray, " t"]:
    """Return for each anchor another point of its class, all with the same probability.

    classes: of the batch. Raises ValueError if an anchor is the only one of its class.
    """
    order = np.argsort(classes, kind="stable")
    _, class_numbers, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    starts, places = np.cumsum(sizes) - sizes, np.argsort(order)
    start, size = starts[class_numbers[anchors]], sizes[class_numbers[anchors]]
    # A step of 1 to size - 1 around the circle of a class never ends where it began.
    return order[start + (places[anchors] - start + rng.integers(1, size)) % size]


# ---------------------------------------------------------------------------------------------------------------------
# Training.
# ---------------------------------------------------------------------------------------------------------------------
class Batch(NamedTuple):
    """A run's points and all their triplets, as indices into the flat matrix of distances."""

    points: Int[np.ndarray, " n"]  # indices of training points
    positives: Int[np.ndarray, " t"]  # of the distances from anchors to positives
    negatives: Int[np.ndarray, " t"]
    others: Int[np.ndarray, " t"]  # to another point of the anchor's class, maybe the positive
    uniform: Float[np.ndarray, " t"]  # in [0, 1): triplets with a number below p are switched


def generators(seed: int, number: int) -> dict[str, np.random.Generator]:
    """Return purpose -> random generator of seed `number`, which all variants share."""
    purposes = ("network", "batches", "switches")
    return {
        purpose: np.random.default_rng(derived_seed(seed, "toy", number, purpose))
        for purpose in purposes
    }


def sample_batch(
    generators: dict[str, np.random.Generator], classes: Shaped[np.ndarray, " n"]
) -> Batch:
    """Return the next batch of a run; classes: of all training points."""
    points = generators["batches"].choice(len(classes), BATCH, replace=False)
    anchors, positives, negatives = triplets(classes[points])
    others = others_of_class(anchors, classes[points], generators["switches"])
    starts, uniform = anchors * BATCH, generators["switches"].random(len(anchors))
    return Batch(points, starts + positives, starts + negatives, starts + others, uniform)


def joined(batches: Sequence[Batch]) -> tuple[Batch, Float[np.ndarray, " t"]]:
    """Return the batches of several runs as one, and the weights of its triplets.

    The runs' flat matrices of distances are concatenated. A triplet's weight is 1 by the number of
    triplets of its run.
    """
    counts = [len(batch.uniform) for batch in batches]
    shifts = np.repeat(np.arange(len(batches)) * BATCH**2, counts)
    batch = Batch(*map(np.concatenate, zip(*batches)))
    shifted = {name: getattr(batch, name) + shifts for name in ("positives", "negatives", "others")}
    return batch._replace(**shifted), 1 / np.repeat(counts, counts)


def switched(batch: Batch, p: float) -> Int[np.ndarray, " t"]:
    """Return the negatives, replaced by others of the anchor's class with probability p."""
    return np.where(batch.uniform < p, batch.others, batch.negatives)


def total_loss(
    distances: Float[torch.Tensor, "variants runs n n"],
    variants: Sequence[Variant],
    batch: Batch,
    weights: Float[np.ndarray, " t"],
) -> torch.Tensor:
    """Return the sum over variants and runs of the mean loss of triplets, as `joined` has them."""
    total = torch.zeros((), dtype=distances.dtype)
    for variant, flat in zip(variants, distances.flatten(1)):
        indices = batch.positives, switched(batch, variant.p)
        positive, negative = (flat.index_select(0, torch.from_numpy(each)) for each in indices)
        total = total + LOSSES[variant.loss](positive, negative, MARGIN) @ torch.from_numpy(weights)
    return total


def train(
    data: Data,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    seed: int,
    iterations: int = ITERATIONS,
) -> Result:
    """Train a network for every variant and seed, all at once and in float64.

    seeds: one number for each repetition. seed: the settings'. All variants of a seed begin alike
    and get the same batches. The triplets switched with a small p are also switched with a larger.
    """
    runs = [generators(seed, number) for number in seeds]
    layers = _stacked([initial_parameters(run["network"]) for run in runs], len(variants))
    parameters = [parameter for layer in layers for parameter in layer]
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    shape = len(variants), len(seeds)
    with threads.one():  # the matrices are too small for more
        for _ in range(iterations):
            batch, weights = joined([sample_batch(run, data.train_classes) for run in runs])
            points = torch.from_numpy(data.train[batch.points]).reshape(len(seeds), BATCH, 2)
            matrices = distances(embed(layers, points.repeat(len(variants), 1, 1)))
            optimizer.zero_grad()
            total_loss(matrices.unflatten(0, shape), variants, batch, weights).backward()
            optimizer.step()
    spaces = [_embedded(layers, points, shape) for points in (data.train, data.test)]
    return Result(data, tuple(variants), tuple(seeds), *spaces)


def _stacked(networks: Sequence, times: int) -> list[list[torch.Tensor]]:
    """Return the layers of all networks, stacked, and repeated `times` times."""
    return [
        [
            torch.from_numpy(np.stack(arrays)).repeat(times, 1, 1).requires_grad_()
            for arrays in zip(*layer)
        ]
        for layer in zip(*networks)
    ]


@torch.no_grad()
def _embedded(
    layers: list[list[torch.Tensor]], points: Float[np.ndarray, "n 2"], shape: tuple[int, int]
) -> Float[np.ndarray, "variants seeds n 2"]:
    runs = torch.from_numpy(points).expand(len(layers[0][0]), -1, -1)
    return embed(layers, runs).unflatten(0, shape).numpy()


# ---------------------------------------------------------------------------------------------------------------------
# Measures.
# ---------------------------------------------------------------------------------------------------------------------
def measured(
    embeddings: Float[np.ndarray, "n 2"], classes: Shaped[np.ndarray, " n"]
) -> tuple[float, ...]:
    """Return (s1, s2, rho, Recall@1) of embeddings of length 1.

    s1, s2: the singular values, not centred, divided by their sum. rho: KL(uniform || s) in nats, 0
    for a flat spectrum.
    """
    values = singular_values(embeddings)
    recall = float(retrieval(unit(embeddings), classes).recall_at_1)
    return (*(values / values.sum()).tolist(), decay_of(values), recall)


def rows_of(result: Result) -> Iterator[tuple]:
    """Yield a row of COLUMNS for every variant and seed."""
    data = result.data
    for variant, train, test in zip(result.variants, result.train, result.test):
        for number, train_space, test_space in zip(result.seeds, train, test):
            measures = measured(train_space, data.train_classes)
            yield (variant.name, number, *measures, *measured(test_space, data.test_classes))


def summary(rows: Iterable[tuple], column: str = "s2") -> list[tuple[str, float, float, float]]:
    """Return (variant, mean, low, high) of a column, with 95% t intervals over the seeds.

    rows: of COLUMNS.
    """
    place = list(COLUMNS).index(column)
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row[0], []).append(row[place])
    return [(name, *mean_interval(np.array(numbers))) for name, numbers in values.items()]
