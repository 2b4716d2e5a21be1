"""Modules and helpers that all networks share: embedders, devices, seeds, copies."""

import copy
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import nn

from dml_analysis import workers
from dml_analysis.errors import InputError, one_line

T = TypeVar("T")
Module = TypeVar("Module", bound=nn.Module)


class Embedder(nn.Module):
    """Map trunk features linearly to embeddings, which are not normalised.

    The one layer has two names, because the Reality Check's checkpoints store its tensors twice.
    """

    def __init__(self, features: int, dimensions: int) -> None:
        """Create the layer with random weights. features, dimensions: its input and output size."""
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, dimensions))
        self.last_linear = self.net[0]

    def forward(self, features: Float[torch.Tensor, "n f"]) -> Float[torch.Tensor, "n d"]:
        """Return the embeddings of these features."""
        return self.net(features)


class EmbeddingNetwork(nn.Module):
    """Map images to embeddings: any trunk followed by any embedder."""

    def __init__(self, trunk: nn.Module, embedder: nn.Module) -> None:
        """Join a trunk (images to features) and an embedder (features to embeddings)."""
        super().__init__()
        self.trunk = trunk
        self.embedder = embedder

    def forward(self, images: Float[torch.Tensor, "n 3 h w"]) -> Float[torch.Tensor, "n d"]:
        """Return the embeddings of these images."""
        return self.embedder(self.trunk(images))


def seeded(seed: int, build: Callable[[], T]) -> T:
    """Return build(), with torch's CPU generator seeded; its state is restored afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def tensor_digest(module: nn.Module) -> str:
    """Return a digest, 16 hexadecimal digits, of a module's tensors and their names."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(content.numpy().data)
    return digest.hexdigest()[:16]


def ready_for_inference(module: Module, device: torch.device | str = "cpu") -> Module:
    """Return the module in eval mode on a device, in channels-last layout, its weights frozen."""
    return module.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)


@contextmanager
def in_eval_mode(network: Module) -> Iterator[Module]:
    """Put a network into eval mode inside the context, and restore all modes afterwards.

    Nothing else changes: parameters that require gradients still do, and keep theirs.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield network
    finally:
        for module, mode in modes:
            module.training = mode


def place_of(module: nn.Module) -> torch.device:
    """Return the device of a module: the CPU for one without parameters."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


@torch.no_grad()
def features_of(
    trunk: nn.Module, images: Float[torch.Tensor, "n 3 h w"]
) -> Float[torch.Tensor, "n f"]:
    """Return the trunk's features of a batch of images, on the CPU."""
    return trunk(images.to(place_of(trunk), memory_format=torch.channels_last)).cpu()


def device_of(name: str) -> torch.device:
    """Return a device by its name; "auto" is this worker's GPU, or the CPU if there is no GPU.

    It also makes convolutions and products on GPUs use float32 in this process, not TF32, which
    torch by default lets convolutions use. Raises InputError if the device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and workers.local_rank() < torch.cuda.device_count():
        name = f"cuda:{workers.local_rank()}"
    device = torch.device(name)
    try:
        torch.empty(1, device=device)
    except Exception as error:  # torch raises several kinds
        reason = one_line(error)
        raise InputError(f"device: {name} is not available ({reason}); set cpu or auto") from None
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return device


def make_repeatable(device: torch.device) -> None:
    """Make this process use deterministic GPU algorithms where torch has them.

    CPU algorithms are deterministic already.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True, warn_only=True)


@torch.no_grad()
def calibrate_batchnorm(
    network: Module,
    images: Float[torch.Tensor, "n 3 h w"],
    layers: Iterable[nn.Module] | None = None,
) -> Module:
    """Set the BatchNorm statistics of a network with random weights; return it in eval mode.

    The statistics are averages over batches of 25 images. Without them a deep network with random
    weights maps all images to nearly the same features. layers: the modules whose weights are
    random, by default all.
    """
    layers = network.modules() if layers is None else layers
    norms = [layer for layer in layers if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
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


def randomised(
    network: Module, seed: int, images: Float[torch.Tensor, "n 3 h w"], share: float = 1
) -> Module:
    """Return a copy of a network with random weights, in eval mode, calibrated on these images.

    Layers use their own initialisation; parameters without one are shuffled. share: the fraction
    of layers, counted from the last one, that become random; at least one does. Raises ValueError
    if the network, which must be in eval mode, cannot be copied.
    """
    duplicate = independent_copy(network, images)
    layers = layers_in_order(duplicate, images[:1])
    if share < 1:
        random_layers = layers[-max(1, round(share * len(layers))) :]
    else:
        random_layers = list(duplicate.modules())

    def draw() -> Module:
        """Set the random weights."""
        done = set()  # ids of parameters, as modules may share one
        for module in random_layers:
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
                done |= {id(parameter) for parameter in module.parameters(recurse=False)}
        own = (module.parameters(recurse=False) for module in random_layers)
        for parameter in chain.from_iterable(own):
            if id(parameter) not in done:
                order = torch.randperm(parameter.numel())
                parameter.data = parameter.data.flatten()[order].view_as(parameter)
                done.add(id(parameter))
        return duplicate

    return calibrate_batchnorm(seeded(seed, draw), images, random_layers)


@torch.no_grad()
def independent_copy(network: Module, images: Float[torch.Tensor, "n 3 h w"]) -> Module:
    """Return a copy of a network in eval mode, after a check that both give the same numbers.

    Raises ValueError if they differ on the last image, or if the network cannot be copied. They
    differ if a forward hook stores values in the object that it was defined in: the copy's layers
    then write to the original, and the copy returns stale values.
    """
    try:
        duplicate = copy.deepcopy(network)
        network(images[:1])
        alike = torch.equal(duplicate(images[-1:]), network(images[-1:]))
    except Exception as error:  # any, because the network runs its own code
        raise ValueError(f"the network cannot be copied ({one_line(error)})") from None
    if not alike:
        raise ValueError(
            "a copy of the network gives other numbers; let its hooks store nothing outside of their module"
        )
    return duplicate


@torch.no_grad()
def layers_in_order(network: nn.Module, images: Float[torch.Tensor, "n 3 h w"]) -> list[nn.Module]:
    """Return the modules with parameters of their own, in the order in which they first run."""
    calls: list[nn.Module] = []
    hooks = [
        module.register_forward_pre_hook(lambda layer, _: calls.append(layer))
        for module in network.modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    return list({id(module): module for module in calls}.values())
