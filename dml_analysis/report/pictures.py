"""Pictures as text that a page can contain: WebP files in data URLs."""

import base64
import io
from typing import Any

from PIL import Image, ImageOps

QUALITY = 80  # of WebP, up to 100
FINE = 88
MAX_LOSSLESS = 160_000  # bytes: charts are smaller, figures made of photographs are larger


def address(image: Image.Image, quality: int = QUALITY) -> str:
    """Return the data URL of an image."""
    return _address(_webp(image, quality=quality))


def lossless_address(image: Image.Image) -> str:
    """Return the data URL of an image, lossless unless that takes more than MAX_LOSSLESS."""
    content = _webp(image, lossless=True)
    return _address(content if len(content) <= MAX_LOSSLESS else _webp(image, quality=FINE))


def _webp(image: Image.Image, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, format="WEBP", method=4, **options)
    return content.getvalue()


def _address(content: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def square(image: Image.Image, side: int) -> Image.Image:
    """Return the centre of an image, as a square of this side in pixels."""
    return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)


def on_white(image: Image.Image) -> Image.Image:
    """Return an image in RGB, on white where it is transparent."""
    if image.mode == "RGB":
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
