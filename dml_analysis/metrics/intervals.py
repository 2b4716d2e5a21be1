"""The interval of a mean."""

import numpy as np
import scipy.stats

LEVEL = 0.95


def mean_interval(values, level=LEVEL):
    """(mean, low, high) of values (n,), by Student's t; the interval is NaN for fewer than two."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean()) if len(values) else np.nan
    if len(values) < 2:
        return mean, np.nan, np.nan
    half = scipy.stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return mean, float(mean - half), float(mean + half)
