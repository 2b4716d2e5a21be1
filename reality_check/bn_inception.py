"""The network of all fifteen models: a BN-Inception trunk (1024 features) and a linear embedder (128 dimensions)."""

import pretrainedmodels
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from common.errors import InputError
from reality_check.architecture import BN_INCEPTION

OPEN_RELU = 2.5  # standard deviations by which the inputs of a seeded trunk's ReLUs are above zero on average


class Embedder(nn.Module):
    """Linear map from trunk features (n, 1024) to embeddings (n, 128), not normalised.

    The one layer goes by two names, because the Reality Check's checkpoints store its tensors twice.
    """

    def __init__(self, features=BN_INCEPTION.features, dimensions=BN_INCEPTION.dimensions):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, dimensions))
        self.last_linear = self.net[0]

    def forward(self, features):
        return self.net(features)


class Bfloat16(nn.Module):
    """A trunk that computes in bfloat16 what torch holds fit for it; images and features stay float32."""

    def __init__(self, trunk):
        super().__init__()
        self.trunk = trunk

    def forward(self, images):
        with torch.autocast(images.device.type, torch.bfloat16):
            return self.trunk(images).float()


class EmbeddingNetwork(nn.Module):
    """Images (n, 3, H, W) to embeddings (n, d): any trunk followed by any embedder."""

    def __init__(self, trunk, embedder):
        super().__init__()
        self.trunk = trunk
        self.embedder = embedder

    def forward(self, images):
        return self.embedder(self.trunk(images))


def bninception_trunk():
    """BN-Inception without its classification layer: images (n, 3, 227, 227) to features (n, 1024)."""
    trunk = pretrainedmodels.bninception(pretrained=None)
    trunk.last_linear = nn.Identity()
    return trunk


def with_folded_batchnorm(trunk):
    """The BN-Inception, in eval mode, with each BatchNorm folded into the convolution before it.

    Both are linear, so it is the same function, up to rounding.
    """
    for name, conv in list(trunk.named_children()):
        norm = getattr(trunk, f"{name}_bn", None)
        if norm is not None:
            setattr(trunk, name, fuse_conv_bn_eval(conv, norm))
            setattr(trunk, f"{name}_bn", nn.Identity())
    return trunk


def seeded(seed, build):
    """build() with torch's random numbers drawn from `seed`; the state of the generator outside is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def seeded_trunk(seed):
    """A randomly initialised trunk whose features still show what is in an image; see also calibrate_batchnorm.

    Thirty random layers lose most of an image. BatchNorm shifts that leave nearly all ReLUs open keep it: with them, a
    linear classifier on the features tells cars and their directions apart far better than without.
    """
    trunk = seeded(seed, bninception_trunk)
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, OPEN_RELU)
    return trunk


def random_network(seed, images):
    """A BN-Inception and embedder with random weights from `seed`, calibrated on images (n, 3, H, W), in eval mode."""
    trunk = calibrate_batchnorm(seeded(seed, bninception_trunk), images)
    return EmbeddingNetwork(trunk, seeded(seed, Embedder)).eval()


def ready_for_inference(module, device="cpu"):
    """The module in eval mode on a device, asking for no weight gradients and laid out for fast convolutions."""
    return module.eval().requires_grad_(False).to(device=device, memory_format=torch.channels_last)


def trunk_for_inference(trunk, device="cpu", precision="float32", gradients=False):
    """The BN-Inception ready for inference on a device, and faster than as it was trained.

    precision: see Settings; of its choices only bf16 is made here, the others are device_of's. gradients: whether
    those of the images are wanted.
    """
    # With gradients, folding gains a CPU a few percent, for which saliency maps shall not be rounded in another way.
    if not gradients or torch.device(device).type != "cpu":
        trunk = with_folded_batchnorm(trunk)
    trunk = ready_for_inference(trunk, device)
    return Bfloat16(trunk) if precision == "bf16" else trunk


@torch.no_grad()
def calibrate_batchnorm(trunk, images):
    """Set the BatchNorm statistics of a freshly initialised trunk from images (n, 3, H, W); returns the trunk.

    Without it a fresh BN-Inception in eval mode maps all images to nearly the same features.
    """
    norms = [module for module in trunk.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # plain average over the batches
    trunk.train()
    for batch in images.split(25):
        trunk(batch)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return trunk.eval()


@torch.no_grad()
def features_of(trunk, images):
    """Trunk features (n, f) of a batch of images (n, 3, H, W), back on the CPU."""
    device = next(trunk.parameters()).device
    return trunk(images.to(device, memory_format=torch.channels_last)).cpu()


def device_of(settings):
    """The torch device that the settings ask for; "auto" takes a GPU where there is one.

    From here on float32 means float32 there, unless `precision: tf32` allows for less: torch by itself would let
    convolutions on a GPU round to TF32. Raises InputError if the device does not know the precision.
    """
    name = settings.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if settings.precision == "tf32" and device.type != "cuda":
        raise InputError(f"precision: tf32 is for NVIDIA's GPUs, and this run is on {device}; set float32 or bf16")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = settings.precision == "tf32"
    return device
