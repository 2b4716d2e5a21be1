"""The hits of NR-Precision on a GPU: all distances in float64, every row of them sorted."""

import torch

BLOCK_ITEMS = 2**26  # distances of a block, which takes some forty bytes for each


def all_hits(embeddings, queries, codes, ranks, device):
    """Return (q, k) float64: how many of each query's `rank` nearest images share its value, for every property.

    embeddings: (n, d) float64; queries: (q,), which of them; codes: (k, n); ranks: (n, k), below n, 0 for none. All are NumPy
    arrays, and so is the result. Images that tie for the last places share those evenly.
    """
    x, queries, codes, ranks = (
        torch.as_tensor(each, device=device) for each in (embeddings, queries, codes, ranks)
    )
    squares, blocks = (x * x).sum(dim=1), queries.split(max(1, BLOCK_ITEMS // len(x)))
    return torch.cat([_hits(x, squares, some, codes, ranks[some]) for some in blocks]).cpu().numpy()


def _hits(x, squares, queries, codes, ranks):
    distances = squares - 2 * x[queries] @ x.T
    distances.scatter_(1, queries[:, None], torch.inf)
    distances, images = distances.sort(dim=1)
    limits = distances.gather(1, (ranks - 1).clip(min=0))
    begins, ends = (torch.searchsorted(distances, limits, right=right) for right in (False, True))
    shares, hits = (ranks - begins).double() / (ends - begins), []
    for j, own in enumerate(codes[:, queries]):
        same = (codes[j, images] == own[:, None]).cumsum(dim=1)
        same = torch.nn.functional.pad(same, (1, 0))  # among the first 0, 1, ...
        nearer, tied = (
            same.gather(1, begins[:, j : j + 1])[:, 0],
            same.gather(1, ends[:, j : j + 1])[:, 0],
        )
        hits.append(torch.where(ranks[:, j] > 0, nearer + (tied - nearer) * shares[:, j], 0.0))
    return torch.stack(hits, dim=1)
