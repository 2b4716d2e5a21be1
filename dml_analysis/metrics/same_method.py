"""Whether trainings of one method are more alike than trainings of different methods."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from dml_analysis.metrics.intervals import mean_interval

PERMUTATIONS = 10_000
ROUNDING = 1e-12


class SameMethod(NamedTuple):
    """The result of same_method_test."""

    same: float  # the mean similarity of two trainings of one method
    other: float  # of two trainings of different methods
    difference: float
    low: float  # of the 95% interval, over methods
    high: float
    p_value: float  # two-sided
    n_methods: int  # that are compared with another


def same_method_test(
    similarity: Float[np.ndarray, "m c m c"],
    strata: Sequence[float] | Shaped[np.ndarray, " m"],
    seed: int,
    permutations: int = PERMUTATIONS,
) -> SameMethod:
    """Return whether trainings of one method are more alike than those of different methods.

    similarity: of m methods' trainings in c cells, such as folds and seeds; NaN for a missing one.
    Only trainings of different cells are compared, as those of one cell have seen the same batches.
    strata: of the methods, such as learning rates; only methods of one stratum are compared.

    Each method has the difference between its own pairs of cells and those with the other methods
    of its stratum. Under the null hypothesis, which method a training has says nothing about its
    similarity to others. So in each cell but the first the methods of a stratum are permuted, and p
    is (1 + count) / (1 + permutations), where count is how often the mean difference is at least as
    far from zero. All is NaN if fewer than two methods share a stratum.
    """
    similarity = np.asarray(similarity, dtype=np.float64)
    strata = np.asarray(strata)
    members = [np.flatnonzero(strata == each) for each in np.unique(strata)]
    members = [each for each in members if len(each) > 1]
    if not members:
        return SameMethod(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 0)
    rng = np.random.default_rng(seed)
    n_methods, n_cells = similarity.shape[:2]
    orders = np.tile(np.arange(n_methods), (1 + permutations, n_cells, 1))
    for cell, stratum in product(range(1, n_cells), members):
        orders[1:, cell, stratum] = rng.permuted(orders[1:, cell, stratum], axis=1)
    own, other = (
        np.concatenate(each, axis=1)
        for each in zip(*(_own_and_other(similarity, orders, stratum) for stratum in members))
    )
    means = np.nanmean(own - other, axis=1)
    count = int((np.abs(means[1:]) >= abs(means[0]) * (1 - ROUNDING)).sum())
    compared = np.isfinite(own[0] - other[0])
    mean, low, high = mean_interval((own - other)[0, compared])
    same, different = float(own[0, compared].mean()), float(other[0, compared].mean())
    p_value = (1 + count) / (1 + permutations)
    return SameMethod(same, different, mean, low, high, p_value, int(compared.sum()))


def _own_and_other(
    similarity: Float[np.ndarray, "m c m c"],
    orders: Int[np.ndarray, "p c m"],
    stratum: Int[np.ndarray, " k"],
) -> tuple[Float[np.ndarray, "p k"], Float[np.ndarray, "p k"]]:
    """Return the mean similarity of each method's own pairs, and of those with the others.

    orders: which training counts as which method's, in each cell.
    """
    shape = len(orders), len(stratum)
    sums, counts = np.zeros((2, *shape)), np.zeros((2, *shape))
    for a, b in combinations(range(similarity.shape[1]), 2):
        block = similarity[:, a, :, b]
        known = np.isfinite(block)
        block = np.where(known, block, 0)
        rows, columns = orders[:, a, stratum], orders[:, b, stratum]
        inside = np.ix_(stratum, stratum)
        for values, total in ((block, sums), (known, counts)):
            of_rows, of_columns = np.zeros((2, len(block)))
            of_rows[stratum], of_columns[stratum] = (
                values[inside].sum(axis=1),
                values[inside].sum(axis=0),
            )
            own = values[rows, columns]
            total[0] += own
            total[1] += of_rows[rows] + of_columns[columns] - 2 * own
    with np.errstate(invalid="ignore"):
        own, other = np.where(counts > 0, sums / counts, np.nan)
    return own, other
