"""How many of each query's nearest images share its value, for many permutations of the labels at once.

The order of a query's neighbours is the same under all permutations. So it is found once, and then the labels that all
permutations give a neighbour, which lie side by side, are compared with those that they give the query.
"""

import numpy as np

from common.compiled import compiled

MOST_IN_A_BYTE = 255


def nearest(products, offsets, queries, most):
    """(images (q, n), sizes (q,)): each query's `most` nearest images, in order, and those that tie with the last.

    products: (q, n) float64; with the offsets (n,) added to every row they are the distances, or in their order;
    queries: (q,), the images that are the queries, and no neighbours of themselves. Of a row of images only the first
    `size` have a meaning; their distances are written over the same places of products.
    """
    images, sizes = np.empty(products.shape, np.int32), np.empty(len(queries), np.int64)
    last = max(most, 1) - 1
    for row, query in enumerate(queries):
        products[row, query] = np.inf
        distances = products[row] + offsets
        found = np.flatnonzero(distances <= np.partition(distances, last)[last])
        found = found[np.argsort(distances[found])]
        sizes[row] = len(found)
        images[row, : len(found)], products[row, : len(found)] = found, distances[found]
    return images, sizes


@compiled(nogil=True)
def add_hits(images, sizes, distances, queries, labels, ranks, totals):
    """Add the hits of each query, under each permutation, to totals (permutations, v), to those of the query's value.

    images, sizes: of `nearest`, distances: what it made of products; queries: (q,); labels: (n, permutations),
    unsigned, the values as 0 to v - 1, in a type that holds v, too; ranks: (v,), at how many neighbours a query of each
    value looks, no more than the `most` of `nearest`. Images that tie for the last places share those evenly.
    """
    order = np.argsort(ranks)
    for row in range(len(queries)):
        own, near = labels[queries[row]], images[row]
        begins, ends = _tied_places(distances[row, : sizes[row]], ranks)
        hits = _matches(labels, near, own, begins, order)
        for b in range(len(own)):
            totals[b, own[b]] += hits[b]
        if (begins < ends).any():
            tied = _matches(labels, near, own, ends, order) - hits
            for b in range(len(own)):
                begin, end = begins[own[b]], ends[own[b]]
                if begin < end:
                    totals[b, own[b]] += tied[b] * (ranks[own[b]] - begin) / (end - begin)


@compiled()
def _tied_places(distances, ranks):
    """(begins (v,), ends (v,)), among images in order of distance, of those that tie for the last places of each rank.

    Both are the rank itself where all of these get a place.
    """
    begins, ends = ranks.copy(), ranks.copy()
    for value, rank in enumerate(ranks):
        if 0 < rank < len(distances) and distances[rank] == distances[rank - 1]:
            begins[value] = np.searchsorted(distances, distances[rank])
            ends[value] = np.searchsorted(distances, distances[rank], side="right")
    return begins, ends


@compiled()
def _matches(labels, images, own, places, order):
    """(permutations,): how many of the first images, as many as `places` (v,) has for the own value, share that value.

    order: (v,), the values in the order of their places.
    """
    counts, wanted = np.zeros(len(own), np.int64), own.copy()
    nobodys, begin = labels.dtype.type(len(places)), 0
    for value in order:
        _add_matches(labels, images[begin : places[value]], wanted, counts)
        begin = places[value]
        for b in range(len(wanted)):
            wanted[b] = nobodys if wanted[b] == value else wanted[b]
    return counts


@compiled()
def _add_matches(labels, images, wanted, counts):
    """Add to counts (permutations,) how many of the images have the wanted value."""
    for begin in range(0, len(images), MOST_IN_A_BYTE):
        few = np.zeros(len(wanted), labels.dtype)  # small, so that one instruction handles many
        for image in images[begin : begin + MOST_IN_A_BYTE]:
            for b in range(len(wanted)):
                few[b] += labels[image, b] == wanted[b]
        for b in range(len(wanted)):
            counts[b] += few[b]
