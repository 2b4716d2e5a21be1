"""A pair explained: a query, the wrong car that is nearest to it under some network, and what makes them alike under several."""

from functools import partial
from typing import NamedTuple

import numpy as np

from dml_analysis.causes import rank_1_errors
from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import CARS, MODEL, Item, chosen_cars, evenly_spaced
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.networks.specifications import loader, network_stage, networks_of
from dml_analysis.properties import car_embeddings
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.saliency_maps import Mapped
from dml_analysis.seeds import derived_seed, digest
from dml_analysis.stages import Job
from dml_analysis.store import ResultStore

HINT = "run properties/2_embed_cars.py first"


class Pair(NamedTuple):
    query: object  # Item
    neighbor: object  # Item

    @property
    def name(self):
        return f"{self.query.image_id}-{self.neighbor.image_id}"


def networks_asked(settings):
    """The networks under which pairs are explained: of some trained models, in the first fold that tables are about."""
    found = [each for each in networks_of(settings, settings.properties.networks, saliency_maps.folds_with_maps(settings)[:1], CARS)
             if each.has_maps and each.model.trained]  # fmt: skip
    return evenly_spaced(found, settings.causes.pair_models)


def chosen_pairs(settings):
    """The settings' Pairs: queries whose nearest car is of another model, in turn under each of the networks that are asked.

    Raises InputError if a network has no embeddings.
    """
    items, table = chosen_cars(settings)
    models, networks, count = (
        table[MODEL].to_numpy(),
        networks_asked(settings),
        settings.causes.pairs,
    )
    found, used = [], set()
    for place, network in enumerate(networks):
        store = car_embeddings.store_of(network, items)
        if not store.is_complete():
            raise InputError(f"{store.folder}: no whole embeddings of {network.name}; {HINT}")
        neighbors = rank_1_errors.neighbors_of(store, settings.protocols[0])
        wrong = [i for i in np.flatnonzero(models[neighbors] != models) if i not in used]
        some = evenly_spaced(wrong, len(range(place, count, len(networks))))
        used |= set(some)
        found.append([Pair(items[i], items[neighbors[i]]) for i in some])
    return [some[turn] for turn in range(count) for some in found if turn < len(some)]


def store_of(network, protocol, pairs):
    """The maps (2, h, w), of query and neighbour, of each pair."""
    settings = network.settings
    provenance = saliency_maps.map_provenance(
        settings, network, protocol, [item for pair in pairs for item in pair]
    )
    provenance |= {"pairs": digest([pair.name for pair in pairs])}
    folder = settings.results / protocol.name / "causes" / "pairs" / network.path
    arrays = {"maps": Array("f2", (2, *network.crop.size), low=0, high=1)}
    return ResultStore(
        folder, provenance, [[pair.name for pair in pairs]], arrays, Mapped(network, protocol)
    )


def stores_of(settings, pairs):
    """Protocol -> the stores of all networks that are asked."""
    networks = networks_asked(settings)
    return {
        protocol: [store_of(each, protocol, pairs) for each in networks]
        for protocol in settings.protocols
    }


def stage(settings):
    """The maps of the settings' pairs, under some networks."""
    pairs, networks = chosen_pairs(settings), networks_asked(settings)
    if not pairs:
        raise InputError(
            f"settings {settings.name!r}: no network retrieves a wrong car, so there is no pair to explain"
        )
    make = partial(make_maps, pairs, loader(networks))
    jobs = [
        Job([store_of(each, protocol, pairs) for protocol in settings.protocols], make)
        for each in networks
    ]
    items = [item for pair in pairs for item in pair]
    return network_stage(
        "explained pairs", "pair", jobs, networks, [items], lambda store: [store.subject.network]
    )


def make_maps(pairs, load, stores, number, tick):
    """The maps of all pairs under a network, by some protocols; see Job.make."""
    network, protocols = stores[0].subject.network, [store.subject.protocol for store in stores]
    ready, found = load(network.path), []
    for pair in pairs:
        found.append(maps_of_pair(network, ready, pair, protocols))
        tick(1)
    return [{"maps": list(each)} for each in zip(*found)]


def maps_of_pair(network, ready, pair, protocols):
    """The maps (2, h, w) of a Pair, by each of the protocols; ready: the network as it was loaded."""
    from dml_analysis.metrics.smoothgrad import saliency_map

    gradients = gradients_of(network, ready, pair)
    return [
        np.stack([saliency_map(each, protocol.name) for each in gradients])
        for protocol in protocols
    ]


def pair_of_files(query, neighbor):
    """The Pair of two image files. Raises InputError if they have one name, or one cannot be read."""
    if query.stem == neighbor.stem:
        raise InputError(f"{query}, {neighbor}: files of one name; rename one")
    for path in (query, neighbor):
        open_image(path)
    return Pair(*(Item(path.stem, path, 0) for path in (query, neighbor)))


def gradients_of(network, ready, pair):
    """The gradients at noisy copies of a Pair's query, and of its neighbour."""
    from dml_analysis.networks.distances import distance_function
    from dml_analysis.networks.transforms import network_inputs
    from dml_analysis.saliency.pair_explanations import pair_gradients

    settings, options = network.settings, network.settings.saliency
    purpose = ("pair noise", network.model.name, network.dataset, network.fold_name, pair.name)
    seeds = [derived_seed(settings.seed, *purpose, which) for which in ("query", "neighbor")]
    inputs = network_inputs(pair, ready.transform)
    distance = distance_function(network.model.distance)
    try:
        return pair_gradients(ready.module, *inputs, distance, options.noise_samples, options.noise_sigma, seeds,
                              options.batch_size, normalises(network.model.distance))  # fmt: skip
    except ValueError as error:
        raise InputError(
            f"{network.name}: {pair.query.path}: {error}; check the network's weights"
        ) from None
