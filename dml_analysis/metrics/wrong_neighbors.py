"""Why was the wrong car retrieved? What queries share with the wrong car that is nearest to them, more often than by chance."""

import warnings

import numpy as np

BLOCK_BYTES = 2**26  # of the distances that are in memory at once
RESAMPLES = 2_000
LEVEL = 0.95


def nearest(coordinates):
    """(n,): the nearest other row of each row of coordinates (n, d), by Euclidean distance in float64; the first of equals."""
    coordinates = np.asarray(coordinates, dtype=np.float64)
    coordinates = coordinates - coordinates.mean(axis=0)  # a common offset would cost digits
    squares, n = np.einsum("nd,nd->n", coordinates, coordinates), len(coordinates)
    found, size = np.empty(n, dtype=np.int64), max(1, BLOCK_BYTES // (8 * n))
    for start in range(0, n, size):
        some = np.arange(start, min(start + size, n))
        distances = squares - 2 * coordinates[some] @ coordinates.T
        distances[np.arange(len(some)), some] = np.inf
        found[some] = distances.argmin(axis=1)
    return found


def excesses(neighbors, codes, column):
    """(n, k): for queries whose neighbour is wrong, whether it shares each property, less how often chance would have it.

    neighbors (n,): of each query; codes (n, k): the values of the properties; column: of the property by which a neighbour is
    right or wrong. By chance any image would be retrieved that is wrong, each alike. NaN for queries that are right, and in the
    column itself.
    """
    codes = np.asarray(codes)
    shared, expected = codes[neighbors] == codes, chance(codes, column)
    found = shared - expected
    found[shared[:, column]] = np.nan
    found[:, column] = np.nan
    return found


def chance(codes, column):
    """(n, k): among the images with another value than a query's in a column, the share that has the query's other values."""
    inverse = [np.unique(each, return_inverse=True)[1] for each in codes.T]
    expected = np.empty(codes.shape)
    wrong = len(codes) - np.bincount(inverse[column])[inverse[column]]
    for place, values in enumerate(inverse):
        of_both = np.zeros((values.max() + 1, inverse[column].max() + 1))
        np.add.at(of_both, (values, inverse[column]), 1)
        same = (
            of_both.sum(axis=1)[values] - of_both[values, inverse[column]]
        )  # of all, less those that have own's value too
        with np.errstate(invalid="ignore"):
            expected[:, place] = same / wrong
    return expected


def mean_and_interval(values, seed, resamples=RESAMPLES, level=LEVEL):
    """(mean, low, high), each (k,): of values (networks, n, k), NaN where a query is right; over queries, then over networks.

    The interval is of the bootstrap over queries, the same draw for all networks, percentiles.
    """
    values = np.asarray(values, dtype=np.float64)
    known, filled = np.isfinite(values), np.nan_to_num(values)
    n = values.shape[1]
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples)
    weights = np.vstack([np.ones(n), drawn])
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of samples in which a network is never wrong
        means = np.nanmean([weights @ total / (weights @ count) for total, count in zip(filled, known)], axis=0)
        low, high = np.nanquantile(means[1:], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return means[0], low, high
