"""What makes two images alike to a network: the pixels of both that move the distance between their embeddings."""

from dml_analysis.datasets.images import open_image
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.metrics.smoothgrad import base_embedding, gradients_in_batches, noisy_copies, saliency_map
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
    of_query, of_neighbor = (base_embedding(network, image, normalised) for image in (query, neighbor))
    at_query = gradients_in_batches(
        network, noisy_copies(query, samples, sigma, seeds[0]), of_neighbor, distance, batch_size
    )

    def from_query(embeddings, fixed):
        return distance(fixed, embeddings)

    copies = noisy_copies(neighbor, samples, sigma, seeds[1])
    return at_query, gradients_in_batches(network, copies, of_query, from_query, batch_size)


def explain_pair(network, transform, query, neighbor, distance="Euclidean Distance", protocol="paper", noise_samples=50,
                 noise_sigma=0.15, seed=0):  # fmt: skip
    """The saliency maps (h, w), in [0, 1], of the distance between two images' embeddings: of the query, of the neighbour.

    network: a torch.nn.Module, images (n, 3, h, w) to embeddings (n, d), which works in eval mode and is left as it was; transform:
    from an RGB image of PIL to a tensor (3, h, w); query, neighbor: paths; distance: see distance_function; protocol: "paper" or
    "released". Raises InputError on an image that cannot be read, and ValueError if the network gives zeros for one and the distance
    normalises.
    """
    inputs = [transform(open_image(path)) for path in (query, neighbor)]
    seeds = [derived_seed(seed, which) for which in ("query", "neighbor")]
    with in_eval_mode(network):
        gradients = pair_gradients(network, *inputs, distance_function(distance), noise_samples, noise_sigma, seeds,
                                   normalised=normalises(distance))  # fmt: skip
    return tuple(saliency_map(each, protocol) for each in gradients)
