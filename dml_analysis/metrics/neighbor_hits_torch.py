"""The hits of NR-Precision on a GPU: all distances in float64, each row sorted."""

import numpy as np
import torch
from jaxtyping import Float, Int

BLOCK_SIZE = 2**26  # distances of a block, each of which takes some forty bytes


def all_hits(
    embeddings: Float[np.ndarray, "n d"],
    queries: Int[np.ndarray, " q"],
    codes: Int[np.ndarray, "k n"],
    ranks: Int[np.ndarray, "n k"],
    device: str,
) -> Float[np.ndarray, "q k"]:
    """Return how many of each query's `rank` nearest images share its value, for every property.

    queries: rows of the embeddings; ranks: below n, 0 for none. Images that tie for the last places
    share those evenly.
    """
    x, on_queries, on_codes, on_ranks = (
        torch.as_tensor(array, device=device) for array in (embeddings, queries, codes, ranks)
    )
    squares = (x * x).sum(dim=1)
    blocks = on_queries.split(max(1, BLOCK_SIZE // len(x)))
    hits = [_hits(x, squares, block, on_codes, on_ranks[block]) for block in blocks]
    return torch.cat(hits).cpu().numpy()


def _hits(
    x: Float[torch.Tensor, "n d"],
    squares: Float[torch.Tensor, " n"],
    queries: Int[torch.Tensor, " q"],
    codes: Int[torch.Tensor, "k n"],
    ranks: Int[torch.Tensor, "q k"],
) -> Float[torch.Tensor, "q k"]:
    """Return the hits of a block of queries."""
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
