"""Batch samplers that Roth et al. (ICML 2020, arXiv 2002.08473) compare, most by embeddings."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.spatial.distance import pdist
from threadpoolctl import threadpool_limits

from dml_analysis.config import TrainingSettings
from dml_analysis.seeds import derived_seed
from dml_analysis.training.batch_sampler import Batches, sampled

POOL = 512  # images from which those of a batch are chosen
TRIES = 10  # random batches of which the one most similar to the pool is taken
LAMBDA = 1  # exponent of distances in the D2 coreset
BINS = 50  # of a histogram of distances
HISTOGRAM_WEIGHT = 75  # of the distance of histograms, relative to those of means and deviations
RIDGE = 1e-6  # share of the mean variance that is added to all, so that a covariance is regular


def places(
    options: TrainingSettings,
    labels: Shaped[np.ndarray, " n"] | Sequence[int],
    per_class: int,
    seed: int,
    embeddings: Float[np.ndarray, "n d"] | None = None,
) -> Callable[[int], Int[np.ndarray, " batch_size"]]:
    """Return the function from an iteration, from 1 on, to the indices of its images.

    The options' `filler` names the sampler. labels, embeddings: of all images; some samplers need
    no embeddings. per_class: images per class in a batch.
    """
    if options.filler == "classes":
        return Batches(labels, per_class, options.batch_size, options.sampler, seed).of

    def indices_of(iteration: int) -> Int[np.ndarray, " batch_size"]:
        """Return the indices of the images of an iteration."""
        rng = np.random.default_rng(derived_seed(seed, "batches", iteration))
        return filled(options.filler, embeddings, labels, per_class, options.batch_size, rng)

    # Data loader workers read ahead, and the labels of a batch are requested again later.
    return lru_cache(maxsize=64)(indices_of)


def filled(
    filler: str,
    embeddings: Float[np.ndarray, "n d"] | None,
    labels: Shaped[np.ndarray, " n"] | Sequence[int],
    per_class: int,
    batch_size: int,
    seed_or_rng: int | np.random.Generator,
) -> Int[np.ndarray, " batch_size"]:
    """Return the indices of a batch's images, by one of the samplers.

    filler: the sampler, "uniform" or a key of CORESETS or MATCHED. embeddings: finite, not used by
    "uniform"; they are normalised to length 1, as losses do. per_class: images per class.

    A coreset is chosen from POOL random images, and each of its images brings per_class - 1 random
    others of its class. If the coreset has one class only, its last image is replaced by one of
    another class. A matched batch comes from a pool that is sampled class by class. If there are
    no more than POOL images, all are the pool. A class with too few images repeats some.

    Raises ValueError on an unknown sampler, labels of one class, and a batch_size that is not a
    multiple of per_class, at least twice as large.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed_or_rng)
    if filler == "uniform":
        return uniform(labels, batch_size, rng)
    if filler not in CORESETS | MATCHED:
        known = ", ".join(CORESETS | MATCHED)
        raise ValueError(f"unknown filler {filler!r}; known: uniform, {known}")
    if batch_size % per_class or batch_size < 2 * per_class:
        raise ValueError(
            f"a batch of {batch_size} is not {per_class} images each of two classes or more"
        )
    _check_classes(labels)
    fill: Callable[..., np.ndarray] = _with_coreset if filler in CORESETS else _matched
    with threadpool_limits(1, "blas"):  # more threads wait for each other while images are read
        return fill(filler, embeddings, labels, per_class, batch_size, rng)


def uniform(
    labels: Shaped[np.ndarray, " n"] | Sequence[int], size: int, rng: np.random.Generator
) -> Int[np.ndarray, " size"]:
    """Return the indices of random images of at least two classes.

    None is repeated, unless there are fewer than `size`. Raises ValueError on labels of one class,
    or a size below 2.
    """
    labels = np.asarray(labels)
    _check_classes(labels)
    if size < 2:
        raise ValueError(f"a batch of {size} cannot have two classes")
    while True:
        indices = sampled(rng, np.arange(len(labels)), size)
        if len(np.unique(labels[indices])) > 1:
            return indices


def greedy_coreset(
    pool: Float[np.ndarray, "m d"], size: int, rng: np.random.Generator
) -> Int[np.ndarray, " size"]:
    """Return the indices of points such that every point of a pool has a chosen one nearby.

    The first is random; the next is always the point with the largest Euclidean distance to its
    nearest chosen one: farthest-point, or greedy k-centre, sampling. The public code of Roth et
    al. starts from the norms of the rows of the distance matrix instead. Raises ValueError unless
    1 <= size <= m.
    """
    pool = _checked(pool, size)
    indices, nearest = [rng.integers(len(pool))], np.full(len(pool), np.inf)
    while len(indices) < size:
        nearest = np.minimum(nearest, _squared_distances(pool, pool[indices[-1]]))
        nearest[indices] = -1  # below any distance, so that equal points are not chosen twice
        indices.append(nearest.argmax())
    return np.array(indices)


def d2_coreset(
    pool: Float[np.ndarray, "m d"], size: int, rng: np.random.Generator
) -> Int[np.ndarray, " size"]:
    """Return the indices of random points where a pool is dense and chosen points are far.

    The density is a Gaussian with the pool's mean and covariance. The first point is the nearest
    to a sample from it. Each next one is sampled from the remaining points, with probability
    proportional to the density at the point times the sum of its squared distances to the chosen
    ones, to the power of LAMBDA. Raises ValueError unless 1 <= size <= m.
    """
    pool = _checked(pool, size)
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


def fid_matched(
    pool: Float[np.ndarray, "m d"],
    pool_labels: Shaped[np.ndarray, " m"],
    size: int,
    per_class: int,
    rng: np.random.Generator,
    tries: int = TRIES,
) -> Int[np.ndarray, " size"]:
    """Return the indices of the random batch with the smallest Frechet distance to a pool.

    A random batch has per_class images of each of size // per_class classes of the pool, which
    differ if there are enough. tries: the number of random batches.
    """
    pool = np.asarray(pool, dtype=np.float64)
    batches = _random_batches(pool_labels, size, per_class, rng, tries)
    return min(batches, key=lambda indices: frechet_distance(pool, pool[indices]))


def distance_histogram_matched(
    pool: Float[np.ndarray, "m d"],
    pool_labels: Shaped[np.ndarray, " m"],
    size: int,
    per_class: int,
    rng: np.random.Generator,
    tries: int = TRIES,
) -> Int[np.ndarray, " size"]:
    """Return the indices of the random batch with the smallest `distance_histogram_cost`.

    The random batches are those of fid_matched.
    """
    pool = np.asarray(pool, dtype=np.float64)
    cost = distance_histogram_cost(pool)
    batches = _random_batches(pool_labels, size, per_class, rng, tries)
    return min(batches, key=lambda indices: cost(pool[indices]))


def frechet_distance(a: Float[np.ndarray, "m d"], b: Float[np.ndarray, "n d"]) -> float:
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


def distance_histogram_cost(
    pool: Float[np.ndarray, "m d"],
) -> Callable[[Float[np.ndarray, "n d"]], float]:
    """Return the function that measures how much a batch (n, d) differs from a pool.

    It is the Euclidean distance of the means, plus that of the standard deviations by dimension,
    plus HISTOGRAM_WEIGHT times the Wasserstein distance of the histograms of pairwise Euclidean
    distances, with BINS bins over the pool's range. Bins are positions and their heights weights.
    The public code of Roth et al. takes the heights as samples, which ignores the positions.
    """
    pool = np.asarray(pool, dtype=np.float64)
    distances = pdist(pool)
    low, span = distances.min(), np.ptp(distances) or 1.0  # 1 if all are equal: the first bin
    expected = np.cumsum(_histogram(distances, low, span))

    def cost(batch: Float[np.ndarray, "n d"]) -> float:
        """Return the cost of a batch."""
        of_mean = np.linalg.norm(batch.mean(axis=0) - pool.mean(axis=0))
        of_deviation = np.linalg.norm(batch.std(axis=0) - pool.std(axis=0))
        shares = np.cumsum(_histogram(pdist(batch), low, span))
        wasserstein = np.abs(shares - expected).sum() * span / BINS
        return of_mean + of_deviation + HISTOGRAM_WEIGHT * wasserstein

    return cost


CORESETS = {"greedy_coreset": greedy_coreset, "d2_coreset": d2_coreset}
MATCHED = {"fid_matched": fid_matched, "distance_histogram_matched": distance_histogram_matched}


def _with_coreset(
    filler: str,
    embeddings: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    per_class: int,
    batch_size: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " batch_size"]:
    """Return a coreset of one image in per_class, and random others of the same classes."""
    # The pool is in random order, because the first of equal points is chosen.
    pool = rng.permutation(len(labels))[: max(POOL, batch_size)]
    coreset = pool[CORESETS[filler](_unit(embeddings, pool), batch_size // per_class, rng)]
    return _with_others(_of_several_classes(coreset, labels, rng), labels, per_class, rng)


def _matched(
    filler: str,
    embeddings: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    per_class: int,
    batch_size: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " batch_size"]:
    """Return the random batch of a pool that is most similar to the pool."""
    pool = _pool_by_class(labels, per_class, max(POOL, batch_size), rng)
    match = MATCHED[filler]
    return pool[match(_unit(embeddings, pool), labels[pool], batch_size, per_class, rng)]


def _check_classes(labels: Shaped[np.ndarray, " n"]) -> None:
    """Raise ValueError unless there are two classes."""
    if len(np.unique(labels)) < 2:
        raise ValueError("a batch needs images of two classes at least")


def _checked(pool: Float[np.ndarray, "m d"], size: int) -> Float[np.ndarray, "m d"]:
    """Return a pool in float64. Raises ValueError unless 1 <= size <= m."""
    if not 1 <= size <= len(pool):
        raise ValueError(f"cannot choose {size} of {len(pool)} points")
    return np.asarray(pool, dtype=np.float64)


def _unit(
    embeddings: Float[np.ndarray, "n d"], indices: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "m d"]:
    """Return the embeddings at these indices, normalised to length 1; a zero stays zero."""
    rows = np.asarray(embeddings)[indices].astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(lengths, np.finfo(float).tiny)


def _squared_distances(
    pool: Float[np.ndarray, "m d"], point: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " m"]:
    """Return the squared Euclidean distances of all points to one."""
    return ((pool - point) ** 2).sum(axis=1)


def _mean_and_factor(
    points: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "k d"]]:
    """Return (mean, A), A'A being the points' covariance and k the smaller of n and d."""
    mean = points.mean(axis=0)
    return mean, np.linalg.qr(points - mean, mode="r") / np.sqrt(max(len(points) - 1, 1))


def _cholesky(pool: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "d d"]:
    """Return the lower triangular root of a pool's covariance, made regular by RIDGE."""
    _, factor = _mean_and_factor(pool)
    covariance = factor.T @ factor
    ridge = RIDGE * np.trace(covariance) / len(covariance) or 1.0  # 1 if all points are equal
    return np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))


def _histogram(
    distances: Float[np.ndarray, " pairs"], low: float, span: float
) -> Float[np.ndarray, " bins"]:
    """Return the shares of distances in BINS bins from low to low + span.

    Distances outside count for the nearest bin. NumPy's function refuses a range as small as
    rounding errors.
    """
    bins = np.clip((distances - low) / span * BINS, 0, BINS - 1).astype(int)
    return np.bincount(bins, minlength=BINS) / len(distances)


def _random_batches(
    labels: Shaped[np.ndarray, " n"],
    size: int,
    per_class: int,
    rng: np.random.Generator,
    tries: int,
) -> Iterator[Int[np.ndarray, " size"]]:
    """Yield the indices of random batches: per_class images of size // per_class classes."""
    labels = np.asarray(labels)
    of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for _ in range(tries):
        classes = _repeated_permutations(len(of_class), size // per_class, rng)
        yield np.concatenate([sampled(rng, of_class[index], per_class) for index in classes])


def _repeated_permutations(
    n: int, count: int, rng: np.random.Generator
) -> Int[np.ndarray, " count"]:
    """Return `count` numbers below n in random order; none repeats before all are used."""
    return np.concatenate([rng.permutation(n) for _ in range(-(-count // n))])[:count]


def _pool_by_class(
    labels: Shaped[np.ndarray, " n"], per_class: int, size: int, rng: np.random.Generator
) -> Int[np.ndarray, " pool"]:
    """Return the indices of a pool of per_class images of each of size // per_class classes.

    If there are no more than `size` images, all are the pool. A class that is sampled several
    times has several times as many images, if it has enough; no image is repeated.
    """
    if len(labels) <= size:
        return np.arange(len(labels))
    names = np.unique(labels)
    samples = _repeated_permutations(len(names), size // per_class, rng)
    classes, times = np.unique(samples, return_counts=True)
    of_class = [np.flatnonzero(labels == names[index]) for index in classes]
    return np.concatenate(
        [rng.permutation(own)[: n * per_class] for own, n in zip(of_class, times)]
    )


def _of_several_classes(
    indices: Int[np.ndarray, " m"], labels: Shaped[np.ndarray, " n"], rng: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """Return the indices; if all are of one class, the last becomes one of another class."""
    if (labels[indices] == labels[indices[0]]).all():
        indices[-1] = rng.choice(np.flatnonzero(labels != labels[indices[0]]))
    return indices


def _with_others(
    coreset: Int[np.ndarray, " m"],
    labels: Shaped[np.ndarray, " n"],
    per_class: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " batch"]:
    """Return the coreset, then m * (per_class - 1) random others of its images' classes."""
    batch = [coreset]
    for label in np.unique(labels[coreset]):
        of_class, own = np.flatnonzero(labels == label), coreset[labels[coreset] == label]
        others, count = np.setdiff1d(of_class, own), len(own) * (per_class - 1)
        batch.append(sampled(rng, others if len(others) >= count else of_class, count))
    return np.concatenate(batch)
