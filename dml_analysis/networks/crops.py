"""What part of an image a transform shows to a network: measured, whatever the transform is made of.

Images are sent through it whose pixels say where they are: their value grows from left to right, or from top to bottom.
A black and a white image tell what becomes of a value. So it is seen from where in the image each pixel of the result is.
"""

import numpy as np
import torch
from PIL import Image

from dml_analysis.datasets.images import Box, Crop, part_seen
from dml_analysis.errors import one_line
from dml_analysis.seeds import fingerprint

SIZES = ((256, 192), (192, 256), (240, 240))  # (width, height) of the images; a pixel's value is its place in them
BORDER = 0.1  # of the result, that is not looked at: interpolation has no neighbours there to take
SMALLEST = 8  # pixels of the result's sides
PROBED = 64  # numbers that tell one transform from another
WITHIN = 1.5  # pixels of the result by which what it shows may be off
MORE = "does more than to resize an image and cut out its middle, so what it shows cannot be told"


def measured_crop(transform):
    """The Crop that a transform, from an RGB image to a tensor (3, h, w), makes of images of any size.

    Raises ValueError if it is none: if it gives something else, other sizes, another result each time, or shows
    another part than the middle.
    """
    shown = [_shown(transform, size) for size in SIZES]
    sizes = {each.shape[1:] for each in shown}
    if len(sizes) > 1:
        raise ValueError(f"gives images of several sizes: {', '.join(f'{w} x {h}' for h, w in sorted(sizes))}")
    size, boxes = sizes.pop(), [_box(each) for each in shown]
    errors = {crop: max(_error(part_seen(image, crop), box, size) for image, box in zip(SIZES, boxes))
              for crop in _candidates(boxes, size)}  # fmt: skip
    best = min(errors, key=errors.get)
    if not errors[best] < WITHIN:
        raise ValueError(MORE)
    return best


def transformed(transform):
    """16 hexadecimal digits that tell what a transform makes of an image of noise, by some of its numbers."""
    pixels = np.random.default_rng(0).integers(0, 256, (192, 256, 3), dtype=np.uint8)
    values = transform(Image.fromarray(pixels)).flatten()
    some = values[torch.linspace(0, len(values) - 1, PROBED).long()]
    return fingerprint([round(float(value), 3) for value in some])


def _shown(transform, image_size):
    """(2, h, w): from which x and which y of an image of this size each pixel of the result is."""
    width, height = image_size
    x, y = np.arange(width) + np.zeros((height, 1)), np.arange(height)[:, None] + np.zeros(width)
    black, white, *places = [_gray(transform, each) for each in (np.zeros_like(x), np.full_like(x, 255), x, y)]
    if not np.array_equal(places[0], _gray(transform, x)):
        raise ValueError("makes something else of an image each time; take what is random out of it")
    if any(each.shape != black.shape for each in (white, *places)):
        raise ValueError("gives images of several sizes")
    if min(black.shape) < SMALLEST:
        raise ValueError(
            f"gives images of {black.shape[1]} x {black.shape[0]} pixels, too small to tell what they show"
        )
    if not all(np.isfinite(each).all() for each in (black, white, *places)):
        raise ValueError("gives NaN or infinite values for some images")
    if (np.abs(white - black) < 1e-6).any():
        raise ValueError(MORE)  # such as to put a margin around it
    return np.stack([255 * (each - black) / (white - black) for each in places]) + 0.5  # of a pixel's middle


def _gray(transform, pixels):
    """(h, w): the mean over the channels of what becomes of an image (height, width)."""
    image = Image.fromarray(pixels.astype(np.uint8)).convert("RGB")
    try:
        found = transform(image)
    except Exception as error:
        raise ValueError(f"fails ({one_line(error)})") from None
    if not isinstance(found, torch.Tensor) or found.ndim != 3 or len(found) != 3 or found.dtype != torch.float32:
        what = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
        raise ValueError(f"gives {what}, but must give a tensor of float32 (3, height, width)")
    return found.detach().double().mean(dim=0).numpy()


def _box(shown):
    """The Box of what is shown, in pixels of the image."""
    sides = []
    for places in (shown[0].T, shown[1]):  # x goes along the columns, y along the rows
        along, across = (slice(int(BORDER * n), n - int(BORDER * n)) for n in places.shape)
        centers = np.arange(len(places))[along] + 0.5
        step, start = np.polyfit(centers, places[along].mean(axis=1), 1)
        off = np.abs(places[along, across].T - start - step * centers)
        if not step > 0 or off.max() > WITHIN * max(step, 1):
            raise ValueError(MORE)
        sides.append((start, start + step * len(places)))
    (left, right), (top, bottom) = sides
    return Box(left, top, right, bottom)


def _candidates(boxes, size):
    """The Crops that could show these boxes of images of SIZES, where all results have this (height, width)."""
    height, width = size
    scaled = [(w * width / (box.right - box.left), h * height / (box.bottom - box.top))
              for (w, h), box in zip(SIZES, boxes)]  # fmt: skip
    shorter = round(np.mean([min(each) for each in scaled]))
    across, down = (round(each) for each in np.mean(scaled, axis=0))
    return [Crop(resized, (height, width)) for resized in (shorter, shorter - 1, shorter + 1, (down, across))]


def _error(expected, found, size):
    """By how many pixels of the result two boxes differ at most."""
    height, width = size
    units = [(expected.right - expected.left) / width, (expected.bottom - expected.top) / height] * 2
    return max(abs(a - b) / unit for a, b, unit in zip(expected, found, units))
