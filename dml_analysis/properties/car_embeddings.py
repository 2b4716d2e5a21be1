"""The embeddings of the rendered cars, and the features of the untrained trunk: their stores, and how a part is made."""

from pathlib import Path

from dml_analysis.datasets import image_digests, readers
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.networks.specifications import networks_of
from dml_analysis.store import ResultStore, blocks

IMAGES_PER_PART = 1000  # what a stopped run loses at most of a network


def embedding_networks(settings):
    """The networks that embed the rendered cars."""
    return networks_of(settings, settings.properties.networks, settings.folds, readers.CARS)


def store_of(network, items, kind=Path("properties", "embeddings")):
    """The embeddings (d,) of one network, not normalised, a row for each of the items; kind: the folder of all such."""
    provenance = {"images": image_digests.described(network.records, items), **network.provenance()}
    folder = network.settings.results / kind / network.path
    return ResultStore(
        folder,
        provenance,
        _parts(items),
        {"embeddings": Array("f4", (network.dimensions,))},
        network,
    )


def whole_stores(settings, items):
    """(whole stores of embeddings, a line that says what else there should be; empty if nothing). InputError if there are none."""
    networks = embedding_networks(settings)
    known = [store_of(network, items) for network in networks if network.is_known()]
    stores = [store for store in known if store.is_complete()]
    if not stores:
        folder = settings.results / "properties" / "embeddings"
        raise InputError(f"{folder}: no embeddings; run properties/2_embed_cars.py first")
    there = {store.subject.name for store in stores}
    names = "; ".join(network.name for network in networks if network.name not in there)
    return (
        stores,
        f"no whole embeddings of {names}; run properties/2_embed_cars.py" if names else "",
    )


def features_store_of(network, items):
    """The features (f,) that the trunk of an untrained network gives, which is the same trunk in all folds."""
    provenance = {"images": image_digests.described(network.records, items), **network.provenance()}
    del provenance["embedder"]
    folder = network.settings.results / "properties" / "features"
    return ResultStore(
        folder, provenance, _parts(items), {"features": Array("f4", (network.features,))}, network
    )


def features_store(settings, items):
    """The same of the settings' untrained model, "None". Raises InputError if they have none."""
    untrained = [network for network in embedding_networks(settings.whole) if network.model.is_none]
    if not untrained:
        raise InputError(f"settings {settings.name!r}: `models` has no untrained one; add None")
    return features_store_of(untrained[0], items)


def _parts(items):
    return [readers.ids_of(some) for some in blocks(items, IMAGES_PER_PART)]


def read(store):
    """All rows of a store of embeddings or features, (n, d). Raises InputError if it is broken."""
    (array,) = store.read().values()
    return array


def stores_of(group, items):
    """The stores of networks that share a trunk; if that is the untrained one, its features' as well."""
    untrained = [network for network in group if network.model.is_none]
    return [store_of(network, items) for network in group] + [
        features_store_of(each, items) for each in untrained[:1]
    ]


def make(settings, items, stores, number, tick):
    """A part of what networks make of images that share a trunk; see Job.make."""
    return arrays_of(
        stores, blocks(items, IMAGES_PER_PART)[number], settings.properties.batch_size, tick
    )


def arrays_of(stores, items, batch_size, tick):
    """The arrays of these items for each of the stores, whose networks share a trunk."""
    from dml_analysis.networks.embedding import embedded  # torch takes seconds to load

    wanted = [(store.subject, "embeddings" in store.arrays) for store in stores]
    arrays = embedded(wanted, items, batch_size, tick)
    return [{name: array} for store, array in zip(stores, arrays) for name in store.arrays]
