"""Noise-corrected similarity of saliency maps, and the similarity of the same losses' maps."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

RESAMPLES = 2_000
PERMUTATIONS = 10_000
LEVEL = 0.95


def corrected(
    r: Float[np.ndarray, "*shape"] | float,
    ceiling_a: Float[np.ndarray, "*shape"] | float,
    ceiling_b: Float[np.ndarray, "*shape"] | float,
) -> Float[np.ndarray, "*shape"]:
    """Return a correlation of two networks' maps, noise-corrected (Spearman, 1904).

    The correlation is divided by the geometric mean of both noise ceilings. A network's noise
    ceiling is the correlation of its maps under two samples of noise. NaN if a ceiling is not
    above 0. Noise can push the result above 1.
    """
    product = np.asarray(ceiling_a, dtype=np.float64) * ceiling_b
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient = np.asarray(r) / np.sqrt(product)
    return np.where((product > 0) & (np.asarray(ceiling_a) > 0), quotient, np.nan)


class Matching(NamedTuple):
    """Correlations of maps between two folds, averaged by Fisher's z."""

    same: float  # of maps of the same loss
    other: float  # of maps of different losses
    low: float  # of the interval of the mean difference in z, same minus other
    high: float
    p_value: float  # one-sided; of a random matching of losses correlating as well as `same`


def matching(
    r: Float[np.ndarray, "n *f l l"],
    seed: int,
    resamples: int = RESAMPLES,
    permutations: int = PERMUTATIONS,
    level: float = LEVEL,
) -> Matching:
    """Return the correlations of maps of the same and of different losses, compared.

    r: for n images and f pairs of folds, the correlation of the map of each loss in one fold with
    that of each loss in the other. Pairs of folds are averaged. The interval is by the bootstrap
    over images. p is by matching the losses of both folds at random. Images with a NaN are left
    out. All is NaN if no image remains, or with fewer than two losses.
    """
    z = np.arctanh(np.asarray(r, dtype=np.float64))
    z = z.mean(axis=1) if z.ndim == 4 else z
    z = z[np.isfinite(z).all(axis=(1, 2))]
    n_losses, rng = z.shape[1], np.random.default_rng(seed)
    if not len(z) or n_losses < 2:
        return Matching(*[np.nan] * 5)
    same = np.einsum("naa->n", z) / n_losses
    other = (z.sum(axis=(1, 2)) - n_losses * same) / (n_losses * (n_losses - 1))
    weights = rng.multinomial(len(z), np.full(len(z), 1 / len(z)), resamples) / len(z)
    low, high = np.quantile(weights @ (same - other), [(1 - level) / 2, (1 + level) / 2])
    mean = z.mean(axis=0)
    orders = rng.permuted(np.tile(np.arange(n_losses), (permutations, 1)), axis=1)
    random_means = mean[np.arange(n_losses), orders].mean(axis=1)
    n_as_large = (random_means >= mean.trace() / n_losses - 1e-12).sum()
    return Matching(
        same=float(np.tanh(same.mean())),
        other=float(np.tanh(other.mean())),
        low=float(low),
        high=float(high),
        p_value=float((1 + n_as_large) / (1 + permutations)),
    )
