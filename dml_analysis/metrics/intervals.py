"""The confidence interval of a mean, and the resampling of the bootstrap."""

from functools import lru_cache

import numpy as np
import scipy.stats
from jaxtyping import Float

LEVEL = 0.95


def mean_interval(
    values: Float[np.ndarray, " n"], level: float = LEVEL
) -> tuple[float, float, float]:
    """Return (mean, low, high): the mean and its interval by Student's t.

    The interval is NaN for fewer than two values, the mean for none.
    """
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean()) if len(values) else np.nan
    if len(values) < 2:
        return mean, np.nan, np.nan
    quantile = scipy.stats.t.ppf((1 + level) / 2, len(values) - 1)
    half = quantile * values.std(ddof=1) / len(values) ** 0.5
    return mean, float(mean - half), float(mean + half)


def resample_counts(
    generator: np.random.Generator, n: int, resamples: int
) -> Float[np.ndarray, "resamples n"]:
    """Return how often each of n is among n sampled with replacement."""
    return generator.multinomial(n, np.full(n, 1 / n), resamples).astype(float)


@lru_cache(maxsize=4)  # many statistics are about the same points
def seeded_resample_counts(seed: int, n: int, resamples: int) -> Float[np.ndarray, "resamples n"]:
    """Return resample_counts by a generator with this seed."""
    return resample_counts(np.random.default_rng(seed), n, resamples)
