"""Whether trainings of one method are more alike than trainings of different methods."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from dml_analysis.metrics.intervals import mean_interval

PERMUTATIONS = 10_000


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
        return SameMethod(*[np.nan] * 6, 0)
    pairs = list(combinations(range(similarity.shape[1]), 2))

    def own_and_other(orders: Int[np.ndarray, "c m"]) -> Float[np.ndarray, "2 k"]:
        """Return each method's means, of own pairs and of others; orders: of each cell's methods."""
        values = []
        for stratum in members:
            own, other = [], []
            for a, b in pairs:
                block = similarity[np.ix_(orders[a][stratum], [a], orders[b][stratum], [b])]
                block = block[:, 0, :, 0]
                own.append(block.diagonal())
                off = np.where(np.eye(len(stratum), dtype=bool), np.nan, block)
                other.append(np.concatenate([off, off.T], axis=1))
            with np.errstate(invalid="ignore"):
                values.append(
                    [_row_means(np.array(own).T), _row_means(np.concatenate(other, axis=1))]
                )
        return np.concatenate(values, axis=1)

    n_methods, n_cells = similarity.shape[:2]
    identity = np.tile(np.arange(n_methods), (n_cells, 1))
    own, other = own_and_other(identity)
    compared = np.isfinite(own) & np.isfinite(other)
    mean, low, high = mean_interval((own - other)[compared])
    rng, count = np.random.default_rng(seed), 0
    for _ in range(permutations):
        orders = identity.copy()
        for cell in range(1, n_cells):
            for stratum in members:
                orders[cell][stratum] = rng.permutation(stratum)
        random_own, random_other = own_and_other(orders)
        count += abs(np.nanmean(random_own - random_other)) >= abs(mean) * (1 - 1e-12)
    p_value = (1 + count) / (1 + permutations)
    means = own[compared].mean(), other[compared].mean()
    return SameMethod(*map(float, (*means, mean, low, high, p_value)), int(compared.sum()))


def _row_means(values: Float[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
    """Return the mean of each row's finite values; NaN for none."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
