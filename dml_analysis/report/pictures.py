"""Pictures as text that a page can hold: WebP files in data addresses."""

import base64
import io

from PIL import Image

QUALITY = 80  # of WebP, up to 100


def address(image, quality=QUALITY):
    """The data address of a Pillow image."""
    content = io.BytesIO()
    image.save(content, format="WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"


def square(image, side):
    """The middle of an image, as a square of this side in pixels."""
    short = min(image.size)
    left, top = ((length - short) / 2 for length in image.size)
    return image.resize(
        (side, side), Image.Resampling.LANCZOS, (left, top, left + short, top + short)
    )


def no_wider(image, width):
    """An image of at most this width in pixels, in RGB, on white where it is transparent."""
    if image.mode != "RGB":
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.width <= width:
        return image
    return image.resize(
        (width, round(image.height * width / image.width)), Image.Resampling.LANCZOS
    )
