"""Similarities of models, and tests and trees of how they group the models.

A similarity is a symmetric matrix (l, l) of l models, larger for models that are more alike. Its
diagonal is never used.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy.cluster.hierarchy
import scipy.stats
from jaxtyping import Bool, Float, Int

PERMUTATIONS = 10_000
KINDS = ("pearson", "spearman")
LINKAGES = ("average", "single", "complete")  # scipy's others need Euclidean distances
MIN_PROPERTIES = 3  # that two profiles share; with two, any correlation is 1 or -1
ROUNDING = 1e-12  # statistics that differ by no more count as equal


class WithinBetween(NamedTuple):
    """The result of within_between_test."""

    statistic: float  # the mean similarity within groups minus that between groups
    p_value: float
    assignments: int  # the number compared
    exact: bool  # whether all possible assignments are compared


class Mantel(NamedTuple):
    """A correlation of two similarities, and its one-sided p value."""

    correlation: float
    p_value: float


# --------------------------------------------------------------------------------------------------
# Similarities of models.
# --------------------------------------------------------------------------------------------------
def profile_similarity(scores: Float[np.ndarray, "l k"]) -> Float[np.ndarray, "l l"]:
    """Return correlations of the models' profiles: how alike they attend to properties.

    scores: the NR-Precision of l models for k properties. Profiles are Pearson-correlated over the
    properties. Each property is first standardised over the models, so that the largest does not
    dominate. A profile says how a model differs from the mean of these models. So another set of
    models has other correlations, which are negative on average.

    Missing scores are NaN. A property is standardised over the models that have it, and left out
    if it does not vary. Two models are compared by the properties that both have. The correlation
    is NaN if they share fewer than MIN_PROPERTIES, or if a profile does not vary. Raises
    ValueError on infinite scores and other shapes.
    """
    scores = np.array(scores, dtype=np.float64)
    if scores.ndim != 2 or np.isinf(scores).any():
        raise ValueError("scores must be (models, properties), finite or NaN")
    standardised = np.full_like(scores, np.nan)
    for k, column in enumerate(scores.T):
        known = column[~np.isnan(column)]
        if _varies(known):
            standardised[:, k] = (column - known.mean()) / known.std()
    return np.array([[_shared_correlation(a, b) for b in standardised] for a in standardised])


def _shared_correlation(a: Float[np.ndarray, " k"], b: Float[np.ndarray, " k"]) -> float:
    """Return the correlation over the properties that are NaN in neither profile."""
    shared = ~np.isnan(a) & ~np.isnan(b)
    return _correlation(a[shared], b[shared]) if shared.sum() >= MIN_PROPERTIES else math.nan


def _correlation(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    """Return the Pearson correlation; NaN if a or b does not vary."""
    if not _varies(a) or not _varies(b):
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / math.sqrt((a @ a) * (b @ b)), -1, 1))


def _varies(values: Float[np.ndarray, " n"]) -> bool:
    """Return whether values differ by more than rounding."""
    return len(values) > 0 and bool(np.ptp(values) > ROUNDING * np.abs(values).max())


# --------------------------------------------------------------------------------------------------
# Are models of a group more alike than models of different groups?
# --------------------------------------------------------------------------------------------------
def within_minus_between(similarity: Float[np.ndarray, "l l"], groups: Sequence[str]) -> float:
    """Return the mean similarity of models of one group minus that of models of different groups.

    groups: the name of each model's group. All pairs within any group have the same weight. Raises
    ValueError unless the similarity is symmetric and finite off its diagonal, and there are pairs
    of both kinds.
    """
    similarity, labels = _checked(similarity), _labels(groups, len(similarity))
    return float(_within_minus_between(similarity, labels[None])[0])


def within_between_test(
    similarity: Float[np.ndarray, "l l"],
    groups: Sequence[str],
    seed: int,
    permutations: int = PERMUTATIONS,
    two_sided: bool = False,
) -> WithinBetween:
    """Return a permutation test of within_minus_between: is it larger than with random groups?

    two_sided: is it further from zero? Random groups have the same sizes. If there are at most `permutations`
    assignments, each is enumerated once; groups that swap their names are no new assignment. Then
    p is the share of assignments whose statistic is at least as large as the true one's, or at
    least as far from zero; the true one is among them.
    Otherwise `permutations` assignments are sampled, and p is (1 + count) / (1 + permutations).
    Raises ValueError as within_minus_between.
    """
    similarity, labels = _checked(similarity), _labels(groups, len(similarity))
    sizes = np.bincount(labels).tolist()
    exact = count_assignments(sizes) <= permutations
    if exact:
        random_labels = _all_assignments(*sizes)
    else:
        copies = np.tile(labels, (permutations, 1))
        random_labels = np.random.default_rng(seed).permuted(copies, axis=1)
    statistic = _within_minus_between(similarity, labels[None])[0]
    statistics = _within_minus_between(similarity, random_labels)
    if two_sided:
        statistics = np.abs(statistics)
    count = _count_as_large(
        statistics, abs(statistic) if two_sided else statistic, np.abs(similarity).max()
    )
    p_value = count / len(random_labels) if exact else (1 + count) / (1 + permutations)
    return WithinBetween(float(statistic), p_value, len(random_labels), exact)


def count_assignments(sizes: list[int]) -> int:
    """Return the number of assignments of models to groups of these sizes.

    Groups of the same size are interchangeable.
    """
    named = math.factorial(sum(sizes)) // math.prod(math.factorial(size) for size in sizes)
    return named // math.prod(math.factorial(sizes.count(size)) for size in set(sizes))


@lru_cache(maxsize=4)  # many similarities are of the same models
def _all_assignments(*sizes: int) -> Int[np.ndarray, "a l"]:
    """Return all assignments, a row for each."""
    return np.array(list(assignments(list(sizes))), dtype=np.int8)


def assignments(sizes: list[int]) -> Iterator[list[int]]:
    """Yield each assignment that count_assignments counts, as the group number of every model."""

    def fill(models: Sequence[int], sizes: list[int], labels: list[int]) -> Iterator[list[int]]:
        """Yield all ways to put these models into groups of these sizes."""
        if not sizes:
            yield list(labels)
            return
        first, *others = models
        for size in sorted(set(sizes)):  # of the first model's group
            rest = list(sizes)
            rest.remove(size)
            for members in combinations(others, size - 1):
                for model in (first, *members):
                    labels[model] = len(rest)
                remaining = [model for model in others if model not in members]
                yield from fill(remaining, rest, labels)

    yield from fill(range(sum(sizes)), list(sizes), [0] * sum(sizes))


def _within_minus_between(
    similarity: Float[np.ndarray, "l l"], labels: Int[np.ndarray, "b l"]
) -> Float[np.ndarray, " b"]:
    """Return the statistic of each assignment to groups of the same sizes.

    similarity: with a diagonal of zeros. Raises ValueError if there are not pairs of both kinds.
    """
    members: list[Bool[np.ndarray, "b l"]] = [
        labels == number for number in range(labels.max() + 1)
    ]
    within = sum(((member @ similarity) * member).sum(axis=1) for member in members) / 2
    n_pairs = math.comb(len(similarity), 2)
    n_within = sum(math.comb(int(member[0].sum()), 2) for member in members)
    if not 0 < n_within < n_pairs:
        raise ValueError("need at least two groups, one of them with at least two models")
    return within / n_within - (similarity.sum() / 2 - within) / (n_pairs - n_within)


# --------------------------------------------------------------------------------------------------
# Do two similarities agree?
# --------------------------------------------------------------------------------------------------
def mantel(
    a: Float[np.ndarray, "l l"],
    b: Float[np.ndarray, "l l"],
    seed: int,
    permutations: int = PERMUTATIONS,
    kind: str = "pearson",
) -> Mantel:
    """Return the Mantel test (Cancer Research 27, 1967) of two similarities of the same models.

    The correlation is of their entries off the diagonal. The one-sided p is
    (1 + count) / (1 + permutations): count is how often the correlation is at least as large after
    the models of one similarity are relabelled at random, rows and columns alike.

    kind: "pearson", or "spearman", of the ranks. NaN if the entries of either do not vary. Raises
    ValueError on another kind, and unless both are symmetric and finite off their diagonals, and
    of one shape.
    """
    a, b = _checked(a), _checked(b)
    if a.shape != b.shape:
        raise ValueError(f"need two similarities of the same models, not {a.shape} and {b.shape}")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    upper = np.triu_indices(len(a), 1)
    a_entries, b_entries = a[upper], b[upper]
    if kind == "spearman":
        a_entries, b_entries = scipy.stats.rankdata(a_entries), scipy.stats.rankdata(b_entries)
    value = _correlation(a_entries, b_entries)
    if math.isnan(value):
        return Mantel(value, math.nan)
    a, b = _standardised(a_entries, upper), _standardised(b_entries, upper)
    rng, correlations = np.random.default_rng(seed), np.empty(permutations)
    for number in range(permutations):
        order = rng.permutation(len(a))
        correlations[number] = (a[np.ix_(order, order)] * b).sum() / 2
    return Mantel(value, (1 + _count_as_large(correlations, value, 1)) / (1 + permutations))


def _standardised(
    entries: Float[np.ndarray, " pairs"],
    upper: tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]],
) -> Float[np.ndarray, "l l"]:
    """Return the symmetric matrix of entries above the diagonal, centred and with norm 1.

    The diagonal is zero. upper: the rows and columns of the entries.
    """
    size, entries = upper[1].max() + 1, entries - entries.mean()
    matrix = np.zeros((size, size))
    matrix[upper] = entries / np.linalg.norm(entries)
    return matrix + matrix.T


# --------------------------------------------------------------------------------------------------
# Trees of models.
# --------------------------------------------------------------------------------------------------
def linkage(
    similarity: Float[np.ndarray, "l l"], kind: str = "average"
) -> Float[np.ndarray, "merges 4"]:
    """Return the tree of a hierarchical clustering by 1 - similarity, for scipy's dendrogram.

    kind: the distance of two clusters, the mean, smallest or largest distance of their models
    ("average", "single", "complete"). Raises ValueError on another kind, if an entry is above 1,
    and unless the similarity is symmetric and finite off its diagonal.
    """
    if kind not in LINKAGES:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(LINKAGES)}")
    return scipy.cluster.hierarchy.linkage(_distances(similarity), method=kind)


def cophenetic(tree: Float[np.ndarray, "merges 4"], similarity: Float[np.ndarray, "l l"]) -> float:
    """Return the cophenetic correlation: how well a tree represents a similarity.

    It is the correlation of models' distances with the heights at which the tree merges them. NaN
    if either does not vary. Raises ValueError as linkage, or if tree and similarity differ in
    models.
    """
    distances = _distances(similarity)
    heights = scipy.cluster.hierarchy.cophenet(tree)
    if heights.shape != distances.shape:
        raise ValueError("need a tree and a similarity of the same models")
    return _correlation(heights, distances)


def agreement(tree: Float[np.ndarray, "merges 4"], groups: Sequence[str]) -> float:
    """Return the adjusted Rand index of the models' groups and the tree's clusters.

    1 means the same, 0 as good as chance. The tree is cut into as many clusters as there are
    groups, or fewer where heights are equal.
    """
    from sklearn.metrics import adjusted_rand_score  # loading takes a second

    clusters = scipy.cluster.hierarchy.fcluster(tree, len(set(groups)), criterion="maxclust")
    return float(adjusted_rand_score(list(groups), clusters))


def _distances(similarity: Float[np.ndarray, "l l"]) -> Float[np.ndarray, " pairs"]:
    """Return 1 - similarity of all pairs, in scipy's order; ValueError if an entry is above 1."""
    similarity = _checked(similarity)
    distances = 1 - similarity[np.triu_indices(len(similarity), 1)]
    if (distances < -1e-9).any():
        raise ValueError("similarities must be at most 1")
    return distances.clip(0)


# --------------------------------------------------------------------------------------------------
# Shared helpers.
# --------------------------------------------------------------------------------------------------
def _checked(similarity: Float[np.ndarray, "l l"]) -> Float[np.ndarray, "l l"]:
    """Return a copy in float64 with a diagonal of zeros.

    Raises ValueError unless it is a symmetric matrix, finite off its diagonal.
    """
    similarity = np.array(similarity, dtype=np.float64)
    if similarity.ndim != 2 or len(similarity) != similarity.shape[1] or len(similarity) < 2:
        raise ValueError(
            f"a similarity must be a matrix (l, l) of at least two models, not {similarity.shape}"
        )
    np.fill_diagonal(similarity, 0)
    symmetric = np.allclose(similarity, similarity.T, rtol=1e-9, atol=1e-12)
    if not np.isfinite(similarity).all() or not symmetric:
        raise ValueError("a similarity must be symmetric, and finite off its diagonal")
    return similarity


def _labels(groups: Sequence[str], n_models: int) -> Int[np.ndarray, " l"]:
    """Return the number of each model's group; ValueError if there is not one for each model."""
    names = list(groups)
    if len(names) != n_models:
        raise ValueError(f"need a group for each of {n_models} models, not {len(names)}")
    return np.unique(names, return_inverse=True)[1]


def _count_as_large(values: Float[np.ndarray, " b"], statistic: float, scale: float) -> int:
    """Return how many values are at least the statistic, up to rounding at this scale."""
    return int((values >= statistic - ROUNDING * scale).sum())
