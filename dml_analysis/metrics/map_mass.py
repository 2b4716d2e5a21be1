"""Where a saliency map lies in a picture whose parts are known: on the car, the ground or the backdrop."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from dml_analysis.datasets.images import part_seen
from dml_analysis.datasets.masks import BACKDROP, CAR, GROUND

REGIONS = {"car": CAR, "ground": GROUND, "backdrop": BACKDROP}


class Located(NamedTuple):
    """Of n maps: what lies in each of r regions, as shares that sum to 1; NaN of a map that is the same everywhere."""

    mass: np.ndarray  # (n, r) of the sum of the map's values
    highest: np.ndarray  # (n, r) of its highest pixels, which share the largest value: the pointing game
    pixels: np.ndarray  # (n, r) of all pixels: what a map that knows nothing has


def region_shares(mask, crop):
    """(3, h, w): how much of each pixel of a network's input is car, ground and backdrop.

    mask (H, W): of a whole picture, as dml_analysis/datasets/masks.py reads it; crop: the part of the picture that the network sees, and its
    size in pixels.
    """
    box, (height, width) = part_seen(mask.shape[::-1], crop), crop.size
    parts = [Image.fromarray((mask == number).astype(np.float32)) for number in REGIONS.values()]
    return np.stack([part.resize((width, height), Image.Resampling.BOX, box) for part in parts])


def located(maps, shares):
    """The Located of maps (n, h, w) of values >= 0, in pictures whose pixels (n, r, h, w) are so much of each region.

    Zhang et al. (ECCV 2016) ask whether the highest pixel hits; maps are cut at their 99th percentile, so that many pixels
    are highest: the share of these that hit is what any of them would on average.
    """
    maps, shares = np.asarray(maps, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    highest = maps == maps.max(axis=(1, 2), keepdims=True)
    differs = (maps.max(axis=(1, 2)) > maps.min(axis=(1, 2)))[:, None]
    found = [np.where(differs, _weighted(weights, shares), np.nan) for weights in (maps, highest)]
    return Located(*found, shares.mean(axis=(2, 3)))


def _weighted(weights, shares):
    """(n, r): the mean of shares (n, r, h, w) by weights (n, h, w)."""
    totals = weights.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return np.einsum("nhw,nrhw->nr", weights, shares) / totals[:, None]
