"""BN-Inception, the trunk of the paper's fifteen models: images (n, 3, 227, 227) to features (n, 1024)."""

import numpy as np
import pretrainedmodels
import torch
from torch import nn

from dml_analysis.config import DIMENSIONS
from dml_analysis.datasets.images import cropped
from dml_analysis.networks.descriptions import BN_INCEPTION
from dml_analysis.networks.modules import Embedder, EmbeddingNetwork, calibrate_batchnorm, seeded

BGR_MEAN = np.array([104, 117, 128], np.float32)[:, None, None]


def build():
    """(the trunk with weights that mean nothing, its transform)"""
    return bninception_trunk(), network_input


def bninception_trunk():
    """BN-Inception without its classification layer: images (n, 3, 227, 227), or larger, to features (n, 1024)."""
    trunk = pretrainedmodels.bninception(pretrained=None)
    trunk.last_linear, trunk.global_pool = nn.Identity(), _GlobalPool(trunk.global_pool)
    return trunk


class _GlobalPool(nn.Module):
    """The original's, which is of 7 x 7; of maps of another size, as larger images have, the mean."""

    def __init__(self, original):
        super().__init__()
        self.original = original

    def forward(self, maps):
        return self.original(maps) if maps.shape[2:] == (7, 7) else maps.mean(dim=(2, 3), keepdim=True)


def network_input(image):
    """(3, 227, 227) float32, channels blue, green, red, from 0 to 255 less the ImageNet mean."""
    bgr = np.ascontiguousarray(np.asarray(cropped(image, BN_INCEPTION.crop)).transpose(2, 0, 1)[::-1])
    return torch.from_numpy(bgr.astype(np.float32) - BGR_MEAN)


def random_network(seed, images):
    """A BN-Inception and embedder with random weights from `seed`, calibrated on images (n, 3, H, W), in eval mode."""
    trunk = calibrate_batchnorm(seeded(seed, bninception_trunk), images)
    return EmbeddingNetwork(trunk, seeded(seed, lambda: Embedder(BN_INCEPTION.outputs, DIMENSIONS))).eval()
