"""What networks are built of, whichever their trunk: embedders, precision, memory layout, devices, seeds."""

import copy
import hashlib
import os
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn

from dml_analysis import workers
from dml_analysis.errors import InputError, one_line


class Embedder(nn.Module):
    """Linear map from trunk features (n, f) to embeddings (n, d), not normalised.

    The one layer goes by two names, because the Reality Check's checkpoints store its tensors twice.
    """

    def __init__(self, features, dimensions):
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


def seeded(seed, build):
    """build() with torch's random numbers drawn from `seed`; the state of the generator outside is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def fingerprint_of(module):
    """16 hexadecimal digits that tell its tensors, by name, from others."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def ready_for_inference(module, device="cpu"):
    """The module in eval mode on a device, asking for no weight gradients and laid out for fast convolutions."""
    return module.eval().requires_grad_(False).to(device=device, memory_format=torch.channels_last)


@contextmanager
def in_eval_mode(network):
    """Inside, a caller's network is in eval mode; afterwards each of its modules is in the mode that it was in before.

    Nothing else of it is touched: parameters go on asking for gradients, and keep those that they have.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield network
    finally:
        for module, mode in modes:
            module.training = mode


def place_of(module):
    """The device that a module is on; one without parameters is anywhere, and so on the CPU."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


@torch.no_grad()
def features_of(trunk, images):
    """Trunk features (n, f) of a batch of images (n, 3, H, W), back on the CPU."""
    return trunk(images.to(place_of(trunk), memory_format=torch.channels_last)).cpu()


def device_of(settings):
    """The torch device that the settings ask for; "auto" takes a GPU where there is one, and of several this worker's.

    From here on float32 means float32 there, unless `precision: tf32` allows for less: torch by itself would let
    convolutions on a GPU round to TF32. Raises InputError if the device does not know the precision.
    """
    name = settings.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and workers.local_rank() < torch.cuda.device_count():
        name = f"cuda:{workers.local_rank()}"
    device = torch.device(name)
    try:
        torch.empty(1, device=device)
    except Exception as error:  # torch raises several kinds
        raise InputError(f"device: {name} is not to be had here ({one_line(error)}); set cpu or auto") from None
    if settings.precision == "tf32" and device.type != "cuda":
        raise InputError(f"precision: tf32 is for NVIDIA's GPUs, and this run is on {device}; set float32 or bf16")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = settings.precision == "tf32"
    return device


def make_repeatable(device):
    """Let this process do on a GPU the same in the same way each time, where torch can; a CPU does so anyway."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True, warn_only=True)


@torch.no_grad()
def calibrate_batchnorm(network, images, layers=None):
    """Set the BatchNorm statistics of a freshly initialised network from images (n, 3, H, W); returns the network.

    Without it a fresh deep network in eval mode maps all images to nearly the same features. layers: those of its modules
    that are fresh, all by default.
    """
    layers = network.modules() if layers is None else layers
    norms = [module for module in layers if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # plain average over the batches
    network.eval()
    for norm in norms:
        norm.train()
    for batch in images.split(25):
        network(batch)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return network.eval()


def randomised(network, seed, images, share=1):
    """A copy of a network with random weights from `seed`, calibrated on images (n, 3, H, W), in eval mode.

    Layers draw theirs as they do when they are made; parameters that no layer draws are shuffled. share: of its layers, from
    the last one that is at work on an image to the first, that become random: one at least. Raises ValueError if the network, which
    is in eval mode, cannot be copied.
    """
    copied = independent_copy(network, images)
    layers = layers_in_order(copied, images[:1])
    chosen = layers[-max(1, round(share * len(layers))) :] if share < 1 else list(copied.modules())

    def draw():
        drawn = set()
        for module in chosen:
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
                drawn |= {id(parameter) for parameter in module.parameters(recurse=False)}
        for parameter in chain.from_iterable(module.parameters(recurse=False) for module in chosen):
            if id(parameter) not in drawn:
                parameter.data = parameter.data.flatten()[torch.randperm(parameter.numel())].view_as(parameter)
                drawn.add(id(parameter))
        return copied

    return calibrate_batchnorm(seeded(seed, draw), images, chosen)


@torch.no_grad()
def independent_copy(network, images):
    """A copy of a network in eval mode that gives what the network gives, tried on images (n, 3, H, W).

    Raises ValueError if there is none. Where a forward hook belongs to the object that it was written in, the copy's layers would store
    what they give in the original, and the copy would return what it kept before.
    """
    try:
        copied = copy.deepcopy(network)
        network(images[:1])
        alike = torch.equal(copied(images[-1:]), network(images[-1:]))
    except Exception as error:  # any, as it is the network's own code
        raise ValueError(f"the network cannot be copied ({one_line(error)})") from None
    if not alike:
        raise ValueError(
            "a copy of the network gives other numbers; let its hooks store nothing outside of their module"
        )
    return copied


@torch.no_grad()
def layers_in_order(network, images):
    """The modules that have parameters of their own, in the order in which they begin to work on images (n, 3, H, W)."""
    found = []
    hooks = [module.register_forward_pre_hook(lambda each, _: found.append(each)) for module in network.modules()
             if any(True for _ in module.parameters(recurse=False))]  # fmt: skip
    network(images)
    for hook in hooks:
        hook.remove()
    return list({id(each): each for each in found}.values())
