"""Permutation null and bootstrap intervals of NR-Precision.

The z-score of one query has a spread near one under chance; the mean over all queries has a far
smaller one. So 2.576 is no threshold for NR-Precision. A permutation test is valid.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num, Shaped
from numba import get_num_threads

from dml_analysis.metrics.inputs import Data
from dml_analysis.metrics.intervals import resample_counts
from dml_analysis.metrics.nearest_neighbors import in_blocks
from dml_analysis.metrics.neighbor_hits import padded, permuted_hits
from dml_analysis.metrics.nr_precision import prepared, query_hits, scores_of_hits
from dml_analysis.seeds import derived_seed

ROUNDING = 1e-9  # scores that differ by less are equal
RESAMPLES = 1000
LEVEL = 0.95
AT_ONCE = 128  # permutations in one array of labels
OVER = ("queries", "queries and folds")
SAMPLED_BYTES = 2**26  # of the resamples of queries that are in memory at once


class Null(NamedTuple):
    """Scores of k properties after permutations of their labels."""

    r_precision: Float[np.ndarray, "permutations k"]  # a row for each permutation
    nr_precision: Float[np.ndarray, "permutations k"]  # the same


class Summary(NamedTuple):
    """A permutation null of k properties in short."""

    mean: Float[np.ndarray, " k"]  # of the scores under permutation
    std: Float[np.ndarray, " k"]  # of the same, with ddof 1
    p_value: Float[np.ndarray, " k"]  # one-sided


# ---------------------------------------------------------------------------------------------------------------------
# Permuted labels.
# ---------------------------------------------------------------------------------------------------------------------
def permutation_null(
    embeddings: Num[Data, "n d"],
    labels: Shaped[Data, "*n k"],
    permutations: int,
    seed: int,
    max_neighbors: int | None = None,
) -> Null:
    """Return the scores of nr_precision after permutations of the labels.

    embeddings, labels: as nr_precision takes them. Each property is permuted over the images
    separately; the embeddings stay. Row i of the scores is
    nr_precision of labels whose column j is permuted(labels[:, j], seed, j, i), so it does not
    depend on the number of permutations. The mean NR-Precision is slightly below zero, because p
    counts the query, which is not its own neighbour.

    Memory, in addition to the embeddings and a float64 and a float32 copy of them: 4 bytes for each
    of queries_at_once(n) * n distances; n * k * permutations bytes for labels, or twice that if
    properties have 255 values or more; 16 * permutations bytes for each value of each property and
    each thread.

    Source: a permutation test, instead of the paper's threshold 2.576, which is for the z-score of a
    single query. Raises ValueError as nr_precision does, and without permutations.

    >>> embeddings, labels = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60)[:, None] % 3
    >>> null = permutation_null(embeddings, labels, permutations=50, seed=0).nr_precision
    >>> null.shape, round(float(null.mean()), 1)
    ((50, 1), -0.1)
    """
    if permutations < 1:
        raise ValueError(f"permutations is {permutations}, but at least one is needed")
    checked = prepared(embeddings, labels, max_neighbors)
    # An image of each value, and what is the same for all of its images: (v,) for each property.
    firsts = [np.unique(column, return_index=True)[1] for column in checked.codes]
    counts = [column[first] for column, first in zip(checked.counts.T, firsts)]
    ranks = [column[first] for column, first in zip(checked.neighbors.T, firsts)]
    totals = _total_hits(checked.embeddings, checked.codes, ranks, permutations, seed)
    scores = [_scores(total, *of_property) for total, *of_property in zip(totals, counts, ranks)]
    return Null(*np.stack(scores, axis=-1))


def permuted(
    values: Shaped[np.ndarray, " n"], seed: int, column: int, number: int
) -> Shaped[np.ndarray, " n"]:
    """Return the values of the property in a column of the labels after permutation `number`."""
    generator = np.random.default_rng(derived_seed(seed, "permuted labels", column, number))
    return np.asarray(values)[generator.permutation(len(values))]


def _all_permuted(
    codes: Int[np.ndarray, " n"], permutations: int, seed: int, column: int
) -> list[Int[np.ndarray, "n at_once"]]:
    """Return the codes of a property after all permutations, AT_ONCE of them in an array."""

    def tile(start: int) -> np.ndarray:
        numbers = range(start, min(start + AT_ONCE, permutations))
        return padded([permuted(codes, seed, column, number) for number in numbers])

    with ThreadPoolExecutor(get_num_threads()) as pool:
        return list(pool.map(tile, range(0, permutations, AT_ONCE)))


def _total_hits(
    embeddings: Float[np.ndarray, "n d"],
    codes: Int[np.ndarray, "k n"],
    ranks: list[np.ndarray],
    permutations: int,
    seed: int,
) -> list[Float[np.ndarray, "permutations v"]]:
    """Return for each property the hits of all queries of a value together.

    ranks: (v,) for each property, R of the queries of each value.
    """
    queries, rising = np.arange(len(embeddings)), np.unique(np.concatenate(ranks))
    orders = [np.argsort(each) for each in ranks]
    labels = [_all_permuted(column, permutations, seed, j) for j, column in enumerate(codes)]

    def work(
        rows: slice, images: np.ndarray, begins: np.ndarray, ends: np.ndarray
    ) -> list[np.ndarray]:
        totals = []
        for tiles, rank, order in zip(labels, ranks, orders):
            nearer, tied = (
                np.take(each, np.searchsorted(rising, rank[order]), axis=1)
                for each in (begins, ends)
            )
            of_tiles = [
                permuted_hits(
                    images, nearer, tied, rank[order], np.argsort(order), queries[rows], tile
                )
                for tile in tiles
            ]
            totals.append(np.concatenate(of_tiles)[:permutations])
        return totals

    blocks = in_blocks(
        embeddings, queries, np.broadcast_to(rising, (len(queries), len(rising))), work
    )
    return reduce(lambda sums, block: [a + b for a, b in zip(sums, block)], blocks)


def _scores(
    totals: Float[np.ndarray, "permutations v"],
    counts: Int[np.ndarray, " v"],
    neighbors: Int[np.ndarray, " v"],
) -> list[Float[np.ndarray, " permutations"]]:
    """Return R-Precision and NR-Precision of a property from the total hits of its values.

    counts, neighbors: how many queries have each value, and their R. Both scores are linear in the
    hits, so the mean score of a value's queries is the score of their mean hits.
    """
    scores = scores_of_hits(totals / counts, counts / counts.sum(), neighbors)
    weights = np.where(neighbors > 0, counts, 0)
    with np.errstate(invalid="ignore"):
        return [
            (np.where(neighbors > 0, each, 0) * weights).sum(axis=1) / weights.sum()
            for each in scores
        ]


def null_summary(
    observed: Float[np.ndarray, " k"], null: Float[np.ndarray, "permutations k"]
) -> Summary:
    """Return mean, spread and p-value of scores under permutation, given the observed scores.

    p = (1 + c) / (1 + permutations) if c permutations score at least as high as observed. Scores
    that differ by at most ROUNDING are equal. All three are NaN for a property with a NaN score.
    Raises ValueError on other shapes, and for fewer than two permutations.
    """
    observed, null = np.asarray(observed, dtype=float), np.asarray(null, dtype=float)
    if null.ndim != 2 or len(null) < 2 or observed.shape != null.shape[1:]:
        raise ValueError(
            f"need scores (k,) and two permutations or more (p, k), not {observed.shape} and {null.shape}"
        )
    undefined = np.isnan(observed) | np.isnan(null).any(axis=0)
    p_value = (1 + (null >= observed - ROUNDING).sum(axis=0)) / (1 + len(null))
    return Summary(
        *(
            np.where(undefined, np.nan, each)
            for each in (null.mean(axis=0), null.std(axis=0, ddof=1), p_value)
        )
    )


# ---------------------------------------------------------------------------------------------------------------------
# Queries and folds.
# ---------------------------------------------------------------------------------------------------------------------
def query_scores(
    embeddings: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, "n k"],
    max_neighbors: int | None = None,
) -> Float[np.ndarray, "n k"]:
    """Return the z-score of every query and property; their mean is NR-Precision.

    NaN for a query whose value no other image has, and for a property with one value. See
    nr_precision for arguments and errors.
    """
    return scores_of_hits(*query_hits(embeddings, labels, max_neighbors))[1]


def bootstrap(
    scores: Float[np.ndarray, "folds n k"],
    seed: int,
    resamples: int = RESAMPLES,
    over: str = OVER[0],
    level: float = LEVEL,
) -> Float[np.ndarray, "k 2"]:
    """Return percentile intervals, low and high, of a mean NR-Precision over folds and queries.

    scores: query_scores in each fold, of the same queries. n queries are sampled with replacement,
    the same in all folds; with over="queries and folds", folds are sampled, too. A NaN score of a
    property does not count. The interval is NaN for a property without scores, or with so few that
    a resample has none of them.

    Raises ValueError on other shapes, infinite scores, scores that are NaN in some folds only,
    another `over`, no resamples, and if folds are to be sampled but there is only one.
    """
    scores, known = _checked_scores(scores)
    folds, n, k = scores.shape
    if over not in OVER:
        raise ValueError(f"unknown over {over!r}; known: {', '.join(OVER)}")
    if over == "queries and folds" and folds == 1:
        raise ValueError("one fold says nothing of how folds differ; use over='queries'")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but at least one is needed")
    shares = np.full((resamples, folds), 1 / folds)
    if over == "queries and folds":
        shares = (
            resample_counts(np.random.default_rng(derived_seed(seed, "folds")), folds, resamples)
            / folds
        )
    generator, at_once = (
        np.random.default_rng(derived_seed(seed, "queries")),
        max(1, SAMPLED_BYTES // (8 * n)),
    )
    by_query, means = np.moveaxis(scores, 1, 0).reshape(n, folds * k), np.empty((resamples, k))
    for start in range(0, resamples, at_once):
        block = shares[start : start + at_once]
        draws = resample_counts(generator, n, len(block))
        sums = np.einsum("rf,rfk->rk", block, (draws @ by_query).reshape(-1, folds, k))
        with np.errstate(invalid="ignore"):
            means[start : start + at_once] = sums / (draws @ known)
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0).T


def _checked_scores(
    scores: Float[np.ndarray, "folds n k"],
) -> tuple[Float[np.ndarray, "folds n k"], Bool[np.ndarray, "n k"]]:
    """Return (scores with 0 instead of NaN, whether a score is not NaN)."""
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 3 or 0 in scores.shape:
        raise ValueError(f"need scores (folds, n, k), none of them 0, not {scores.shape}")
    known = ~np.isnan(scores)
    if np.isinf(scores).any() or (known != known[0]).any():
        raise ValueError(
            "scores are infinite, or NaN in some folds only; use the same queries in all folds"
        )
    return np.where(known, scores, 0), known[0]
