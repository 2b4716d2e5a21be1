"""Distances from queries to all embeddings to 16 bits, and how many of their steps they may be off.

Which embeddings are nearest to a query hangs on few digits of the distances. So products are taken in float32, in half
the time, and written down as one of 65,536 steps. All but a few embeddings are then known to be nearer than the one at a
rank, or farther; these few are asked for in float64, by exact_distance.

The bound. A distance is D = |b|^2 - 2ab (|a|^2 is the same for all b). Let u = 2^-24, N be the largest norm, and ^ mark what is
computed in float32. The coordinates, rounded, are off by a factor between 1 - u and 1 + u; a sum of d products, in whatever order,
by d u / (1 - d u) of the sum of their absolute values (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), which is
at most |a||b|; |b|^2 and the last addition are rounded, too. Together, with room for products of these,

    |D^ - D| <= e(a) = u (2 (d + 4) |a| N + 3 N^2) / (1 - (d + 4) u).

A step is floor((D^ - begin) * factor), from 0 to 65,535, where float32 rounds by less than 0.01. So (D - begin) * factor is
between step - r and step + 1 + r with r = e(a) factor + 0.01, but for the first step, which has no lower end, and the last,
which has no upper one. If s is the step at a rank by steps, the embedding at that rank by D is between s - r and s + 1 + r, too. Hence
one whose step differs from s by 1 + 2 r or more is surely nearer than it, if its step is lower, or surely farther.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import get_num_threads
from threadpoolctl import threadpool_limits

from dml_analysis import memory
from dml_analysis.metrics.compiled import compiled
from dml_analysis.metrics.simd import padded_length

STEPS = 2**16
SAMPLE = 512  # embeddings that tell where the steps have to be
UNIT = 2.0**-24  # u
ROUNDING = 0.01  # of a step
QUERIES = 160  # of a thread at once: with fewer, products take longer
BLOCK_BYTES = 2**27  # of all threads' steps, unless LEAST_QUERIES take more
LEAST_QUERIES = 16


class Space(NamedTuple):
    """Embeddings, and what distances between them are computed from."""

    embeddings: np.ndarray  # (n, d) float64, none above 1 in size
    squares: np.ndarray  # (n,), |b|^2
    columns: np.ndarray  # (d, n) float32, the embeddings
    sample: np.ndarray  # (d, s), every so many of the columns
    errors: np.ndarray  # (n,), e(a)


class Block(NamedTuple):
    """Some of the queries, and their distances to all embeddings."""

    places: slice  # of the queries
    queries: np.ndarray  # (q,), which embeddings they are
    steps: np.ndarray  # (q, n and some more, as lanes asks for) uint16; a query, and what is more, is farthest
    reaches: np.ndarray  # (q,), 2 r in whole steps: what differs by more is surely on one side


def space_of(embeddings):
    """The Space of embeddings (n, d) float64, which are scaled and centred (nr_precision.prepared)."""
    squares = np.einsum("nd,nd->n", embeddings, embeddings)
    norms, d = np.sqrt(squares), embeddings.shape[1] + 4
    errors = UNIT * (2 * d * norms * norms.max() + 3 * squares.max()) / (1 - d * UNIT)
    columns = np.ascontiguousarray(embeddings.T, dtype=np.float32)
    return Space(embeddings, squares, columns, np.ascontiguousarray(columns[:, _sampled(len(embeddings))]), errors)


def _sampled(n):
    return slice(None, None, max(1, n // SAMPLE))


def in_blocks(space, queries, ranks, work):
    """What work(blocks) returns in each of the threads, as a list; together their blocks hold every query once.

    queries: (q,), which embeddings they are; ranks: (q,), up to which rank the steps have to tell distances apart. blocks yields a
    Block after the other, which is overwritten by the next.
    """
    n, threads = len(space.embeddings), get_num_threads()
    size = queries_at_once(n) // threads

    def blocks(first):
        steps = np.full((min(size, len(queries)), padded_length(n)), STEPS - 1, np.uint16)
        for start in range(first * size, len(queries), threads * size):
            places = slice(start, min(start + size, len(queries)))
            yield _block(space, places, queries[places], ranks[places], steps)

    # Every thread goes through blocks of its own, products and all: threads of BLAS that wait for their next product
    # keep a core busy with waiting.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda first: work(blocks(first)), range(threads)))


def queries_at_once(n):
    """The queries that all threads together are at, among n images."""
    threads = get_num_threads()
    return threads * max(LEAST_QUERIES, min(QUERIES, BLOCK_BYTES // (2 * n * threads)))


def _block(space, places, queries, ranks, steps):
    """The Block of some queries, its steps written into the first rows of `steps`."""
    n, steps = len(space.embeddings), steps[: len(queries)]
    doubled = -2 * space.embeddings[queries].astype(np.float32)
    squares = space.squares.astype(np.float32)
    begins, factors = _ranges(doubled @ space.sample + squares[_sampled(n)], ranks / n)
    width = max(SAMPLE, memory.cache_bytes(2) // (4 * len(queries)))  # so that products stay in the cache
    room = np.empty(len(queries) * width, np.float32)
    for begin in range(0, n, width):
        some = slice(begin, min(begin + width, n))
        products = room[: len(queries) * (some.stop - begin)].reshape(len(queries), -1)
        np.matmul(doubled, space.columns[:, some], out=products)
        _write_steps(products, squares[some], begins, factors, steps, begin)
    steps[np.arange(len(queries)), queries] = STEPS - 1
    reaches = 2 * (space.errors[queries] * factors + ROUNDING)
    return Block(places, queries, steps, np.minimum(np.ceil(reaches), STEPS).astype(np.int64))


def _ranges(sample, shares):
    """(begins, factors), (q,) float32, of steps that reach a little beyond the share of distances that is asked for.

    sample: (q, s), some of each query's distances. What is below the least of them goes into the first step; all distances do,
    by a factor of 0, where they hardly differ.
    """
    sample, size = np.sort(sample, axis=1), sample.shape[1]
    last = np.minimum((size * shares).astype(np.int64) + size // 16 + 1, size - 1)
    lowest, highest = sample[:, 0], sample[np.arange(len(sample)), last]
    with np.errstate(divide="ignore", over="ignore"):
        factors = np.float32(STEPS - 2) / (highest - lowest)
    factors = np.where(np.isfinite(factors), factors, 0)
    return lowest - np.float32(1) / np.where(factors > 0, factors, np.inf), factors


@compiled(nogil=True)
def _write_steps(products, squares, begins, factors, steps, column):
    """Write the steps of products (q, w), -2ab in float32, into those columns of `steps` that begin with `column`."""
    lowest, highest = np.float32(0), np.float32(STEPS - 1)
    for row in range(len(products)):
        begin, factor = begins[row], factors[row]
        of_row, written = products[row], steps[row, column : column + len(squares)]
        for i in range(len(squares)):
            place = (of_row[i] + squares[i] - begin) * factor
            place = place if place > lowest else lowest
            written[i] = np.uint16(np.int32(place if place < highest else highest))


@compiled(fastmath={"reassoc", "contract"})
def exact_distance(a, b, square):
    """|b|^2 - 2ab of embeddings a and b (d,) float64; square is |b|^2."""
    product = 0.0
    for i in range(len(a)):
        product += a[i] * b[i]
    return square - 2 * product
