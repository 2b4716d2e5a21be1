"""The share of a saliency map's mass on each region of a picture: car, ground and backdrop."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from dml_analysis.datasets.images import Crop, part_seen
from dml_analysis.datasets.masks import BACKDROP, CAR, GROUND

REGIONS = {"car": CAR, "ground": GROUND, "backdrop": BACKDROP}


class Located(NamedTuple):
    """Shares of n maps in r regions, which sum to 1; NaN for a constant map."""

    mass: Float[np.ndarray, "n r"]  # of the sum of the map's values
    highest: Float[np.ndarray, "n r"]  # of the pixels with the map's maximum: the pointing game
    pixels: Float[np.ndarray, "n r"]  # of all pixels: the baseline of an uninformed map


def region_shares(mask: Int[np.ndarray, "height width"], crop: Crop) -> Float[np.ndarray, "3 h w"]:
    """Return the share of car, ground and backdrop in each pixel of a network's input.

    mask: of the complete picture, as datasets/masks.py reads it; crop: what the network sees of it.
    """
    (mask_height, mask_width), (height, width) = mask.shape, crop.size
    box = part_seen((mask_width, mask_height), crop)
    regions = [Image.fromarray((mask == code).astype(np.float32)) for code in REGIONS.values()]
    shares = [region.resize((width, height), Image.Resampling.BOX, box) for region in regions]
    return np.stack([np.asarray(share) for share in shares])


def located(maps: Float[np.ndarray, "n h w"], shares: Float[np.ndarray, "n r h w"]) -> Located:
    """Return the shares of maps, with values of at least 0, in each region of their pictures.

    shares: how much of each pixel belongs to each region. In the pointing game (Zhang et al., ECCV
    2016), a map scores if its highest pixel hits. Saliency maps are clipped at their 99th
    percentile, so many pixels share the maximum. The share of these that hit is the score that any
    one of them has on average.
    """
    maps, shares = np.asarray(maps, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    maxima = maps.max(axis=(1, 2))
    varies = (maxima > maps.min(axis=(1, 2)))[:, None]
    mass = np.where(varies, _weighted_mean(maps, shares), np.nan)
    highest = np.where(varies, _weighted_mean(maps == maxima[:, None, None], shares), np.nan)
    return Located(mass, highest, shares.mean(axis=(2, 3)))


def _weighted_mean(
    weights: Float[np.ndarray, "n h w"], shares: Float[np.ndarray, "n r h w"]
) -> Float[np.ndarray, "n r"]:
    """Return the mean of shares over pixels, by weights."""
    totals = weights.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return np.einsum("nhw,nrhw->nr", weights, shares) / totals[:, None]
