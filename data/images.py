"""Reading image files, and the part of them that a network sees."""

from contextlib import contextmanager
from typing import NamedTuple

from PIL import Image

from common.errors import InputError


class Crop(NamedTuple):
    """The part of an image that a network sees, in pixels."""

    resized: int  # the shorter side
    size: int  # then the side of the square in the middle


def open_image(path):
    """An image file as RGB, as the Reality Check read it: any alpha channel is dropped, an EXIF rotation ignored.

    Raises InputError naming a file that is missing, truncated, not an image, or of more than 8 bits a channel.
    """
    with _opened(path) as image:
        return image.convert("RGB")


def check_header(path):
    """The same, as far as the beginning of the file tells: in a fraction of the time, but half an image passes."""
    with _opened(path):
        pass


@contextmanager
def _opened(path):
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):  # of these, Pillow would cut off what is above 255
                raise ValueError(f"mode {image.mode}, more than 8 bits a channel")
            yield image
    except FileNotFoundError:
        raise InputError(f"{path}: image is missing; compare the folder with data/README.md") from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all three for broken files
        raise InputError(f"{path}: not a readable image ({error}); fetch it again") from None


def cropped(image, crop):
    """The part of an RGB image that a network sees, as torchvision's Resize(resized) and CenterCrop(size) give it.

    Here with Pillow alone, which is what torchvision calls, so that figures need not load torch.
    """
    width, height = (crop.resized * side // min(image.size) for side in image.size)
    left, top = round((width - crop.size) / 2), round((height - crop.size) / 2)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + crop.size, top + crop.size))
