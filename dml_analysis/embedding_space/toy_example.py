"""The toy example of Roth et al. (ICML 2020): points on segments, embedded on the unit circle.

Its regularised training has a flatter spectrum than its plain one. The variants here separate the
ways in which the two differ. In the public code the plain loss of a triplet (a, p, n) is a pull,
d(a, p), and a push, max(0, margin - d(a, n)). The regularised training has switched negatives, and
no pull. The common triplet loss, max(0, d(a, p) - d(a, n) + margin), also has a pull, but it ends
when the negative is far enough away.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped

from dml_analysis import threads
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import unit
from dml_analysis.metrics.geometry import decay_of, singular_values
from dml_analysis.metrics.intervals import mean_interval
from dml_analysis.metrics.retrieval import retrieval
from dml_analysis.seeds import derived_seed, digest
from dml_analysis.store import ResultStore

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


# --------------------------------------------------------------------------------------------------
# Data, network and loss.
# --------------------------------------------------------------------------------------------------
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


# --------------------------------------------------------------------------------------------------
# Training.
# --------------------------------------------------------------------------------------------------
class Batch(NamedTuple):
    """Points of a batch and all their triplets, as indices into the batch."""

    points: Int[np.ndarray, " n"]  # indices of training points
    anchors: Int[np.ndarray, " t"]
    positives: Int[np.ndarray, " t"]
    negatives: Int[np.ndarray, " t"]
    others: Int[np.ndarray, " t"]  # another point of the anchor's class, maybe the positive
    uniform: Float[np.ndarray, " t"]  # in [0, 1): triplets with a number below p are switched

    def switched(self, p: float) -> Int[np.ndarray, " t"]:
        """Return the negatives, replaced by others of the anchor's class with probability p."""
        return np.where(self.uniform < p, self.others, self.negatives)


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
    """Return the next batch of a seed; classes: of all training points."""
    points = generators["batches"].choice(len(classes), BATCH, replace=False)
    anchors, positives, negatives = triplets(classes[points])
    others = others_of_class(anchors, classes[points], generators["switches"])
    uniform = generators["switches"].random(len(anchors))
    return Batch(points, anchors, positives, negatives, others, uniform)


def total_loss(
    distances: Float[torch.Tensor, "variants n n"], variants: Sequence[Variant], batch: Batch
) -> torch.Tensor:
    """Return the sum over variants of the mean loss of a batch's triplets."""
    losses = []
    for variant, matrix in zip(variants, distances, strict=True):
        negative = matrix[batch.anchors, batch.switched(variant.p)]
        losses.append(
            LOSSES[variant.loss](matrix[batch.anchors, batch.positives], negative, MARGIN).mean()
        )
    return torch.stack(losses).sum()


def train(
    data: Data,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    seed: int,
    iterations: int = ITERATIONS,
) -> Result:
    """Train a network for every variant and seed, in float64.

    seeds: one number for each repetition. seed: the settings'. All variants of a seed begin alike
    and get the same batches. The triplets switched with a small p are also switched with a larger.
    """
    with threads.one():  # the matrices are too small for more
        spaces = [_train(data, variants, generators(seed, n), iterations) for n in seeds]
    train, test = (np.stack(embeddings, axis=1) for embeddings in zip(*spaces))
    return Result(data, tuple(variants), tuple(seeds), train, test)


def _train(
    data: Data,
    variants: Sequence[Variant],
    generators: dict[str, np.random.Generator],
    iterations: int,
) -> list[Float[np.ndarray, "variants n 2"]]:
    """Return the embeddings of training and of test points by a network for each variant."""
    n = len(variants)
    layers = [
        [torch.from_numpy(array).repeat(n, 1, 1).requires_grad_() for array in layer]
        for layer in initial_parameters(generators["network"])
    ]
    parameters = [parameter for layer in layers for parameter in layer]
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    for _ in range(iterations):
        batch = sample_batch(generators, data.train_classes)
        points = torch.from_numpy(data.train[batch.points]).expand(n, -1, -1)
        optimizer.zero_grad()
        total_loss(distances(embed(layers, points)), variants, batch).backward()
        optimizer.step()
    with torch.no_grad():
        lists = (torch.from_numpy(points).expand(n, -1, -1) for points in (data.train, data.test))
        return [embed(layers, points).numpy() for points in lists]


def store_of(results: Path, n_seeds: int, seed: int) -> ResultStore:
    """Return the store of the embeddings, with a chunk for each seed and a row for each variant.

    results: the settings' folder of results. seed: the settings'.
    """
    provenance: dict[str, Any] = {
        "variants": digest(VARIANTS),
        "training": [list(WIDTHS), LEARNING_RATE, BATCH, ITERATIONS, MARGIN],
    }
    provenance |= {"seed": seed} if seed else {}
    chunks = [[variant.name for variant in VARIANTS]] * n_seeds
    points = Array("f8", (len(TRAIN_SEGMENTS) * POINTS, 2))
    return ResultStore(
        results / "embedding_space" / "toy", provenance, chunks, {"train": points, "test": points}
    )


def saved_result(store: ResultStore) -> Result:
    """Return the result of the seeds of a complete store."""
    chunks = [store.load(number) for number in range(len(store.chunks))]
    train, test = (np.stack([c[part] for c in chunks], axis=1) for part in ("train", "test"))
    return Result(data(), VARIANTS, tuple(range(len(chunks))), train, test)


# --------------------------------------------------------------------------------------------------
# Measures.
# --------------------------------------------------------------------------------------------------
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
