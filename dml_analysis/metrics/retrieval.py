"""How well embeddings retrieve images of the query's class: all measures follow from the ranks of the matches.

No row of similarities is ever sorted, and no neighbour list kept: a query's few matches are sorted, and each image of another
class falls into one of the gaps between them.
"""

from typing import NamedTuple

import numba
import numpy as np

from dml_analysis.metrics.compiled import compiled
from dml_analysis.metrics.geometry import unit

BLOCK_BYTES = 2**27  # of the similarities that are looked at together
MOST = 1000  # the rank beyond which mAP@1000 sees nothing


class Retrieval(NamedTuple):
    recall_at_1: float  # the share of queries with a match among so many
    recall_at_2: float
    recall_at_4: float
    map_at_r: float
    mean_ap: float
    mean_ap_1000: float


def retrieval(embeddings, labels):
    """The Retrieval of embeddings (n, d) with class labels (n,), by cosine; each image is the query of all others.

    With ranks r_1 < ... < r_R of a query's matches, precision at r_j is j / r_j. MAP@R: the sum of those with r_j <= R, by R;
    mAP: the sum of all, by R; mAP@1000: of those with r_j <= 1000, by min(R, 1000); means over queries. An image that is alone
    in its class is no query. An image of another class that is as close as a match, but for rounding, comes before it, so that
    a network that has collapsed, whose embeddings are all the same, retrieves nothing. Raises ValueError if there is no query,
    if there are not as many labels as embeddings, or as geometry.unit does.
    """
    measures = [_of_query(ranks) for ranks in ranks_of_matches(embeddings, labels)]
    if not measures:
        raise ValueError("no class has two images")
    return Retrieval(*np.mean(measures, axis=0).tolist())


def _of_query(ranks):
    """The fields of Retrieval for the ranks (R,) of a query's matches, in their order."""
    count = len(ranks)
    precisions = np.arange(1, count + 1) / ranks
    return [*(ranks[0] <= k for k in (1, 2, 4)), precisions[ranks <= count].sum() / count, precisions.sum() / count,
            precisions[ranks <= MOST].sum() / min(count, MOST)]  # fmt: skip


def ranks_of_matches(embeddings, labels):
    """Yield for each image that has others of its class their ranks (R,) among all other images, 1 being the nearest.

    See retrieval for ties.
    """
    embeddings, labels = unit(embeddings), np.unique(np.asarray(labels), return_inverse=True)[1]
    if len(embeddings) != len(labels):
        raise ValueError(f"{len(embeddings)} embeddings, but {len(labels)} labels")
    order = np.argsort(labels, kind="stable")  # class by class
    embeddings, labels = embeddings[order], labels[order]
    sizes = np.bincount(labels)
    starts = np.cumsum(sizes) - sizes
    n, dimensions = embeddings.shape
    # The cosines of exact copies differ in their last digits with where they stand in a product.
    rounding = 2 * dimensions * np.finfo(np.float64).eps
    for first in range(0, n, at_once := max(1, BLOCK_BYTES // (8 * n))):
        block = np.arange(first, min(first + at_once, n))
        ranks = np.zeros((len(block), max(1, sizes[labels[block]].max() - 1)), np.int64)
        _ranks(embeddings[block] @ embeddings.T, block, starts[labels[block]], sizes[labels[block]], rounding, ranks)
        for query, row in zip(block, ranks):
            if sizes[labels[query]] > 1:
                yield row[: sizes[labels[query]] - 1]


@compiled(parallel=True)
def _ranks(similarities, queries, starts, sizes, rounding, ranks):
    """Fill ranks (q, R) by similarities (q, n) of queries (q,), whose class lies at starts (q,) and is of sizes (q,).

    Similarities that differ by no more than `rounding` are taken as equal.
    """
    for row in numba.prange(len(queries)):
        own, query = similarities[row], queries[row]
        first, end = starts[row], starts[row] + sizes[row]
        matches = np.empty(end - first - 1)
        matches[: query - first], matches[query - first :] = own[first:query], own[query + 1 : end]
        matches.sort()  # the farthest first
        before = np.zeros(len(matches) + 1, np.int64)  # how many others are as close as so many of the farthest matches
        for i in range(len(own)):
            limit = own[i] + rounding
            if (i < first or i >= end) and len(matches) and limit >= matches[0]:
                before[np.searchsorted(matches, limit, side="right")] += 1
        closer = 0
        for place in range(len(matches)):  # from the nearest match on
            closer += before[len(matches) - place]
            ranks[row, place] = place + 1 + closer
