"""How alike the saliency maps of two networks are, from Python alone: no settings, no files but the images."""

from typing import NamedTuple

import numpy as np
import torch

from dml_analysis.datasets.images import open_image
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.metrics.map_similarity import all_pairs, fisher_mean, fisher_std
from dml_analysis.metrics.smoothgrad import base_embedding, gradients_in_batches, noisy_copies, saliency_map
from dml_analysis.networks.crops import measured_crop
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.modules import in_eval_mode, randomised
from dml_analysis.networks.transforms import black_input
from dml_analysis.paper import PROTOCOLS
from dml_analysis.saliency.map_comparisons import on_one_grid
from dml_analysis.seeds import derived_seed

BATCH_SIZE = 10


class Alike(NamedTuple):
    """Over the images: correlation by Fisher's z, Jensen-Shannon divergence plainly."""

    correlation: float
    correlation_std: float
    jsd: float
    jsd_std: float


class Compared(NamedTuple):
    between: Alike  # the two networks
    ceiling: tuple  # of two Alike: each network with itself, under other noise
    floor: Alike  # both networks with random weights, their BatchNorm statistics taken from the images


def compare_networks(networks, transforms, images, distance="Euclidean Distance", protocol="paper",
                     noise_samples=50, noise_sigma=0.15, seed=0):  # fmt: skip
    """Compare two networks by their saliency maps of the same images, beside floor and ceiling.

    networks: two torch.nn.Module, images (n, 3, h, w) to embeddings (n, d); they work in eval mode, and are left as they were.
    transforms: one of each, or one for both, from an RGB image of PIL to a tensor (3, h, w).
    images: paths, at least two. distance: see distance_function. protocol: "paper" or "released".
    noise_samples, noise_sigma: l and sigma of SmoothGrad, sigma as a share of the transformed image's range.

    Returns Compared. Maps of networks that see other parts of an image, or other sizes, are all brought to the part and
    grid that both have (common_part.py). Raises InputError on
    an image that cannot be read, and ValueError on a transform that does more than to resize and cut out the middle, a
    network that gives zeros for the black image, or one that cannot be copied.
    """
    with in_eval_mode(networks[0]), in_eval_mode(networks[1]):
        return _compared(networks, transforms, images, distance, protocol, noise_samples, noise_sigma, seed)


def _compared(networks, transforms, images, distance, protocol, noise_samples, noise_sigma, seed):
    """See compare_networks; the networks are in eval mode."""
    transforms = transforms if isinstance(transforms, (tuple, list)) else (transforms, transforms)
    crops = [measured_crop(transform) for transform in transforms]
    pictures = [open_image(path) for path in images]
    inputs = [torch.stack([transform(picture) for picture in pictures]) for transform in transforms]
    black = [black_input(transform) for transform in transforms]
    random = [randomised(network, derived_seed(seed, "random", i), inputs[i]) for i, network in enumerate(networks)]

    def maps(which, i, noise):
        seeds = [derived_seed(seed, noise, i, place) for place in range(len(images))]
        return maps_of(which[i], inputs[i], black[i], seeds, distance, protocol, noise_samples, noise_sigma)

    some = [maps(networks, 0, "a"), maps(networks, 1, "a"), maps(networks, 0, "b"), maps(networks, 1, "b"),
            maps(random, 0, "random"), maps(random, 1, "random")]  # fmt: skip
    # All on one grid, also those of one network: what is averaged there is more alike.
    stacks = [on_one_grid(some, crops * 3, range(6), image, picture.size) for image, picture in enumerate(pictures)]
    correlation, jsd = np.concatenate([all_pairs(each, PROTOCOLS[protocol].jsd_base) for each in stacks], axis=1)

    def alike(a, b):
        r, divergence = correlation[:, a, b], jsd[:, a, b]
        return Alike(*map(float, (fisher_mean(r), fisher_std(r), divergence.mean(), divergence.std())))

    return Compared(alike(0, 1), (alike(0, 2), alike(1, 3)), alike(4, 5))


def maps_of(network, inputs, black, seeds, distance, protocol, noise_samples, noise_sigma):
    """The saliency maps, a list of (h, w), of transformed images (n, 3, h, w); seeds: of each image's noise."""
    measure, maps = distance_function(distance), []
    base = base_embedding(network, black, normalises(distance))
    for image, seed in zip(inputs, seeds):
        copies = noisy_copies(image.to(base.device), noise_samples, noise_sigma, seed)
        maps.append(saliency_map(gradients_in_batches(network, copies, base, measure, BATCH_SIZE), protocol))
    return maps
