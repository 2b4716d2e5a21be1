"""What chance does to NR-Precision: labels permuted over the images, queries and folds sampled again.

The z-score of one query has a spread near one under chance; the mean over all queries has a far smaller one. So 2.576
is no threshold for NR-Precision, and a permutation test is.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numba import get_num_threads

from dml_analysis.metrics.nearest_neighbors import in_blocks
from dml_analysis.metrics.neighbor_hits import padded, permuted_hits
from dml_analysis.metrics.nr_precision import prepared, query_hits, scores_of_hits
from dml_analysis.seeds import derived_seed

ROUNDING = 1e-9  # scores that differ by less are equal
RESAMPLES = 1000
LEVEL = 0.95
AT_ONCE = 128  # permutations, whose labels lie side by side
OVER = ("queries", "queries and folds")
DRAWN_BYTES = 2**26  # of the draws of queries that are in memory at once


class Null(NamedTuple):
    r_precision: np.ndarray  # (permutations, k)
    nr_precision: np.ndarray  # (permutations, k)


class Summary(NamedTuple):
    mean: np.ndarray  # (k,), of the scores under permutation
    std: np.ndarray  # (k,), of the same, with ddof 1
    p_value: np.ndarray  # (k,), one-sided


# ---------------------------------------------------------------------------------------------------------------------
# Permuted labels.
# ---------------------------------------------------------------------------------------------------------------------
def permutation_null(
    embeddings: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, "n k"],
    permutations: int,
    seed: int,
    max_neighbors: int | None = None,
) -> Null:
    """Return the Null of nr_precision(embeddings, labels, max_neighbors): its scores after permutations of the labels.

    embeddings (n, d) and labels (n, k) are those of nr_precision. Each property is permuted over the images by itself;
    the embeddings stay. Row i of the scores is what nr_precision gives for labels each column j of which is
    permuted(labels[:, j], seed, j, i). So it does not depend on how many permutations are asked for.

    The mean NR-Precision is a little below zero, as p counts the query, which is no neighbour of its own.

    The neighbours of a query are put in order once for all permutations. Memory, beside the embeddings and a float64 and a
    float32 copy of them:
    - blocks of distances: 4 bytes for each of nearest_neighbors.queries_at_once(n) * n;
    - labels: n * k * permutations bytes, 1.1 GB for 100,000 images, 11 properties and 1,000 permutations; twice that where the
      properties have 255 values or more;
    - hits: 16 * permutations bytes for each value of each property, for each thread.

    Source: a permutation test in the place of the paper's threshold 2.576, which is for the z-score of a single query. Raises ValueError
    as nr_precision does, and for fewer permutations than one.

    >>> embeddings, labels = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60)[:, None] % 3
    >>> null = permutation_null(embeddings, labels, permutations=50, seed=0).nr_precision
    >>> null.shape, round(float(null.mean()), 1)
    ((50, 1), -0.1)
    """
    if permutations < 1:
        raise ValueError(f"permutations is {permutations}, but at least one is needed")
    embeddings, codes, counts, neighbors = prepared(embeddings, labels, max_neighbors)
    firsts = [np.unique(column, return_index=True)[1] for column in codes]  # an image of each value
    counts = [column[first] for column, first in zip(counts.T, firsts)]  # (v,) for each property
    ranks = [column[first] for column, first in zip(neighbors.T, firsts)]
    totals = _total_hits(embeddings, codes, ranks, permutations, seed)
    scores = [_scores(total, *of_property) for total, *of_property in zip(totals, counts, ranks)]
    return Null(*np.stack(scores, axis=-1))


def permuted(values, seed, column, number):
    """The values (n,) of the property in a column of the labels, as permutation `number` puts them."""
    generator = np.random.default_rng(derived_seed(seed, "permuted labels", column, number))
    return np.asarray(values)[generator.permutation(len(values))]


def _all_permuted(codes, permutations, seed, column):
    """Return a list of labels (n, AT_ONCE): the codes (n,) of a property under so many permutations each."""

    def tile(start):
        numbers = range(start, min(start + AT_ONCE, permutations))
        return padded([permuted(codes, seed, column, number) for number in numbers])

    with ThreadPoolExecutor(get_num_threads()) as pool:
        return list(pool.map(tile, range(0, permutations, AT_ONCE)))


def _total_hits(embeddings, codes, ranks, permutations, seed):
    """Return (permutations, v) for each property: the hits of all queries of a value together.

    codes: (k, n); ranks: (v,) for each property, at how many neighbours a query of each value looks.
    """
    queries, rising = np.arange(len(embeddings)), np.unique(np.concatenate(ranks))
    orders = [np.argsort(each) for each in ranks]
    labels = [_all_permuted(column, permutations, seed, j) for j, column in enumerate(codes)]

    def work(places, images, begins, ends):
        totals = []
        for tiles, rank, order in zip(labels, ranks, orders):
            nearer, tied = (
                np.take(each, np.searchsorted(rising, rank[order]), axis=1)
                for each in (begins, ends)
            )
            of_tiles = [
                permuted_hits(
                    images, nearer, tied, rank[order], np.argsort(order), queries[places], tile
                )
                for tile in tiles
            ]
            totals.append(np.concatenate(of_tiles)[:permutations])
        return totals

    blocks = in_blocks(
        embeddings, queries, np.broadcast_to(rising, (len(queries), len(rising))), work
    )
    return reduce(lambda sums, block: [a + b for a, b in zip(sums, block)], blocks)


def _scores(totals, counts, neighbors):
    """(2, permutations), R-Precision and NR-Precision of a property, from totals (permutations, v) of its values' hits.

    counts, neighbors: (v,), how many queries have each value, and how many neighbours they look at. Both scores are
    linear in the hits, so the mean score of a value's queries is the score of their mean hits.
    """
    scores = scores_of_hits(totals / counts, counts / counts.sum(), neighbors)
    weights = np.where(neighbors > 0, counts, 0)
    with np.errstate(invalid="ignore"):
        return [
            (np.where(neighbors > 0, each, 0) * weights).sum(axis=1) / weights.sum()
            for each in scores
        ]


def null_summary(observed, null):
    """The Summary of scores null (permutations, k) under permutation, beside which are the observed ones (k,).

    p = (1 + c) / (1 + permutations), where c permutations score at least as much as is observed. Scores that differ by
    no more than ROUNDING are equal. All three are NaN for a property with a score that is NaN.

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
def query_scores(embeddings, labels, max_neighbors=None):
    """The z-score (n, k) of every query and property; their mean over the queries is nr_precision's NR-Precision.

    NaN for a query that is alone with its value, and for a property with one value in all. Arguments, and what is
    raised, as in nr_precision.
    """
    return scores_of_hits(*query_hits(embeddings, labels, max_neighbors))[1]


def bootstrap(scores, seed, resamples=RESAMPLES, over=OVER[0], level=LEVEL):
    """Intervals (k, 2), low and high, of a model's NR-Precision, the mean over folds and queries, by percentiles.

    scores: (folds, n, k), the query_scores of the model in each fold, on the same queries. n queries are drawn with
    replacement, the same in all folds; over "queries and folds", as many whole folds as there are, too. A query whose
    score of a property is NaN does not count there. The interval is NaN for a property without scores, or with so few
    that a draw has none of them.

    Raises ValueError on other shapes, infinite scores, scores that are NaN in some folds only, another `over`, fewer
    resamples than one, and for a single fold where folds are to be drawn.
    """
    scores, known = _checked_scores(scores)
    folds, n, k = scores.shape
    if over not in OVER:
        raise ValueError(f"unknown over {over!r}; known: {', '.join(OVER)}")
    if over == "queries and folds" and folds == 1:
        raise ValueError("one fold says nothing of how folds differ; take over='queries'")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but at least one is needed")
    shares = np.full((resamples, folds), 1 / folds)
    if over == "queries and folds":
        shares = (
            _draws(np.random.default_rng(derived_seed(seed, "folds")), folds, resamples) / folds
        )
    generator, at_once = (
        np.random.default_rng(derived_seed(seed, "queries")),
        max(1, DRAWN_BYTES // (8 * n)),
    )
    by_query, means = np.moveaxis(scores, 1, 0).reshape(n, folds * k), np.empty((resamples, k))
    for start in range(0, resamples, at_once):
        some = shares[start : start + at_once]
        draws = _draws(generator, n, len(some))
        sums = np.einsum("rf,rfk->rk", some, (draws @ by_query).reshape(-1, folds, k))
        with np.errstate(invalid="ignore"):
            means[start : start + at_once] = sums / (draws @ known)
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0).T


def _draws(generator, n, resamples):
    """(resamples, n) floats: how often each of n is among n drawn with replacement."""
    return generator.multinomial(n, np.full(n, 1 / n), resamples).astype(float)


def _checked_scores(scores):
    """(scores (folds, n, k) with 0 in the place of NaN, known (n, k), which is False there)."""
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 3 or 0 in scores.shape:
        raise ValueError(f"need scores (folds, n, k), none of them 0, not {scores.shape}")
    known = ~np.isnan(scores)
    if np.isinf(scores).any() or (known != known[0]).any():
        raise ValueError(
            "scores are infinite, or NaN in some folds only: they have to be of the same queries in all"
        )
    return np.where(known, scores, 0), known[0]
