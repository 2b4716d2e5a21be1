"""Similarity of saliency maps from two independent halves of the noise, without its bias."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dml_analysis.metrics.disattenuation import corrected


class Halves(NamedTuple):
    """Similarities of k networks' maps, means over the images by Fisher's z."""

    similarity: Float[np.ndarray, "k k"]  # of maps from different halves; NaN on the diagonal
    ceilings: Float[np.ndarray, " k"]  # of each network's own two maps: its noise ceiling
    corrected: Float[np.ndarray, "k k"]  # similarity without the noise; NaN on the diagonal


def compare_halves(
    first: Float[np.ndarray, "k n h w"], second: Float[np.ndarray, "k n h w"]
) -> Halves:
    """Return the similarities of k networks' maps of n images, each made twice with other noise.

    A map of one half is correlated with those of the other half only. So the noise of two maps is
    independent, whether they are of one network or of two, and dividing by the geometric mean of
    both noise ceilings (Spearman, 1904) estimates the correlation of maps without noise. Images
    where a map of any network is constant are left out. All is NaN if none is left. Raises
    ValueError unless both halves have the same shape.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 4:
        raise ValueError(f"need maps (k, n, h, w) twice, not {first.shape} and {second.shape}")
    k, n = first.shape[:2]
    z = np.full((n, k, k), np.nan)
    for image in range(n):
        a, b = _standardised(first[:, image]), _standardised(second[:, image])
        with np.errstate(divide="ignore"):  # two equal maps have an infinite z
            z[image] = np.arctanh(np.clip(a @ b.T, -1, 1))
    z = z[~np.isnan(z).any(axis=(1, 2))]
    mean = z.mean(axis=0) if len(z) else np.full((k, k), np.nan)
    ceilings = np.tanh(mean.diagonal())
    similarity = np.tanh((mean + mean.T) / 2)
    np.fill_diagonal(similarity, np.nan)
    return Halves(similarity, ceilings, corrected(similarity, ceilings[:, None], ceilings))


def _standardised(maps: Float[np.ndarray, "k h w"]) -> Float[np.ndarray, "k pixels"]:
    """Return maps with mean 0 and norm 1; NaN for a constant one."""
    maps = maps.reshape(len(maps), -1).astype(np.float64)
    maps -= maps.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(maps, axis=1, keepdims=True)
    return maps / np.where(norms > 0, norms, np.nan)
