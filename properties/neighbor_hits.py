"""How many of each query's nearest images share its value: the inner loop of NR-Precision, compiled.

To sort the distances of every query would be the obvious way, and takes most of the time. But only the distances at a few
ranks matter, one rank for each property. So the distances are sorted into bins of equal width, without order inside a
bin; only the bins in which one of the ranks falls are sorted out.
"""

import numpy as np

from common.compiled import compiled

BINS = 4096
SAMPLE = 512  # distances that tell beforehand where the bins are needed


@compiled(nogil=True)
def neighbor_hits(products, offsets, queries, codes, ranks):
    """For each query and property: how many of its `rank` nearest images share the query's value, (q, k) float64.

    products: (q, n) float64, overwritten; with the offsets (n,) added to every row they are the distances, or in their
    order; queries: (q,), the images that are the queries, and no neighbours of themselves; codes: (k, n), the value of
    each property that an image has; ranks: (q, k), below n, 0 for none. Images that tie for the last places share those
    evenly.
    """
    hits = np.zeros(ranks.shape)
    for row in range(len(queries)):
        products[row, queries[row]] = np.inf
        _row_hits(products[row], offsets, queries[row], codes, ranks[row], hits[row])
    return hits


@compiled()
def _row_hits(products, offsets, query, codes, ranks, hits):
    n, k = len(products), len(ranks)
    bins, counts = _binned(products, offsets, *_range_of_bins(products, offsets, ranks.max()))
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
    distances = products[images] + offsets[images]
    order = np.argsort(distances)
    images, distances = images[order], distances[order]

    for j in range(k):
        if ranks[j] > 0:
            places = ranks[j] - (ends[last[j]] - counts[last[j]])  # left for the images of this bin
            some = slice(starts[last[j]], starts[last[j]] + counts[last[j]])
            hits[j] = _certain_hits(bins, last[j], codes[j], codes[j, query])
            hits[j] += _shared_hits(images[some], distances[some], places, codes[j], codes[j, query])


@compiled()
def _range_of_bins(products, offsets, rank):
    """(begin, width) of bins that reach a little beyond the rank-th distance, as a sample has it; width 0 for no bins.

    What is below the begin goes into the first bin.
    """
    step = max(1, len(products) // SAMPLE)
    sample = np.sort(products[::step] + offsets[::step])
    place = min(int(len(sample) * rank / len(products)) + len(sample) // 16 + 1, len(sample) - 1)
    while place > 0 and sample[place] == np.inf:
        place -= 1
    return sample[0], (sample[place] - sample[0]) / (BINS - 2)


@compiled(error_model="numpy")
def _binned(products, offsets, begin, width):
    """(bin of each distance, number of distances in each bin); the larger the distance, the higher the bin."""
    bins, counts = np.zeros(len(products), np.uint16), np.zeros((2, BINS), np.int64)
    factor = 1 / width
    if not (width > 0 and np.isfinite(factor)):
        counts[0, 0] = len(products)
        return bins, counts[0]
    begin -= width  # the sample's least has a bin for itself
    for i in range(len(products)):
        place = (products[i] + offsets[i] - begin) * factor
        place = place if place > 0 else 0.0
        bins[i] = np.uint16(np.int32(place if place < BINS - 1 else BINS - 1))
    for i in range(len(products)):
        counts[i & 1, bins[i]] += 1  # in turns: most are in the last bin, and to add to one place again means to wait
    return bins, counts[0] + counts[1]


@compiled()
def _certain_hits(bins, last, codes, own):
    """The images of the own value in the bins below the last."""
    hits, last = np.int32(0), np.uint16(last)  # small types, so that one instruction handles many
    for i in range(len(bins)):
        hits = np.int32(hits + np.int32((codes[i] == own) & (bins[i] < last)))
    return hits


@compiled()
def _shared_hits(images, distances, places, codes, own):
    """The images of the own value among those of a bin, in order of distance, that get the places."""
    limit = distances[places - 1]
    nearer, within, hits, tied = 0, 0, 0, 0
    for image, distance in zip(images, distances):
        same = codes[image] == own
        if distance < limit:
            nearer += 1
            hits += same
        elif distance == limit:
            within += 1
            tied += same
    return hits + tied * (places - nearer) / within
