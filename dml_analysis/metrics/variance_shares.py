"""How much of the variance of trainings their type, method, fold and seed account for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped


class VarianceShares(NamedTuple):
    """Shares of the total variance, which sum to 1."""

    type: float
    method: float  # of the methods within a type
    fold: float
    seed: float
    residual: float  # of the training: all that these four do not account for, interactions too


def variance_shares(
    similarity: Float[np.ndarray, "n n"],
    types: Sequence[str] | Shaped[np.ndarray, " n"],
    methods: Sequence[str] | Shaped[np.ndarray, " n"],
    folds: Sequence[int] | Int[np.ndarray, " n"],
    seeds: Sequence[int] | Int[np.ndarray, " n"],
) -> VarianceShares:
    """Return the shares of random effects in the variance of n trainings.

    similarity: inner products of the trainings, up to a shift, such as the noise-corrected
    correlations of their maps with ones on the diagonal; y y' for trainings with a number y each.

    The sums of squares are those of PERMANOVA (Anderson, Austral Ecology 26, 2001), which for
    numbers are the usual ones. Variances are estimated from mean squares (the method of moments of
    a mixed model); negative ones count as zero. NaN if the trainings do not vary. Raises
    ValueError unless each method has one training in each fold with each seed, there are two types,
    folds and seeds or more, and some type has several methods.
    """
    similarity = np.asarray(similarity, dtype=np.float64)
    n = len(similarity)
    columns = [
        np.unique(np.asarray(each), return_inverse=True)[1]
        for each in (types, methods, folds, seeds)
    ]
    n_types, n_methods, n_folds, n_seeds = (int(each.max()) + 1 for each in columns)
    cells = set(zip(*(each.tolist() for each in columns[1:])))
    if similarity.shape != (n, n) or not len(cells) == n == n_methods * n_folds * n_seeds:
        raise ValueError("need a training of each method in each fold with each seed")
    sizes = np.array([len(set(columns[1][columns[0] == each])) for each in range(n_types)])
    if min(n_types, n_folds, n_seeds) < 2 or sizes.sum() != n_methods or n_methods == n_types:
        raise ValueError("need two types, folds and seeds, and methods of one type each")
    of_type, of_method, of_fold, of_seed = (_between(similarity, each) for each in columns)
    total = np.trace(similarity) - similarity.sum() / n
    of_residual = total - of_method - of_fold - of_seed
    degrees = n_types - 1, n_methods - n_types, n_folds - 1, n_seeds - 1
    free = n - 1 - (n_methods - 1) - degrees[2] - degrees[3]
    residual = of_residual / free
    per_method = n / n_methods
    per_type = (n_methods - (sizes**2).sum() / n_methods) / (n_types - 1)
    mean_method = (of_method - of_type) / degrees[1]
    variances = np.array(
        [
            (of_type / degrees[0] - mean_method) / (per_method * per_type),
            (mean_method - residual) / per_method,
            (of_fold / degrees[2] - residual) / (n / n_folds),
            (of_seed / degrees[3] - residual) / (n / n_seeds),
            residual,
        ]
    )
    variances = np.maximum(variances, 0)
    scale = variances.sum()
    shares = variances / scale if scale > 0 else np.full(5, np.nan)
    return VarianceShares(*map(float, shares))


def _between(similarity: Float[np.ndarray, "n n"], groups: Int[np.ndarray, " n"]) -> float:
    """Return the sum of squares between groups, given by their numbers."""
    members = np.eye(groups.max() + 1)[groups]
    means = np.einsum("ig,ij,jg->g", members, similarity, members) / members.sum(axis=0)
    return float(means.sum() - similarity.sum() / len(similarity))
