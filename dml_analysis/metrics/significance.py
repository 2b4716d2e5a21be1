"""The Mann-Whitney U test of Table 6, which compares ranking with classification losses."""

import math
from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Float, Num

from dml_analysis.metrics.inputs import Data, as_array

ALTERNATIVES = ("two-sided", "half two-sided")  # of the tests of Table 6
ONE_SIDED = ("greater", "less")  # whether the ranking values tend to be larger, or smaller
MAX_SPLITS = 100_000  # of the values into two groups, up to which all are enumerated


class MannWhitney(NamedTuple):
    """The statistic U of the ranking values, and its p value."""

    u: float  # pairs in which the ranking value exceeds the classification value; a tie is half
    p_value: float


def mann_whitney(
    ranking: Num[Data, " a"], classification: Num[Data, " b"], alternative: str = "two-sided"
) -> MannWhitney:
    """Return the Mann-Whitney U test of two samples: the losses' scores for a property.

    The alternatives are:

    - "two-sided": exact if no ranking value equals a classification value. With such ties it is
      still exact, by enumeration, for samples as small as the paper's 9 and 5 losses. For larger
      ones it is the normal approximation with tie and continuity correction.
    - "half two-sided": half of the two-sided p of the normal approximation, with both
      corrections. scipy 1.6 returned it by default, so the released code tests by it.
    - "greater" (ranking values tend to be larger) and "less": one-sided, by the same distribution
      of U as "two-sided".

    Ties within one sample are broken arbitrarily, which changes neither U nor p.

    Source: Kobs et al., section 4.3. Raises ValueError on an empty sample, NaN or another
    alternative.

    >>> mann_whitney([3.1, 4.0, 5.2], [1.0, 2.0, 2.5, 3.0])
    MannWhitney(u=12.0, p_value=0.05714285714285714)
    """
    ranking, classification = (
        as_array(sample).astype(np.float64) for sample in (ranking, classification)
    )
    if (
        ranking.ndim != 1
        or classification.ndim != 1
        or not len(ranking)
        or not len(classification)
        or np.isnan([*ranking, *classification]).any()
    ):
        raise ValueError("the Mann-Whitney test needs two samples of numbers")
    if alternative not in ALTERNATIVES + ONE_SIDED:
        known = ", ".join(ALTERNATIVES + ONE_SIDED)
        raise ValueError(f"unknown alternative {alternative!r}; known: {known}")
    if alternative == "half two-sided":
        test = scipy.stats.mannwhitneyu(
            ranking, classification, alternative="two-sided", method="asymptotic"
        )
        return MannWhitney(float(test.statistic), float(test.pvalue) / 2)
    if 1 in (len(ranking), len(classification)):
        return _single_value_test(ranking, classification, alternative)
    method = _method(ranking, classification)
    test = scipy.stats.mannwhitneyu(ranking, classification, alternative=alternative, method=method)
    return MannWhitney(float(test.statistic), float(test.pvalue))


def _single_value_test(
    ranking: Float[np.ndarray, " a"], classification: Float[np.ndarray, " b"], alternative: str
) -> MannWhitney:
    """Return the exact test if a sample has only one value, a case that scipy does not enumerate.

    Under the null hypothesis, each of all values is equally likely to be that one.
    """
    values = np.concatenate([ranking, classification])
    us = np.array(
        [((value > values).sum() + ((value == values).sum() - 1) / 2) for value in values]
    )
    u = us[0 if len(ranking) == 1 else -1]
    if len(ranking) > 1:
        us, u = len(ranking) - us, len(ranking) - u
    sides = {"greater": (us >= u).mean(), "less": (us <= u).mean()}
    return MannWhitney(float(u), float(sides.get(alternative, min(1, 2 * min(sides.values())))))


def _method(
    ranking: Float[np.ndarray, " a"], classification: Float[np.ndarray, " b"]
) -> str | scipy.stats.PermutationMethod:
    """Return scipy's method: exact if possible, else the normal approximation."""
    if not set(ranking) & set(classification):
        return "exact"
    if math.comb(len(ranking) + len(classification), len(ranking)) <= MAX_SPLITS:
        return scipy.stats.PermutationMethod(n_resamples=MAX_SPLITS)  # enumerates all
    return "asymptotic"
