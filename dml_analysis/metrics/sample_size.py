"""How many images, queries or folds it takes to tell two models apart."""

import numpy as np
import scipy.stats

LEVEL = 0.05  # of the test,
POWER = 0.8  # and how often it is to find a difference that is there
FEWEST = 2  # images


def images_needed(differences, level=LEVEL, power=POWER):
    """(pairs,): on how many images a one-sided test would find that a pair's mean difference is above 0.

    differences (n, pairs): of n images. By the normal approximation, ((z_level + z_power) sd / mean)^2, with the sd and the mean of
    these images; infinite where the mean is not above 0. Raises ValueError with fewer than two images.
    """
    differences = np.asarray(differences, dtype=np.float64)
    if len(differences) < 2:
        raise ValueError("needs two images or more")
    mean, sd = differences.mean(axis=0), differences.std(axis=0, ddof=1)
    both = scipy.stats.norm.ppf(1 - level) + scipy.stats.norm.ppf(power)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.ceil((both * sd / mean) ** 2)
    return np.where(mean > 0, np.maximum(needed, FEWEST), np.inf)


def least_difference(of_queries, of_folds, n_queries, n_folds, level=LEVEL, power=POWER):
    """The smallest true difference that a two-sided test on so many queries and folds would find.

    of_queries, of_folds: variances of the difference between single queries, and between the means of single folds.
    """
    both = scipy.stats.norm.ppf(1 - level / 2) + scipy.stats.norm.ppf(power)
    return both * np.sqrt(np.asarray(of_queries) / n_queries + np.asarray(of_folds) / n_folds)


def variances(differences):
    """(variance over queries, variance over folds), each (k,), of differences (folds, n, k) of two models; NaN are left out.

    Over queries: of their means over the folds. Over folds: of their means over the queries, less what queries alone would make
    of it, 0 at least; NaN of one fold.
    """
    differences = np.asarray(differences, dtype=np.float64)
    folds, n = differences.shape[:2]
    of_queries = np.nanvar(differences.mean(axis=0), axis=0, ddof=1)
    if folds < 2:
        return of_queries, np.full(differences.shape[2], np.nan)
    of_means = np.nanmean(differences, axis=1).var(axis=0, ddof=1)
    by_queries = np.nanvar(differences - differences.mean(axis=0), axis=1, ddof=1).sum(axis=0) / (folds - 1) / n
    return of_queries, np.maximum(of_means - by_queries, 0)
