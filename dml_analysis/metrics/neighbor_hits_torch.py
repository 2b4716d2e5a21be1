"""What neighbor_hits finds, on a GPU: all in float64, and for a block of queries at once, in torch's own operations.

The distances of a query are sorted into bins of equal width; only the bins in which a rank falls are sorted out.
"""

import torch

BINS = 4096
SAMPLE = 512  # distances that tell beforehand where the bins are needed
BLOCK_ITEMS = 2**27  # distances of a block; it takes some thirty bytes for each


def all_hits(embeddings, queries, codes, ranks, device):
    """(q, k) float64: how many of each query's `rank` nearest images share its value, for every property.

    embeddings: (n, d) float64; queries: (q,), which of them; codes: (k, n) and ranks: (n, k), as in neighbor_hits. All
    are NumPy arrays, and so is the result.
    """
    x, queries = (torch.as_tensor(each, device=device) for each in (embeddings, queries))
    codes, ranks = (torch.as_tensor(each.astype("int32"), device=device) for each in (codes, ranks))
    squares, doubled = (x * x).sum(dim=1), -2 * x.T
    blocks = queries.split(max(1, BLOCK_ITEMS // len(x)))
    # Distances from a query a are ordered as |b|^2 - 2 ab.
    return torch.cat([_hits(x[some] @ doubled + squares, some, codes, ranks[some]) for some in blocks]).cpu().numpy()


def _hits(distances, queries, codes, ranks):
    """As neighbor_hits, for tensors: distances (q, n), queries (q,), codes (k, n), ranks (q, k)."""
    distances[torch.arange(len(queries), device=queries.device), queries] = torch.inf
    bins = _binned(distances, ranks.max(dim=1).values)
    counts = torch.zeros(len(queries), BINS, dtype=torch.int64, device=bins.device)
    counts.scatter_add_(1, bins, torch.ones(1, dtype=torch.int64, device=bins.device).expand_as(bins))
    ends = counts.cumsum(dim=1)
    last = torch.searchsorted(ends, ranks.long())  # the bin that the distance at each rank is in
    places = ranks - (ends - counts).gather(1, last)  # left for the images of this bin

    split = torch.zeros_like(counts, dtype=torch.bool).scatter_(1, last, True)  # the bins to be sorted out
    rows, images = split.gather(1, bins).nonzero(as_tuple=True)
    found, bins_found = distances[rows, images], bins[rows, images]
    order = found.argsort()
    order = order[rows[order].argsort(stable=True)]  # row by row, in each by distance
    sizes = (counts * split).cumsum(dim=1)  # of these bins, up to and with each
    begins = sizes[:, -1].cumsum(dim=0) - sizes[:, -1]  # of the rows, among all that were found
    at = begins[:, None] + sizes.gather(1, last) - counts.gather(1, last) + places - 1
    limits = found[order][at.clip(0, max(len(found) - 1, 0))]  # the distances at the ranks

    bins, hits = bins.short(), []
    for j, own in enumerate(codes[:, queries]):
        certain = (codes[j] == own[:, None]) & (bins < last[:, j, None].short())
        within = bins_found == last[rows, j]
        nearer, tied = within & (found < limits[rows, j]), within & (found == limits[rows, j])
        same = codes[j, images] == own[rows]
        n_nearer, n_tied, n_same_nearer, n_same_tied = (
            torch.zeros_like(begins).scatter_add_(0, rows, each.long())
            for each in (nearer, tied, nearer & same, tied & same)
        )
        shared = n_same_nearer + n_same_tied.double() * (places[:, j] - n_nearer) / n_tied
        hits.append(torch.where(ranks[:, j] > 0, certain.sum(dim=1) + shared, 0.0))
    return torch.stack(hits, dim=1)


def _binned(distances, ranks):
    """The bin of each distance (q, n), of equal width in a row, and reaching a little beyond the distance at its rank."""
    low = distances.min(dim=1, keepdim=True).values
    sample = distances[:, :: max(1, distances.shape[1] // SAMPLE)].sort(dim=1).values
    size = sample.shape[1]
    place = (size * ranks // distances.shape[1] + size // 16 + 1).clip(max=size - 1)
    last_finite = sample.isfinite().sum(dim=1).clip(min=1) - 1
    high = sample.gather(1, torch.minimum(place, last_finite)[:, None])
    width = (high - low) / (BINS - 1)
    factor = torch.where((width > 0) & (1 / width).isfinite(), 1 / width, 0.0)
    # A factor of zero puts all into the first bin; infinity times zero is NaN, and that goes there as well.
    return ((distances - low) * factor).nan_to_num(nan=0.0, posinf=BINS - 1).clip(max=BINS - 1).long()
