"""Does one group of losses pay more attention to a property than another? The Mann-Whitney U test of Table 6."""

import math
from typing import NamedTuple

import numpy as np
import scipy.stats

ALTERNATIVES = ("two-sided", "half two-sided")
MAX_SPLITS = 100_000  # ways to split the values into two groups that are enumerated one by one


class MannWhitney(NamedTuple):
    u: float  # of the ranking values: how often one of them exceeds a classification value, ties counting half
    p_value: float


def mann_whitney(ranking, classification, alternative="two-sided"):
    """Mann-Whitney U test of two samples.

    "two-sided" is exact where no ranking value equals a classification value. With such ties it is still exact, by
    enumeration, for samples as small as the paper's 9 and 5 losses; for larger ones it is the normal approximation with
    tie and continuity correction. "half two-sided" is what scipy 1.6 returned by default, and so what the released code
    tests by: half of the two-sided p of the normal approximation, with both corrections.

    Raises ValueError on an empty sample, NaN or another alternative.
    """
    ranking, classification = np.asarray(ranking, dtype=float), np.asarray(classification, dtype=float)
    if not len(ranking) or not len(classification) or np.isnan([*ranking, *classification]).any():
        raise ValueError("the Mann-Whitney test needs two samples of numbers")
    if alternative not in ALTERNATIVES:
        raise ValueError(f"unknown alternative {alternative!r}; known: {', '.join(ALTERNATIVES)}")
    method, divisor = "asymptotic", 2
    if alternative == "two-sided" and 1 in (len(ranking), len(classification)):
        return _one_alone(ranking, classification)
    if alternative == "two-sided":
        method, divisor = _method(ranking, classification), 1
    test = scipy.stats.mannwhitneyu(ranking, classification, alternative="two-sided", method=method)
    return MannWhitney(float(test.statistic), float(test.pvalue) / divisor)


def _one_alone(ranking, classification):
    """The exact test where a sample has one value only, which scipy does not enumerate: any of all could be that value."""
    values = np.concatenate([ranking, classification])
    exceeds = np.array([((value > values).sum() + ((value == values).sum() - 1) / 2) for value in values])
    alone = exceeds[0 if len(ranking) == 1 else -1]
    p_value = min(1, 2 * min((exceeds >= alone).mean(), (exceeds <= alone).mean()))
    return MannWhitney(float(alone if len(ranking) == 1 else len(ranking) - alone), float(p_value))


def _method(ranking, classification):
    if not set(ranking) & set(classification):
        return "exact"
    if math.comb(len(ranking) + len(classification), len(ranking)) <= MAX_SPLITS:
        return scipy.stats.PermutationMethod(n_resamples=MAX_SPLITS)  # enumerates, as there are fewer splits than that
    return "asymptotic"
