"""What makes two images alike to a network: the pixels that move the embeddings' distance."""

from collections.abc import Callable, Sequence
from os import PathLike

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from dml_analysis.datasets.images import open_image
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.metrics.smoothgrad import (
    Distance,
    base_embedding,
    gradients_in_batches,
    noisy_copies,
    saliency_map,
)
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.modules import in_eval_mode, place_of
from dml_analysis.networks.transforms import Float32
from dml_analysis.seeds import derived_seed

BATCH_SIZE = 10


def pair_gradients(
    network: nn.Module,
    query: Float[torch.Tensor, "c h w"],
    neighbor: Float[torch.Tensor, "c h w"],
    distance: Distance,
    samples: int,
    sigma: float,
    seeds: Sequence[int],
    batch_size: int = BATCH_SIZE,
    normalised: bool = True,
) -> tuple[Float[torch.Tensor, "samples c h w"], Float[torch.Tensor, "samples c h w"]]:
    """Return the gradients of distance(f(query), f(neighbor)) at noisy copies of either image.

    query, neighbor: transformed images. distance: of (n, d) and (m, d), which gives (n, m); the
    query comes first. seeds: of the noise of both. normalised: see base_embedding. Raises
    ValueError as base_embedding.
    """
    device = place_of(network)
    query, neighbor = query.to(device), neighbor.to(device)
    of_query, of_neighbor = (
        base_embedding(network, image, normalised) for image in (query, neighbor)
    )

    def from_query(embeddings: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
        return distance(fixed, embeddings)

    query_copies = noisy_copies(query, samples, sigma, seeds[0])
    neighbor_copies = noisy_copies(neighbor, samples, sigma, seeds[1])
    return (
        gradients_in_batches(network, query_copies, of_neighbor, distance, batch_size),
        gradients_in_batches(network, neighbor_copies, of_query, from_query, batch_size),
    )


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
    """Return two saliency maps, in [0, 1], of a query and its neighbor.

    They show which pixels of either image move the distance of their embeddings.

    query, neighbor: paths of images. All else is as in network_comparison.smoothgrad. Source: Kobs
    et al., section 3.1, with the other image in place of the black one. Raises InputError on an
    image that cannot be read, and ValueError on another protocol, gradients that are not finite, or
    an embedding that is zero while the distance normalises.

    >>> import torch, torchvision
    >>> layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 30 * 30, 8)]
    >>> network = torch.nn.Sequential(*layers)
    >>> steps = [torchvision.transforms.Resize((32, 32)), torchvision.transforms.ToTensor()]
    >>> transform = torchvision.transforms.Compose(steps)
    >>> query, neighbor = (f"data/sample_cars/images/{frame}.jpg" for frame in (1, 2))
    >>> maps = explain_pair(network, transform, query, neighbor, noise_samples=5)
    >>> [map.shape for map in maps]
    [(32, 32), (32, 32)]
    """
    first, second = (Float32(transform)(open_image(path)) for path in (query, neighbor))
    seeds = [derived_seed(seed, which) for which in ("query", "neighbor")]
    measure, noise = distance_function(distance), (noise_samples, noise_sigma)
    with in_eval_mode(network):
        gradients = pair_gradients(
            network, first, second, measure, *noise, seeds, normalised=normalises(distance)
        )
    at_query, at_neighbor = (saliency_map(each, protocol) for each in gradients)
    return at_query, at_neighbor
