"""Normalized R-Precision (paper, section 4.1): how well embeddings cluster by each property of their images."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dml_analysis.metrics.coordinates import scaled
from dml_analysis.metrics.nearest_neighbors import in_blocks
from dml_analysis.metrics.neighbor_hits import padded, property_hits


class Precision(NamedTuple):
    r_precision: np.ndarray  # (k,), in [0, 1]; Eq. 4
    nr_precision: np.ndarray  # (k,), zero for random embeddings; Eq. 5


class Hits(NamedTuple):
    hits: np.ndarray  # (q, k), h: how many of a query's R nearest images share its value
    p: np.ndarray  # (q, k), the share of all images that have its value
    neighbors: np.ndarray  # (q, k), R; 0 for a query that is alone with its value


class Prepared(NamedTuple):
    embeddings: np.ndarray  # (n, d) float64, from which distances can be computed safely
    codes: np.ndarray  # (k, n), the value of each property that an image has, as 0, 1, ...
    counts: np.ndarray  # (n, k), how many images have that value, the image itself among them
    neighbors: np.ndarray  # (n, k), R


def nr_precision(
    embeddings: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, "n k"],
    max_neighbors: int | None = None,
    queries: Int[np.ndarray, " q"] | None = None,
    device: str = "cpu",
) -> Precision:
    """Return R-Precision and Normalized R-Precision of k properties in one pass, by Euclidean distance.

    embeddings: (n, d) floats; labels: (n, k) integers, labels[i, j] being image i's value of property j. For another
    distance give coordinates in which it is Euclidean (dml_analysis.metrics.coordinates).

    For a query with c images of its value among n, the R = min(c - 1, max_neighbors) nearest other images are looked
    at. h of them share the value; then R-Precision is h / R, and NR-Precision (h - R p) / sqrt(R p (1 - p)) with
    p = c / n, the z-score of h under a binomial null. (The paper prints R p (1 - p) as the standard deviation, which is
    the variance.) Both are averaged over the queries. The query itself is left out by its index, so that a duplicate of
    it is an honest neighbour. A query that is alone with its value is left out of the average. A property with one
    value in all has an NR-Precision of NaN, and one whose values are all single has NaN for both.

    Exact: what products in float32 leave open is computed in float64 (nearest_neighbors). Images that tie for the last of the
    R places share what places are left evenly, which is the expectation over all orders of the tied; so the order of the
    images does not matter, and embeddings that are all equal score as chance.

    queries: the rows that are queries, all by default; neighbours are always searched among all.
    device: a torch device; any but the CPU must have float64.

    Memory is bounded: a float64 and a float32 copy of the embeddings, and 4 bytes for each of queries_at_once(n) * n distances.
    Source: Kobs et al., Eq. 4 and 5. Raises ValueError on other shapes or types, non-finite embeddings or max_neighbors below 1.

    >>> embeddings, labels = np.array([[0.0], [1.0], [5.0], [6.0]]), np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> nr_precision(embeddings, labels)
    Precision(r_precision=array([1., 0.]), nr_precision=array([ 1., -1.]))
    """
    found = query_hits(embeddings, labels, max_neighbors, queries, device)
    return Precision(*(_mean_of_queries(each, found.neighbors) for each in scores_of_hits(*found)))


def query_hits(embeddings, labels, max_neighbors=None, queries=None, device="cpu"):
    """The Hits of every query; all arguments, and what is raised, as in nr_precision."""
    embeddings, codes, counts, neighbors = prepared(embeddings, labels, max_neighbors)
    n = len(embeddings)
    queries = np.arange(n) if queries is None else np.asarray(queries)
    if str(device) == "cpu":
        hits = _hits(embeddings, queries, codes, neighbors)
    else:
        from dml_analysis.metrics.neighbor_hits_torch import all_hits  # torch takes seconds to load

        hits = all_hits(embeddings, queries, codes, neighbors, device)
    return Hits(hits, counts[queries] / n, neighbors[queries])


def scores_of_hits(hits, p, neighbors):
    """(R-Precision, NR-Precision) of single queries, in arrays like those of Hits; NaN where they are undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return hits / neighbors, (hits - neighbors * p) / np.sqrt(neighbors * p * (1 - p))


def _hits(embeddings, queries, codes, neighbors):
    """Return (q, k): how many of each query's R nearest images share its value, for every property."""
    labels, order = padded(codes), np.argsort(neighbors[queries], axis=1)
    ranks = np.take_along_axis(neighbors[queries], order, axis=1)
    which = np.zeros((len(queries), labels.shape[1]), np.int64)
    which[:, : len(codes)] = np.argsort(order, axis=1)

    def work(places, images, begins, ends):
        return property_hits(
            images, begins, ends, ranks[places], which[places], queries[places], labels
        )

    return np.concatenate(list(in_blocks(embeddings, queries, ranks, work)))[:, : len(codes)]


def prepared(embeddings, labels, max_neighbors=None):
    """What nr_precision computes with, as Prepared; arguments, and what is raised, as there."""
    embeddings, labels = _checked(embeddings, labels, max_neighbors)
    values = [np.unique(column, return_inverse=True, return_counts=True) for column in labels.T]
    codes = np.stack([inverse.reshape(-1) for _, inverse, _ in values])
    counts = np.stack([counts[inverse.reshape(-1)] for _, inverse, counts in values], axis=1)
    return Prepared(embeddings, codes, counts, np.minimum(counts - 1, max_neighbors or len(labels)))


def _checked(embeddings, labels, max_neighbors):
    embeddings, labels = np.asarray(embeddings), np.asarray(labels)
    if (
        embeddings.ndim != 2
        or labels.ndim != 2
        or len(embeddings) != len(labels)
        or len(labels) == 0
    ):
        raise ValueError(
            f"need embeddings (n, d) and labels (n, k), n > 0, not {embeddings.shape} and {labels.shape}"
        )
    if not np.issubdtype(embeddings.dtype, np.floating) or not np.issubdtype(
        labels.dtype, np.integer
    ):
        raise ValueError(
            f"need float embeddings and integer labels, not {embeddings.dtype} and {labels.dtype}"
        )
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings contain NaN or infinite values")
    if max_neighbors is not None and max_neighbors < 1:
        raise ValueError(f"max_neighbors is {max_neighbors}, but at least one neighbour is needed")
    return scaled(embeddings), labels


def _mean_of_queries(values, neighbors):
    """Mean over the queries (rows) that have a neighbour to find; NaN for a property without any."""
    return np.array(
        [
            column[r > 0].mean() if (r > 0).any() else np.nan
            for column, r in zip(values.T, neighbors.T)
        ]
    )
