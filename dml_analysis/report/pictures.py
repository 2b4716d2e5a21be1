"""Pictures as text that a page can contain: WebP files in data URLs."""

import base64
import io

from PIL import Image, ImageOps

QUALITY = 80  # of WebP, up to 100


def address(image: Image.Image, quality: int = QUALITY) -> str:
    """Return the data URL of an image."""
    content = io.BytesIO()
    image.save(content, format="WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"


def square(image: Image.Image, side: int) -> Image.Image:
    """Return the centre of an image, as a square of this side in pixels."""
    return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)


def no_wider(image: Image.Image, width: int) -> Image.Image:
    """Return an image of at most this width in pixels, in RGB, on white where it is transparent."""
    if image.mode != "RGB":
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.width <= width:
        return image
    height = round(image.height * width / image.width)
    return image.resize((width, height), Image.Resampling.LANCZOS)
