"""BN-Inception, the trunk of the paper's fifteen models, and its transform."""

import numpy as np
import pretrainedmodels
import torch
from jaxtyping import Float
from PIL import Image
from torch import nn

from dml_analysis.config import DIMENSIONS
from dml_analysis.datasets.images import cropped
from dml_analysis.networks.descriptions import BN_INCEPTION
from dml_analysis.networks.modules import Embedder, EmbeddingNetwork, calibrate_batchnorm, seeded
from dml_analysis.networks.transforms import Transform

BGR_MEAN = np.array([104, 117, 128], np.float32)[:, None, None]


def build() -> tuple[nn.Module, Transform]:
    """Return the trunk with random weights, and its transform."""
    return bninception_trunk(), network_input


def bninception_trunk() -> nn.Module:
    """Return BN-Inception without its classification layer, with random weights.

    It maps images (n, 3, 227, 227), or larger, to features (n, 1024).
    """
    trunk = pretrainedmodels.bninception(pretrained=None)
    trunk.last_linear, trunk.global_pool = nn.Identity(), _GlobalPool(trunk.global_pool)
    return trunk


class _GlobalPool(nn.Module):
    """Apply the original 7 x 7 pooling; for feature maps of another size, take their mean."""

    def __init__(self, original: nn.Module) -> None:
        """Keep the original pooling layer."""
        super().__init__()
        self.original = original

    def forward(self, maps: Float[torch.Tensor, "n c h w"]) -> Float[torch.Tensor, "n c 1 1"]:
        """Return the pooled feature maps."""
        if maps.shape[2:] == (7, 7):
            return self.original(maps)
        return maps.mean(dim=(2, 3), keepdim=True)


def network_input(image: Image.Image) -> Float[torch.Tensor, "3 227 227"]:
    """Return an RGB image as the trunk's input: float32, channels blue, green, red.

    Values are 0 to 255 minus the channel means of ImageNet.
    """
    assert BN_INCEPTION.crop is not None
    rgb = np.asarray(cropped(image, BN_INCEPTION.crop)).transpose(2, 0, 1)
    bgr = np.ascontiguousarray(rgb[::-1])
    return torch.from_numpy(bgr.astype(np.float32) - BGR_MEAN)


def random_network(seed: int, images: Float[torch.Tensor, "n 3 h w"]) -> EmbeddingNetwork:
    """Return BN-Inception and an embedder with random weights, in eval mode.

    BatchNorm statistics are those of these images.
    """
    trunk = calibrate_batchnorm(seeded(seed, bninception_trunk), images)
    embedder = seeded(seed, lambda: Embedder(BN_INCEPTION.outputs, DIMENSIONS))
    return EmbeddingNetwork(trunk, embedder).eval()
