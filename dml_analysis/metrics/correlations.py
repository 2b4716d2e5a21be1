"""How two measures go together over methods: correlations, and their intervals by the bootstrap over methods.

The folds of a method, and the looks of a training, are no independent points: whole methods are drawn.
"""

from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

KINDS = ("pearson", "spearman")
RESAMPLES = 2_000
LEVEL = 0.95
FEWEST_METHODS = 4  # below which an interval would say nothing


class Correlation(NamedTuple):
    value: float
    low: float
    high: float


def correlation(x, y, methods, kind, seed, resamples=RESAMPLES, level=LEVEL):
    """The Correlation of x (n,) and y (n,), the points of which belong to methods (n,), names or numbers.

    kind: "pearson", or "spearman", Pearson's of the ranks, ties sharing the mean of theirs. The interval is that of the
    percentiles over samples of as many methods, drawn with replacement, each with all of its points. Points where x or y is
    not finite are left out. All is NaN where x or y does not vary, the interval also with fewer than FEWEST_METHODS methods.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y, methods = x[finite], y[finite], np.asarray(methods)[finite]
    names, place = np.unique(methods, return_inverse=True)
    of = partial(_spearman if kind == "spearman" else _pearson, x, y, place)
    value = of(np.ones((1, len(names))))[0] if len(x) else np.nan
    if len(names) < FEWEST_METHODS or np.isnan(value):
        return Correlation(float(value), np.nan, np.nan)
    values = of(_drawn(len(names), seed, resamples))
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])  # NaN where a sample is of one method alone
    return Correlation(float(value), float(low), float(high))


@lru_cache(maxsize=4)  # many measures are correlated over the same methods
def _drawn(count, seed, resamples):
    """(resamples, count): how often each of so many methods is drawn."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples).astype(float)


def _pearson(x, y, place, drawn):
    """Pearson correlations (b,) of x and y (n,), or (b, n), where a point counts as often as its method, of number place (n,), is drawn.

    drawn (b, m): how often each method is.
    """
    weights = drawn[:, place]
    total = weights.sum(axis=1, keepdims=True)
    x, y = (each - _summed(weights, each)[:, None] / total for each in (x, y))
    products = [np.einsum("bn,bn,bn->b", weights, a, b) for a, b in ((x, y), (x, x), (y, y))]
    spread = np.sqrt(products[1] * products[2])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-12 * total[:, 0], products[0] / spread, np.nan).clip(-1, 1)


def _summed(weights, values):
    return weights @ values if values.ndim == 1 else np.einsum("bn,bn->b", weights, values)


def _spearman(x, y, place, drawn):
    return _pearson(_ranks(x, place, drawn), _ranks(y, place, drawn), place, drawn)


def _ranks(values, place, drawn):
    """The ranks (b, n) of values (n,), of which there are as many as of their methods are drawn: of equal ones the mean of theirs."""
    different, which = np.unique(values, return_inverse=True)
    counts = np.zeros((drawn.shape[1], len(different)))  # of each value in each method
    np.add.at(counts, (place, which), 1)
    below = np.cumsum(counts, axis=1) - counts
    return drawn @ (below + counts / 2)[:, which] + 1 / 2  # as many as are drawn of each method's; exact, being halves
