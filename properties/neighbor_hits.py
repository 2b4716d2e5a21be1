"""How many of each query's nearest images share its value: the inner loop of NR-Precision, compiled.

To sort the distances of every query would be the obvious way, and takes most of the time. But only the distances at a few
ranks matter, one rank for each property. So the distances are sorted into bins of equal width, without order inside a
bin; only the bins in which one of the ranks falls are sorted out.
"""

import numpy as np
from numba import njit, prange

BINS = 4096
SAMPLE = 512  # distances that tell beforehand where the bins are needed


@njit(parallel=True, cache=True)
def neighbor_hits(distances, offsets, queries, codes, ranks):
    """For each query and property: how many of its `rank` nearest images share the query's value, (q, k) float64.

    distances: (q, n) float64, overwritten; offsets: (n,), added to every row; queries: (q,), the images that are the
    queries, and no neighbours of themselves; codes: (k, n), the value of each property that an image has; ranks: (q, k),
    below n, 0 for none. Images that tie for the last places share those evenly.
    """
    hits = np.zeros(ranks.shape)
    for row in prange(len(queries)):
        _row_hits(distances[row], offsets, queries[row], codes, ranks[row], hits[row])
    return hits


@njit(cache=True)
def _row_hits(distances, offsets, query, codes, ranks, hits):
    n, k = len(distances), len(ranks)
    low = np.inf
    for i in range(n):
        distances[i] += offsets[i]
        if i != query:
            low = min(low, distances[i])
    distances[query] = np.inf
    bins, counts = _binned(distances, low, _bin_width(distances, low, ranks.max()))
    ends = np.cumsum(counts)
    last = np.searchsorted(ends, ranks)  # the bin that the distance at each rank is in

    split = np.zeros(BINS, np.bool_)  # the bins that have to be sorted out
    for j in range(k):
        if ranks[j] > 0:
            split[last[j]] = True
    sizes = counts * split
    starts = np.cumsum(sizes) - sizes  # of these bins, among the images of all of them
    images = np.empty(sizes.sum(), np.int64)
    found = 0
    for i in range(n):
        if split[bins[i]]:
            images[found] = i
            found += 1
    images = images[np.argsort(distances[images])]

    for j in range(k):
        if ranks[j] > 0:
            places = ranks[j] - (ends[last[j]] - counts[last[j]])  # left for the images of this bin
            start = starts[last[j]]
            some = images[start : start + counts[last[j]]]
            hits[j] = _certain_hits(bins, last[j], codes[j], codes[j, query])
            hits[j] += _shared_hits(distances, some, places, codes[j], codes[j, query])


@njit(cache=True)
def _bin_width(distances, low, rank):
    """A width by which the bins reach a little beyond the rank-th distance, as a sample has it; 0 if there is none."""
    n = len(distances)
    sample = np.sort(distances[:: max(1, n // SAMPLE)])
    place = min(int(len(sample) * rank / n) + len(sample) // 16 + 1, len(sample) - 1)
    while place > 0 and sample[place] == np.inf:
        place -= 1
    return (sample[place] - low) / (BINS - 1)


@njit(cache=True)
def _binned(distances, low, width):
    """(bin of each distance, number of distances in each bin); the larger the distance, the higher the bin."""
    bins, counts = np.zeros(len(distances), np.uint16), np.zeros(BINS, np.int64)
    factor = 1 / width if width > 0 else np.inf
    if not np.isfinite(factor):
        counts[0] = len(distances)
        return bins, counts
    for i in range(len(distances)):
        place = (distances[i] - low) * factor
        bins[i] = np.uint16(np.int32(place if place < BINS - 1 else BINS - 1))
    for i in range(len(distances)):
        counts[bins[i]] += 1
    return bins, counts


@njit(cache=True)
def _certain_hits(bins, last, codes, own):
    """The images of the own value in the bins below the last."""
    hits, last = np.int32(0), np.uint16(last)  # small types, so that one instruction handles many
    for i in range(len(bins)):
        hits = np.int32(hits + np.int32((codes[i] == own) & (bins[i] < last)))
    return hits


@njit(cache=True)
def _shared_hits(distances, images, places, codes, own):
    """The images of the own value among those, in order of distance, that get the places."""
    limit = distances[images[places - 1]]
    nearer, within, hits, tied = 0, 0, 0, 0
    for image in images:
        same = codes[image] == own
        if distances[image] < limit:
            nearer += 1
            hits += same
        elif distances[image] == limit:
            within += 1
            tied += same
    return hits + tied * (places - nearer) / within
