"""Saliency maps of your own networks, and how alike they are: modules and images in, numbers out."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import nn

from dml_analysis.datasets.images import open_image
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.metrics.map_alignment import on_one_grid
from dml_analysis.metrics.map_similarity import all_pairs, fisher_mean, fisher_std
from dml_analysis.metrics.smoothgrad import (
    base_embedding,
    gradients_in_batches,
    noisy_copies,
    saliency_map,
)
from dml_analysis.networks.crops import measured_crop
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.modules import in_eval_mode, randomised
from dml_analysis.networks.transforms import Float32, black_input
from dml_analysis.paper import PROTOCOLS
from dml_analysis.seeds import derived_seed

BATCH_SIZE = 10

Transform = Callable[[Image.Image], torch.Tensor]  # from an RGB image to (3, h, w)


class MapSimilarity(NamedTuple):
    """How alike two sets of maps of the same images are."""

    correlation: float  # mean over the images by Fisher's z
    correlation_std: float  # tanh of the standard deviation of z, as in the paper's tables
    jsd: float  # Jensen-Shannon divergence, mean over the images
    jsd_std: float  # standard deviation over the images


class NetworkComparison(NamedTuple):
    """How alike the maps of two networks are, and the bounds of such numbers."""

    between: MapSimilarity  # the two networks
    noise_ceilings: tuple[MapSimilarity, MapSimilarity]  # each network with itself, other noise
    # Both with random weights, their BatchNorm statistics taken from the images
    random_weights_baseline: MapSimilarity


def smoothgrad(
    network: nn.Module,
    transform: Transform,
    image: str | PathLike,
    distance: str = "Euclidean Distance",
    protocol: str = "paper",
    noise_samples: int = 50,
    noise_sigma: float = 0.15,
    seed: int = 0,
) -> Float[np.ndarray, "h w"]:
    """Return the saliency map, in [0, 1], of an image.

    It shows which pixels move the image's embedding away from that of a black image.

    network: images (n, 3, h, w) to embeddings (n, d); it runs in eval mode, and its modes are
    restored. transform: from an RGB image of PIL to a tensor (3, h, w). distance: one of Table 1,
    "Raw Euclidean Distance", or module:function. protocol: "paper" or "released", the order in
    which gradients are averaged (saliency_map). noise_samples, noise_sigma: l and sigma, the latter
    as a share of the transformed image's range. A network whose gradient is the same at every pixel
    gives zeros. Source: Kobs et al., section 3.1.

    Raises InputError on an image that cannot be read, ValueError on another protocol, gradients
    that are not finite, or a black image whose embedding is zero while the distance normalises.

    >>> import torch, torchvision
    >>> layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 30 * 30, 8)]
    >>> network = torch.nn.Sequential(*layers)
    >>> steps = [torchvision.transforms.Resize((32, 32)), torchvision.transforms.ToTensor()]
    >>> transform = torchvision.transforms.Compose(steps)
    >>> smoothgrad(network, transform, "data/sample_cars/images/1.jpg", noise_samples=5).shape
    (32, 32)
    """
    transform = Float32(transform)
    inputs = transform(open_image(image))[None]
    noise = (noise_samples, noise_sigma)
    with in_eval_mode(network):
        black = black_input(transform)
        (result,) = maps_of(network, inputs, black, [seed], distance, protocol, *noise)
    return result


def compare_networks(
    networks: Sequence[nn.Module],
    transforms: Transform | Sequence[Transform],
    images: Sequence[str | PathLike],
    distance: str = "Euclidean Distance",
    protocol: str = "paper",
    noise_samples: int = 50,
    noise_sigma: float = 0.15,
    seed: int = 0,
) -> NetworkComparison:
    """Return how alike two networks' saliency maps are, alongside their bounds.

    The bounds are noise ceilings and a random-weights baseline. networks: two; transforms: one of
    each, or one for both; images: paths, at least two. All else is as in smoothgrad. Maps of
    networks that see other parts of an image, or other sizes, are brought to the part and the grid
    that both have (metrics/map_alignment.py).

    Source: Kobs et al., section 3.1; ceilings and baseline are ours. Raises what smoothgrad raises,
    and ValueError on fewer than two images, a transform that does more than to resize and cut out
    the middle, or a network that cannot be copied.

    >>> import torch, torchvision
    >>> layers = [[torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 8)] for _ in range(2)]
    >>> networks = [torch.nn.Sequential(*of_network) for of_network in layers]
    >>> steps = [torchvision.transforms.Resize((32, 32)), torchvision.transforms.ToTensor()]
    >>> transform = torchvision.transforms.Compose(steps)
    >>> images = [f"data/sample_cars/images/{frame}.jpg" for frame in (1, 2, 3)]
    >>> compared = compare_networks(networks, transform, images, noise_samples=4)
    >>> ceiling = min(ceiling.correlation for ceiling in compared.noise_ceilings)
    >>> compared.between.correlation < ceiling
    True
    """
    if len(networks) != 2 or len(images) < 2:
        raise ValueError(
            f"need two networks and at least two images, not {len(networks)} and {len(images)}"
        )
    given = transforms if isinstance(transforms, (tuple, list)) else (transforms, transforms)
    both = [Float32(transform) for transform in given]
    crops = [measured_crop(transform) for transform in both]
    pictures = [open_image(path) for path in images]
    inputs = [torch.stack([transform(picture) for picture in pictures]) for transform in both]
    noise = (noise_samples, noise_sigma)

    def maps(which: Sequence[nn.Module], i: int, purpose: str) -> Float[np.ndarray, "n h w"]:
        seeds = [derived_seed(seed, purpose, i, image) for image in range(len(images))]
        black = black_input(both[i])
        return np.array(maps_of(which[i], inputs[i], black, seeds, distance, protocol, *noise))

    with in_eval_mode(networks[0]), in_eval_mode(networks[1]):
        random = [
            randomised(network, derived_seed(seed, "random", i), inputs[i])
            for i, network in enumerate(networks)
        ]
        all_maps = [
            maps(which, i, purpose)
            for which, purpose in ((networks, "a"), (networks, "b"), (random, "random"))
            for i in (0, 1)
        ]
    # All on one grid, also those of one network: averages on a coarser grid are more alike.
    stacks = [
        on_one_grid(all_maps, crops * 3, range(6), image, picture.size)
        for image, picture in enumerate(pictures)
    ]
    jsd_base = PROTOCOLS[protocol].jsd_base
    correlation, jsd = np.concatenate([all_pairs(stack, jsd_base) for stack in stacks], axis=1)

    def similarity(a: int, b: int) -> MapSimilarity:
        r, divergence = correlation[:, a, b], jsd[:, a, b]
        numbers = fisher_mean(r), fisher_std(r), divergence.mean(), divergence.std()
        return MapSimilarity(*map(float, numbers))

    ceilings = similarity(0, 2), similarity(1, 3)
    return NetworkComparison(similarity(0, 1), ceilings, similarity(4, 5))


def maps_of(
    network: nn.Module,
    inputs: Float[torch.Tensor, "n 3 h w"],
    black: Float[torch.Tensor, "3 h w"],
    seeds: Sequence[int],
    distance: str,
    protocol: str,
    noise_samples: int,
    noise_sigma: float,
) -> list[Float[np.ndarray, "h w"]]:
    """Return the saliency map of each transformed image; seeds: of each image's noise."""
    measure = distance_function(distance)
    base = base_embedding(network, black, normalises(distance))
    maps = []
    for image, seed in zip(inputs, seeds):
        copies = noisy_copies(image.to(base.device), noise_samples, noise_sigma, seed)
        gradients = gradients_in_batches(network, copies, base, measure, BATCH_SIZE)
        maps.append(saliency_map(gradients, protocol))
    return maps
