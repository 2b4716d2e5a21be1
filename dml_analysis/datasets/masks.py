"""The masks of rendered cars: what is car, ground or backdrop in each picture. The renderer writes them."""

import numpy as np
from PIL import Image

from dml_analysis.errors import refused
from dml_analysis.renderer.mask_files import BACKDROP, CAR, GROUND


def read(path):
    """A mask file as an array (h, w) of uint8: BACKDROP, GROUND and CAR. Raises InputError if the file is anything else."""
    with (
        refused(
            path, "a mask of car, ground and backdrop", "render it again: data/2_render_cars.py adds what is missing"
        ),
        Image.open(path, formats=["PNG"]) as image,
    ):
        if image.mode != "P":
            raise ValueError(f"mode {image.mode}, not a palette")
        mask = np.array(image, dtype=np.uint8)
        if mask.max() > max(BACKDROP, GROUND, CAR):
            raise ValueError(f"value {mask.max()}")
        return mask


def file_of(item):
    """Where the mask of a rendered car's image is, if it has one: masks/<frame>.png beside the folder of images."""
    return item.path.parent.parent / "masks" / f"{item.image_id}.png"
