"""Reading image files, and the part of them that a network sees."""

import warnings
from contextlib import contextmanager
from typing import NamedTuple

from PIL import Image

from dml_analysis.errors import refused

# By what is in a file, whatever its name says; for other formats Pillow may start other programs.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
MOST_PIXELS = 50_000_000
MOST_SLENDER = 100  # times: resized by its shorter side, a longer one would fill the memory
# Pillow reads what it can, and warns of the rest, such as of broken notes beside the pixels. See MOST_PIXELS of the other.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class Crop(NamedTuple):
    """The part of an image that a network sees, in pixels: the image is resized, then its middle cut out."""

    resized: int | tuple  # the shorter side; or (height, width), where images of any form are squeezed into these
    size: tuple  # (height, width) of the middle


class Box(NamedTuple):
    """A rectangle in an image, in its pixels, of which there may be fractions."""

    left: float
    top: float
    right: float
    bottom: float


def resized_size(image_size, crop):
    """(width, height) of an image of this (width, height) once it is resized."""
    if isinstance(crop.resized, int):
        return tuple(crop.resized * side // min(image_size) for side in image_size)
    return crop.resized[1], crop.resized[0]


def part_seen(image_size, crop):
    """The Box that a network sees of an image of this (width, height), as torchvision's CenterCrop rounds."""
    sides = []
    for side, resized, cut in zip(image_size, resized_size(image_size, crop), reversed(crop.size)):
        start = round((resized - cut) / 2)
        sides.append((start * side / resized, (start + cut) * side / resized))
    (left, right), (top, bottom) = sides
    return Box(left, top, right, bottom)


def open_image(path):
    """An image file as RGB, as the Reality Check read it: any alpha channel is dropped, an EXIF rotation ignored.

    Raises InputError naming a file that is missing, truncated, not an image, of more than 8 bits a channel, or too large.
    """
    with _opened(path) as image:
        return image.convert("RGB")


def check_header(path):
    """The same, as far as the beginning of the file tells: in a fraction of the time, but half an image passes."""
    with _opened(path):
        pass


def size_of(path):
    """(width, height) of an image file, from its beginning. Raises InputError as open_image does."""
    with _opened(path) as image:
        return image.size


@contextmanager
def _opened(path):
    with refused(path, "a readable image", "compare the folder with data/README.md"):
        with Image.open(path, formats=FORMATS) as image:
            _check(image)
            yield image


def _check(image):
    """Raise ValueError if an image, by its header, is not what one of a dataset can be."""
    width, height = image.size
    of_png = [str(tile[3]) for tile in image.tile if image.format == "PNG"]  # how its pixels are packed
    if image.mode.startswith(("I", "F")) or any(";16" in each for each in of_png):  # Pillow would cut these off
        raise ValueError(f"mode {image.mode}, more than 8 bits a channel")
    if width * height > MOST_PIXELS or max(width, height) > MOST_SLENDER * min(width, height):
        raise ValueError(
            f"{width} x {height} pixels; at most {MOST_PIXELS:,}, and one side at most {MOST_SLENDER} times the other"
        )
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise ValueError("several pictures in one file")


def cropped(image, crop):
    """The part of an RGB image that a network sees, as torchvision's Resize and CenterCrop give it.

    Here with Pillow alone, which is what torchvision calls, so that figures need not load torch.
    """
    (width, height), (rows, columns) = resized_size(image.size, crop), crop.size
    left, top = round((width - columns) / 2), round((height - rows) / 2)
    return image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + columns, top + rows))
