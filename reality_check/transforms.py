"""From an image file to the network's input, as the Reality Check's networks expect it."""

import torch
from PIL import Image
from torchvision.transforms import functional

from reality_check.images import RESIZED, cropped

BGR_MEAN = torch.tensor([104.0, 117.0, 128.0]).view(3, 1, 1)


def network_input(image):
    """(3, 227, 227) float32, channels blue, green, red, from 0 to 255 less the ImageNet mean."""
    rgb = functional.pil_to_tensor(cropped(image)).float()
    return rgb.flip(0) - BGR_MEAN


def black_input():
    """The base image: all black, taken through the same transform, so (-104, -117, -128) everywhere."""
    return network_input(Image.new("RGB", (RESIZED, RESIZED)))
