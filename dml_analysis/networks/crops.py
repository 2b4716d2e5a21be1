"""The crop of an image that a transform shows to a network, measured on test images.

The test images encode positions: pixel values increase from left to right, or from top to bottom.
The results for a black and a white image give the scale of the values. Together they tell which
position in the image each pixel of the result comes from, whatever the transform is.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from dml_analysis.datasets.images import Box, Crop, part_seen
from dml_analysis.errors import one_line
from dml_analysis.networks.transforms import Transform
from dml_analysis.seeds import digest

# (width, height) of the test images; below 256, so that a pixel's value can be its position.
SIZES = ((256, 192), (192, 256), (240, 240))
BORDER = 0.1  # share of the result's side that is ignored, because interpolation is cut off there
SMALLEST = 8  # minimum height and width of the result, in pixels
PROBED = 64  # values that tell one transform from another
WITHIN = 1.5  # tolerance of positions, in pixels of the result
MORE = (
    "does more than to resize an image and cut out its middle, so what it shows cannot be told; "
    "give its embeddings in a file instead (see docs/own_models.md)"
)


def measured_crop(transform: Transform) -> Crop:
    """Return the Crop that a transform makes of images of any size.

    Raises ValueError if it makes none: if it gives something else than a float32 tensor (3, h, w),
    several sizes, another result each time, or shows another part than the middle.
    """
    shown = [_shown(transform, size) for size in SIZES]
    sizes = {positions.shape[1:] for positions in shown}
    if len(sizes) > 1:
        names = ", ".join(f"{width} x {height}" for height, width in sorted(sizes))
        raise ValueError(f"gives images of several sizes: {names}")
    size = sizes.pop()
    boxes = [_box(positions) for positions in shown]
    errors = {
        crop: max(_error(part_seen(image, crop), box, size) for image, box in zip(SIZES, boxes))
        for crop in _candidates(boxes, size)
    }
    best = min(errors, key=lambda crop: errors[crop])
    if not errors[best] < WITHIN:
        raise ValueError(MORE)
    return best


def transformed(transform: Transform) -> str:
    """Return a digest, 16 hexadecimal digits, of a transform's result for an image of noise.

    It is taken over PROBED values, rounded to three decimals.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (192, 256, 3), dtype=np.uint8)
    values = transform(Image.fromarray(pixels)).flatten()
    probed = values[torch.linspace(0, len(values) - 1, PROBED).long()]
    return digest([round(float(value), 3) for value in probed])


def _shown(transform: Transform, image_size: tuple[int, int]) -> Float[np.ndarray, "2 h w"]:
    """Return the x and y in an image of this size that each pixel of the result comes from.

    They are in the image's pixels, whose centres are at 0.5, 1.5 and so on. Raises ValueError as
    measured_crop does.
    """
    width, height = image_size
    x = np.arange(width) + np.zeros((height, 1))
    y = np.arange(height)[:, None] + np.zeros(width)
    probes = (np.zeros_like(x), np.full_like(x, 255), x, y)
    black, white, *positions = grays = [_gray(transform, pixels) for pixels in probes]
    if not np.array_equal(positions[0], _gray(transform, x)):
        raise ValueError("makes something else of an image each time; remove its random steps")
    if any(gray.shape != black.shape for gray in grays):
        raise ValueError("gives images of several sizes")
    if min(black.shape) < SMALLEST:
        rows, columns = black.shape
        raise ValueError(
            f"gives images of {columns} x {rows} pixels, too small to tell what they show"
        )
    if not all(np.isfinite(gray).all() for gray in grays):
        raise ValueError("gives NaN or infinite values for some images")
    if (np.abs(white - black) < 1e-6).any():
        raise ValueError(MORE)  # for example, it adds a margin
    return np.stack([255 * (gray - black) / (white - black) for gray in positions]) + 0.5


def _gray(
    transform: Transform, pixels: Float[np.ndarray, "height width"]
) -> Float[np.ndarray, "h w"]:
    """Return the transform's result for a gray image, averaged over its channels.

    Raises ValueError if the transform fails, or gives no float32 tensor (3, h, w).
    """
    image = Image.fromarray(pixels.astype(np.uint8)).convert("RGB")
    try:
        result = transform(image)
    except Exception as error:
        raise ValueError(f"fails ({one_line(error)})") from None
    is_tensor = isinstance(result, torch.Tensor)
    if not is_tensor or result.ndim != 3 or len(result) != 3 or result.dtype != torch.float32:
        what = f"{result.dtype} {tuple(result.shape)}" if is_tensor else type(result).__name__
        is_gray = is_tensor and result.ndim == 3 and len(result) == 1
        hint = "; leave it in colour, and let the network average the channels" if is_gray else ""
        raise ValueError(
            f"gives {what}, but must give a tensor of float32 (3, height, width){hint}"
        )
    return result.detach().double().mean(dim=0).numpy()


def _box(shown: Float[np.ndarray, "2 h w"]) -> Box:
    """Return the Box that a result shows, in the image's pixels, fitted to all its positions.

    Raises ValueError if positions do not increase linearly along rows and columns.
    """
    sides = []
    for positions in (shown[0].T, shown[1]):  # x increases along the columns, y along the rows
        along, across = (slice(int(BORDER * n), n - int(BORDER * n)) for n in positions.shape)
        centers = np.arange(len(positions))[along] + 0.5
        step, start = np.polyfit(centers, positions[along].mean(axis=1), 1)
        residuals = np.abs(positions[along, across].T - start - step * centers)
        if not step > 0 or residuals.max() > WITHIN * max(step, 1):
            raise ValueError(MORE)
        sides.append((start, start + step * len(positions)))
    (left, right), (top, bottom) = sides
    return Box(left, top, right, bottom)


def _candidates(boxes: Sequence[Box], size: tuple[int, ...]) -> list[Crop]:
    """Return the Crops that could show these boxes of the test images.

    size: (height, width) of all results.
    """
    height, width = size
    scaled = [
        (w * width / (box.right - box.left), h * height / (box.bottom - box.top))
        for (w, h), box in zip(SIZES, boxes)
    ]
    shorter = round(np.mean([min(sides) for sides in scaled]))
    across, down = (round(side) for side in np.mean(scaled, axis=0))
    resized = (shorter, shorter - 1, shorter + 1, (down, across))
    return [Crop(side, (height, width)) for side in resized]


def _error(expected: Box, measured: Box, size: tuple[int, ...]) -> float:
    """Return the largest difference between the sides of two boxes, in pixels of the result."""
    height, width = size
    unit_x = (expected.right - expected.left) / width
    unit_y = (expected.bottom - expected.top) / height
    units = (unit_x, unit_y, unit_x, unit_y)
    return max(abs(a - b) / unit for a, b, unit in zip(expected, measured, units))
