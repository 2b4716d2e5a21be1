"""Retrieval scores by class, from exact ranks: Recall@k, R-Precision, MAP@R and mAP.

Images that are equally far from a query have no order of their own. Each score is therefore its
expectation over all orders of the tied images, as NR-Precision is. So the order in which images
are given does not matter, and embeddings that are all equal score at chance.

Memory is bounded: one block of distances and a few copies of the coordinates. No list of
neighbours is stored.
"""

from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Float, Num, Shaped

from dml_analysis.metrics.coordinates import coordinates_of, scaled
from dml_analysis.metrics.inputs import Data, checked_embeddings, class_labels

BLOCK_BYTES = 2**27  # of the distances that are in memory at once
RECALLS = np.array([1, 2, 4])  # the k of Recall@k
MAX_RANK = 1000  # of mAP@1000, which ignores later ranks


class Retrieval(NamedTuple):
    """Scores of retrieval, in [0, 1]: means over queries."""

    recall_at_1: float  # the share of queries with a match at rank 1; the same as Precision@1
    recall_at_2: float  # with a match among the 2 nearest images
    recall_at_4: float  # with a match among the 4 nearest images
    r_precision: float  # the share of matches among the R nearest, R being the number of matches
    map_at_r: float  # mean of AP@R: the sum of precision over the matches up to rank R, over R
    mean_ap: float  # mean of average precision: precision over the ranks of all matches
    mean_ap_1000: float  # the same over the first 1000 ranks, divided by min(R, 1000)


def retrieval_scores(
    embeddings: Num[Data, "n d"], labels: Shaped[Data, " n"], distance: str = "Cosine Similarity"
) -> Retrieval:
    """Return the retrieval scores of embeddings with class labels; each image queries all others.

    Neighbours are ranked by the named distance: one of Table 1, "Raw Euclidean Distance" or
    module:function. All distances of Table 1 but SNR rank neighbours alike, as all normalise
    embeddings; the Reality Check tests by cosine. The scores are NaN if there are no queries.
    Arrays may be of NumPy, torch on any device, or pandas; labels integers, texts or other values.

    Raises ZeroEmbedding for a zero embedding that the distance would normalise, ValueError as
    retrieval_of_queries. Source: Musgrave et al., "A Metric Learning Reality Check" (ECCV 2020),
    for R-Precision and MAP@R.

    >>> embeddings = np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]])
    >>> retrieval_scores(embeddings, np.array([0, 0, 1, 1])).map_at_r
    1.0
    """
    embeddings = checked_embeddings(embeddings)
    labels = class_labels(labels, len(embeddings))
    return retrieval(coordinates_of(embeddings, distance), labels)


def retrieval(coordinates: Float[np.ndarray, "n k"], labels: Shaped[np.ndarray, " n"]) -> Retrieval:
    """Return the retrieval scores of coordinates with class labels, NaN if there are no queries.

    Neighbours are ranked by Euclidean distance; coordinates.coordinates_of returns coordinates
    for other distances. Each image queries all others, unless it is alone in its class.
    Raises ValueError as retrieval_of_queries.
    """
    scores = retrieval_of_queries(coordinates, labels)
    scores = scores[~np.isnan(scores[:, 0])]
    if not len(scores):
        return Retrieval(*[np.nan] * len(Retrieval._fields))
    return Retrieval(*scores.mean(axis=0).tolist())


def retrieval_of_queries(
    coordinates: Float[np.ndarray, "n k"], labels: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, "n 7"]:
    """Return the scores of every image as the query, in the order of Retrieval's fields.

    The scores of an image that is alone in its class are NaN. A query's R matches are the other
    images of its class. Precision at a rank is the share of matches up to it.

    - R-Precision is precision at R.
    - Average precision is the mean of precision over the ranks of all matches.
    - AP@R is the sum of precision over the matches up to rank R, divided by R.
    - AP@1000 is the sum over the matches up to rank 1000, divided by min(R, 1000).

    Ties: squared distances count as equal if they differ by no more than the float64 rounding of
    normalisation and matrix product. That is 6 (k + 4) eps N^2, with N the largest norm of the
    centred coordinates. NR-Precision needs no such tolerance, as it sums each distance in one
    fixed order. Both use `scaled`.

    Raises ValueError on other shapes, missing labels, and coordinates that are not finite.
    """
    coordinates = checked_embeddings(coordinates, "coordinates")
    labels = class_labels(labels, len(coordinates))
    scores = np.full((len(labels), len(Retrieval._fields)), np.nan)
    order = np.argsort(labels, kind="stable")  # class by class
    points, codes = scaled(coordinates[order]), np.unique(labels[order], return_inverse=True)[1]
    sizes = np.bincount(codes)
    begins, ends = (np.cumsum(sizes) - sizes)[codes], np.cumsum(sizes)[codes]
    squares = np.einsum("nk,nk->n", points, points)
    tolerance = 6 * (points.shape[1] + 4) * np.finfo(np.float64).eps * squares.max()
    block_size = max(1, BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(points), block_size):
        queries = np.arange(start, min(start + block_size, len(points)))
        distances = (-2 * points[queries]) @ points.T
        distances += squares  # squared distances, minus the query's own square
        block_scores = np.full((len(queries), scores.shape[1]), np.nan)
        _score_queries(distances, queries, begins[queries], ends[queries], tolerance, block_scores)
        scores[order[queries]] = block_scores
    return scores


@numba.njit(parallel=True, cache=True)
def _score_queries(distances, queries, begins, ends, tolerance, scores):
    """Write the scores of q queries into scores (q, 7).

    distances (q, n): to all images; queries (q,): the indices of the queries; begins, ends (q,):
    the class of a query is the images from begin to end.
    """
    for row in numba.prange(len(queries)):
        if ends[row] - begins[row] > 1:
            groups = tied_groups(distances[row], queries[row], begins[row], ends[row], tolerance)
            expected_scores(*groups, scores[row])


@numba.njit(cache=True)
def tied_groups(distances, query, begin, end, tolerance):
    """Return (closer, matches, others), (g,) each, of the groups of tied images with a match.

    Groups are sorted by distance, the nearest first. closer: the number of images nearer than the
    group; matches, others: its number of images of the query's class, and of other classes.
    distances (n,): those that differ by no more than `tolerance` tie. The query's class is the
    images from begin to end.
    """
    match_distances = np.empty(end - begin - 1)
    match_distances[: query - begin] = distances[begin:query]
    match_distances[query - begin :] = distances[query + 1 : end]
    match_distances.sort()
    lows, highs = np.empty(len(match_distances)), np.empty(len(match_distances))
    matches, groups = np.zeros(len(match_distances), np.int64), 0
    for distance in match_distances:
        if groups == 0 or distance - highs[groups - 1] > tolerance:
            lows[groups] = distance
            groups += 1
        highs[groups - 1] = distance
        matches[groups - 1] += 1
    lows, highs, matches = lows[:groups], highs[:groups], matches[:groups]
    others, closer = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    for image in range(len(distances)):
        low = distances[image] - tolerance
        if (image < begin or image >= end) and low <= highs[-1]:
            group = np.searchsorted(highs, low)
            if distances[image] + tolerance < lows[group]:
                closer[group] += 1
            else:
                others[group] += 1
    for group in range(1, groups):
        closer[group] += closer[group - 1] + matches[group - 1] + others[group - 1]
    return closer, matches, others


@numba.njit(cache=True)
def expected_scores(closer, matches, others, scores):
    """Write the expectations of Retrieval's fields into scores (7,), from those of tied_groups.

    Take a group of m matches and o others, t = m + o, after s closer images, j of them matches.
    Its position p = 1, ..., t holds a match with probability m / t. Given that, the expected
    precision at rank s + p is (j + 1 + (p - 1) (m - 1) / (t - 1)) / (s + p).
    If q positions of the first group are among the first k ranks, one of them holds a match with
    probability 1 - C(o, q) / C(t, q).
    """
    total = matches.sum()
    for index, k in enumerate(RECALLS):
        missed = 1.0
        for position in range(min(k - closer[0], matches[0] + others[0])):
            missed *= max(others[0] - position, 0) / (matches[0] + others[0] - position)
        scores[index] = 1 - missed
    earlier, r_precision, at_r, all_ranks, at_1000 = 0, 0.0, 0.0, 0.0, 0.0
    for s, m, o in zip(closer, matches, others):
        t = m + o
        share, slope = m / t, (m - 1) / max(t - 1, 1)
        r_precision += share * min(max(total - s, 0), t)
        for p in range(1, t + 1):
            precision = share * (earlier + 1 + (p - 1) * slope) / (s + p)
            all_ranks += precision
            if s + p <= total:
                at_r += precision
            if s + p <= MAX_RANK:
                at_1000 += precision
        earlier += m
    scores[3], scores[4], scores[5] = r_precision / total, at_r / total, all_ranks / total
    scores[6] = at_1000 / min(total, MAX_RANK)
