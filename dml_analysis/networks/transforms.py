"""From image files to what networks take, by a transform: a function from an RGB image to a tensor (3, h, w)."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from dml_analysis.datasets.images import open_image

AHEAD = 64  # images that are read before the network asks for them
BLACK = (256, 256)  # the size of the black image, of which nothing depends


def network_inputs(items, transform):
    """Yield the transformed image of each item, in their order; threads read ahead while the network is at work.

    Raises InputError on an image that open_image refuses, once it is that image's turn.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        coming = deque()
        for item in items:
            coming.append(pool.submit(_read, item.path, transform))
            if len(coming) > AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _read(path, transform):
    return transform(open_image(path))


def black_input(transform):
    """The base image: all black, taken through the same transform; for BN-Inception (-104, -117, -128) everywhere."""
    return transform(Image.new("RGB", BLACK))
