"""One saliency map of 50 noisy samples on a CPU: ours, a plain loop, and captum.

Each runs in a process of its own: the memory that our scripts keep would make the others faster.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from captum.attr import NoiseTunnel, Saliency
from jaxtyping import Float
from torch import nn

from benchmarks.measure import Row, in_own_process, medians
from dml_analysis.checkout import ROOT
from dml_analysis.datasets.images import open_image
from dml_analysis.memory import keep_freed_memory
from dml_analysis.metrics.smoothgrad import (
    base_embedding,
    gradients_in_batches,
    noise_scale,
    noisy_copies,
    saliency_map,
    scaled,
)
from dml_analysis.networks.bn_inception import network_input, random_network
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.loading import for_inference
from dml_analysis.networks.transforms import black_input

SAMPLES, SIGMA, SEED, BATCH_SIZE = 50, 0.15, 0, 25
CAPTUM_BATCH_SIZES = (5, 10, 25, 50)  # the fastest counts
IMAGES = [ROOT / "data" / "sample_cars" / "images" / f"{frame}.jpg" for frame in range(1, 26)]
DISTANCE = distance_function("Euclidean Distance")
Map = Float[np.ndarray, "h w"]


class Inputs(NamedTuple):
    """What a map is computed from."""

    network: nn.Module
    image: Float[torch.Tensor, "3 h w"]
    base: Float[torch.Tensor, "1 d"]  # the black image's embedding


def inputs(dtype: torch.dtype = torch.float32, as_ours: bool = False) -> Inputs:
    """Return a random network and its inputs; as_ours: the network as our scripts load it."""
    images = torch.stack([network_input(open_image(path)) for path in IMAGES])
    network = random_network(SEED, images).to(dtype)
    base = base_embedding(network, black_input(network_input).to(dtype))
    return Inputs(for_inference(network) if as_ours else network, images[0].to(dtype), base)


def plain_map(network: nn.Module, image: torch.Tensor, base: torch.Tensor) -> Map:
    """Return the map as the paper's authors compute it, reimplemented.

    All copies go through the network at once, and the weights get gradients too.
    """
    copies = noisy_copies(image, SAMPLES, SIGMA, SEED).requires_grad_()
    network.zero_grad()
    DISTANCE(network(copies), base).sum().backward()
    return scaled(copies.grad.mean(dim=1).abs().sum(dim=0).double()).numpy()


def captum_map(
    network: nn.Module,
    image: torch.Tensor,
    base: torch.Tensor,
    batch_size: int,
    sigma: float = SIGMA,
) -> Map:
    """Return captum's map by the protocol `paper`, with noise of its own."""
    tunnel = NoiseTunnel(Saliency(lambda images: DISTANCE(network(images), base)[:, 0]))
    gradient = tunnel.attribute(
        image[None],
        nt_type="smoothgrad",
        nt_samples=SAMPLES,
        nt_samples_batch_size=batch_size,
        stdevs=noise_scale(image, sigma),
        abs=False,
    )
    return scaled(gradient[0].double().abs().mean(dim=0)).numpy()


def our_map(
    network: nn.Module,
    image: torch.Tensor,
    base: torch.Tensor,
    protocol: str = "released",
    sigma: float = SIGMA,
) -> Map:
    """Return our map."""
    copies = noisy_copies(image, SAMPLES, sigma, SEED)
    return saliency_map(gradients_in_batches(network, copies, base, DISTANCE, BATCH_SIZE), protocol)


def difference() -> float:
    """Return the largest difference between our map and the plain loop's, both in float64."""
    ours, plain = (inputs(torch.float64, as_ours) for as_ours in (True, False))
    return float(np.abs(our_map(*ours) - plain_map(*plain)).max())


def _plain() -> Callable[[], Map]:
    return partial(plain_map, *inputs())


def _captum(batch_size: int) -> Callable[[], Map]:
    return partial(captum_map, *inputs(), batch_size)


def _ours() -> Callable[[], Map]:
    keep_freed_memory()  # as scripts with networks do
    return partial(our_map, *inputs(as_ours=True))


def rows(rounds: int = 5) -> list[Row]:
    """Return the comparisons."""
    with ExitStack() as stack:
        functions = {name: stack.enter_context(in_own_process(prepare))
                     for name, prepare in (("plain", _plain), ("ours", _ours))}  # fmt: skip
        functions |= {f"captum {size}": stack.enter_context(in_own_process(_captum, size))
                      for size in CAPTUM_BATCH_SIZES}  # fmt: skip
        medians(functions, 1)  # the first are slower
        seconds = medians(functions, rounds)
    ours, plain = seconds.pop("ours"), seconds.pop("plain")
    what = f"one map of {SAMPLES} samples"
    return [
        Row(what, "plain loop", "s", 2.3, ours, plain, difference()),
        Row(what, "captum", "s", 1.3, ours, min(seconds.values())),
    ]
