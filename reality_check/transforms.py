"""From an image file to the network's input, as the Reality Check's networks expect it."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

from data.images import cropped, open_image
from reality_check.architecture import BN_INCEPTION

BGR_MEAN = np.array([104, 117, 128], np.float32)[:, None, None]
AHEAD = 64  # images that are read before the network asks for them


def network_input(image):
    """(3, h, w) float32, channels blue, green, red, from 0 to 255 less the ImageNet mean."""
    bgr = np.ascontiguousarray(np.asarray(cropped(image, BN_INCEPTION.crop)).transpose(2, 0, 1)[::-1])
    return torch.from_numpy(bgr.astype(np.float32) - BGR_MEAN)


def network_inputs(items):
    """Yield the network_input of each item's image, in their order; threads read ahead while the network is at work.

    Raises InputError on an image that open_image refuses, once it is that image's turn.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        coming = deque()
        for item in items:
            coming.append(pool.submit(_read, item.path))
            if len(coming) > AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _read(path):
    return network_input(open_image(path))


def black_input():
    """The base image: all black, taken through the same transform, so (-104, -117, -128) everywhere."""
    return network_input(Image.new("RGB", (BN_INCEPTION.crop.resized,) * 2))
