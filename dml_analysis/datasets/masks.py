"""Reader of the masks that tell car, ground and backdrop apart in rendered cars."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import refused
from dml_analysis.renderer.mask_files import BACKDROP, CAR, GROUND


def read(path: Path) -> UInt8[np.ndarray, "h w"]:
    """Return a mask of BACKDROP, GROUND and CAR. Raise InputError if the file is not one."""
    what = "a mask of car, ground and backdrop"
    hint = "render it again: data/2_render_cars.py adds missing files"
    with refused(path, what, hint), Image.open(path, formats=["PNG"]) as image:
        if image.mode != "P":
            raise ValueError(f"mode {image.mode}, not a palette")
        mask = np.array(image, dtype=np.uint8)
        if mask.max() > max(BACKDROP, GROUND, CAR):
            raise ValueError(f"value {mask.max()}")
        return mask


def file_of(item: Sample) -> Path:
    """Return where a rendered car's mask belongs: masks/<frame>.png, next to images/."""
    return item.path.parent.parent / "masks" / f"{item.image_id}.png"
