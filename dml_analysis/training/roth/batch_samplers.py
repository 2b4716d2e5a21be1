"""Batch samplers that Roth et al. (ICML 2020, arXiv 2002.08473) compare, most by embeddings."""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.spatial.distance import pdist
from threadpoolctl import threadpool_limits

from dml_analysis.config import TrainingSettings
from dml_analysis.seeds import derived_seed
from dml_analysis.training.class_batches import ClassBatches, Labels, indices_by_class, sampled

POOL = 512  # images from which those of a batch are chosen
TRIES = 10  # random batches of which the one most similar to the pool is taken
LAMBDA = 1  # exponent of distances in the D2 coreset
BINS = 50  # of a histogram of distances
HISTOGRAM_WEIGHT = 75  # of the distance of histograms, relative to those of means and deviations
RIDGE = 1e-6  # share of the mean variance that is added to all, so that a covariance is regular

Points = Float[np.ndarray, "m d"]
Indices = Int[np.ndarray, " m"]
Classes = Shaped[np.ndarray, " n"]  # labels
Cost = Callable[[Points], float]  # of a batch


def batch_indices(
    options: TrainingSettings,
    labels: Labels,
    per_class: int,
    seed: int,
    embeddings: Points | None = None,
) -> Callable[[int], Indices]:
    """Return the function from an iteration, from 1 on, to the indices of its images.

    The options' `filler` names the sampler. labels, embeddings: of all images; some samplers need
    no embeddings. per_class: images per class in a batch.
    """
    size = options.batch_size
    if options.filler == "classes":
        return ClassBatches(labels, per_class, size, options.sampler, seed).indices
    labels, sampler = np.asarray(labels), options.filler
    indices = partial(sample_batch, sampler, embeddings, labels, per_class, size, seed)
    # Data loader workers read ahead, and the labels of a batch are requested again later.
    return lru_cache(maxsize=64)(indices)


def sample_batch(
    sampler: str,
    embeddings: Points | None,
    labels: Classes,
    per_class: int,
    size: int,
    seed: int,
    iteration: int = 1,
) -> Indices:
    """Return the indices of an iteration's images, by one of the samplers.

    sampler: "uniform" or a key of CORESETS or MATCHED. embeddings: finite, not used by "uniform";
    they are normalised to length 1, as losses do. per_class: images per class, a divisor of
    `size`, which is at least twice as large.

    A coreset is chosen from POOL random images, and each of its images brings per_class - 1 random
    others of its class. If the coreset has one class only, its last image is replaced by one of
    another class. A matched batch comes from a pool that is sampled class by class. If there are
    no more than POOL images, all are the pool. A class with too few images repeats some.
    """
    rng = np.random.default_rng(derived_seed(seed, "batches", iteration))
    if sampler == "uniform":
        return uniform(labels, size, rng)
    embeddings = np.asarray(embeddings)
    with threadpool_limits(1, "blas"):  # more threads wait for each other while images are read
        if sampler in CORESETS:
            # In random order, because the first of equal points is chosen
            indices = rng.permutation(len(labels))[: max(POOL, size)]
            pool = _unit(embeddings[indices])
            coreset = indices[CORESETS[sampler](pool, size // per_class, rng)]
            return _with_others(coreset, labels, per_class, rng)
        indices = _pool_by_class(labels, per_class, max(POOL, size), rng)
        pool = _unit(embeddings[indices])
        cost = MATCHED[sampler](pool)
        return indices[best_batch(cost, pool, labels[indices], size, per_class, rng)]


def _unit(points: Points) -> Points:
    """Return points in float64, normalised to length 1; a zero stays zero."""
    points = points.astype(np.float64)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.maximum(lengths, np.finfo(float).tiny)


def uniform(labels: Classes, size: int, rng: np.random.Generator) -> Indices:
    """Return the indices of random images, of at least two of the classes.

    None is repeated, unless there are fewer than `size`.
    """
    while True:
        indices = sampled(rng, np.arange(len(labels)), size)
        if len(np.unique(labels[indices])) > 1:
            return indices


# -------------------------------------------------------------------------------------------------
# Coresets.
# -------------------------------------------------------------------------------------------------
def greedy_coreset(pool: Points, size: int, rng: np.random.Generator) -> Indices:
    """Return the indices of points such that every point of a pool has a chosen one nearby.

    The first is random; the next is always the point with the largest Euclidean distance to its
    nearest chosen one: farthest-point, or greedy k-centre, sampling. The public code of Roth et
    al. starts from the norms of the rows of the distance matrix instead.
    """
    indices, nearest = [rng.integers(len(pool))], np.full(len(pool), np.inf)
    while len(indices) < size:
        nearest = np.minimum(nearest, _squared_distances(pool, pool[indices[-1]]))
        nearest[indices] = -1  # below any distance, so that equal points are not chosen twice
        indices.append(nearest.argmax())
    return np.array(indices)


def d2_coreset(pool: Points, size: int, rng: np.random.Generator) -> Indices:
    """Return the indices of random points where a pool is dense and chosen points are far.

    The density is a Gaussian with the pool's mean and covariance. The first point is the nearest
    to a sample from it. Each next one is sampled from the remaining points, with probability
    proportional to the density at the point times the sum of its squared distances to the chosen
    ones, to the power of LAMBDA.
    """
    mean, root = pool.mean(axis=0), _cholesky(pool)
    sample = mean + root @ rng.standard_normal(len(mean))
    whitened = np.linalg.solve(root, (pool - mean).T)
    log_density = -0.5 * (whitened**2).sum(axis=0)  # up to a constant
    indices, sums = [_squared_distances(pool, sample).argmin()], np.zeros(len(pool))
    while len(indices) < size:
        sums += _squared_distances(pool, pool[indices[-1]])
        logs = log_density + LAMBDA * np.log(np.maximum(sums, np.finfo(float).tiny))
        logs[indices] = -np.inf
        # The Gumbel-max trick samples in proportion to exp(logs), even if these underflow.
        indices.append((logs + rng.gumbel(size=len(logs))).argmax())
    return np.array(indices)


def _squared_distances(pool: Points, point: Float[np.ndarray, " d"]) -> Float[np.ndarray, " m"]:
    """Return the squared Euclidean distances of all points to one."""
    return ((pool - point) ** 2).sum(axis=1)


def _cholesky(pool: Points) -> Float[np.ndarray, "d d"]:
    """Return the lower triangular root of a pool's covariance, made regular by RIDGE."""
    _, factor = _mean_and_factor(pool)
    covariance = factor.T @ factor
    ridge = RIDGE * np.trace(covariance) / len(covariance) or 1.0  # 1 if all points are equal
    return np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))


def _mean_and_factor(points: Points) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "k d"]]:
    """Return (mean, A), A'A being the points' covariance and k the smaller of m and d."""
    mean = points.mean(axis=0)
    return mean, np.linalg.qr(points - mean, mode="r") / np.sqrt(max(len(points) - 1, 1))


CORESETS = {"greedy_coreset": greedy_coreset, "d2_coreset": d2_coreset}


def _with_others(
    coreset: Indices, labels: Classes, per_class: int, rng: np.random.Generator
) -> Indices:
    """Return a coreset of at least two classes, and random others of its images' classes.

    There are per_class - 1 others for each image.
    """
    if (labels[coreset] == labels[coreset[0]]).all():
        coreset[-1] = rng.choice(np.flatnonzero(labels != labels[coreset[0]]))
    batch = [coreset]
    for label in np.unique(labels[coreset]):
        of_class, own = np.flatnonzero(labels == label), coreset[labels[coreset] == label]
        others, count = np.setdiff1d(of_class, own), len(own) * (per_class - 1)
        batch.append(sampled(rng, others if len(others) >= count else of_class, count))
    return np.concatenate(batch)


# -------------------------------------------------------------------------------------------------
# Batches that are similar to the pool.
# -------------------------------------------------------------------------------------------------
def best_batch(
    cost: Cost,
    pool: Points,
    labels: Classes,
    size: int,
    per_class: int,
    rng: np.random.Generator,
    tries: int = TRIES,
) -> Indices:
    """Return the indices in a pool of the random batch with the smallest cost.

    A random batch has per_class images of each of size // per_class classes of the pool, which
    differ if there are enough. labels: of the pool; tries: the number of random batches.
    """
    classes, batches = indices_by_class(labels), []
    for _ in range(tries):
        numbers = _repeated_permutations(len(classes), size // per_class, rng)
        batches.append(np.concatenate([sampled(rng, classes[i], per_class) for i in numbers]))
    return min(batches, key=lambda indices: cost(pool[indices]))


def frechet_distance(a: Points, b: Float[np.ndarray, "n d"]) -> float:
    """Return the squared Frechet distance of the Gaussians of two sets of two or more points.

    It is |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). With C1 = A'A and C2 = B'B, the eigenvalues
    of C1 C2 are the squares of the singular values of AB', so no root is taken of a matrix, which
    may be singular.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    (mean_a, factor_a), (mean_b, factor_b) = _mean_and_factor(a), _mean_and_factor(b)
    overlap = np.linalg.svd(factor_a @ factor_b.T, compute_uv=False).sum()
    of_means = ((mean_a - mean_b) ** 2).sum()
    return of_means + (factor_a**2).sum() + (factor_b**2).sum() - 2 * overlap


class HistogramCost:
    """A function of batches (n, d) that measures how much each differs from a pool.

    It is the Euclidean distance of the means, plus that of the standard deviations by dimension,
    plus HISTOGRAM_WEIGHT times the Wasserstein distance of the histograms of pairwise Euclidean
    distances, with BINS bins over the pool's range. Bins are positions and their heights weights.
    The public code of Roth et al. takes the heights as samples, which ignores the positions.
    """

    def __init__(self, pool: Points) -> None:
        """Compute the pool's means, standard deviations and histogram."""
        self.pool, distances = np.asarray(pool, dtype=np.float64), pdist(pool)
        self.low = distances.min()
        self.span = np.ptp(distances) or 1.0  # 1 if all are equal: the first bin
        self.shares = self._cumulative_shares(distances)

    def __call__(self, batch: Points) -> float:
        """Return the cost of a batch."""
        of_mean = np.linalg.norm(batch.mean(axis=0) - self.pool.mean(axis=0))
        of_deviation = np.linalg.norm(batch.std(axis=0) - self.pool.std(axis=0))
        difference = np.abs(self._cumulative_shares(pdist(batch)) - self.shares).sum()
        wasserstein = difference * self.span / BINS
        return float(of_mean + of_deviation + HISTOGRAM_WEIGHT * wasserstein)

    def _cumulative_shares(
        self, distances: Float[np.ndarray, " pairs"]
    ) -> Float[np.ndarray, " bins"]:
        """Return the cumulative histogram of distances; those outside count for the nearest bin.

        NumPy's function refuses a range as small as rounding errors.
        """
        bins = np.clip((distances - self.low) / self.span * BINS, 0, BINS - 1).astype(int)
        return np.cumsum(np.bincount(bins, minlength=BINS) / len(distances))


# How the cost of a batch is computed: a function of the pool returns one of batches.
MATCHED: dict[str, Callable[[Points], Cost]] = {
    "fid_matched": lambda pool: partial(frechet_distance, pool),
    "distance_histogram_matched": HistogramCost,
}


def _pool_by_class(labels: Classes, per_class: int, size: int, rng: np.random.Generator) -> Indices:
    """Return the indices of a pool of per_class images of each of size // per_class classes.

    If there are no more than `size` images, all are the pool. A class that is sampled several
    times has several times as many images, if it has enough; no image is repeated.
    """
    if len(labels) <= size:
        return np.arange(len(labels))
    by_class = indices_by_class(labels)
    samples = _repeated_permutations(len(by_class), size // per_class, rng)
    classes, times = np.unique(samples, return_counts=True)
    return np.concatenate(
        [rng.permutation(by_class[i])[: n * per_class] for i, n in zip(classes, times)]
    )


def _repeated_permutations(n: int, count: int, rng: np.random.Generator) -> Indices:
    """Return `count` numbers below n in random order; none repeats before all are used."""
    return np.concatenate([rng.permutation(n) for _ in range(-(-count // n))])[:count]
