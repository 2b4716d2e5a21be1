"""How many of each query's nearest images share its value: the inner loop of NR-Precision, compiled.

To sort the distances of every query would be the obvious way, and takes most of the time. But only the distances at a few
ranks matter, one rank for each property. So images are counted by the steps of their distances (coarse_distances), sixteen
steps to a group. That tells the group that a rank is in; only images in it, and as far about it as steps may be off, are looked at one by
one, and only those of them that the steps leave open are compared in float64.
"""

import numpy as np

from dml_analysis.metrics.coarse_distances import STEPS, exact_distance
from dml_analysis.metrics.compiled import compiled
from dml_analysis.metrics.simd import LANES, at_most, below, count, equal, lowest

IN_GROUP = 16  # steps
GROUPS = STEPS // IN_GROUP
AT_ONCE = 4096  # images: their steps stay in the fastest cache
SPREAD = 64


@compiled(nogil=True)
def neighbor_hits(steps, reaches, queries, embeddings, squares, codes, ranks):
    """For each query and property: how many of its `rank` nearest images share the query's value, (q, k) float64.

    steps, reaches, queries: of a coarse_distances.Block; embeddings, squares: of its Space; codes: (k, as many as steps has
    columns), unsigned, the value of each property that an image has; ranks: (q, k), below n, 0 for none. Images that tie
    for the last places, in float64, share those evenly.
    """
    hits, k = np.zeros(ranks.shape), len(codes)
    near = np.empty((k, len(embeddings)), np.int32)  # images that are looked at one by one, for each property
    exact, rows = np.empty(len(embeddings)), np.full(len(embeddings), -1)
    for row in range(len(queries)):
        query, reach = queries[row], reaches[row]
        begins = np.searchsorted(np.cumsum(counted(steps[row])), ranks[row]) * IN_GROUP
        lows, highs = np.maximum(begins - reach, 0), np.minimum(begins + IN_GROUP + reach, STEPS) - 1
        of_row, nearer, found = _surely_nearer(steps[row], lows, highs, query, codes, near)
        for j in range(k):
            if ranks[row, j] > 0:
                own, places, images = codes[j, query], ranks[row, j] - nearer[j], near[j, : found[j]]
                some, places, images = _nearer_by_steps(steps[row], images, places, reach, codes[j], own)
                hits[row, j] = of_row[j] + some
                if len(images) > 0:
                    _add_exact(embeddings, squares, query, images, exact, rows, row)
                    hits[row, j] += _nearest_hits(exact, images, places, codes[j], own)
    return hits


@compiled()
def counted(steps):
    """(GROUPS,): the images in each group."""
    even, odd = np.zeros(GROUPS + SPREAD, np.int32), np.zeros(GROUPS + SPREAD, np.int32)
    groups = np.empty(AT_ONCE, np.uint16)
    for begin in range(0, len(steps), AT_ONCE):
        some = steps[begin : begin + AT_ONCE]
        for i in range(len(some)):  # first, so that the processor need not wait for memory while it counts
            groups[i] = some[i] // IN_GROUP
            # Most are in the last group. To add to one place again and again means to wait, so they take turns.
            groups[i] += (groups[i] == GROUPS - 1) * np.uint16(i % SPREAD)
        for i in range(0, len(some), 2):
            even[groups[i]] += 1
            odd[groups[i + 1]] += 1
    counts = even + odd
    counts[GROUPS - 1] = counts[GROUPS - 1 :].sum()
    return counts[:GROUPS]


@compiled()
def _surely_nearer(steps, lows, highs, query, codes, near):
    """(hits among the images of steps below `low`, the number of these, the number of images from `low` to `high`), each (k,).

    The latter images, without the query, are written into `near` (k, n).
    """
    k = len(near)
    hits, nearer, found = np.zeros(k, np.int64), np.zeros(k, np.int64), np.zeros(k, np.int64)
    for start in range(0, len(steps), AT_ONCE):
        end = min(start + AT_ONCE, len(steps))
        for j in range(k):
            some = _surely_nearer_of_property(
                steps, start, end, np.uint16(lows[j]), np.uint16(highs[j]), query, codes[j], near[j], found[j]
            )
            hits[j] += some[0]
            nearer[j] += some[1]
            found[j] = some[2]
    return hits, nearer, found


@compiled()
def _surely_nearer_of_property(steps, start, end, low, high, query, codes, near, found):
    """The same of one property and some of the images; `found` images are in near (n,) already."""
    hits, nearer, own = np.uint64(0), np.uint64(0), codes[query]
    for begin in range(start, end, LANES):
        lower = below(steps, begin, low)
        hits += count(lower & equal(codes, begin, own))
        nearer += count(lower)
        some = at_most(steps, begin, high) & ~lower
        while some != 0:
            image = begin + np.int64(lowest(some))
            some &= some - np.uint64(1)
            if image < len(near) and image != query:
                near[found] = image
                found += 1
    return np.int64(hits), np.int64(nearer), found


@compiled()
def _nearer_by_steps(steps, images, places, reach, codes, own):
    """(hits among those of the images that are surely nearer, places left, those of the images that may get them).

    None are left where it makes no difference who gets the places; hits are then all that there are.
    """
    step = np.int64(_least(steps[images], places))
    hits, open_, same = 0, 0, 0
    for image in images:
        its = np.int64(steps[image])
        if its < step - reach:
            places -= 1
            hits += codes[image] == own
        elif its <= step + reach:
            images[open_] = image
            open_ += 1
            same += codes[image] == own
    if same == 0 or same == open_:
        return hits + min(same, places), places, images[:0]
    return hits, places, images[:open_]


@compiled()
def _add_exact(embeddings, squares, query, images, exact, rows, row):
    """Write the distances of these images from the query where `exact` has none yet of this row."""
    for image in images:
        if rows[image] != row:
            exact[image] = exact_distance(embeddings[query], embeddings[image], squares[image])
            rows[image] = row


@compiled()
def _nearest_hits(distances, images, places, codes, own):
    """The hits of the nearest of these images, as many as there are places; who ties for the last shares those evenly."""
    limit = _least(distances[images], places)
    hits, within, tied = 0, 0, 0
    for image in images:
        same = codes[image] == own
        if distances[image] < limit:
            places -= 1
            hits += same
        elif distances[image] == limit:
            within += 1
            tied += same
    return hits + tied * places / within


@compiled()
def _least(numbers, rank):
    """The rank-th least of some numbers, which are moved about (Hoare's quickselect; NumPy's takes seconds to compile)."""
    first, last, place = 0, len(numbers) - 1, rank - 1
    while first < last:
        pivot, i, j = numbers[(first + last) // 2], first, last
        while i <= j:
            while numbers[i] < pivot:
                i += 1
            while numbers[j] > pivot:
                j -= 1
            if i <= j:
                numbers[i], numbers[j] = numbers[j], numbers[i]
                i, j = i + 1, j - 1
        if j < place < i:
            break
        first, last = (first, j) if place <= j else (i, last)
    return numbers[place]
