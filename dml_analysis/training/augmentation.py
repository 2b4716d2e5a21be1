"""Training images as the Reality Check and Roth et al. augmented them: a random part of each, mirrored or not."""

from typing import NamedTuple

from PIL import Image, ImageEnhance, ImageOps

from dml_analysis.datasets.images import resized_size

TRIES = 10  # to find a part of the drawn area and form inside the image; else it is the middle
GRAY = 0.2  # how often an image whose colours change loses them all
JITTER = 0.2  # the most that brightness, contrast and saturation change, as a share, and hue, in turns of the circle
BIG, BIG_OF = 256, (224, 227)  # pixels that the study's `big` shows instead of these, on each side


class Augmentation(NamedTuple):
    """What part of an image is shown, and what becomes of its colours; by default as torchvision's RandomResizedCrop."""

    scale: tuple | None = (0.08, 1.0)  # which share of the image's area the part has; None: it is cut out, not scaled
    ratio: tuple = (3 / 4, 4 / 3)  # and its width by its height
    resized: bool = False  # whether the image is resized first, as for evaluation
    colours: bool = False  # whether they change
    big: bool = False  # whether more pixels are shown than for evaluation


KINDS = {
    "reality_check": Augmentation((0.16, 1.0), (0.75, 1.33), resized=True),
    # Of Roth et al. (ICML 2020, arXiv 2002.08473)
    "base": Augmentation(),
    "adv": Augmentation(colours=True),
    "big": Augmentation(big=True),
    "red": Augmentation(scale=None, resized=True),
}


def augmented(image, crop, rng, kind="reality_check"):
    """An RGB image, of `shown_size(crop, kind)`: a random part of the image, mirrored or not.

    kind: of KINDS; rng: a random.Random. The part is drawn as torchvision's RandomResizedCrop or RandomCrop draw it.
    """
    how, image = KINDS[kind], begun(image, crop, kind)
    height, width = shown_size(crop, kind)
    if how.scale is None:
        part = image.crop(_window(*image.size, width, height, rng))
    else:
        box = _part(*image.size, how.scale, how.ratio, rng)
        part = image.crop(box).resize((width, height), Image.Resampling.BILINEAR)
    if how.colours:
        part = _recoloured(part, rng)
    return ImageOps.mirror(part) if rng.random() < 0.5 else part


def begun(image, crop, kind):
    """What an augmentation begins with, the same each time: the image, or its resized copy. Of that copy it is the same again."""
    if kind == "none" or not KINDS[kind].resized:
        return image
    return image.resize(resized_size(image.size, crop), Image.Resampling.BILINEAR)


def shown_size(crop, kind):
    """(height, width) of an augmented image: `crop.size`, or for `big` 256 pixels for 224 or 227, others in proportion."""
    if not KINDS[kind].big:
        return crop.size
    return tuple(BIG if side in BIG_OF else round(side * BIG / BIG_OF[0]) for side in crop.size)


def _window(width, height, columns, rows, rng):
    """(left, top, right, bottom) of a random window of an image; where it is larger than that, the image is inside it."""
    left, top = (rng.randint(min(0, room), max(0, room)) for room in (width - columns, height - rows))
    return left, top, left + columns, top + rows


def _part(width, height, scale, ratio, rng):
    """(left, top, right, bottom) of a random part of an image of this size."""
    narrowest, widest = ratio
    for _ in range(TRIES):
        area = width * height * rng.uniform(*scale)
        form = narrowest * (widest / narrowest) ** rng.random()  # its logarithm is uniform
        w, h = round((area * form) ** 0.5), round((area / form) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left, top = rng.randint(0, width - w), rng.randint(0, height - h)
            return left, top, left + w, top + h
    w, h = min(width, round(height * widest)), min(height, round(width / narrowest))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


# ---------------------------------------------------------------------------------------------------------------------
# Colours.
# ---------------------------------------------------------------------------------------------------------------------
def _recoloured(image, rng):
    """The image in gray or not, then with other colours, as torchvision's RandomGrayscale and ColorJitter make them."""
    if rng.random() < GRAY:
        image = ImageOps.grayscale(image).convert("RGB")
    for change in rng.sample(CHANGES, len(CHANGES)):
        image = change(image, rng.uniform(-JITTER, JITTER))
    return image


def _brighter(image, amount):
    return ImageEnhance.Brightness(image).enhance(1 + amount)


def _richer_in_contrast(image, amount):
    return ImageEnhance.Contrast(image).enhance(1 + amount)


def _more_saturated(image, amount):
    return ImageEnhance.Color(image).enhance(1 + amount)


def _turned_in_hue(image, turns):
    hue, saturation, value = image.convert("HSV").split()
    hue = hue.point([(each + int(turns * 255)) % 256 for each in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


CHANGES = (_brighter, _richer_in_contrast, _more_saturated, _turned_in_hue)


# ---------------------------------------------------------------------------------------------------------------------
# To the network.
# ---------------------------------------------------------------------------------------------------------------------
def framed(image, crop):
    """The image, of `crop.size`, in a black frame of which a transform with this crop takes the image alone."""
    height, width = crop.size
    side = crop.resized
    frame = (max(side, width), max(side, height)) if isinstance(side, int) else (side[1], side[0])
    left, top = round((frame[0] - width) / 2), round((frame[1] - height) / 2)
    whole = Image.new("RGB", frame)
    whole.paste(image, (left, top))
    return whole


def network_input(image, transform, crop):
    """The tensor (3, h, w) of all of an image of `crop.size` or larger: what the transform does to colours, and no more.

    transform: with this crop, from an RGB image to a tensor. As it gives `crop.size` only, a larger image goes through it in
    parts that cover it.
    """
    height, width = crop.size
    whole = None
    for top in _starts(image.height, height):
        for left in _starts(image.width, width):
            part = transform(framed(image.crop((left, top, left + width, top + height)), crop))
            whole = part.new_empty(len(part), image.height, image.width) if whole is None else whole
            whole[:, top : top + height, left : left + width] = part
    return whole


def _starts(length, part):
    """Where parts begin that cover a length."""
    return [*range(0, length - part, part), length - part]
