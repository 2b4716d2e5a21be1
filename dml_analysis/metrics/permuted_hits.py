"""How many of each query's nearest images share its value, for many permutations of the labels at once.

The order of a query's neighbours is the same under all permutations. So it is found once, and then the labels that 64
permutations give a neighbour, which lie side by side, are compared with those that they give the query.
"""

import numpy as np

from dml_analysis.metrics.coarse_distances import exact_distance
from dml_analysis.metrics.compiled import compiled
from dml_analysis.metrics.neighbor_hits import GROUPS, IN_GROUP, counted
from dml_analysis.metrics.simd import LANES, add_equal

MOST_IN_A_BYTE = 255


@compiled(nogil=True)
def nearest(steps, reaches, queries, embeddings, squares, ranks):
    """(images (q, n) int32, begins (q, v), ends (q, v)): each query's nearest images, and who ties at which of the ranks.

    steps, reaches, queries: of a coarse_distances.Block; embeddings, squares: of its Space; ranks: (v,) in rising order, below
    n. The first `rank` of a row of images are the nearest, in any order; those from `begin` to `end` tie, by their distances
    in float64, for the last of these places. Both are the rank itself where nobody ties. The row goes no further than it must.
    """
    n, v = len(embeddings), len(ranks)
    images, exact = np.empty((len(queries), n), np.int32), np.empty(n)
    begins, ends = np.zeros((len(queries), v), np.int64), np.zeros((len(queries), v), np.int64)
    for row in range(len(queries)):
        found = _by_steps(steps[row], ranks[-1], reaches[row], queries[row], images[row])
        exact[:found] = np.nan
        _put_in_order(steps[row], reaches[row], queries[row], embeddings, squares, ranks, images[row, :found], exact)
        for i in range(v):
            begins[row, i], ends[row, i] = _tied(exact[:found], ranks[i])
    return images, begins, ends


@compiled()
def _by_steps(steps, rank, reach, query, images):
    """Write the nearest images in the order of their steps, up to those that may be at this rank; returns how many."""
    counts = counted(steps)
    ends, n, found = np.cumsum(counts), len(images), 0
    last = min(np.searchsorted(ends, rank) + (reach + IN_GROUP - 1) // IN_GROUP, GROUPS - 1)
    nexts, nexts_in_groups = ends - counts, np.zeros(IN_GROUP + 1, np.int64)
    for step in steps:
        nexts_in_groups[step % IN_GROUP + 1] += step // IN_GROUP <= last
    nexts_in_groups = np.cumsum(nexts_in_groups)
    by_place_in_group, in_order = np.empty(ends[last], np.int32), np.empty(ends[last], np.int32)
    for image in range(len(steps)):
        if steps[image] // IN_GROUP <= last:
            place = steps[image] % IN_GROUP
            by_place_in_group[nexts_in_groups[place]] = image
            nexts_in_groups[place] += 1
    for image in by_place_in_group:
        group = steps[image] // IN_GROUP
        in_order[nexts[group]] = image
        nexts[group] += 1
    for image in in_order:
        if image < n and image != query:
            images[found] = image
            found += 1
    return found


@compiled()
def _put_in_order(steps, reach, query, embeddings, squares, ranks, images, exact):
    """Put the images that steps leave open at one of the ranks into order by their distances, and write these."""
    begin, end, low, high = 0, 0, 0, 0  # of what is open; of what is at one of the ranks
    for rank in ranks:
        if rank > 0:
            step = np.int64(steps[images[rank - 1]])
            while steps[images[low]] < step - reach:
                low += 1
            while high < len(images) and steps[images[high]] <= step + reach:
                high += 1
            if low >= end:
                _sort(begin, end, query, embeddings, squares, images, exact)
                begin = low
            end = high
    _sort(begin, end, query, embeddings, squares, images, exact)


@compiled()
def _sort(begin, end, query, embeddings, squares, images, exact):
    """Put images from begin to end into order by their distances, and write these."""
    gap = 1
    for i in range(begin, end):
        exact[i] = exact_distance(embeddings[query], embeddings[images[i]], squares[images[i]])
    while 3 * gap < end - begin:
        gap = 3 * gap + 1
    while gap > 0:  # Shell's way, as NumPy's takes seconds to compile; mostly there are few
        for i in range(begin + gap, end):
            image, distance, place = images[i], exact[i], i
            while place >= begin + gap and exact[place - gap] > distance:
                images[place], exact[place] = images[place - gap], exact[place - gap]
                place -= gap
            images[place], exact[place] = image, distance
        gap //= 3


@compiled()
def _tied(distances, rank):
    """(begin, end) of those that tie for the last of `rank` places."""
    begin = end = rank
    if 0 < rank < len(distances) and distances[rank] == distances[rank - 1]:
        while begin > 0 and distances[begin - 1] == distances[rank]:
            begin -= 1
        while end < len(distances) and distances[end] == distances[rank]:
            end += 1
    return begin, end


@compiled(nogil=True)
def add_hits(images, begins, ends, queries, labels, ranks, order, totals):
    """Add the hits of each query, under each permutation, to totals (permutations, v), to those of the query's value.

    images, begins, ends: of `nearest`, at the ranks (v,), at how many neighbours a query of each value looks; order: (v,), which
    puts these into rising order; queries: (q,); labels: (t, n, 64), the values, as 0 to v - 1, that t times 64 permutations
    give the images, unsigned, in a type that holds v, too. Images that tie for the last places share those evenly.
    """
    for tile in range(len(labels)):
        for row in range(len(queries)):
            own, first = labels[tile, queries[row]], tile * LANES
            hits = _matches(labels[tile], images[row], own, begins[row], order)
            for b in range(LANES):
                totals[first + b, own[b]] += hits[b]
            if (begins[row] < ends[row]).any():
                tied = _matches(labels[tile], images[row], own, ends[row], order) - hits
                for b in range(LANES):
                    begin, end = begins[row, own[b]], ends[row, own[b]]
                    if begin < end:
                        totals[first + b, own[b]] += tied[b] * (ranks[own[b]] - begin) / (end - begin)


@compiled()
def _matches(labels, images, own, places, order):
    """(64,): how many of the first images, as many as `places` (v,) has for the own value, share that value.

    order: (v,), the values in the order of their places.
    """
    counts, few, wanted = np.zeros(LANES, np.int64), np.empty(LANES, labels.dtype), own.copy()
    nobodys, begin = labels.dtype.type(len(places)), 0
    for value in order:
        for first in range(begin, places[value], MOST_IN_A_BYTE):
            few[:] = 0
            add_equal(labels, images, first, min(first + MOST_IN_A_BYTE, places[value]), wanted, few)
            for b in range(LANES):
                counts[b] += few[b]
        begin = places[value]
        for b in range(LANES):
            wanted[b] = nobodys if wanted[b] == value else wanted[b]
    return counts
