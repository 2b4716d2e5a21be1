"""Saliency maps: which pixels move an image's embedding away from that of a black image (paper, section 3.1)."""

import numpy as np
import torch
from jaxtyping import Float

from dml_analysis.networks.modules import place_of
from dml_analysis.paper import PROTOCOLS

CLIP_QUANTILE = 0.99


def saliency_map(
    gradients: Float[np.ndarray, "samples channels h w"] | Float[torch.Tensor, "samples channels h w"], protocol: str
) -> Float[np.ndarray, "h w"]:
    """Return the saliency map, float64 in [0, 1], of gradients at noisy copies of one image.

    protocol "paper" (Eq. 2 and the text after it): mean over the samples, absolute value, mean over the channels.
    protocol "released": per sample the mean over the channels, absolute value, then the sum over the samples.
    Both then clip above the 99th percentile and scale to [0, 1]. A gradient that is the same everywhere gives zeros. A tensor is
    averaged on the device that it is on.

    Source: Kobs et al., section 3.1. Raises ValueError on another protocol, another shape, or gradients that are not finite.

    >>> gradients = np.zeros((2, 3, 2, 2))
    >>> gradients[:, :, 0, 1] = 1
    >>> saliency_map(gradients, "released")
    array([[0., 1.],
           [0., 0.]])
    """
    gradients = torch.as_tensor(gradients)
    # MPS has no float64; torch adds up channels that lie next to each other several times as slowly.
    gradients = gradients.contiguous().to("cpu" if gradients.is_mps else gradients.device, torch.float64)
    if gradients.ndim != 4:
        raise ValueError(f"gradients must be (samples, channels, H, W), not {tuple(gradients.shape)}")
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}")
    if PROTOCOLS[protocol].signed_mean_over == "samples":
        raw = gradients.mean(dim=0).abs().mean(dim=0)
    else:
        raw = gradients.mean(dim=1).abs().sum(dim=0)
    if not torch.isfinite(raw).all():
        raise ValueError("gradients contain NaN or infinite values")
    return scaled(raw).cpu().numpy()


def scaled(raw):
    """Clip a raw map, a tensor (H, W), above its 99th percentile and scale [minimum, 99th percentile] to [0, 1]."""
    low, high = raw.min(), torch.quantile(raw, CLIP_QUANTILE)
    if high <= low:
        return torch.zeros_like(raw)
    return ((raw - low) / (high - low)).clip(0, 1)


@torch.no_grad()
def base_embedding(network, black, normalised=True):
    """Return the embedding (1, d) of the black image (C, H, W), which images are compared with.

    normalised: whether the distance normalises embeddings (coordinates.normalises). If so, raises ValueError if the embedding
    is zero, as it has no direction.
    """
    base = network(black[None].to(place_of(network), memory_format=torch.channels_last))
    if normalised and not base.any():
        raise ValueError("the embedding of the black image is zero, so that no distance to it is defined")
    return base


def input_gradients(network, images, base_embedding, distance):
    """d distance(f(x), f(base)) / dx (Eq. 1) for images (n, C, H, W): (n, C, H, W), each image by itself.

    base_embedding: (1, d); distance: a function of (n, d) and (1, d) that gives (n, 1), the images coming first.
    """
    images = images.detach().requires_grad_()
    # The sum's gradient with respect to an image is that of its own distance, since networks in eval mode do not mix
    # the images of a batch.
    with torch.enable_grad():  # also for a caller who has it switched off
        total = distance(network(images), base_embedding).sum()
    return torch.autograd.grad(total, images)[0]  # of the images alone: weights get none


def noise_scale(image, sigma):
    """Standard deviation of the noise: sigma times the value range of the transformed image (C, H, W)."""
    return float(sigma * (image.max() - image.min()))


def noisy_copies(image, samples, sigma, seed):
    """(samples, C, H, W): the transformed image plus Gaussian noise drawn from `seed`, not clipped.

    The noise is drawn on the image's device; one seed gives other noise on a GPU than on a CPU.
    """
    generator = torch.Generator(image.device).manual_seed(seed)
    noise = torch.randn((samples, *image.shape), generator=generator, device=image.device)
    return image + noise.mul_(noise_scale(image, sigma))


def gradients_in_batches(network, images, base_embedding, distance, batch_size):
    """input_gradients, for so many of the images at a time."""
    gradients = [
        input_gradients(network, batch.contiguous(memory_format=torch.channels_last), base_embedding, distance)
        for batch in images.split(batch_size)
    ]
    return torch.cat(gradients)
