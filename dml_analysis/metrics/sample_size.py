"""Sample-size analysis: the number of images, queries or folds that tells two models apart."""

import numpy as np
import scipy.stats
from jaxtyping import Float

LEVEL = 0.05  # of the test
POWER = 0.8  # the probability that the test finds a true difference
FEWEST = 2  # images


def images_needed(
    differences: Float[np.ndarray, "n pairs"], level: float = LEVEL, power: float = POWER
) -> Float[np.ndarray, " pairs"]:
    """Return how many images a one-sided test needs to find that a mean difference is above 0.

    differences: of each of n images, for each pair of models. By the normal approximation, the
    number is ((z_level + z_power) sd / mean)^2, with the sd and the mean of these images. It is
    infinite if the mean is not above 0. Raises ValueError for fewer than two images.
    """
    differences = np.asarray(differences, dtype=np.float64)
    if len(differences) < 2:
        raise ValueError(f"need at least two images, not {len(differences)}")
    mean, sd = differences.mean(axis=0), differences.std(axis=0, ddof=1)
    z_sum = scipy.stats.norm.ppf(1 - level) + scipy.stats.norm.ppf(power)
    with np.errstate(divide="ignore", invalid="ignore"):
        n_images = np.ceil((z_sum * sd / mean) ** 2)
    return np.where(mean > 0, np.maximum(n_images, FEWEST), np.inf)


def least_difference(
    of_queries: Float[np.ndarray, "*shape"] | float,
    of_folds: Float[np.ndarray, "*shape"] | float,
    n_queries: int,
    n_folds: int,
    level: float = LEVEL,
    power: float = POWER,
) -> Float[np.ndarray, "*shape"]:
    """Return the smallest true difference that a two-sided test would find with this power.

    of_queries, of_folds: variances of the difference between single queries, and between the means
    of single folds.
    """
    z_sum = scipy.stats.norm.ppf(1 - level / 2) + scipy.stats.norm.ppf(power)
    return z_sum * np.sqrt(np.asarray(of_queries) / n_queries + np.asarray(of_folds) / n_folds)


def variances(
    differences: Float[np.ndarray, "folds n k"],
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Return the variances over queries and over folds of the difference of two models.

    NaN are left out. The variance over queries is of their means over folds. The variance over
    folds is of their means over queries, minus the part that queries alone explain, and at least 0.
    It is NaN for one fold.
    """
    differences = np.asarray(differences, dtype=np.float64)
    folds, n = differences.shape[:2]
    of_queries = np.nanvar(differences.mean(axis=0), axis=0, ddof=1)
    if folds < 2:
        return of_queries, np.full(differences.shape[2], np.nan)
    of_means = np.nanmean(differences, axis=1).var(axis=0, ddof=1)
    residuals = differences - differences.mean(axis=0)
    by_queries = np.nanvar(residuals, axis=1, ddof=1).sum(axis=0) / (folds - 1) / n
    return of_queries, np.maximum(of_means - by_queries, 0)
