"""Embedding shifts: how far an embedding moves if one property of a car changes, or only noise."""

import numpy as np
import scipy.stats
from jaxtyping import Bool, Float
from scipy.spatial.distance import pdist

RESAMPLES = 2_000
LEVEL = 0.95
CHANGED = 4 / 255  # a pixel has changed if the mean difference of its channels is larger


def relative_shifts(
    base: Float[np.ndarray, "s d"], changed: Float[np.ndarray, "s p d"]
) -> Float[np.ndarray, "s p"]:
    """Return the Euclidean length of embedding shifts, by the median distance of base images.

    base: embeddings of the base images of s counterfactual sets. changed: of the p other images of
    each set. Raises ValueError for fewer than two sets, or if the median distance of their base
    images is 0.
    """
    base, changed = np.asarray(base, dtype=np.float64), np.asarray(changed, dtype=np.float64)
    unit = np.median(pdist(base)) if len(base) > 1 else 0
    if not unit > 0:
        raise ValueError("need at least two counterfactual sets, with different embeddings")
    return np.linalg.norm(changed - base[:, None], axis=2) / unit


def interval(
    values: Float[np.ndarray, "n p"], seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> Float[np.ndarray, "2 p"]:
    """Return the lower and upper bounds of the means over rows, by the bootstrap over rows."""
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples)
    return np.quantile(counts @ values / n, [(1 - level) / 2, (1 + level) / 2], axis=0)


def rank_correlation(a: Float[np.ndarray, " p"], b: Float[np.ndarray, " p"]) -> tuple[float, float]:
    """Return Spearman's correlation and its two-sided p value.

    Both are NaN if a value is not finite, or if all values of a or of b are equal.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if not np.isfinite([a, b]).all() or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan, np.nan
    test = scipy.stats.spearmanr(a, b)
    return float(test.statistic), float(test.pvalue)


def changed_pixels(
    base: Float[np.ndarray, "h w 3"], changed: Float[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """Return whether each pixel of two pictures, in [0, 1], differs by more than CHANGED."""
    return np.abs(np.asarray(changed, np.float64) - base).mean(axis=2) > CHANGED


def carried(
    saliency: Float[np.ndarray, "h w"], changed: Bool[np.ndarray, "h w"]
) -> tuple[float, float]:
    """Return the shares of a saliency map's mass and of all pixels that are on changed pixels.

    The share of mass is NaN for a map of zeros.
    """
    total = saliency.sum(dtype=np.float64)
    mass = float(saliency[changed].sum(dtype=np.float64) / total) if total else np.nan
    return mass, float(changed.mean())
