"""Permutation tests of whether two types of methods differ, a value for each method.

The types are permuted over the methods, so nothing is assumed about the distribution of the values
but that under the null hypothesis the type of a method says nothing about its value.
"""

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Bool, Float, Int

MAX_ASSIGNMENTS = 500_000  # of types to methods, up to which all are enumerated
PERMUTATIONS = 20_000  # otherwise
BLOCK = 20_000  # permutations at a time
ROUNDING = 1e-12  # statistics that differ by no more count as equal


class TypeTest(NamedTuple):
    """The result of a test between two types."""

    difference: float  # the mean of the first type minus that of the second, both adjusted if asked
    p_value: float  # two-sided
    smallest_p: float  # that any values could give


def types_differ(
    values: Float[np.ndarray, " n"], is_first: Bool[np.ndarray, " n"], seed: int = 0
) -> TypeTest:
    """Return whether the means of two types differ, by permuting the types over n methods.

    p is the share of assignments of types, the true one among them, whose difference is at least
    as far from zero. All assignments are enumerated if there are at most MAX_ASSIGNMENTS. Otherwise
    p is (1 + count) / (1 + PERMUTATIONS) for random ones. Raises ValueError on values that are not
    finite, or a type without methods.

    >>> types_differ([1.0, 2.0, 5.0, 6.0], [True, True, False, False])
    TypeTest(difference=-4.0, p_value=0.3333333333333333, smallest_p=0.3333333333333333)
    """
    values, is_first = _checked(values, is_first)
    n, n_first = len(values), int(is_first.sum())
    difference = float(values[is_first].mean() - values[~is_first].mean())
    centred = values - values.mean()
    # The difference is proportional to the sum of the first type's centred values.
    own, scale = abs(centred[is_first].sum()), np.abs(centred).sum()
    if math.comb(n, n_first) <= MAX_ASSIGNMENTS:
        sums = centred[_choices(n, n_first)].sum(axis=1)
        p_value = float((np.abs(sums) >= own - ROUNDING * scale).mean())
        return TypeTest(difference, p_value, smallest_p(n_first, n - n_first))
    rng, count = np.random.default_rng(seed), 0
    for _ in range(0, PERMUTATIONS, BLOCK):
        sums = rng.permuted(np.tile(centred, (BLOCK, 1)), axis=1)[:, :n_first].sum(axis=1)
        count += int((np.abs(sums) >= own - ROUNDING * scale).sum())
    return TypeTest(difference, (1 + count) / (1 + PERMUTATIONS), 1 / (1 + PERMUTATIONS))


@lru_cache(maxsize=4)  # many values are of the same methods
def _choices(n: int, k: int) -> Int[np.ndarray, "c k"]:
    """Return all choices of k of n methods."""
    return np.array(list(combinations(range(n), k)), dtype=np.int8)


def smallest_p(n_first: int, n_second: int) -> float:
    """Return the smallest two-sided p of a test that enumerates all assignments.

    Groups of equal size can be exchanged, which gives the same distance from zero. In groups of
    other sizes, too, the most extreme assignment at the other end may be as far, but need not be.
    """
    return (2 if n_first == n_second else 1) / math.comb(n_first + n_second, n_first)


def types_differ_given(
    values: Float[np.ndarray, " n"],
    is_first: Bool[np.ndarray, " n"],
    covariate: Float[np.ndarray, " n"],
    seed: int,
    permutations: int = PERMUTATIONS,
) -> TypeTest:
    """Return whether two types differ at the same value of a covariate.

    The difference is the coefficient of the type in a linear model with the covariate. Its p is by
    Freedman and Lane (J. Business & Economic Statistics 1, 1983): the residuals of the model
    without the type are permuted, and p is (1 + count) / (1 + permutations), where count is how
    often the coefficient's t statistic is at least as far from zero. Raises ValueError on values
    that are not finite, a type without methods, and a covariate that does not vary or determines
    the type.
    """
    values, is_first = _checked(values, is_first)
    covariate = np.asarray(covariate, dtype=np.float64)
    if covariate.shape != values.shape or not np.isfinite(covariate).all():
        raise ValueError("need a finite covariate for each method")
    reduced = np.column_stack([np.ones(len(values)), covariate - covariate.mean()])
    if np.linalg.matrix_rank(reduced) < 2:
        raise ValueError("the covariate does not vary")
    projection = np.eye(len(values)) - reduced @ np.linalg.pinv(reduced)
    group, residuals = projection @ is_first.astype(float), projection @ values
    if group @ group < ROUNDING * len(values):
        raise ValueError("the covariate determines the type")

    def statistics(of: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        """Return the t statistic of the type, up to a constant, for each row of values."""
        within = of @ projection
        coefficients = within @ group / (group @ group)
        noise = np.square(within - coefficients[:, None] * group).sum(axis=1)
        return coefficients / np.sqrt(np.maximum(noise, np.finfo(float).tiny))

    own, rng, count = abs(statistics(residuals[None])[0]), np.random.default_rng(seed), 0
    for start in range(0, permutations, BLOCK):
        size = min(BLOCK, permutations - start)
        shuffled = rng.permuted(np.tile(residuals, (size, 1)), axis=1)
        count += int((np.abs(statistics(shuffled)) >= own * (1 - ROUNDING)).sum())
    difference = float(residuals @ group / (group @ group))
    return TypeTest(difference, (1 + count) / (1 + permutations), 1 / (1 + permutations))


def difference_interval(
    values: Float[np.ndarray, " n"],
    is_first: Bool[np.ndarray, " n"],
    covariate: Float[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the interval of the difference between two types' means.

    It is Welch's, by Student's t; with a covariate, that of the type's coefficient in a linear
    model with it. NaN if a type has fewer than two methods, or no degree of freedom is left. Raises
    ValueError as types_differ does.
    """
    values, is_first = _checked(values, is_first)
    if covariate is None:
        if min(is_first.sum(), (~is_first).sum()) < 2:
            return math.nan, math.nan
        test = scipy.stats.ttest_ind(values[is_first], values[~is_first], equal_var=False)
        low, high = test.confidence_interval(level)
        return float(low), float(high)
    design = np.column_stack([np.ones(len(values)), is_first, covariate])
    free = len(values) - np.linalg.matrix_rank(design)
    if free < 1 or free > len(values) - 3:
        return math.nan, math.nan
    coefficients, *_ = np.linalg.lstsq(design, values)
    variance = np.square(values - design @ coefficients).sum() / free
    error = math.sqrt(variance * np.linalg.inv(design.T @ design)[1, 1])
    half = scipy.stats.t.ppf((1 + level) / 2, free) * error
    return float(coefficients[1] - half), float(coefficients[1] + half)


def power(
    effect: float, n_first: int, n_second: int, level: float, seed: int, samples: int = 2_000
) -> float:
    """Return the probability that types_differ finds an effect, for normal values.

    effect: the true difference in standard deviations within a type. level: of the test. The test
    is approximated by Student's t, which for normal values differs little from the permutations,
    except that p below smallest_p is impossible.
    """
    rng = np.random.default_rng(seed)
    a = rng.normal(effect, 1, (samples, n_first))
    b = rng.normal(0, 1, (samples, n_second))
    p_values = scipy.stats.ttest_ind(a, b, axis=1).pvalue
    p_values = np.maximum(p_values, smallest_p(n_first, n_second))
    return float((p_values < level).mean())


def correlation_interval(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    seed: int,
    resamples: int = 10_000,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return (r, low, high): Pearson's correlation over methods and its BCa interval.

    The bias-corrected and accelerated bootstrap (Efron, J. American Statistical Association 82,
    1987) resamples methods. Raises ValueError for fewer than four methods, values that are not
    finite, or that do not vary.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < 4 or x.shape != y.shape or not np.isfinite([x, y]).all() or not x.std() * y.std():
        raise ValueError("need two finite values that vary, for each of at least four methods")

    def pearson(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        x, y = x - x.mean(axis=axis, keepdims=True), y - y.mean(axis=axis, keepdims=True)
        scale = np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))
        return (x * y).sum(axis=axis) / np.where(scale > 0, scale, np.nan)

    result = scipy.stats.bootstrap(
        (x, y), pearson, paired=True, vectorized=True, n_resamples=resamples,
        confidence_level=level, method="BCa", rng=np.random.default_rng(seed), batch=1_000,
    )  # fmt: skip
    low, high = result.confidence_interval
    return float(pearson(x, y)), float(low), float(high)


def _checked(
    values: Float[np.ndarray, " n"], is_first: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return both as arrays. Raises ValueError as types_differ does."""
    values, is_first = np.asarray(values, dtype=np.float64), np.asarray(is_first, dtype=bool)
    if values.ndim != 1 or values.shape != is_first.shape or not np.isfinite(values).all():
        raise ValueError("need a finite value and a type for each method")
    if is_first.all() or not is_first.any():
        raise ValueError("need methods of both types")
    return values, is_first
