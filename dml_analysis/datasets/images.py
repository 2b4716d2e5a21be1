"""Image files, and the crop of an image that a network sees."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from PIL import Image, ImageFile

from dml_analysis.errors import refused

# Recognised by their content, not by their names. For other formats Pillow may start programs.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF")
# The files of a class's folder that are images, and those that are images which are not read.
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm", ".avif",
)  # fmt: skip
OTHER_SUFFIXES = (
    ".heic", ".heif", ".jp2", ".j2k", ".jpx", ".jxl", ".tga", ".psd", ".svg", ".ico", ".dng",
    ".cr2", ".cr3", ".nef", ".arw", ".raw", ".exr", ".hdr",
)  # fmt: skip
ORIENTATION = 0x0112  # EXIF's number of the tag that says how viewers turn an image
MAX_PIXELS = 50_000_000
MAX_ASPECT_RATIO = 100  # resizing the shorter side of a longer image would fill the memory
# Pillow warns of what it cannot read, such as broken metadata. MAX_PIXELS replaces its own limit.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class Crop(NamedTuple):
    """The part of an image that a network sees: the image is resized, then its centre is cut out.

    Lengths are in pixels.
    """

    resized: int | tuple[int, int]  # length of the shorter side, or (height, width) of any image
    size: tuple[int, int]  # (height, width) of the centre


class Box(NamedTuple):
    """A rectangle in an image, in pixels and fractions of pixels."""

    left: float
    top: float
    right: float
    bottom: float


def resized_size(image_size: tuple[int, int], crop: Crop) -> tuple[int, int]:
    """Return the (width, height) that an image of (width, height) `image_size` is resized to."""
    if isinstance(crop.resized, int):
        width, height = image_size
        shorter = min(image_size)
        return crop.resized * width // shorter, crop.resized * height // shorter
    return crop.resized[1], crop.resized[0]


def part_seen(image_size: tuple[int, int], crop: Crop) -> Box:
    """Return the part that a network sees of an image of (width, height) `image_size`.

    Rounding is that of torchvision's CenterCrop.
    """
    sides = []
    for side, resized, cut in zip(image_size, resized_size(image_size, crop), reversed(crop.size)):
        start = round((resized - cut) / 2)
        sides.append((start * side / resized, (start + cut) * side / resized))
    (left, right), (top, bottom) = sides
    return Box(left, top, right, bottom)


def open_image(path: str | os.PathLike) -> Image.Image:
    """Return an image file as RGB, read as in the Reality Check.

    An alpha channel is dropped, an EXIF rotation ignored. Raise InputError, naming the file, if it
    is missing, truncated, not an image, too large, or has more than 8 bits per channel.
    """
    with _opened(path) as image:
        return image.convert("RGB")


def check_header(path: str | os.PathLike) -> None:
    """Raise InputError as open_image does, but by the file's header alone.

    This takes a fraction of the time and accepts truncated images.
    """
    with _opened(path):
        pass


def size_of(path: str | os.PathLike) -> tuple[int, int]:
    """Return the (width, height) of an image file by its header. Raise as check_header does."""
    with _opened(path) as image:
        return image.size


def is_turned(path: str | os.PathLike) -> bool:
    """Return whether EXIF asks viewers to turn or mirror the image. Raise as check_header does."""
    with _opened(path) as image:
        return image.getexif().get(ORIENTATION, 1) != 1


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[ImageFile.ImageFile]:
    """Yield an open image whose header is valid. Raise InputError for any other file."""
    with refused(path, "a readable image", "compare the folder with docs/inputs.md"):
        with Image.open(path, formats=FORMATS) as image:
            _check(image)
            yield image


def _check(image: ImageFile.ImageFile) -> None:
    """Raise ValueError if an image's header shows that a dataset cannot contain it."""
    width, height = image.size
    packing = [tile[3] for tile in image.tile]  # of pixels, in Pillow's words
    if image.format == "PPM":  # (mode, largest value)
        is_deep = any(isinstance(each, tuple) and each[1] > 255 for each in packing)
    else:
        is_deep = image.format in ("PNG", "TIFF") and any(";16" in str(each) for each in packing)
    if image.mode.startswith(("I", "F")) or is_deep:  # Pillow would clip or round the values
        raise ValueError(f"mode {image.mode}, more than 8 bits a channel")
    too_slender = max(width, height) > MAX_ASPECT_RATIO * min(width, height)
    if width * height > MAX_PIXELS or too_slender:
        raise ValueError(
            f"{width} x {height} pixels; at most {MAX_PIXELS:,}, "
            f"and one side at most {MAX_ASPECT_RATIO} times the other"
        )
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise ValueError("several pictures in one file")


def cropped(image: Image.Image, crop: Crop) -> Image.Image:
    """Return the part of an RGB image that a network sees.

    The result equals that of torchvision's Resize and CenterCrop, which call Pillow. Figures thus
    need not load torch.
    """
    (width, height), (rows, columns) = resized_size(image.size, crop), crop.size
    left, top = round((width - columns) / 2), round((height - rows) / 2)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + columns, top + rows))
