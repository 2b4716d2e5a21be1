"""Do pixels, embeddings and properties group the models alike? Similarities of models, and what to say of them.

A similarity is a symmetric matrix (l, l) of l models, larger for those that are more alike; its diagonal never counts.
"""

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy.cluster.hierarchy
import scipy.stats

PERMUTATIONS = 10_000
KINDS = ("pearson", "spearman")
LINKAGES = ("average", "single", "complete")  # scipy's other ones take distances in a Euclidean space
FEWEST_PROPERTIES = 3  # that two profiles share; of two, any correlation is 1 or -1
MIN_IMAGES = 4  # of which there is an unbiased HSIC
BLOCK = 4096  # rows of embeddings that are centred at a time
ROUNDING = 1e-12  # by which statistics that are the same may differ


class WithinBetween(NamedTuple):
    statistic: float  # the mean similarity within groups less that between groups
    p_value: float
    assignments: int  # that were compared
    exact: bool  # whether these are all that there are


class Mantel(NamedTuple):
    correlation: float
    p_value: float


# ---------------------------------------------------------------------------------------------------------------------
# Similarities of models.
# ---------------------------------------------------------------------------------------------------------------------
def linear_cka(x, y):
    """Debiased linear centred kernel alignment of embeddings (n, d1) and (n, d2) of the same n images, in [-1, 1].

    HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y)) (Kornblith et al., ICML 2019) by the unbiased HSIC_1 of Song et al. (JMLR 13,
    2012), which leaves out the similarity of each image with itself: 1 where embeddings are the same but for rotation and
    scale; 0 on average, so also negative, where they are unrelated, however few the images.
    Raises ValueError on other shapes, on what is not finite, on fewer than MIN_IMAGES images, and where HSIC(x, x) or
    HSIC(y, y) is 0: embeddings are constant or, less some offset, all orthogonal to each other.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"embeddings of the same images, (n, d1) and (n, d2), not {x.shape} and {y.shape}")
    if len(x) < MIN_IMAGES:
        raise ValueError(f"debiased CKA takes embeddings of {MIN_IMAGES} images or more, not of {len(x)}")
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        raise ValueError("embeddings that are finite")
    (across, _), *own = _unbiased_hsic(x, y), _unbiased_hsic(x, x), _unbiased_hsic(y, y)
    for which, (value, biased) in zip(("first", "second"), own):
        if value <= ROUNDING * biased:
            raise ValueError(f"in the {which} embeddings all images are alike, or orthogonal to each other: no CKA")
    value = across / (math.sqrt(own[0][0]) * math.sqrt(own[1][0]))
    return float(np.clip(value, -1, 1))  # rounding can leave the bounds


def _unbiased_hsic(x, y):
    """(n (n - 3) HSIC_1, ||X'Y||^2) of the linear kernels of x (n, d1) and y (n, d2), X and Y with centred columns.

    Rows and columns of a centred kernel sum to 0, diagonal included. With its diagonal p (n,), the squared norms of the
    centred rows, and q that of the other, equation 5 of Song et al. becomes
    ||X'Y||^2 - n p'q / (n - 2) + sum(p) sum(q) / ((n - 1) (n - 2)), for which no matrix (n, n) is needed.
    """
    n, means, product = len(x), (_mean(x), _mean(y)), 0
    sum_p = sum_q = sum_pq = 0
    for start in range(0, n, BLOCK):
        a, b = (_from_first(each, start) - mean for each, mean in zip((x, y), means))
        p, q = np.square(a).sum(axis=1), np.square(b).sum(axis=1)
        product, sum_p, sum_q, sum_pq = product + a.T @ b, sum_p + p.sum(), sum_q + q.sum(), sum_pq + p @ q
    biased = float(np.square(product).sum())
    return biased - n / (n - 2) * sum_pq + sum_p * sum_q / ((n - 1) * (n - 2)), biased


def _mean(x):
    return sum(_from_first(x, start).sum(axis=0) for start in range(0, len(x), BLOCK)) / len(x)


def _from_first(x, start):
    """A block less the first row of all, so that columns that do not vary are exactly zero."""
    return x[start : start + BLOCK].astype(float) - x[0].astype(float)


def profile_similarity(scores):
    """How alike models attend to properties: correlations (l, l) of their profiles, from NR-Precisions (l, k).

    A profile is Pearson-correlated over the properties, each of which is first standardised over the models, so that
    the largest does not drown the others. It says how a model differs from the mean of those given: another set of
    models gives other correlations, on average below zero. Missing scores are NaN: a property is standardised over the
    models that have it, two models are compared by those that both have, and one that does not vary is left out.
    NaN where two share fewer than FEWEST_PROPERTIES, or a profile does not vary. Raises ValueError on infinity.
    """
    scores = np.array(scores, dtype=float)
    if scores.ndim != 2 or np.isinf(scores).any():
        raise ValueError("scores (models, properties), finite or NaN")
    standardised = np.full_like(scores, np.nan)
    for k, column in enumerate(scores.T):
        known = column[~np.isnan(column)]
        if _varies(known):
            standardised[:, k] = (column - known.mean()) / known.std()
    return np.array([[_shared_correlation(a, b) for b in standardised] for a in standardised])


def _shared_correlation(a, b):
    shared = ~np.isnan(a) & ~np.isnan(b)
    return _correlation(a[shared], b[shared]) if shared.sum() >= FEWEST_PROPERTIES else math.nan


def _correlation(a, b):
    """Pearson correlation of (n,) and (n,); NaN where either does not vary."""
    if not _varies(a) or not _varies(b):
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / math.sqrt((a @ a) * (b @ b)), -1, 1))


def _varies(values):
    return len(values) > 0 and np.ptp(values) > ROUNDING * np.abs(values).max()


# ---------------------------------------------------------------------------------------------------------------------
# Are models of a group more alike than those of different groups?
# ---------------------------------------------------------------------------------------------------------------------
def within_minus_between(similarity, groups):
    """The mean similarity of two models of one group less that of two of different groups; groups (l,): names.

    All pairs within any group count alike. Raises ValueError unless the similarity is symmetric and finite off its
    diagonal, and there are pairs of both kinds.
    """
    similarity, labels = _checked(similarity), _labels(groups, len(similarity))
    return float(_within_minus_between(similarity, labels[None])[0])


def within_between_test(similarity, groups, seed, permutations=PERMUTATIONS):
    """WithinBetween: is it larger than with models assigned to groups of these sizes at random?

    One-sided. All assignments are enumerated where they are no more than `permutations`, each once: groups that merely
    swap their names are no new one. p is then the share with a statistic as large as the true one, which is among them.
    Else as many are drawn, and p is (1 + count) / (1 + permutations). Raises ValueError as within_minus_between does.
    """
    similarity, labels = _checked(similarity), _labels(groups, len(similarity))
    sizes = np.bincount(labels).tolist()
    exact = count_assignments(sizes) <= permutations
    if exact:
        drawn = np.array(list(assignments(sizes)))
    else:
        drawn = np.random.default_rng(seed).permuted(np.tile(labels, (permutations, 1)), axis=1)
    statistic = _within_minus_between(similarity, labels[None])[0]
    count = _as_large(_within_minus_between(similarity, drawn), statistic, np.abs(similarity).max())
    p_value = count / len(drawn) if exact else (1 + count) / (1 + permutations)
    return WithinBetween(float(statistic), p_value, len(drawn), exact)


def count_assignments(sizes):
    """In how many ways models can be put into groups of these sizes, where groups of one size have no names."""
    named = math.factorial(sum(sizes)) // math.prod(math.factorial(size) for size in sizes)
    return named // math.prod(math.factorial(sizes.count(size)) for size in set(sizes))


def assignments(sizes):
    """Each of these ways, as a list that has the number of its group for every model."""

    def fill(places, sizes, labels):
        if not sizes:
            yield list(labels)
            return
        first, *others = places
        for size in sorted(set(sizes)):  # of the group that the first model without one is in
            rest = list(sizes)
            rest.remove(size)
            for chosen in combinations(others, size - 1):
                for place in (first, *chosen):
                    labels[place] = len(rest)
                yield from fill([place for place in others if place not in chosen], rest, labels)

    yield from fill(range(sum(sizes)), list(sizes), [0] * sum(sizes))


def _within_minus_between(similarity, labels):
    """The statistic (b,) of assignments (b, l) to groups of the same sizes; similarity with a diagonal of zeros."""
    members = [labels == number for number in range(labels.max() + 1)]
    within = sum(((member @ similarity) * member).sum(axis=1) for member in members) / 2
    n_pairs, n_within = math.comb(len(similarity), 2), sum(math.comb(int(member[0].sum()), 2) for member in members)
    if not 0 < n_within < n_pairs:
        raise ValueError("two groups at least, of which one has two models at least")
    return within / n_within - (similarity.sum() / 2 - within) / (n_pairs - n_within)


# ---------------------------------------------------------------------------------------------------------------------
# Do two similarities go together?
# ---------------------------------------------------------------------------------------------------------------------
def mantel(a, b, seed, permutations=PERMUTATIONS, kind="pearson"):
    """Mantel test (Cancer Research 27, 1967): do similarities (l, l) and (l, l) of the same models go together?

    The correlation of their entries off the diagonal, and a one-sided p, (1 + count) / (1 + permutations), where count
    is how often a correlation is as large after the models of one are relabelled at random, rows and columns alike.
    kind: "pearson", or "spearman", which is that of the ranks. NaN where the entries of either do not vary.
    Raises ValueError unless both are symmetric and finite off their diagonals, and of one shape.
    """
    a, b = _checked(a), _checked(b)
    if a.shape != b.shape or kind not in KINDS:
        raise ValueError(f"similarities of the same models, and a kind of {', '.join(KINDS)}")
    upper = np.triu_indices(len(a), 1)
    entries = [each[upper] for each in (a, b)]
    if kind == "spearman":
        entries = [scipy.stats.rankdata(each) for each in entries]
    value = _correlation(*entries)
    if math.isnan(value):
        return Mantel(value, math.nan)
    a, b = (_standardised(each, upper) for each in entries)
    rng, found = np.random.default_rng(seed), np.empty(permutations)
    for number in range(permutations):
        order = rng.permutation(len(a))
        found[number] = (a[np.ix_(order, order)] * b).sum() / 2
    return Mantel(value, (1 + _as_large(found, value, 1)) / (1 + permutations))


def _standardised(entries, upper):
    """A symmetric matrix with a diagonal of zeros, from entries above it, centred and with a norm of one."""
    size, entries = upper[1].max() + 1, entries - entries.mean()
    matrix = np.zeros((size, size))
    matrix[upper] = entries / np.linalg.norm(entries)
    return matrix + matrix.T


# ---------------------------------------------------------------------------------------------------------------------
# Trees of models.
# ---------------------------------------------------------------------------------------------------------------------
def linkage(similarity, kind="average"):
    """The tree of a hierarchical clustering by 1 - similarity, (l - 1, 4) as scipy's dendrogram takes it.

    kind: how far apart two clusters are: the mean, least or largest distance of their models ("average", "single",
    "complete"). Raises ValueError on another kind, unless the similarity is symmetric and finite off its diagonal, and
    if an entry is above 1.
    """
    if kind not in LINKAGES:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(LINKAGES)}")
    return scipy.cluster.hierarchy.linkage(_distances(similarity), method=kind)


def cophenetic(tree, similarity):
    """How well a tree shows a similarity: the correlation of the heights at which two models meet with their distances.

    NaN where either does not vary. Raises ValueError as linkage does, or if tree and similarity differ in models.
    """
    distances = _distances(similarity)
    heights = scipy.cluster.hierarchy.cophenet(tree)
    if heights.shape != distances.shape:
        raise ValueError("a tree and a similarity of the same models")
    return _correlation(heights, distances)


def agreement(tree, groups):
    """Adjusted Rand index of groups (l,) and the tree's clusters, cut into as many: 1 the same, 0 as good as chance.

    Where heights are equal, it may have to be cut into fewer.
    """
    from sklearn.metrics import adjusted_rand_score  # it takes a second to load

    clusters = scipy.cluster.hierarchy.fcluster(tree, len(set(groups)), criterion="maxclust")
    return float(adjusted_rand_score(list(groups), clusters))


def _distances(similarity):
    """1 - similarity of all pairs (l (l - 1) / 2,), in scipy's order."""
    similarity = _checked(similarity)
    distances = 1 - similarity[np.triu_indices(len(similarity), 1)]
    if (distances < -1e-9).any():
        raise ValueError("similarities that are 1 at most")
    return distances.clip(0)


# ---------------------------------------------------------------------------------------------------------------------
# What they share.
# ---------------------------------------------------------------------------------------------------------------------
def _checked(similarity):
    """A copy in float64 with a diagonal of zeros."""
    similarity = np.array(similarity, dtype=float)
    if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1] or len(similarity) < 2:
        raise ValueError(f"a similarity is a matrix (l, l) of two models or more, not {similarity.shape}")
    np.fill_diagonal(similarity, 0)
    if not np.isfinite(similarity).all() or not np.allclose(similarity, similarity.T, rtol=1e-9, atol=1e-12):
        raise ValueError("a similarity that is symmetric, and finite off its diagonal")
    return similarity


def _labels(groups, n_models):
    names = list(groups)
    if len(names) != n_models:
        raise ValueError(f"a group for each of {n_models} models, not {len(names)}")
    return np.unique(names, return_inverse=True)[1]


def _as_large(values, statistic, scale):
    """How many values are as large as a statistic, but for the rounding of numbers of this scale."""
    return int((values >= statistic - ROUNDING * scale).sum())
