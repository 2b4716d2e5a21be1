"""Explained pairs: a query, its wrong nearest car under some network, and what makes them alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import (
    MODEL,
    Sample,
    check_of_cars,
    evenly_spaced,
    property_images,
)
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.metrics.wrong_neighbors import nearest
from dml_analysis.networks.specifications import Network, networks_of
from dml_analysis.paper import Protocol
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.saliency_maps import Mapped
from dml_analysis.seeds import derived_seed, digest
from dml_analysis.store import ResultStore

if TYPE_CHECKING:
    from dml_analysis.config import SaliencySettings, Settings
    from dml_analysis.networks.loading import Ready


class Pair(NamedTuple):
    """Two images, of which the second is retrieved for the first."""

    query: Sample
    neighbor: Sample

    @property
    def name(self) -> str:
        """Return its name in files and stores."""
        return f"{self.query.image_id}-{self.neighbor.image_id}"


def explaining_networks(settings: "Settings") -> list[Network]:
    """Return the networks under which pairs are explained.

    They are of some trained models, in the first fold whose maps the tables need.
    """
    folds = saliency_maps.folds_with_maps(settings)[:1]
    networks = networks_of(
        settings, settings.properties.networks, folds, settings.properties.dataset
    )
    trained = [network for network in networks if network.has_maps and network.model.trained]
    return evenly_spaced(trained, settings.causes.pair_models)


def chosen_pairs(settings: "Settings") -> list[Pair]:
    """Return queries whose nearest car is of another model, with that car.

    Each of the networks contributes one pair, then each a second one, and so on; those that
    property_scores.directed leaves out contribute none. Raises InputError if a network has no
    embeddings, or the images are no cars.
    """
    check_of_cars(settings, "explained pairs")
    samples, table = property_images(settings)
    models, count = table[MODEL].to_numpy(), settings.causes.pairs
    stores = [car_embeddings.store_of(each, samples) for each in explaining_networks(settings)]
    for store in stores:
        if not store.is_complete():
            raise InputError(
                f"{store.folder}: embeddings of {store.subject.name} are not complete; "
                "run properties/2_embed_cars.py first"
            )
    directed = property_scores.directed(stores, settings.protocols[0])
    nearest_cars = [nearest(coordinates) for _, coordinates in directed]
    lists, used = [], set()
    for number, neighbors in enumerate(nearest_cars):
        wrong = [i for i in np.flatnonzero(models[neighbors] != models) if i not in used]
        queries = evenly_spaced(wrong, len(range(number, count, len(nearest_cars))))
        used |= set(queries)
        lists.append([Pair(samples[i], samples[neighbors[i]]) for i in queries])
    return [pairs[turn] for turn in range(count) for pairs in lists if turn < len(pairs)]


def images_of(pairs: Sequence[Pair]) -> list[Sample]:
    """Return the images of all pairs, each query followed by its neighbour."""
    return [image for pair in pairs for image in pair]


def store_of(
    settings: "Settings", network: Network, protocol: Protocol, pairs: Sequence[Pair]
) -> ResultStore:
    """Return the store of the maps of query and neighbour, with a row for each pair."""
    assert network.crop, "networks with maps have a crop"
    names = [pair.name for pair in pairs]
    provenance = saliency_maps.map_provenance(settings, network, protocol, images_of(pairs))
    provenance |= {"pairs": digest(names)}
    folder = network.records.results / protocol.name / "causes" / "pairs" / network.path
    arrays = {"maps": Array("f2", (2, *network.crop.size), low=0, high=1)}
    return ResultStore(folder, provenance, [names], arrays, Mapped(network, protocol))


def stores_of(settings: "Settings", pairs: Sequence[Pair]) -> dict[Protocol, list[ResultStore]]:
    """Return protocol -> the stores of the maps under all explaining networks."""
    networks = explaining_networks(settings)
    return {
        protocol: [store_of(settings, network, protocol, pairs) for network in networks]
        for protocol in settings.protocols
    }


def pair_of_files(query: Path, neighbor: Path) -> Pair:
    """Return the pair of two image files.

    Raises InputError if they have the same name, or one cannot be read.
    """
    if query.stem == neighbor.stem:
        raise InputError(f"{query}, {neighbor}: files of one name; rename one")
    for path in (query, neighbor):
        open_image(path)
    return Pair(Sample(query.stem, query, 0), Sample(neighbor.stem, neighbor, 0))


def pair_maps(
    network: Network,
    ready: "Ready",
    pair: Pair,
    protocols: Sequence[Protocol],
    options: "SaliencySettings",
    seed: int,
) -> list[Float[np.ndarray, "2 h w"]]:
    """Return the maps of query and neighbour by each of the protocols.

    ready: the loaded network. seed: the settings'. Raises InputError if they cannot be made.
    """
    from dml_analysis.metrics.smoothgrad import saliency_map  # torch takes seconds to load
    from dml_analysis.networks.distances import distance_function
    from dml_analysis.networks.transforms import network_inputs
    from dml_analysis.saliency.pair_explanations import pair_gradients

    purpose = ("pair noise", network.model.name, network.dataset, network.fold_name, pair.name)
    seeds = [derived_seed(seed, *purpose, image) for image in ("query", "neighbor")]
    query, neighbor = network_inputs(pair, ready.transform)
    name = network.model.distance
    try:
        gradients = pair_gradients(ready.module, query, neighbor, distance_function(name), options.noise_samples,
                                   options.noise_sigma, seeds, options.batch_size, normalises(name))  # fmt: skip
    except ValueError as error:
        raise InputError(
            f"{network.name}: {pair.query.path}: {error}; check the network's weights"
        ) from None
    return [
        np.stack([saliency_map(images, protocol.name) for images in gradients])
        for protocol in protocols
    ]
