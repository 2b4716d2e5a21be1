"""Reading image files."""

from PIL import Image

from utils import InputError


def open_image(path):
    """An image file as RGB. Raises InputError naming a file that is missing, truncated or not an image."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        raise InputError(f"{path}: image is missing; compare the folder with data/README.md") from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all three for broken files
        raise InputError(f"{path}: not a readable image ({error}); fetch it again") from None
