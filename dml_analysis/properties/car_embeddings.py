"""Stores of embeddings of rendered cars or other images with properties, and of the untrained trunk's features."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.networks.specifications import Network, networks_of
from dml_analysis.store import ResultStore, blocks

if TYPE_CHECKING:
    from dml_analysis.config import Settings

IMAGES_PER_CHUNK = 1000  # an interrupted run loses at most this many embeddings of a network


def embedding_networks(settings: "Settings") -> list[Network]:
    """Return the networks that embed the images with properties."""
    options = settings.properties
    return networks_of(settings, options.networks, settings.folds, options.dataset)


def store_of(
    network: Network, samples: Sequence[Sample], kind: Path = Path("properties", "embeddings")
) -> ResultStore:
    """Return the store of a network's embeddings, not normalised, with a row for each sample.

    kind: the folder of all stores of this kind.
    """
    provenance = {"images": image_digests.described(network.records, samples)}
    return ResultStore(
        network.records.results / kind / network.path,
        provenance | network.provenance(),
        _chunks(samples),
        {"embeddings": Array("f4", (network.dimensions,))},
        network,
    )


def complete_stores(
    settings: "Settings", samples: Sequence[Sample]
) -> tuple[list[ResultStore], str]:
    """Return the complete stores of embeddings, and a line that names networks without one.

    The line is empty if all networks have one. Raises InputError if no network has.
    """
    networks = embedding_networks(settings)
    known = [store_of(network, samples) for network in networks if network.is_known()]
    stores = [store for store in known if store.is_complete()]
    if not stores:
        folder = settings.results / "properties" / "embeddings"
        raise InputError(f"{folder}: no embeddings; run properties/2_embed_cars.py first")
    complete = {store.subject.name for store in stores}
    names = "; ".join(network.name for network in networks if network.name not in complete)
    hint = "run properties/2_embed_cars.py"
    return stores, f"embeddings of {names} are not complete; {hint}" if names else ""


def features_store_of(network: Any, samples: Sequence[Sample]) -> ResultStore:
    """Return the store of the features of an untrained network's trunk, the same in all folds."""
    provenance = {"images": image_digests.described(network.records, samples)}
    provenance |= network.provenance()
    del provenance["embedder"]
    folder = network.records.results / "properties" / "features"
    arrays = {"features": Array("f4", (network.features,))}
    return ResultStore(folder, provenance, _chunks(samples), arrays, network)


def features_store(settings: "Settings", samples: Sequence[Sample]) -> ResultStore:
    """Return that store for the settings' untrained model. Raises InputError if they have none."""
    untrained = [network for network in embedding_networks(settings.whole) if network.model.is_none]
    if not untrained:
        raise InputError(f"settings {settings.name!r}: `models` has no untrained one; add None")
    return features_store_of(untrained[0], samples)


def _chunks(samples: Sequence[Sample]) -> list[list[str]]:
    return [readers.ids_of(block) for block in blocks(samples, IMAGES_PER_CHUNK)]


def read(store: ResultStore) -> Float[np.ndarray, "n d"]:
    """Return all rows of a store of embeddings or features. Raises InputError if it is broken."""
    (array,) = store.read().values()
    return array


def stores_of(networks: Sequence[Network], samples: Sequence[Sample]) -> list[ResultStore]:
    """Return the stores of networks that share a trunk; with its features if it is untrained."""
    untrained = [network for network in networks if network.model.is_none]
    return [store_of(network, samples) for network in networks] + [
        features_store_of(network, samples) for network in untrained[:1]
    ]


def arrays_of(
    stores: Sequence[ResultStore],
    samples: Sequence[Sample],
    batch_size: int,
    advance: Callable[[int], Any],
) -> list[dict[str, Float[np.ndarray, "n d"]]]:
    """Return the arrays of these samples for each of the stores, whose networks share a trunk.

    advance(n) is called after every n samples.
    """
    from dml_analysis.networks.embedding import embedded  # torch takes seconds to load

    requests = [(store.subject, "embeddings" in store.arrays) for store in stores]
    arrays = embedded(requests, samples, batch_size, advance)
    return [{name: array} for store, array in zip(stores, arrays) for name in store.arrays]
