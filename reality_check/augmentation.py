"""Training images as the Reality Check augmented them: resized, a random part of that, mirrored or not."""

from PIL import Image, ImageOps

from data.images import resized_size

SCALE = (0.16, 1.0)  # which share of the image's area a part has,
RATIO = (3 / 4, 4 / 3)  # and its width by its height; the original wrote 0.75 and 1.33
TRIES = 10  # to find such a part inside the image; else it is the middle


def augmented(image, crop, rng):
    """An RGB image, of `crop.size`: a random part of the image, once this is resized as `crop` says, mirrored or not.

    rng: a random.Random. The part is drawn as torchvision's RandomResizedCrop draws it.
    """
    image = image.resize(resized_size(image.size, crop), Image.Resampling.BILINEAR)
    height, width = crop.size
    part = image.crop(_part(*image.size, rng)).resize((width, height), Image.Resampling.BILINEAR)
    return ImageOps.mirror(part) if rng.random() < 0.5 else part


def _part(width, height, rng):
    """(left, top, right, bottom) of a random part of an image of this size."""
    for _ in range(TRIES):
        area = width * height * rng.uniform(*SCALE)
        ratio = RATIO[0] * (RATIO[1] / RATIO[0]) ** rng.random()  # its logarithm is uniform
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left, top = rng.randint(0, width - w), rng.randint(0, height - h)
            return left, top, left + w, top + h
    w, h = min(width, round(height * RATIO[1])), min(height, round(width / RATIO[0]))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def framed(image, crop):
    """The image, of `crop.size`, in a black frame of which a transform with this crop takes the image alone."""
    height, width = crop.size
    side = crop.resized
    frame = (max(side, width), max(side, height)) if isinstance(side, int) else (side[1], side[0])
    left, top = round((frame[0] - width) / 2), round((frame[1] - height) / 2)
    whole = Image.new("RGB", frame)
    whole.paste(image, (left, top))
    return whole
