"""How well images are retrieved by the class of a query: Recall@k, R-Precision, MAP@R and mAP, from exact ranks.

Images that are equally far from a query have no order of their own. Each measure is its expectation over all orders of the
tied images, as NR-Precision is, so the order in which images are given does not matter. Embeddings that are all equal score as
chance.

Memory is bounded: a block of distances and some copies of the coordinates. No list of neighbours is kept.
"""

from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Float, Shaped

from dml_analysis.metrics.compiled import compiled
from dml_analysis.metrics.coordinates import coordinates_of, normalises, scaled, unit

BLOCK_BYTES = 2**27  # of the distances that are looked at together
RECALLS = np.array([1, 2, 4])
MAX_RANK = 1000  # beyond which mAP@1000 sees nothing


class Retrieval(NamedTuple):
    recall_at_1: float  # the share of queries with a match among so many nearest images; of one it is Precision@1
    recall_at_2: float
    recall_at_4: float
    r_precision: float
    map_at_r: float
    mean_ap: float
    mean_ap_1000: float


def retrieval_scores(
    embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"], distance: str = "Cosine Similarity"
) -> Retrieval:
    """Return the Retrieval of embeddings (n, d) with class labels (n,), each image the query of all others.

    Neighbours are by the named distance: one of Table 1, "Raw Euclidean Distance" or module:function. All of Table 1's but SNR rank
    neighbours alike, as all normalise embeddings; the Reality Check tests by cosine. NaN without queries. Raises ZeroEmbedding for an
    embedding that the distance would normalise, ValueError as retrieval_of_queries. Source: Musgrave et al., "A Metric Learning Reality
    Check" (ECCV 2020), for R-Precision and MAP@R.

    >>> retrieval_scores(np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]]), np.array([0, 0, 1, 1])).map_at_r
    1.0
    """
    return retrieval(coordinates_of(unit(embeddings) if normalises(distance) else embeddings, distance), labels)


def retrieval(coordinates: Float[np.ndarray, "n k"], labels: Shaped[np.ndarray, " n"]) -> Retrieval:
    """Return the Retrieval of coordinates (n, k) with class labels (n,): means over all queries, NaN if there is none.

    Neighbours are by Euclidean distance; coordinates.coordinates_of has coordinates for other distances. Each image is the
    query of all others; one that is alone in its class is no query. Raises ValueError as retrieval_of_queries.
    """
    scores = retrieval_of_queries(coordinates, labels)
    scores = scores[~np.isnan(scores[:, 0])]
    return Retrieval(*scores.mean(axis=0).tolist()) if len(scores) else Retrieval(*[np.nan] * len(Retrieval._fields))


def retrieval_of_queries(
    coordinates: Float[np.ndarray, "n k"], labels: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, "n 7"]:
    """Return the fields of Retrieval for every image as the query, (n, 7); NaN for an image that is alone in its class.

    A query's R matches are the other images of its class. Precision at a rank is the share of matches up to it. Then
    R-Precision is precision at R; average precision the mean of precision over the ranks of all matches; AP@R the sum over
    those at most R, divided by R; AP@1000 over those at most 1000, divided by min(R, 1000).

    Ties: squared distances count as equal if they differ by no more than the rounding that float64 can have caused, in
    normalising embeddings and in the matrix product: 6 (k + 4) eps N^2, with N the largest norm of the centred coordinates.
    NR-Precision needs no such allowance, as it sums up each distance in one and the same order; both share `scaled`.

    Raises ValueError on other shapes, or coordinates that are not finite.
    """
    coordinates, labels = np.asarray(coordinates), np.asarray(labels)
    if coordinates.ndim != 2 or labels.shape != (len(coordinates),):
        raise ValueError(f"need coordinates (n, k) and labels (n,), not {coordinates.shape} and {labels.shape}")
    if not np.isfinite(coordinates).all():
        raise ValueError("coordinates contain NaN or infinite values")
    scores = np.full((len(labels), len(Retrieval._fields)), np.nan)
    if not len(labels):
        return scores
    order = np.argsort(labels, kind="stable")  # class by class
    points, codes = scaled(coordinates[order]), np.unique(labels[order], return_inverse=True)[1]
    sizes = np.bincount(codes)
    begins, ends = (np.cumsum(sizes) - sizes)[codes], np.cumsum(sizes)[codes]
    squares = np.einsum("nk,nk->n", points, points)
    rounding = 6 * (points.shape[1] + 4) * np.finfo(np.float64).eps * squares.max()
    at_once = max(1, BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(points), at_once):
        queries = np.arange(start, min(start + at_once, len(points)))
        distances = (-2 * points[queries]) @ points.T
        distances += squares  # squared, less the query's own square
        found = np.full((len(queries), scores.shape[1]), np.nan)
        _score_queries(distances, queries, begins[queries], ends[queries], rounding, found)
        scores[order[queries]] = found
    return scores


@compiled(parallel=True)
def _score_queries(distances, queries, begins, ends, rounding, scores):
    """Fill scores (q, 7) by distances (q, n) of queries (q,), whose classes are the images from begins to ends (q,)."""
    for row in numba.prange(len(queries)):
        if ends[row] - begins[row] > 1:
            groups = tied_groups(distances[row], queries[row], begins[row], ends[row], rounding)
            expected_scores(*groups, scores[row])


@compiled()
def tied_groups(distances, query, begin, end, rounding):
    """Return (closer, matches, others), (g,) each, for the groups of equal distance that have a match, the nearest first.

    closer: images at a smaller distance than the group's; matches, others: how many images of the query's class and of other
    classes are in it. The class is the images from begin to end. Distances (n,) that differ by no more than `rounding` are equal.
    """
    own = np.empty(end - begin - 1)
    own[: query - begin], own[query - begin :] = distances[begin:query], distances[query + 1 : end]
    own.sort()
    lows, highs = np.empty(len(own)), np.empty(len(own))
    matches, groups = np.zeros(len(own), np.int64), 0
    for distance in own:
        if groups == 0 or distance - highs[groups - 1] > rounding:
            lows[groups] = distance
            groups += 1
        highs[groups - 1] = distance
        matches[groups - 1] += 1
    lows, highs, matches = lows[:groups], highs[:groups], matches[:groups]
    others, closer = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    for image in range(len(distances)):
        low = distances[image] - rounding
        if (image < begin or image >= end) and low <= highs[-1]:
            group = np.searchsorted(highs, low)
            if distances[image] + rounding < lows[group]:
                closer[group] += 1
            else:
                others[group] += 1
    for group in range(1, groups):
        closer[group] += closer[group - 1] + matches[group - 1] + others[group - 1]
    return closer, matches, others


@compiled()
def expected_scores(closer, matches, others, scores):
    """Write the expectations of Retrieval's fields into scores (7,), by the groups of tied_groups.

    In a group of m matches and o others, t = m + o, after s closer images, j of them matches:
    a position p = 1, ..., t has a match with probability m / t, of which the expected precision at rank s + p is
    (j + 1 + (p - 1) (m - 1) / (t - 1)) / (s + p). Of the first group, q places are among the first k:
    one of them has a match with probability 1 - C(o, q) / C(t, q).
    """
    total = matches.sum()
    for place, k in enumerate(RECALLS):
        missed = 1.0
        for taken in range(min(k - closer[0], matches[0] + others[0])):
            missed *= max(others[0] - taken, 0) / (matches[0] + others[0] - taken)
        scores[place] = 1 - missed
    found, r_precision, at_r, all_ranks, at_1000 = 0, 0.0, 0.0, 0.0, 0.0
    for s, m, o in zip(closer, matches, others):
        t = m + o
        share, further = m / t, (m - 1) / max(t - 1, 1)
        r_precision += share * min(max(total - s, 0), t)
        for p in range(1, t + 1):
            precision = share * (found + 1 + (p - 1) * further) / (s + p)
            all_ranks += precision
            if s + p <= total:
                at_r += precision
            if s + p <= MAX_RANK:
                at_1000 += precision
        found += m
    scores[3], scores[4], scores[5] = r_precision / total, at_r / total, all_ranks / total
    scores[6] = at_1000 / min(total, MAX_RANK)
