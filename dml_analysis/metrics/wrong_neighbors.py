"""Properties that queries share with a wrong nearest neighbour more often than by chance."""

import warnings

import numpy as np
from jaxtyping import Float, Int, Shaped

from dml_analysis.metrics.intervals import seeded_resample_counts

BLOCK_BYTES = 2**26  # of the distances that are in memory at once
RESAMPLES = 2_000
LEVEL = 0.95


def nearest(coordinates: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """Return the index of each row's nearest other row, by Euclidean distance in float64.

    Of several at the same distance, it is the first.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    coordinates = coordinates - coordinates.mean(axis=0)  # a common offset would cost digits
    squares, n = np.einsum("nd,nd->n", coordinates, coordinates), len(coordinates)
    neighbors, block_size = np.empty(n, dtype=np.int64), max(1, BLOCK_BYTES // (8 * n))
    for start in range(0, n, block_size):
        queries = np.arange(start, min(start + block_size, n))
        distances = squares - 2 * coordinates[queries] @ coordinates.T
        distances[np.arange(len(queries)), queries] = np.inf
        neighbors[queries] = distances.argmin(axis=1)
    return neighbors


def excesses(
    neighbors: Int[np.ndarray, " n"], codes: Shaped[np.ndarray, "n k"], column: int
) -> Float[np.ndarray, "n k"]:
    """Return, for queries with a wrong neighbour, by how much sharing a property exceeds chance.

    That is 1 if the query shares the property with its neighbour, else 0, minus the probability by
    chance. By chance, any wrong image is retrieved with the same probability. The excess is NaN for
    queries with a right neighbour, and in `column`.

    neighbors: of each query. codes: the values of the properties. column: of the property that
    decides whether a neighbour is right.
    """
    codes = np.asarray(codes)
    shared = codes[neighbors] == codes
    excess = shared - chance(codes, column)
    excess[shared[:, column]] = np.nan
    excess[:, column] = np.nan
    return excess


def chance(codes: Shaped[np.ndarray, "n k"], column: int) -> Float[np.ndarray, "n k"]:
    """Return, among the wrong images for a query, the share with each of the query's values.

    codes: the values of the properties. column: of the property in which wrong images differ from
    the query. The share is NaN if there are no wrong images.
    """
    property_codes = [np.unique(values, return_inverse=True)[1] for values in codes.T]
    own = property_codes[column]
    shares = np.empty(codes.shape)
    n_wrong = len(codes) - np.bincount(own)[own]
    for index, values in enumerate(property_codes):
        counts = np.zeros((values.max() + 1, own.max() + 1))  # of images with both values
        np.add.at(counts, (values, own), 1)
        n_shared = counts.sum(axis=1)[values] - counts[values, own]  # wrong images with this value
        with np.errstate(invalid="ignore"):
            shares[:, index] = n_shared / n_wrong
    return shares


def mean_and_interval(
    values: Float[np.ndarray, "networks n k"],
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Return (mean, low, high) of values, averaged over queries and then over networks.

    Values are NaN where a query is right. The interval is of percentiles of the bootstrap over
    queries. Each bootstrap sample has the same queries for all networks.
    """
    values = np.asarray(values, dtype=np.float64)
    known, filled = np.isfinite(values), np.nan_to_num(values)
    n = values.shape[1]
    weights = np.vstack([np.ones(n), seeded_resample_counts(seed, n, resamples)])
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # if a network is never wrong in a sample
        network_means = [weights @ total / (weights @ count) for total, count in zip(filled, known)]
        means = np.nanmean(network_means, axis=0)
        low, high = np.nanquantile(means[1:], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return means[0], low, high
