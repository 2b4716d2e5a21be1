"""Saliency maps: which pixels move an image's embedding away from that of a black image.

Source: Kobs et al., section 3.1.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Num

from dml_analysis.metrics.inputs import Data
from dml_analysis.networks.modules import at_least_float32, place_of
from dml_analysis.paper import PROTOCOLS

CLIP_QUANTILE = 0.99

# Takes embeddings (n, d) and (1, d), the images' first; returns distances (n, 1).
Distance = Callable[[Float[torch.Tensor, "n d"], Float[torch.Tensor, "1 d"]], torch.Tensor]


def saliency_map(
    gradients: Num[Data, "samples channels h w"], protocol: str
) -> Float[np.ndarray, "h w"]:
    """Return the saliency map, float64 in [0, 1], of gradients at noisy copies of one image.

    Protocol "paper" (Eq. 2 and the text after it): mean over the samples, absolute value, mean
    over the channels. Protocol "released": mean over the channels, absolute value, sum over the
    samples. Both then clip above the 99th percentile and scale to [0, 1]. The map of a constant
    gradient is zero everywhere. A tensor is averaged on its own device.

    Source: Kobs et al., section 3.1. Raises ValueError on another protocol or shape, and on
    gradients that are not finite.

    >>> gradients = np.zeros((2, 3, 2, 2))
    >>> gradients[:, :, 0, 1] = 1
    >>> saliency_map(gradients, "released")
    array([[0., 1.],
           [0., 0.]])
    """
    if isinstance(gradients, torch.Tensor):
        gradients = gradients.detach()
    else:  # a copy, as torch warns of arrays that are read-only
        gradients = torch.from_numpy(np.array(gradients, dtype=np.float64))
    # MPS has no float64. torch sums adjacent channels several times as slowly, hence contiguous().
    device = "cpu" if gradients.is_mps else gradients.device
    gradients = gradients.contiguous().to(device, torch.float64)
    if gradients.ndim != 4:
        raise ValueError(
            f"gradients must be (samples, channels, h, w), not {tuple(gradients.shape)}"
        )
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    if PROTOCOLS[protocol].signed_mean_over == "samples":
        raw = gradients.mean(dim=0).abs().mean(dim=0)
    else:
        raw = gradients.mean(dim=1).abs().sum(dim=0)
    if not torch.isfinite(raw).all():
        raise ValueError("gradients contain NaN or infinite values")
    return scaled(raw).cpu().numpy()


def scaled(raw: Float[torch.Tensor, "h w"]) -> Float[torch.Tensor, "h w"]:
    """Return a map clipped above its 99th percentile, then scaled to [0, 1]; zeros if constant."""
    low, high = raw.min(), torch.quantile(raw, CLIP_QUANTILE)
    if high <= low:
        return torch.zeros_like(raw)
    return ((raw - low) / (high - low)).clip(0, 1)


@torch.no_grad()
def base_embedding(
    network: torch.nn.Module, black: Float[torch.Tensor, "c h w"], normalised: bool = True
) -> Float[torch.Tensor, "1 d"]:
    """Return the embedding of the black image, which all images are compared with.

    normalised: whether the distance normalises embeddings (coordinates.normalises). Then raises
    ValueError if the embedding is zero, as it has no direction.
    """
    inputs = black[None].to(place_of(network), memory_format=torch.channels_last)
    base = at_least_float32(network(inputs))
    if normalised and not base.any():
        raise ValueError(
            "the embedding of the black image is zero, so no distance to it is defined"
        )
    return base


def input_gradients(
    network: torch.nn.Module,
    images: Float[torch.Tensor, "n c h w"],
    base_embedding: Float[torch.Tensor, "1 d"],
    distance: Distance,
) -> Float[torch.Tensor, "n c h w"]:
    """Return d distance(f(x), f(base)) / dx for each of the images x (Eq. 1)."""
    images = images.detach().requires_grad_()
    # Networks in eval mode do not mix the images of a batch. So the sum's gradient with respect to
    # an image is that of its own distance.
    with torch.enable_grad():  # the caller may have disabled it
        total = distance(at_least_float32(network(images)), base_embedding).sum()
    return torch.autograd.grad(total, images)[0]  # weights get no gradients


def noise_scale(image: Float[torch.Tensor, "c h w"], sigma: float) -> float:
    """Return the standard deviation of the noise: sigma times the range of the image's values."""
    return float(sigma * (image.max() - image.min()))


def noisy_copies(
    image: Float[torch.Tensor, "c h w"], samples: int, sigma: float, seed: int
) -> Float[torch.Tensor, "samples c h w"]:
    """Return copies of the transformed image, each with its own Gaussian noise, not clipped.

    The noise is sampled on the image's device: one seed gives different noise on a GPU and a CPU.
    """
    generator = torch.Generator(image.device).manual_seed(seed)
    noise = torch.randn((samples, *image.shape), generator=generator, device=image.device)
    return image + noise.mul_(noise_scale(image, sigma))


def gradients_in_batches(
    network: torch.nn.Module,
    images: Float[torch.Tensor, "n c h w"],
    base_embedding: Float[torch.Tensor, "1 d"],
    distance: Distance,
    batch_size: int,
) -> Float[torch.Tensor, "n c h w"]:
    """Return the input_gradients of the images, computed in batches."""
    gradients = [
        input_gradients(
            network, batch.contiguous(memory_format=torch.channels_last), base_embedding, distance
        )
        for batch in images.split(batch_size)
    ]
    return torch.cat(gradients)
