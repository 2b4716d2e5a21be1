"""One saliency map of 50 noisy samples: ours, a plain loop, captum and the bare network.

On a CPU each in a process of its own: the memory that our scripts keep would make the others
faster.
"""

from functools import partial

import numpy as np
import torch
from captum.attr import NoiseTunnel, Saliency

from benchmarks.measure import Row, apart, fastest, medians
from dml_analysis.checkout import ROOT
from dml_analysis.datasets.images import open_image
from dml_analysis.memory import keep_freed_memory
from dml_analysis.metrics.smoothgrad import (
    gradients_in_batches,
    noise_scale,
    noisy_copies,
    saliency_map,
    scaled,
)
from dml_analysis.networks.bn_inception import network_input, random_network
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.loading import for_inference
from dml_analysis.networks.modules import ready_for_inference
from dml_analysis.networks.transforms import black_input

SAMPLES, SIGMA, SEED = 50, 0.15, 0
IMAGES = [ROOT / "data" / "sample_cars" / "images" / f"{frame}.jpg" for frame in range(1, 61)]
BATCH_SIZES = {"cpu": 25, "cuda": SAMPLES}  # ours
CAPTUM_BATCH_SIZES = (5, 10, 25, 50)  # of which it gets its best
DISTANCE = distance_function("Euclidean Distance")


def fresh_network():
    """A network in torch's default memory format, as one that has just been loaded."""
    return random_network(
        SEED, torch.stack([network_input(open_image(path)) for path in IMAGES[:25]])
    )


def our_network(device="cpu", kind=torch.float32):
    """The same network, as the scripts load it."""
    network = fresh_network().to(kind)
    network.trunk = for_inference(network.trunk, device)
    return ready_for_inference(network, device)


def plain_loop(network, image, base):
    """The map as the paper's authors compute it, reimplemented: all 50 copies at once, gradients of
    weights included.
    """
    copies = noisy_copies(image, SAMPLES, SIGMA, SEED).requires_grad_()
    network.zero_grad()
    DISTANCE(network(copies), base).sum().backward()
    raw = copies.grad.mean(dim=1).abs().sum(dim=0)
    return scaled(raw.double()).cpu().numpy()


def captum_map(network, image, base, batch_size, sigma=SIGMA):
    """The map by the paper's protocol, with noise of its own, by captum."""
    tunnel = NoiseTunnel(Saliency(lambda images: DISTANCE(network(images), base)[:, 0]))
    gradient = tunnel.attribute(
        image[None],
        nt_type="smoothgrad",
        nt_samples=SAMPLES,
        nt_samples_batch_size=batch_size,
        stdevs=noise_scale(image, sigma),
        abs=False,
    )
    return scaled(gradient[0].double().abs().mean(dim=0)).cpu().numpy()


def our_map(network, image, base, batch_size, protocol="released", sigma=SIGMA):
    copies = noisy_copies(image, SAMPLES, sigma, SEED)
    return saliency_map(gradients_in_batches(network, copies, base, DISTANCE, batch_size), protocol)


def contestants(device, kind=torch.float32):
    """(plain network, our network, image, black image's embedding) on a device; kind: the dtype of
    all of them.
    """
    plain, ours = fresh_network().to(device, kind), our_network(device, kind)
    image, black = (
        each.to(device, kind)
        for each in (network_input(open_image(IMAGES[0])), black_input(network_input))
    )
    with torch.no_grad():
        base = ours(black[None])
    return plain, ours, image, base


def exactness():
    """The largest differences of (our and the plain map in float64, the plain map in float32 and
    float64, the same of ours).

    The two maps round differently, and what is rounded decides ties in ReLUs and max pooling: that
    moves float32 maps.
    """
    maps = {}
    for kind in (torch.float32, torch.float64):
        plain, ours, image, base = contestants("cpu", kind=kind)
        maps[kind] = plain_loop(plain, image, base), our_map(ours, image, base, BATCH_SIZES["cpu"])
    rounded, exact = maps.values()
    return [
        np.abs(a - b).max()
        for a, b in ((exact[1], exact[0]), (rounded[0], exact[0]), (rounded[1], exact[1]))
    ]


def _plain():
    plain, _, image, base = contestants("cpu")
    return partial(plain_loop, plain, image, base)


def _captum(batch_size):
    plain, _, image, base = contestants("cpu")
    return partial(captum_map, plain, image, base, batch_size)


def _ours():
    keep_freed_memory()  # as scripts with networks do
    _, ours, image, base = contestants("cpu")
    return partial(our_map, ours, image, base, BATCH_SIZES["cpu"])


def cpu_rows(rounds=9):
    with apart({size: partial(_captum, size) for size in CAPTUM_BATCH_SIZES}) as runs:
        best = fastest(runs)
    with apart({"plain": _plain, "captum": partial(_captum, best), "ours": _ours}) as runs:
        medians(runs, 1)  # the first are slower
        seconds = medians(runs, rounds)
    what = "one map of 50 samples"
    return [
        Row(
            what,
            "plain loop",
            "cpu",
            "s",
            2.3,
            seconds["ours"],
            seconds["plain"],
            rounds,
            *exactness(),
        ),
        Row(
            what,
            "captum",
            "cpu",
            "s",
            1.3,
            seconds["ours"],
            seconds["captum"],
            rounds,
            batch_size=best,
        ),
    ]
