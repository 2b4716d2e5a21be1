"""Augmentation of training images: a random part of each, mirrored or not, with other colours.

The kinds are the Reality Check's and those of Roth et al. (ICML 2020, arXiv 2002.08473).
"""

import random
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from torchvision.transforms import functional

from dml_analysis.datasets.images import Crop, resized_size
from dml_analysis.networks.transforms import Transform

TRIES = 10  # to sample a part inside the image; after that it is the middle
GRAY = 0.2  # probability that an image whose colours change becomes gray
JITTER = 0.2  # maximum change of brightness, contrast and saturation (share) and hue (turns)
BIG, BIG_OF = 256, (224, 227)  # side in pixels of the kind `big`, and the sides it replaces


class Augmentation(NamedTuple):
    """A kind of augmentation; the defaults are torchvision's RandomResizedCrop."""

    # Minimum and maximum share of the image's area; None: the part is cut out without resizing.
    scale: tuple[float, float] | None = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)  # minimum and maximum width by height
    resized: bool = False  # whether the image is resized first, as for evaluation
    colours: bool = False  # whether colours change
    big: bool = False  # whether the result has more pixels than for evaluation


KINDS = {
    "reality_check": Augmentation((0.16, 1.0), (0.75, 1.33), resized=True),
    # Roth et al.
    "base": Augmentation(),
    "adv": Augmentation(colours=True),
    "big": Augmentation(big=True),
    "red": Augmentation(scale=None, resized=True),
}


def augmented(
    image: Image.Image, crop: Crop, rng: random.Random, kind: str = "reality_check"
) -> Image.Image:
    """Return a random part of an RGB image, mirrored or not, of `shown_size(crop, kind)`.

    kind: one of KINDS. The part is sampled as in torchvision's RandomResizedCrop or RandomCrop.
    """
    augmentation = KINDS[kind]
    if augmentation.resized:
        image = image.resize(resized_size(image.size, crop), Image.Resampling.BILINEAR)
    height, width = shown_size(crop, kind)
    if augmentation.scale is None:
        part = image.crop(_window(*image.size, width, height, rng))
    else:
        box = _part(*image.size, augmentation.scale, augmentation.ratio, rng)
        part = image.crop(box).resize((width, height), Image.Resampling.BILINEAR)
    if augmentation.colours:
        part = _recoloured(part, rng)
    return ImageOps.mirror(part) if rng.random() < 0.5 else part


def shown_size(crop: Crop, kind: str) -> tuple[int, int]:
    """Return (height, width) of an augmented image.

    It is `crop.size`, or for `big` 256 pixels for a side of 224 or 227, others in proportion.
    """
    if not KINDS[kind].big:
        return crop.size
    height, width = (BIG if side in BIG_OF else round(side * BIG / BIG_OF[0]) for side in crop.size)
    return height, width


def _window(
    width: int, height: int, columns: int, rows: int, rng: random.Random
) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of a random window, columns x rows, of an image.

    A window larger than the image contains it.
    """
    left, top = (
        rng.randint(min(0, spare), max(0, spare)) for spare in (width - columns, height - rows)
    )
    return left, top, left + columns, top + rows


def _part(
    width: int,
    height: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    rng: random.Random,
) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of a random part of an image; see Augmentation."""
    narrowest, widest = ratio
    for _ in range(TRIES):
        area = width * height * rng.uniform(*scale)
        aspect = narrowest * (widest / narrowest) ** rng.random()  # its logarithm is uniform
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left, top = rng.randint(0, width - w), rng.randint(0, height - h)
            return left, top, left + w, top + h
    w, h = min(width, round(height * widest)), min(height, round(width / narrowest))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


# -------------------------------------------------------------------------------------------------
# Colours.
# -------------------------------------------------------------------------------------------------
def _recoloured(image: Image.Image, rng: random.Random) -> Image.Image:
    """Return the image with random colours, as torchvision's RandomGrayscale and ColorJitter."""
    if rng.random() < GRAY:
        image = ImageOps.grayscale(image).convert("RGB")
    for change in rng.sample(CHANGES, len(CHANGES)):
        image = change(image, rng.uniform(-JITTER, JITTER))
    return image


CHANGES: tuple[Callable[[Image.Image, float], Image.Image], ...] = (
    lambda image, amount: functional.adjust_brightness(image, 1 + amount),
    lambda image, amount: functional.adjust_contrast(image, 1 + amount),
    lambda image, amount: functional.adjust_saturation(image, 1 + amount),
    functional.adjust_hue,
)


# -------------------------------------------------------------------------------------------------
# Network inputs.
# -------------------------------------------------------------------------------------------------
def framed(image: Image.Image, crop: Crop) -> Image.Image:
    """Return an image of `crop.size` in a black frame, so that a transform takes all of it.

    The transform is one with this crop: it resizes nothing, and cuts the frame off.
    """
    height, width = crop.size
    side = crop.resized
    if isinstance(side, int):
        frame = (max(side, width), max(side, height))
    else:
        frame = (side[1], side[0])
    left, top = round((frame[0] - width) / 2), round((frame[1] - height) / 2)
    return image.crop((-left, -top, frame[0] - left, frame[1] - top))


def network_input(
    image: Image.Image, transform: Transform, crop: Crop
) -> Float[torch.Tensor, "3 h w"]:
    """Return a complete image as a network's input: the transform changes its values only.

    image: of `crop.size` or larger. The transform, one with this crop, gives results of
    `crop.size`, so a larger image is transformed in tiles that cover it.
    """
    height, width = crop.size
    result = torch.empty(3, image.height, image.width)
    for top, left in product(_starts(image.height, height), _starts(image.width, width)):
        tile = image.crop((left, top, left + width, top + height))
        result[:, top : top + height, left : left + width] = transform(framed(tile, crop))
    return result


def _starts(length: int, tile: int) -> list[int]:
    """Return where tiles start that cover a length; the last one ends with it."""
    return [*range(0, length - tile, tile), length - tile]
