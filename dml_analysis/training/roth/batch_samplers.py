"""Which images make up a batch by their embeddings: the batch fillers of Roth et al. (ICML 2020, arXiv 2002.08473)."""

from functools import lru_cache

import numpy as np
from scipy.spatial.distance import pdist
from threadpoolctl import threadpool_limits

from dml_analysis.seeds import derived_seed
from dml_analysis.training.batch_sampler import Batches, sampled

POOL = 512  # images among which those of a batch are chosen
TRIES = 10  # random batches of which the one most like the pool is taken
LAMBDA = 1  # the power of distances in the D2 coreset
BINS = 50  # of a histogram of distances
HISTOGRAM_WEIGHT = 75  # of the distance between histograms, beside those between means and standard deviations
RIDGE = 1e-6  # share of the mean variance that is added to each, so that a covariance is regular


def places(options, labels, per_class, seed, embeddings=None):
    """The function that gives for an iteration, from 1 on, the places (batch_size,) of its images among labels (n,).

    options: dml_analysis.config.TrainingSettings, whose filler says how; embeddings (n, d): of the images, for those that go by them.
    """
    if options.filler == "classes":
        return Batches(labels, per_class, options.batch_size, options.sampler, seed).of

    def places_of(iteration):
        rng = np.random.default_rng(derived_seed(seed, "batches", iteration))
        return filled(options.filler, embeddings, labels, per_class, options.batch_size, rng)

    return lru_cache(maxsize=64)(places_of)  # workers read ahead, and labels are asked for once more


def filled(filler, embeddings, labels, per_class, batch_size, seed_or_rng):
    """The places (batch_size,) of the images of a batch among labels (n,): per_class images of so many classes, or uniform.

    embeddings (n, d): finite; not looked at by "uniform". Images are compared by embeddings of length 1, as losses do.
    A coreset is chosen of POOL images drawn at random, and each image of it brings per_class - 1 random others of its class;
    should it be of one class, its last image gives way to one of another. A matched batch is one of a pool that is made class
    by class. If there are no more than POOL images, all are the pool. Of a class with too few images some are repeated.

    Raises ValueError on an unknown filler, labels of one class, and a batch that is not whole classes, two or more.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed_or_rng)
    if filler == "uniform":
        return uniform(labels, batch_size, rng)
    if filler not in CORESETS | MATCHED:
        raise ValueError(f"unknown filler {filler!r}; known: uniform, {', '.join(CORESETS | MATCHED)}")
    if batch_size % per_class or batch_size < 2 * per_class:
        raise ValueError(f"a batch of {batch_size} is not {per_class} images each of two classes or more")
    _check_classes(labels)
    fill = _with_coreset if filler in CORESETS else _matched
    with threadpool_limits(1, "blas"):  # threads wait for each other where others read images meanwhile
        return fill(filler, embeddings, labels, per_class, batch_size, rng)


def uniform(labels, size, rng):
    """The places (size,) of random images among labels (n,), whatever their classes, but for a batch of one class.

    Each is there once, unless there are fewer than `size`. Raises ValueError on labels of one class, or a size below 2.
    """
    labels = np.asarray(labels)
    _check_classes(labels)
    if size < 2:
        raise ValueError(f"a batch of {size} cannot have two classes")
    while True:
        places = sampled(rng, np.arange(len(labels)), size)
        if len(np.unique(labels[places])) > 1:
            return places


def greedy_coreset(pool, size, rng):
    """The places (size,) of points of a pool (m, d), chosen one by one so that every point has a chosen one nearby.

    The first is random; next is always the point with the largest Euclidean distance to its nearest chosen one. This is the
    textbook's farthest-point (k-centre) sampling. The study's public code begins otherwise, by the norms of the points' rows
    in the matrix of distances. Raises ValueError if `size` is not from 1 to m.
    """
    pool = _checked(pool, size)
    places, nearest = [rng.integers(len(pool))], np.full(len(pool), np.inf)
    while len(places) < size:
        nearest = np.minimum(nearest, _squared_distances(pool, pool[places[-1]]))
        nearest[places] = -1  # below any distance, lest a point be chosen twice where all are equal
        places.append(nearest.argmax())
    return np.array(places)


def d2_coreset(pool, size, rng):
    """The places (size,) of points of a pool (m, d), drawn where the pool is dense and what is chosen is far.

    With a Gaussian of the pool's mean and covariance: the first point is the one nearest to a draw from it. Each next one is
    drawn, among those that are left, in proportion to the density at the point times the sum of its squared distances to
    the chosen ones, to the power of LAMBDA. Raises ValueError if `size` is not from 1 to m.
    """
    pool = _checked(pool, size)
    mean, root = pool.mean(axis=0), _cholesky(pool)
    draw = mean + root @ rng.standard_normal(len(mean))
    whitened = np.linalg.solve(root, (pool - mean).T)
    log_density = -0.5 * (whitened**2).sum(axis=0)  # and a constant
    places, sums = [_squared_distances(pool, draw).argmin()], np.zeros(len(pool))
    while len(places) < size:
        sums += _squared_distances(pool, pool[places[-1]])
        logs = log_density + LAMBDA * np.log(np.maximum(sums, np.finfo(float).tiny))
        logs[places] = -np.inf
        # The largest of logarithms with Gumbel noise is a draw in proportion to the numbers, however small these are.
        places.append((logs + rng.gumbel(size=len(logs))).argmax())
    return np.array(places)


def fid_matched(pool, pool_labels, size, per_class, rng, tries=TRIES):
    """The places (size,) of the one of some random batches that has the least Frechet distance to the pool (m, d).

    A random batch: per_class images of each of size // per_class classes of the pool, which differ if there are so many.
    """
    pool = np.asarray(pool, dtype=np.float64)
    batches = _random_batches(pool_labels, size, per_class, rng, tries)
    return min(batches, key=lambda places: frechet_distance(pool, pool[places]))


def distance_histogram_matched(pool, pool_labels, size, per_class, rng, tries=TRIES):
    """The same, of the one with the least `distance_histogram_cost`."""
    pool = np.asarray(pool, dtype=np.float64)
    cost = distance_histogram_cost(pool)
    batches = _random_batches(pool_labels, size, per_class, rng, tries)
    return min(batches, key=lambda places: cost(pool[places]))


def frechet_distance(a, b):
    """Squared Frechet distance of the Gaussians of points a (m, d) and b (n, d), two or more each.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). With C1 = A'A and C2 = B'B, the eigenvalues of C1 C2 are the squares of the
    singular values of AB'. So no root is taken of a matrix, which may be singular.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    (mean_a, factor_a), (mean_b, factor_b) = _mean_and_factor(a), _mean_and_factor(b)
    overlap = np.linalg.svd(factor_a @ factor_b.T, compute_uv=False).sum()
    return ((mean_a - mean_b) ** 2).sum() + (factor_a**2).sum() + (factor_b**2).sum() - 2 * overlap


def distance_histogram_cost(pool):
    """The function that tells how unlike the pool (m, d) a batch (n, d) is, by its moments and its pairwise distances.

    It is the Euclidean distance of the means, plus that of the standard deviations by dimension, plus HISTOGRAM_WEIGHT times
    the Wasserstein distance between the histograms of pairwise Euclidean distances, of BINS bins over the pool's range. The
    study's public code takes the heights of the bins for samples, which says nothing of where they are; here the bins are
    positions and their heights weights.
    """
    pool = np.asarray(pool, dtype=np.float64)
    distances = pdist(pool)
    low, span = distances.min(), np.ptp(distances) or 1.0  # 1: all distances are equal, and in the first bin
    expected = np.cumsum(_histogram(distances, low, span))

    def cost(batch):
        of_mean = np.linalg.norm(batch.mean(axis=0) - pool.mean(axis=0))
        of_deviation = np.linalg.norm(batch.std(axis=0) - pool.std(axis=0))
        found = np.cumsum(_histogram(pdist(batch), low, span))
        return of_mean + of_deviation + HISTOGRAM_WEIGHT * np.abs(found - expected).sum() * span / BINS

    return cost


CORESETS = {"greedy_coreset": greedy_coreset, "d2_coreset": d2_coreset}
MATCHED = {"fid_matched": fid_matched, "distance_histogram_matched": distance_histogram_matched}


def _with_coreset(filler, embeddings, labels, per_class, batch_size, rng):
    pool = rng.permutation(len(labels))[: max(POOL, batch_size)]  # in random order, as the first of equals is chosen
    coreset = pool[CORESETS[filler](_unit(embeddings, pool), batch_size // per_class, rng)]
    return _with_others(_of_several_classes(coreset, labels, rng), labels, per_class, rng)


def _matched(filler, embeddings, labels, per_class, batch_size, rng):
    pool = _pool_by_class(labels, per_class, max(POOL, batch_size), rng)
    return pool[MATCHED[filler](_unit(embeddings, pool), labels[pool], batch_size, per_class, rng)]


def _check_classes(labels):
    if len(np.unique(labels)) < 2:
        raise ValueError("a batch takes images of two classes at least")


def _checked(pool, size):
    if not 1 <= size <= len(pool):
        raise ValueError(f"cannot choose {size} of {len(pool)} points")
    return np.asarray(pool, dtype=np.float64)


def _unit(embeddings, places):
    """Some of the embeddings, divided by their lengths; a zero stays zero."""
    some = np.asarray(embeddings)[places].astype(np.float64)
    return some / np.maximum(np.linalg.norm(some, axis=1, keepdims=True), np.finfo(float).tiny)


def _squared_distances(pool, point):
    return ((pool - point) ** 2).sum(axis=1)


def _mean_and_factor(points):
    """(mean (d,), A (k, d)) of points (n, d), A'A being their covariance and k the smaller of n and d."""
    mean = points.mean(axis=0)
    return mean, np.linalg.qr(points - mean, mode="r") / np.sqrt(max(len(points) - 1, 1))


def _cholesky(pool):
    """Lower triangular root (d, d) of the pool's covariance, made regular."""
    _, factor = _mean_and_factor(pool)
    covariance = factor.T @ factor
    ridge = RIDGE * np.trace(covariance) / len(covariance) or 1.0  # 1: all points are equal
    return np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))


def _histogram(distances, low, span):
    """The shares (BINS,) of distances in bins from `low` on; what is outside the bins is in the nearest one.

    Not NumPy's, which refuses a range of no more than rounding errors.
    """
    bins = np.clip((distances - low) / span * BINS, 0, BINS - 1).astype(int)
    return np.bincount(bins, minlength=BINS) / len(distances)


def _random_batches(labels, size, per_class, rng, tries):
    """Yield the places (size,) of random batches: per_class images of each of size // per_class classes."""
    labels = np.asarray(labels)
    of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for _ in range(tries):
        classes = _in_turn(len(of_class), size // per_class, rng)
        yield np.concatenate([sampled(rng, of_class[each], per_class) for each in classes])


def _in_turn(n, count, rng):
    """`count` numbers below n in random order, none a second time before all have been."""
    return np.concatenate([rng.permutation(n) for _ in range(-(-count // n))])[:count]


def _pool_by_class(labels, per_class, size, rng):
    """The places of a pool of `size` images, each once: per_class images of random classes; of all images if they are few.

    Where that takes a class several times, it has as many images more, as far as there are.
    """
    if len(labels) <= size:
        return np.arange(len(labels))
    found = np.unique(labels)
    classes, times = np.unique(_in_turn(len(found), size // per_class, rng), return_counts=True)
    of_class = [np.flatnonzero(labels == found[each]) for each in classes]
    return np.concatenate([rng.permutation(own)[: n * per_class] for own, n in zip(of_class, times)])


def _of_several_classes(places, labels, rng):
    """The places, the last of them replaced by a random one of another class if all are of one."""
    if (labels[places] == labels[places[0]]).all():
        places[-1] = rng.choice(np.flatnonzero(labels != labels[places[0]]))
    return places


def _with_others(chosen, labels, per_class, rng):
    """The chosen places (n,), then n * (per_class - 1) random others of their classes."""
    batch = [chosen]
    for label in np.unique(labels[chosen]):
        of_class, own = np.flatnonzero(labels == label), chosen[labels[chosen] == label]
        others, count = np.setdiff1d(of_class, own), len(own) * (per_class - 1)
        batch.append(sampled(rng, others if len(others) >= count else of_class, count))
    return np.concatenate(batch)
