"""Correlations of two measures over methods, with intervals by the bootstrap over methods.

The folds of a method and the validation steps of a training run are not independent points.
So the bootstrap resamples complete methods.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from dml_analysis.metrics.intervals import seeded_resample_counts

KINDS = ("pearson", "spearman")
RESAMPLES = 2_000
LEVEL = 0.95
BLOCK = 100  # bootstrap samples at a time, so that their arrays stay in the processor's cache
MIN_METHODS = 4  # with fewer, an interval would say nothing


class Correlation(NamedTuple):
    """A correlation and its interval."""

    value: float
    low: float
    high: float


def correlation(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    methods: Shaped[np.ndarray, " n"],
    kind: str,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Correlation:
    """Return the correlation of x and y, whose points belong to methods, with its interval.

    kind: "pearson", or "spearman", Pearson's of the ranks, where ties share their mean rank.
    methods: names or numbers. The interval is of percentiles over bootstrap samples: as many
    methods, sampled with replacement, each with all of its points.

    Points where x or y is not finite are left out. If x or y does not vary, everything is NaN.
    With fewer than MIN_METHODS methods, the interval is NaN.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y, methods = x[finite], y[finite], np.asarray(methods)[finite]
    names, codes = np.unique(methods, return_inverse=True)
    correlations_of = partial(_spearman if kind == "spearman" else _pearson, x, y, codes)
    value = correlations_of(np.ones((1, len(names))))[0] if len(x) else np.nan
    if len(names) < MIN_METHODS or np.isnan(value):
        return Correlation(float(value), np.nan, np.nan)
    # NaN where a bootstrap sample is of one method only
    counts = seeded_resample_counts(seed, len(names), resamples)
    blocks = [counts[start : start + BLOCK] for start in range(0, resamples, BLOCK)]
    values = np.concatenate([correlations_of(block) for block in blocks])
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Correlation(float(value), float(low), float(high))


def _pearson(
    x: Float[np.ndarray, "*b n"],
    y: Float[np.ndarray, "*b n"],
    codes: Int[np.ndarray, " n"],
    counts: Float[np.ndarray, "b m"],
) -> Float[np.ndarray, " b"]:
    """Return the Pearson correlation of x and y in each bootstrap sample.

    x, y: the same in all bootstrap samples, or one row for each. codes: the index of each point's
    method. counts: how often each method, and so each of its points, is in a bootstrap sample.
    """
    weights = counts[:, codes]
    totals = weights.sum(axis=1, keepdims=True)
    x, y = (values - _weighted_sums(weights, values)[:, None] / totals for values in (x, y))
    products = [np.einsum("bn,bn,bn->b", weights, a, b) for a, b in ((x, y), (x, x), (y, y))]
    spread = np.sqrt(products[1] * products[2])
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.where(spread > 1e-12 * totals[:, 0], products[0] / spread, np.nan)
    return correlations.clip(-1, 1)


def _weighted_sums(
    weights: Float[np.ndarray, "b n"], values: Float[np.ndarray, "*b n"]
) -> Float[np.ndarray, " b"]:
    """Return the sum of values by each row of weights."""
    return weights @ values if values.ndim == 1 else np.einsum("bn,bn->b", weights, values)


def _spearman(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    codes: Int[np.ndarray, " n"],
    counts: Float[np.ndarray, "b m"],
) -> Float[np.ndarray, " b"]:
    """Return the Spearman correlation of x and y in each bootstrap sample, as _pearson."""
    return _pearson(_ranks(x, codes, counts), _ranks(y, codes, counts), codes, counts)


def _ranks(
    values: Float[np.ndarray, " n"], codes: Int[np.ndarray, " n"], counts: Float[np.ndarray, "b m"]
) -> Float[np.ndarray, "b n"]:
    """Return the rank of each value in each bootstrap sample; equal values share their mean rank.

    codes, counts: as in _pearson. Ranks are exact, as all sums are of halves.
    """
    levels, level_codes = np.unique(values, return_inverse=True)
    level_counts = np.zeros((counts.shape[1], len(levels)))  # of each level in each method
    np.add.at(level_counts, (codes, level_codes), 1)
    below = np.cumsum(level_counts, axis=1) - level_counts
    return counts @ (below + level_counts / 2)[:, level_codes] + 1 / 2
