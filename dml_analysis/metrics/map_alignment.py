"""Alignment of saliency maps whose networks see different parts or sizes of an image.

Two maps are cut to the part of the image that both networks see, resized with antialiasing to the
grid of the coarser map, and scaled to [0, 1] again. Maps of the same part at the same size stay as
they are.
"""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from dml_analysis.datasets.images import Box, Crop, part_seen
from dml_analysis.metrics.map_similarity import all_pairs

IMAGES_AT_ONCE = 16  # 16 images x 15 networks in float16 are 25 MB

Maps = Sequence[Float[np.ndarray, "n h w"]]  # of several networks, of the same images
Pairs = Float[np.ndarray, "n networks networks"]  # a number for each image and pair of networks


def shared_part(a: Box, b: Box) -> Box:
    """Return the intersection of two boxes of one image."""
    return Box(
        max(a.left, b.left), max(a.top, b.top), min(a.right, b.right), min(a.bottom, b.bottom)
    )


def brought_together(
    crops: Sequence[Crop], image_size: tuple[int, int]
) -> tuple[Box, tuple[int, int]]:
    """Return (part, grid): the part of an image in both of two crops, and the grid for its maps.

    image_size: (width, height). The grid, (height, width), has the resolution of the coarser crop.
    """
    boxes = [part_seen(image_size, crop) for crop in crops]
    part = shared_part(*boxes)
    # Image pixels per map pixel; the larger the coarser
    x_step = max((box.right - box.left) / crop.size[1] for box, crop in zip(boxes, crops))
    y_step = max((box.bottom - box.top) / crop.size[0] for box, crop in zip(boxes, crops))
    width = max(1, round((part.right - part.left) / x_step))
    height = max(1, round((part.bottom - part.top) / y_step))
    return part, (height, width)


def placed(part: Box, seen: Box, grid: tuple[int, int]) -> Box:
    """Return a part of an image in pixels of a grid (height, width) that covers the box `seen`."""
    height, width = grid
    x, y = width / (seen.right - seen.left), height / (seen.bottom - seen.top)
    return Box(
        (part.left - seen.left) * x,
        (part.top - seen.top) * y,
        (part.right - seen.left) * x,
        (part.bottom - seen.top) * y,
    )


def laid_on_grid(
    values: Float[np.ndarray, "h w"],
    crop: Crop,
    image_size: tuple[int, int],
    part: Box,
    grid: tuple[int, int],
) -> Float[np.ndarray, "height width"]:
    """Return a part of a map, resized to a grid (height, width), in float32.

    values: a map of what the crop shows of an image of this (width, height). part: the part of the
    image that the grid covers, inside the crop.
    """
    height, width = values.shape
    box = placed(part, part_seen(image_size, crop), (height, width))
    # Rounding could push an edge out of the map
    edges = [min(max(edge, 0), side) for edge, side in zip(box, (width, height) * 2)]
    image = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(image.resize(grid[::-1], Image.Resampling.BILINEAR, Box(*edges)))


def scaled(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return values scaled linearly to [0, 1]; zeros if all are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def framed(
    values: Float[np.ndarray, "h w"], crop: Crop, frame_crop: Crop, image_size: tuple[int, int]
) -> Float[np.ndarray, "height width"]:
    """Return a map of one crop placed in the picture of another, for figures.

    Pixels that the map does not cover are NaN. image_size: (width, height) of the image.
    """
    if crop == frame_crop:
        return values
    frame = part_seen(image_size, frame_crop)
    part = shared_part(part_seen(image_size, crop), frame)
    left, top, right, bottom = map(round, placed(part, frame, frame_crop.size))
    result = np.full(frame_crop.size, np.nan, dtype=np.float32)
    grid = (bottom - top, right - left)
    result[top:bottom, left:right] = laid_on_grid(values, crop, image_size, part, grid)
    return result


def similarities(
    maps: Maps,
    jsd_base: float,
    crops: Sequence[Crop | None],
    image_sizes: Sequence[tuple[int, int]] = (),
) -> tuple[Pairs, Pairs]:
    """Return (correlation, JSD) of all pairs of networks' maps of each image.

    crops: the part of an image that each network sees. Maps of different crops are brought to the
    part and the grid that both have. image_sizes: (width, height), needed only if crops differ.
    """
    n, n_networks = len(maps[0]), len(maps)
    result = np.full((2, n, n_networks, n_networks), np.nan)
    for start in range(0, n, IMAGES_AT_ONCE):
        images = range(n)[start : start + IMAGES_AT_ONCE]
        for first, second in combinations_with_replacement(dict.fromkeys(crops), 2):
            a = [number for number, crop in enumerate(crops) if crop == first]
            if first == second:
                stack = np.array([maps[number][images.start : images.stop] for number in a])
                result[np.ix_((0, 1), images, a, a)] = all_pairs(stack, jsd_base)
                continue
            b = [number for number, crop in enumerate(crops) if crop == second]
            for image in images:
                stack = on_one_grid(maps, crops, a + b, image, image_sizes[image])
                across = np.array(all_pairs(stack, jsd_base))[:, :, : len(a), len(a) :]
                result[np.ix_((0, 1), [image], a, b)] = across
                result[np.ix_((0, 1), [image], b, a)] = across.swapaxes(2, 3)
    return result[0], result[1]


def on_one_grid(
    maps: Maps,
    crops: Sequence[Any],
    networks: Sequence[int],
    image: int,
    image_size: tuple[int, int],
) -> Float[np.ndarray, "networks 1 height width"]:
    """Return the maps of an image by networks of one or two crops, as far as all see the image.

    networks, image: indices of maps. image_size: (width, height).
    """
    different = list(dict.fromkeys(crops[number] for number in networks))
    if len(different) == 1:
        return np.array([maps[number][image] for number in networks])[:, None]
    part, grid = brought_together(different, image_size)
    on_grid = [
        laid_on_grid(maps[number][image], crops[number], image_size, part, grid)
        for number in networks
    ]
    return np.array([scaled(each) for each in on_grid])[:, None]
