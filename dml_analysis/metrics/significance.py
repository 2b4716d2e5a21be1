"""Does one group of losses pay more attention to a property than another? The Mann-Whitney U test of Table 6."""

import math
from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Float

ALTERNATIVES = ("two-sided", "half two-sided")  # of the tests of Table 6
ONE_SIDED = ("greater", "less")  # whether the ranking values are the larger ones, or the smaller ones
MAX_SPLITS = 100_000  # ways to split the values into two groups that are enumerated one by one


class MannWhitney(NamedTuple):
    u: float  # of the ranking values: how often one of them exceeds a classification value, ties counting half
    p_value: float


def mann_whitney(
    ranking: Float[np.ndarray, " a"], classification: Float[np.ndarray, " b"], alternative: str = "two-sided"
) -> MannWhitney:
    """Return the Mann-Whitney U test of two samples: does one kind of loss attend more to a property than the other?

    "two-sided" is exact where no ranking value equals a classification value. With such ties it is still exact, by
    enumeration, for samples as small as the paper's 9 and 5 losses; for larger ones it is the normal approximation with
    tie and continuity correction. "half two-sided" is what scipy 1.6 returned by default, and so what the released code
    tests by: half of the two-sided p of the normal approximation, with both corrections. "greater" (ranking values
    tend to be the larger) and "less" are one-sided, by the same distribution of U as "two-sided".

    Ties within a sample alone are broken: however that is done, U is the same, and so is p.

    Source: Kobs et al., section 4.3. Raises ValueError on an empty sample, NaN or another alternative.

    >>> mann_whitney([3.1, 4.0, 5.2], [1.0, 2.0, 2.5, 3.0])
    MannWhitney(u=12.0, p_value=0.05714285714285714)
    """
    ranking, classification = np.asarray(ranking, dtype=float), np.asarray(classification, dtype=float)
    if not len(ranking) or not len(classification) or np.isnan([*ranking, *classification]).any():
        raise ValueError("the Mann-Whitney test needs two samples of numbers")
    if alternative not in ALTERNATIVES + ONE_SIDED:
        raise ValueError(f"unknown alternative {alternative!r}; known: {', '.join(ALTERNATIVES + ONE_SIDED)}")
    if alternative == "half two-sided":
        test = scipy.stats.mannwhitneyu(ranking, classification, alternative="two-sided", method="asymptotic")
        return MannWhitney(float(test.statistic), float(test.pvalue) / 2)
    if 1 in (len(ranking), len(classification)):
        return _one_alone(ranking, classification, alternative)
    method = _method(ranking, classification)
    test = scipy.stats.mannwhitneyu(ranking, classification, alternative=alternative, method=method)
    return MannWhitney(float(test.statistic), float(test.pvalue))


def _one_alone(ranking: np.ndarray, classification: np.ndarray, alternative: str) -> MannWhitney:
    """The exact test where a sample has one value only, which scipy does not enumerate: any of all could be that value."""
    values = np.concatenate([ranking, classification])
    exceeds = np.array([((value > values).sum() + ((value == values).sum() - 1) / 2) for value in values])
    alone = exceeds[0 if len(ranking) == 1 else -1]
    us, u = (exceeds, alone) if len(ranking) == 1 else (len(ranking) - exceeds, len(ranking) - alone)
    sides = {"greater": (us >= u).mean(), "less": (us <= u).mean()}
    return MannWhitney(float(u), float(sides.get(alternative, min(1, 2 * min(sides.values())))))


def _method(ranking: np.ndarray, classification: np.ndarray) -> str | scipy.stats.PermutationMethod:
    if not set(ranking) & set(classification):
        return "exact"
    if math.comb(len(ranking) + len(classification), len(ranking)) <= MAX_SPLITS:
        return scipy.stats.PermutationMethod(n_resamples=MAX_SPLITS)  # enumerates, as there are fewer splits than that
    return "asymptotic"
