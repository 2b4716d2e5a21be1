"""Saliency maps: which pixels move an image's embedding away from that of a black image (paper, section 3.1)."""

import numpy as np
import torch

from utils import PROTOCOLS

CLIP_PERCENTILE = 99


def saliency_map(gradients, protocol):
    """The saliency map (H, W), float64 in [0, 1], of gradients (samples, channels, H, W) at noisy copies of one image.

    protocol "paper" (Eq. 2 and the text after it): mean over the samples, absolute value, mean over the channels.
    protocol "released": per sample the mean over the channels, absolute value, then the sum over the samples.
    Both then clip above the 99th percentile and scale to [0, 1]. A gradient that is the same everywhere gives zeros.

    Raises ValueError on another protocol, another shape, or gradients that are not finite.
    """
    gradients = np.asarray(gradients, dtype=np.float64)
    if gradients.ndim != 4:
        raise ValueError(f"gradients must be (samples, channels, H, W), not {gradients.shape}")
    if not np.isfinite(gradients).all():
        raise ValueError("gradients contain NaN or infinite values")
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}")
    if PROTOCOLS[protocol].signed_mean_over == "samples":
        return scaled(np.abs(gradients.mean(axis=0)).mean(axis=0))
    return scaled(np.abs(gradients.mean(axis=1)).sum(axis=0))


def scaled(raw):
    """Clip a raw map (H, W) above its 99th percentile and scale [minimum, 99th percentile] to [0, 1]."""
    low, high = raw.min(), np.percentile(raw, CLIP_PERCENTILE)
    if high <= low:
        return np.zeros_like(raw)
    return np.clip((raw - low) / (high - low), 0, 1)


def input_gradients(network, images, base_embedding, distance):
    """d distance(f(x), f(base)) / dx (Eq. 1) for images (n, C, H, W): (n, C, H, W), each image by itself.

    base_embedding: (1, d); distance: a function of (n, d) and (1, d) that gives (n, 1), the images coming first.
    """
    images = images.detach().requires_grad_()
    # The sum's gradient with respect to an image is that of its own distance, since networks in eval mode do not mix
    # the images of a batch.
    total = distance(network(images), base_embedding).sum()
    return torch.autograd.grad(total, images)[0]


def noise_scale(image, sigma):
    """Standard deviation of the noise: sigma times the value range of the transformed image (C, H, W)."""
    return float(sigma * (image.max() - image.min()))


def noisy_copies(image, samples, sigma, seed):
    """(samples, C, H, W): the transformed image plus Gaussian noise drawn from `seed`, not clipped."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((samples, *image.shape), generator=generator)
    return image + noise_scale(image, sigma) * noise


def smoothgrad(network, image, base_embedding, distance, protocol, samples, sigma, seed, batch_size):
    """The saliency map (H, W) of one transformed image (C, H, W); see saliency_map for the protocols."""
    device = base_embedding.device
    copies = noisy_copies(image, samples, sigma, seed)
    gradients = [
        input_gradients(network, batch.to(device, memory_format=torch.channels_last), base_embedding, distance).cpu()
        for batch in copies.split(batch_size)
    ]
    return saliency_map(torch.cat(gradients).numpy(), protocol)
