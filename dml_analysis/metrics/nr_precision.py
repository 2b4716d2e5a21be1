"""Normalized R-Precision: how well embeddings cluster by each property of their images.

Source: Kobs et al., section 4.1.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num, Shaped

from dml_analysis.metrics.coordinates import scaled
from dml_analysis.metrics.inputs import Data, as_array, checked_embeddings, label_codes
from dml_analysis.metrics.nearest_neighbors import in_blocks
from dml_analysis.metrics.neighbor_hits import padded, property_hits


class Precision(NamedTuple):
    """Scores of k properties, averaged over the queries."""

    r_precision: Float[np.ndarray, " k"]  # in [0, 1]; Eq. 4
    nr_precision: Float[np.ndarray, " k"]  # about zero for random embeddings; Eq. 5


class Hits(NamedTuple):
    """The matches among the nearest images of q queries, for k properties."""

    hits: Float[np.ndarray, "q k"]  # h, how many of the R nearest images share the query's value
    p: Float[np.ndarray, "q k"]  # the share of all images that have its value
    neighbors: Int[np.ndarray, "q k"]  # R; 0 if no other image has its value


class Prepared(NamedTuple):
    """Checked inputs."""

    embeddings: Float[np.ndarray, "n d"]  # float64, scaled so that distances cannot overflow
    codes: Int[np.ndarray, "k n"]  # the value of each property that an image has, as 0, 1, ...
    counts: Int[np.ndarray, "n k"]  # how many images have that value, the image itself included
    neighbors: Int[np.ndarray, "n k"]  # R


def nr_precision(
    embeddings: Num[Data, "n d"],
    labels: Shaped[Data, "*n k"],
    max_neighbors: int | None = None,
    queries: Int[Data, " q"] | None = None,
    device: str = "cpu",
) -> Precision:
    """Return R-Precision and Normalized R-Precision of k properties, by Euclidean distance.

    labels[i, j] is image i's value of property j, of any kind that property_codes takes; (n,) is a
    single property. For another distance, pass coordinates in which it is Euclidean
    (dml_analysis.metrics.coordinates). Arrays may be of NumPy, torch on any device, or pandas.

    For a query whose value c of the n images have, let R = min(c - 1, max_neighbors), and h the
    number of its R nearest other images that share the value. R-Precision is h / R. NR-Precision is
    (h - R p) / sqrt(R p (1 - p)) with p = c / n, the z-score of h under a binomial null. (The paper
    prints R p (1 - p), the variance, as the standard deviation.) Both are averaged over the queries.
    The query is excluded by its index, so a duplicate of it counts as a neighbour. A query whose
    value no other image has is left out of the average. NR-Precision is NaN for a property with one
    value, and both are NaN if all values are unique.

    The result is exact: what float32 products leave open is computed in float64. Images that tie for
    the last of the R places share the remaining places evenly. That is the expectation over all
    orders of the tied, so the order of the images does not matter.

    queries: the rows that are queries, by default all; neighbours are searched among all images.
    device: a torch device; any but the CPU must support float64. Memory is bounded: a float64 and a
    float32 copy of the embeddings, and 4 bytes for each of queries_at_once(n) * n distances.

    Source: Kobs et al., Eq. 4 and 5. Raises ValueError on other shapes or types, embeddings that are
    not finite, missing labels, or max_neighbors below 1.

    >>> embeddings = np.array([[0.0], [1.0], [5.0], [6.0]])
    >>> labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> nr_precision(embeddings, labels)
    Precision(r_precision=array([1., 0.]), nr_precision=array([ 1., -1.]))
    """
    hits = query_hits(embeddings, labels, max_neighbors, queries, device)
    scores = scores_of_hits(*hits)
    return Precision(*(_mean_of_queries(score, hits.neighbors) for score in scores))


def query_hits(
    embeddings: Num[Data, "n d"],
    labels: Shaped[Data, "*n k"],
    max_neighbors: int | None = None,
    queries: Int[Data, " q"] | None = None,
    device: str = "cpu",
) -> Hits:
    """Return the Hits of every query; see nr_precision for arguments and errors."""
    embeddings, codes, counts, neighbors = prepared(embeddings, labels, max_neighbors)
    n = len(embeddings)
    queries = np.arange(n) if queries is None else as_array(queries)
    if str(device) == "cpu":
        hits = _hits(embeddings, queries, codes, neighbors)
    else:
        from dml_analysis.metrics.neighbor_hits_torch import all_hits  # torch takes seconds to load

        hits = all_hits(embeddings, queries, codes, neighbors, device)
    return Hits(hits, counts[queries] / n, neighbors[queries])


def scores_of_hits(
    hits: Float[np.ndarray, "*q k"],
    p: Float[np.ndarray, "*q k"],
    neighbors: Int[np.ndarray, "*q k"],
) -> tuple[Float[np.ndarray, "*q k"], Float[np.ndarray, "*q k"]]:
    """Return (R-Precision, NR-Precision) of single queries, from Hits; NaN where undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return hits / neighbors, (hits - neighbors * p) / np.sqrt(neighbors * p * (1 - p))


def _hits(
    embeddings: Float[np.ndarray, "n d"],
    queries: Int[np.ndarray, " q"],
    codes: Int[np.ndarray, "k n"],
    neighbors: Int[np.ndarray, "n k"],
) -> Float[np.ndarray, "q k"]:
    """Return how many of each query's R nearest images share its value, for every property."""
    labels, order = padded(codes), np.argsort(neighbors[queries], axis=1)
    ranks = np.take_along_axis(neighbors[queries], order, axis=1)
    which = np.zeros((len(queries), labels.shape[1]), np.int64)
    which[:, : len(codes)] = np.argsort(order, axis=1)

    def work(rows: slice, images: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
        return property_hits(images, begins, ends, ranks[rows], which[rows], queries[rows], labels)

    return np.concatenate(list(in_blocks(embeddings, queries, ranks, work)))[:, : len(codes)]


def prepared(
    embeddings: Num[Data, "n d"], labels: Shaped[Data, "*n k"], max_neighbors: int | None = None
) -> Prepared:
    """Return the checked inputs; see nr_precision for arguments and errors."""
    embeddings = checked_embeddings(embeddings)
    codes = label_codes(labels, len(embeddings)).T
    if max_neighbors is not None and max_neighbors < 1:
        raise ValueError(f"max_neighbors is {max_neighbors}, but at least one neighbour is needed")
    counts = np.stack([np.bincount(column)[column] for column in codes], axis=1)
    neighbors = np.minimum(counts - 1, max_neighbors or len(embeddings))
    return Prepared(scaled(embeddings), codes, counts, neighbors)


def _mean_of_queries(
    values: Float[np.ndarray, "q k"], neighbors: Int[np.ndarray, "q k"]
) -> Float[np.ndarray, " k"]:
    """Return the mean over the queries with R > 0; NaN for a property without any."""
    return np.array(
        [
            column[r > 0].mean() if (r > 0).any() else np.nan
            for column, r in zip(values.T, neighbors.T)
        ]
    )
