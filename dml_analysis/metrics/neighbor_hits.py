"""How many of a query's nearest images share its value, for many labels of the images at once.

The labels are columns (n, l): the properties of the images, or permutations of one of them. Those
of an image lie side by side, so that one instruction compares many with those of the query.
"""

import numba
import numpy as np

COLUMNS = 32  # numbers of columns are multiples of this
MOST_IN_A_BYTE = 255


def padded(columns):
    """Return the labels (n, l) of columns (l', n) of codes from 0 on, and of some more columns,
    which are all 0.

    Their type is the smallest unsigned one that has a number to spare: its largest is no image's.
    """
    labels = np.zeros(
        (len(columns[0]), -(-len(columns) // COLUMNS) * COLUMNS),
        np.min_scalar_type(np.max(columns) + 1),
    )
    labels[:, : len(columns)] = np.transpose(columns)
    return labels


@numba.njit(cache=True)
def hits_of_query(images, begins, ends, ranks, which, labels, own):
    """Return (l,) float64: how many of the nearest images have the query's own labels (l,), column
    by column.

    At column i the nearest ranks[which[i]] images are looked at. images (n,), begins (v,), ends
    (v,), ranks (v,): a row of nearest_neighbors.nearest. Images that tie for the last places share
    those evenly.
    """
    hits = _matches(images, begins, which, labels, own)
    if (begins < ends).any():
        tied = _matches(images, ends, which, labels, own) - hits
        for i in range(len(own)):
            begin, end = begins[which[i]], ends[which[i]]
            if begin < end:
                hits[i] += tied[i] * (ranks[which[i]] - begin) / (end - begin)
    return hits


@numba.njit(cache=True)
def _matches(images, stops, which, labels, own):
    """Return (l,) float64: how many of the first stops[which[i]] images have the own label in
    column i. stops: (v,), rising.
    """
    counts, few, wanted, begin = np.zeros(len(own)), np.empty(len(own), np.uint8), own.copy(), 0
    for v in range(len(stops)):
        for first in range(begin, stops[v], MOST_IN_A_BYTE):
            few[:] = 0
            for image in images[first : min(first + MOST_IN_A_BYTE, stops[v])]:
                for i in range(len(own)):
                    few[i] += labels[image, i] == wanted[i]
            counts += few
        begin = stops[v]
        for i in range(len(own)):
            wanted[i] = -1 if which[i] == v else wanted[i]  # nobody's
    return counts


@numba.njit(nogil=True, cache=True)
def property_hits(images, begins, ends, ranks, which, queries, labels):
    """Return the hits (q, l) of queries (q,); which: (q, l), the place of each property's rank
    among a query's ranks.
    """
    hits = np.empty(which.shape)
    for row in range(len(queries)):
        own = labels[queries[row]]
        hits[row] = hits_of_query(
            images[row], begins[row], ends[row], ranks[row], which[row], labels, own
        )
    return hits


@numba.njit(nogil=True, cache=True)
def permuted_hits(images, begins, ends, ranks, which, queries, labels):
    """Return (l, v): the hits of all queries (q,) together, under each permutation of a property,
    by the query's value.

    begins, ends: (q, v); ranks: (v,), rising; which: (v,), the place of each value's rank among
    these.
    """
    totals = np.zeros((labels.shape[1], len(ranks)))
    for row in range(len(queries)):
        own = labels[queries[row]]
        hits = hits_of_query(images[row], begins[row], ends[row], ranks, which[own], labels, own)
        for i in range(len(own)):
            totals[i, own[i]] += hits[i]
    return totals
