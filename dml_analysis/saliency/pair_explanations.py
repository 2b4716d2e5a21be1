"""What makes two images alike to a network: the pixels of both that move the distance between their embeddings."""

from collections.abc import Callable
from os import PathLike

import numpy as np
from jaxtyping import Float
from torch import nn

from dml_analysis.datasets.images import open_image
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.metrics.smoothgrad import (
    base_embedding,
    gradients_in_batches,
    noisy_copies,
    saliency_map,
)
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.modules import in_eval_mode, place_of
from dml_analysis.seeds import derived_seed

BATCH_SIZE = 10


def pair_gradients(network, query, neighbor, distance, samples, sigma, seeds, batch_size=BATCH_SIZE,
                   normalised=True):  # fmt: skip
    """The gradients (samples, C, H, W) of distance(f(query), f(neighbor)) at noisy copies of the query, and of the neighbour.

    query, neighbor: transformed images (C, H, W); distance: a function of (n, d) and (m, d) that gives (n, m), the query
    coming first; seeds: of the noise of both; normalised: see base_embedding. Raises ValueError as base_embedding.
    """
    device = place_of(network)
    query, neighbor = query.to(device), neighbor.to(device)
    of_query, of_neighbor = (
        base_embedding(network, image, normalised) for image in (query, neighbor)
    )
    at_query = gradients_in_batches(
        network, noisy_copies(query, samples, sigma, seeds[0]), of_neighbor, distance, batch_size
    )

    def from_query(embeddings, fixed):
        return distance(fixed, embeddings)

    copies = noisy_copies(neighbor, samples, sigma, seeds[1])
    return at_query, gradients_in_batches(network, copies, of_query, from_query, batch_size)


def explain_pair(
    network: nn.Module,
    transform: Callable,
    query: str | PathLike,
    neighbor: str | PathLike,
    distance: str = "Euclidean Distance",
    protocol: str = "paper",
    noise_samples: int = 50,
    noise_sigma: float = 0.15,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return two saliency maps, in [0, 1]: which pixels of the query and of its neighbor move the distance of their embeddings.

    query, neighbor: paths of images. All else is as in network_comparison.smoothgrad. Source: Kobs et al., section 3.1, with the other
    image in the place of the black one. Raises InputError on an image that cannot be read, and ValueError on another protocol, gradients
    that are not finite, or an embedding that is zero while the distance normalises.

    >>> import torch, torchvision
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 30 * 30, 8))
    >>> transform = torchvision.transforms.Compose([torchvision.transforms.Resize((32, 32)), torchvision.transforms.ToTensor()])
    >>> query, neighbor = (f"data/sample_cars/images/{frame}.jpg" for frame in (1, 2))
    >>> [map.shape for map in explain_pair(network, transform, query, neighbor, noise_samples=5)]
    [(32, 32), (32, 32)]
    """
    first, second = (transform(open_image(path)) for path in (query, neighbor))
    seeds = [derived_seed(seed, which) for which in ("query", "neighbor")]
    with in_eval_mode(network):
        gradients = pair_gradients(network, first, second, distance_function(distance), noise_samples, noise_sigma, seeds,
                                   normalised=normalises(distance))  # fmt: skip
    at_query, at_neighbor = (saliency_map(each, protocol) for each in gradients)
    return at_query, at_neighbor
