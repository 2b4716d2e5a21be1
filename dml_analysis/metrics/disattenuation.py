"""Between what the similarity of two networks' saliency maps lies: its floor, its ceiling, and what either leaves of it."""

from typing import NamedTuple

import numpy as np

RESAMPLES = 2_000
PERMUTATIONS = 10_000
LEVEL = 0.95


def corrected(r, ceiling_a, ceiling_b):
    """A correlation of maps corrected for attenuation (Spearman, 1904): divided by the root of both networks' ceilings.

    A ceiling is the correlation of a network's maps under two draws of noise. NaN where one is not above 0; above 1 where noise
    has it so.
    """
    product = np.asarray(ceiling_a, dtype=float) * ceiling_b
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((product > 0) & (np.asarray(ceiling_a) > 0), np.asarray(r) / np.sqrt(product), np.nan)


class Matching(NamedTuple):
    """Of maps under two folds' networks: correlations, by Fisher's z, where the loss is the same and where it is not."""

    same: float
    other: float
    low: float  # of the difference in z, same less other, over images
    high: float
    p_value: float  # that losses matched at random would be as much alike as the same losses are, one-sided


def matching(r, seed, resamples=RESAMPLES, permutations=PERMUTATIONS, level=LEVEL):
    """The Matching of correlations r (n, l, l) of n images: of the map of loss a in one fold with that of loss b in another.

    r may also be (n, f, l, l) for several pairs of folds, which are averaged. Intervals by the bootstrap over images; p by
    matching the losses of one fold with those of the other in any order. Images with a NaN are left out.
    """
    z = np.arctanh(np.asarray(r, dtype=np.float64))
    z = z.mean(axis=1) if z.ndim == 4 else z
    z = z[np.isfinite(z).all(axis=(1, 2))]
    losses, rng = z.shape[1], np.random.default_rng(seed)
    if not len(z) or losses < 2:
        return Matching(*[np.nan] * 5)
    same = np.einsum("naa->n", z) / losses
    other = (z.sum(axis=(1, 2)) - losses * same) / (losses * (losses - 1))
    weights = rng.multinomial(len(z), np.full(len(z), 1 / len(z)), resamples) / len(z)
    low, high = np.quantile(weights @ (same - other), [(1 - level) / 2, (1 + level) / 2])
    mean = z.mean(axis=0)
    orders = rng.permuted(np.tile(np.arange(losses), (permutations, 1)), axis=1)
    matched = mean[np.arange(losses), orders].mean(axis=1)
    p_value = (1 + (matched >= mean.trace() / losses - 1e-12).sum()) / (1 + permutations)
    return Matching(*(float(each) for each in (np.tanh(same.mean()), np.tanh(other.mean()), low, high, p_value)))
