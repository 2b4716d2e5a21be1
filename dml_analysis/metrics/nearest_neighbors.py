"""Each query's nearest embeddings: exact as in float64, though most distances are float32.

Only the neighbours at a few ranks matter. So distances are sorted into bins, and only the bins that
may contain such a rank are sorted in float64.

The error bound. A distance is D = |b|^2 - 2ab (|a|^2 is the same for all b), the product of (-2a,
1) and (b, |b|^2). Let u = 2^-24, N be the largest norm, and ^ mark what is computed in float32. The
factors, rounded, are off by a factor between 1 - u and 1 + u; a sum of m products, in whatever
order, by m u / (1 - m u) of the sum of their absolute values (Higham, Accuracy and Stability of
Numerical Algorithms, section 3.1), which is at most 2|a|N + N^2. Together, with room for products
of these, and with m = d + 5,

|D^ - D| <= e(a) = m u (2 |a| N + N^2) / (1 - m u).

A bin is floor((D^ - low) * factor), which float32 rounds by less than 0.01. So two embeddings whose
bins differ by more than 2 e(a) factor + 0.02 are in the right order. The first bin has no lower
end, the last no upper one.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numba
import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

T = TypeVar("T")
BINS = 2**13
SAMPLE = 512  # embeddings that tell where the bins have to be
UNIT = 2.0**-24  # u
ROUNDING = 0.01  # of a bin
QUERIES = 128  # of a thread at once: with fewer, products take longer
BLOCK_BYTES = 2**27  # of all threads' distances, unless LEAST_QUERIES take more
LEAST_QUERIES = 16


def queries_at_once(n: int) -> int:
    """Return the number of queries that all threads together look at, among n embeddings."""
    threads = numba.get_num_threads()
    return threads * max(LEAST_QUERIES, min(QUERIES, BLOCK_BYTES // (4 * n * threads)))


def in_blocks(
    embeddings: Float[np.ndarray, "n d"],
    queries: Int[np.ndarray, " q"],
    ranks: Int[np.ndarray, "q v"],
    work: Callable[[slice, np.ndarray, np.ndarray, np.ndarray], T],
) -> Iterator[T]:
    """Yield work(rows, images, begins, ends) for blocks of the queries, one after the other.

    embeddings: float64, see nr_precision.prepared; queries: rows of these; ranks: rising in each
    row, below n. rows: the slice of the queries in a block; for the other arguments see `nearest`.
    """
    n, threads, squares = (
        len(embeddings),
        numba.get_num_threads(),
        np.einsum("nd,nd->n", embeddings, embeddings),
    )
    columns = np.vstack([embeddings.T, squares]).astype(np.float32, order="C")
    errors, size = error_bounds(squares, embeddings.shape[1]), queries_at_once(n) // threads
    buffers = [
        np.empty((size, n), np.float32) for _ in range(threads)
    ]  # used again: to get new ones takes long

    def block(start: int) -> T:
        rows, buffer = slice(start, start + size), buffers.pop()
        own, own_ranks = queries[rows], np.ascontiguousarray(ranks[rows])
        factors = np.hstack([-2 * embeddings[own], np.ones((len(own), 1))]).astype(np.float32)
        distances = np.matmul(factors, columns, out=buffer[: len(own)])
        bins = bins_of(distances[:, :: max(1, n // SAMPLE)], errors[own], own_ranks[:, -1] / n)
        images = distances.view(np.int32)  # a row is overwritten when it is no longer needed
        ties = nearest(distances, *bins, own, embeddings, squares, own_ranks, images)
        result = work(rows, images, *ties)
        buffers.append(buffer)
        return result

    # Each thread multiplies by itself, because waiting threads of BLAS would keep a core busy.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        yield from pool.map(block, range(0, len(queries), size))


def error_bounds(squares: Float[np.ndarray, " n"], dimensions: int) -> Float[np.ndarray, " n"]:
    """Return e(a) of embeddings with these squared norms."""
    norms, m = np.sqrt(squares), dimensions + 5
    return m * UNIT * (2 * norms * norms.max() + squares.max()) / (1 - m * UNIT)


def bins_of(
    sample: Float[np.ndarray, "q s"],
    errors: Float[np.ndarray, " q"],
    shares: Float[np.ndarray, " q"],
) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, " q"], Int[np.ndarray, " q"]]:
    """Return (lows, factors, reaches): the bins, and by how many of them a distance may be off.

    sample: some of each query's distances; errors: e(a); shares: of the distances that the bins
    must cover. All distances are in one bin if they hardly differ.
    """
    sample, size = np.sort(sample, axis=1), sample.shape[1]
    last = np.minimum((size * shares).astype(np.int64) + size // 16 + 1, size - 1)
    lows, highs = sample[:, 0], sample[np.arange(len(sample)), last]
    with np.errstate(divide="ignore", over="ignore"):
        factors = np.float32(BINS - 2) / (highs - lows)
    factors = np.where(np.isfinite(factors), factors, np.float32(0))
    return (
        lows,
        factors,
        np.minimum(np.ceil(2 * (errors * factors + ROUNDING)), BINS).astype(np.int64),
    )


@numba.njit(nogil=True, cache=True)
def nearest(distances, lows, factors, reaches, queries, embeddings, squares, ranks, images):
    """Write each query's nearest images (q, n) int32; return (begins (q, v), ends (q, v)) of ties.

    The first `rank` of a row of images are the nearest, in any order. Those from `begin` to `end`
    tie for the last of these places, by their float64 distances. Both are the rank itself if there
    is no tie. A row is sorted only as far as its last rank needs.
    """
    n, begins, ends = len(embeddings), np.empty_like(ranks), np.empty_like(ranks)
    bins, candidates, exact = np.empty(n, np.uint16), np.empty(n, np.int32), np.empty(n)
    for row in range(len(queries)):
        query, reach = queries[row], reaches[row]
        _write_bins(distances[row], lows[row], factors[row], bins)
        bins[query] = BINS  # which is none
        for limit in (BINS - 1, BINS):  # mostly nothing in the last bin is needed
            count = _write_candidates(bins, limit, candidates)
            ends_of_bins = _sort_by_bins(bins, candidates[:count], images[row])
            if reach < limit and ends_of_bins[limit - 1 - reach] >= ranks[row, -1]:
                break
        exact[:count] = np.nan
        first = last = 0  # of what has to be in order; it may reach over several ranks
        for rank in ranks[row]:
            if rank > 0:
                place = np.searchsorted(ends_of_bins, rank)
                begin = ends_of_bins[place - reach - 1] if place > reach else 0
                if begin >= last:
                    _sort_by_distances(
                        images[row, first:last], exact[first:last], query, embeddings, squares
                    )
                    first = begin
                last = ends_of_bins[min(place + reach, BINS - 1)]
        _sort_by_distances(images[row, first:last], exact[first:last], query, embeddings, squares)
        for v in range(ranks.shape[1]):
            begins[row, v], ends[row, v] = _tied(exact[:count], ranks[row, v])
    return begins, ends


@numba.njit(cache=True)
def _write_bins(distances, low, factor, bins):
    lowest, highest = np.float32(0), np.float32(BINS - 1)
    for i in range(len(distances)):
        place = (distances[i] - low) * factor
        place = place if place > lowest else lowest
        bins[i] = np.int32(place if place < highest else highest)


@numba.njit(cache=True)
def _write_candidates(bins, limit, candidates):
    """Write the images whose bins are below the limit; return how many."""
    count = 0
    for i in range(len(bins)):
        candidates[count] = i
        count += bins[i] < limit
    return count


@numba.njit(cache=True)
def _sort_by_bins(bins, candidates, images):
    """Write the candidates in the order of their bins; return where each bin ends."""
    ends = np.zeros(BINS + 1, np.int32)
    for image in candidates:
        ends[bins[image] + 1] += 1
    for i in range(BINS):
        ends[i + 1] += ends[i]
    for image in candidates:
        images[ends[bins[image]]] = image
        ends[bins[image]] += 1
    return ends[:BINS]


@numba.njit(cache=True, fastmath={"reassoc", "contract"})
def _sort_by_distances(images, exact, query, embeddings, squares):
    """Put images into order by their distances in float64, and write these."""
    for place in range(len(images)):
        product = 0.0
        for i in range(embeddings.shape[1]):
            product += embeddings[query, i] * embeddings[images[place], i]
        exact[place] = squares[images[place]] - 2 * product
    order = np.argsort(exact)
    images[:], exact[:] = images[order], exact[order]


@numba.njit(cache=True)
def _tied(distances, rank):
    """Return (begin, end) of those that tie for the last of `rank` places."""
    begin = end = rank
    if 0 < rank < len(distances) and distances[rank] == distances[rank - 1]:
        while begin > 0 and distances[begin - 1] == distances[rank]:
            begin -= 1
        while end < len(distances) and distances[end] == distances[rank]:
            end += 1
    return begin, end
