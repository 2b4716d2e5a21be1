"""How far an embedding moves when one property of a car is changed and nothing else."""

import numpy as np
import scipy.stats
from scipy.spatial.distance import pdist

RESAMPLES = 2_000
LEVEL = 0.95
CHANGED = 4 / 255  # by which a pixel must differ, mean over the channels, to count as changed


def movements(base, changed):
    """(s, p): by how much embeddings move, in units of the median distance between unrelated images.

    base (s, d): embeddings of s scenes; changed (s, p, d): of the same scenes with each of p properties changed. Distances are
    Euclidean; unrelated images are the scenes' own. Raises ValueError with fewer than two scenes, or if the median is 0.
    """
    base, changed = np.asarray(base, dtype=np.float64), np.asarray(changed, dtype=np.float64)
    unit = np.median(pdist(base)) if len(base) > 1 else 0
    if not unit > 0:
        raise ValueError("needs two scenes or more, whose embeddings differ")
    return np.linalg.norm(changed - base[:, None], axis=2) / unit


def interval(values, seed, resamples=RESAMPLES, level=LEVEL):
    """(low, high), each (p,): percentiles of the mean of values (n, p) over samples of as many rows, drawn with replacement."""
    values = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).multinomial(len(values), np.full(len(values), 1 / len(values)), resamples)
    return np.quantile(drawn @ values / len(values), [(1 - level) / 2, (1 + level) / 2], axis=0)


def rank_correlation(a, b):
    """(Spearman's correlation of two lists of p numbers, its two-sided p value); NaN if there is a NaN or no spread."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if not np.isfinite([a, b]).all() or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan, np.nan
    return tuple(map(float, scipy.stats.spearmanr(a, b)))


def changed_pixels(base, changed):
    """(h, w): whether each pixel of two pictures (h, w, 3), in [0, 1], differs by more than CHANGED."""
    return np.abs(np.asarray(changed, np.float64) - base).mean(axis=2) > CHANGED


def carried(saliency, changed):
    """(share of a map's mass (h, w) on changed pixels (h, w), share of pixels that are changed); NaN mass of a map of zeros."""
    total = saliency.sum(dtype=np.float64)
    return float(saliency[changed].sum(dtype=np.float64) / total) if total else np.nan, float(changed.mean())
