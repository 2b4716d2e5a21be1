"""Maps of networks that see other parts of an image, or at another size, brought to the part that both see.

A map is laid back into the image that it is of; two maps are cut to what they share, brought to one grid, that of the
coarser map, with antialiasing, and scaled to [0, 1] again. Maps that show the same part at the same size stay as they are.
"""

import numpy as np
from PIL import Image

from dml_analysis.datasets.images import Box, part_seen


def shared_part(a, b):
    """The Box that two boxes of one image have in common."""
    return Box(max(a.left, b.left), max(a.top, b.top), min(a.right, b.right), min(a.bottom, b.bottom))


def brought_together(crops, image_size):
    """(Box, (height, width)): what networks of these two crops both see of an image of this (width, height), and the grid."""
    boxes = [part_seen(image_size, crop) for crop in crops]
    part = shared_part(*boxes)
    units = [((box.right - box.left) / crop.size[1], (box.bottom - box.top) / crop.size[0])
             for box, crop in zip(boxes, crops)]  # fmt: skip
    width, height = (max(1, round(side / max(each)))
                     for side, each in zip((part.right - part.left, part.bottom - part.top), zip(*units)))  # fmt: skip
    return part, (height, width)


def placed(part, seen, grid):
    """A part of an image as a Box in the pixels of a grid (height, width) that lies over another Box of it."""
    height, width = grid
    x, y = width / (seen.right - seen.left), height / (seen.bottom - seen.top)
    return Box(
        (part.left - seen.left) * x,
        (part.top - seen.top) * y,
        (part.right - seen.left) * x,
        (part.bottom - seen.top) * y,
    )


def laid_on_grid(values, crop, image_size, part, grid):
    """A map (h, w) that shows what a crop does of an image of this (width, height), on a grid (height, width) over a part.

    The part lies in what the map shows. The result is float32.
    """
    height, width = values.shape
    box = placed(part, part_seen(image_size, crop), values.shape)
    box = [min(max(edge, 0), side) for edge, side in zip(box, (width, height) * 2)]  # lest rounding leave the map
    image = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(image.resize(grid[::-1], Image.Resampling.BILINEAR, box))


def scaled(values):
    """An array less its least value, divided by what is then its largest; zeros if all are alike."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def framed(values, crop, frame_crop, image_size):
    """A map (h, w) as it lies in the picture that another crop shows, for figures: NaN where the map sees nothing."""
    if crop == frame_crop:
        return values
    frame = part_seen(image_size, frame_crop)
    part = shared_part(part_seen(image_size, crop), frame)
    left, top, right, bottom = map(round, placed(part, frame, frame_crop.size))
    result = np.full(frame_crop.size, np.nan, dtype=np.float32)
    result[top:bottom, left:right] = laid_on_grid(values, crop, image_size, part, (bottom - top, right - left))
    return result
