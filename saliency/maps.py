"""The saliency maps of networks: which shelves they are on, and how a part is made. The maths is smoothgrad's."""

from functools import lru_cache
from typing import NamedTuple

from common.array_files import Array
from common.errors import InputError
from common.seeds import derived_seed
from common.settings import unlike_defaults
from common.shelf import Job, Shelf, blocks
from data import contents, datasets
from reality_check import networks
from reality_check.networks import ALL_FOLDS, Network, code_of, device_of, network_stage
from utils import Protocol

MAPS_PER_PART = 64  # 6.6 MB of BN-Inception's; a stopped run loses at most this many maps of one network
SHOWN_IMAGES = 6  # per dataset, that the larger of the two figures of maps shows
HINT = "; with `saliency: keep_maps: false` maps are deleted once compared"


class Mapped(NamedTuple):
    """What a shelf of maps is of."""

    network: Network
    protocol: Protocol


def mapped_items(settings):
    """Dataset -> the test images that the settings want saliency maps of.

    Raises InputError if a dataset or an image is missing.
    """
    items = {
        dataset: datasets.evenly_spaced(datasets.some_items(settings, dataset, "test"), settings.saliency.images)
        for dataset in settings.datasets
    }
    for some in items.values():
        datasets.check_images(some)
    return items


def shelf_of(network, protocol, items):
    """The maps (h, w) in [0, 1] of one network by one protocol, a row for each of the items."""
    settings, size = network.settings, network.crop.size
    made_of = {
        "images": contents.described(settings, items),
        **network.made_of(),
        "distance": network.model.distance,
        **code_of(settings, network.model.distance),
        "signed_mean_over": protocol.signed_mean_over,
        **unlike_defaults(settings.saliency, "noise_samples", "noise_sigma"),
        **unlike_defaults(settings, "seed"),
    }
    folder = settings.results / protocol.name / "saliency" / "maps" / network.path
    parts = [datasets.ids_of(some) for some in parts_of(items)]
    return Shelf(folder, made_of, parts, {"maps": Array("f2", size, low=0, high=1)}, Mapped(network, protocol))


def parts_of(items):
    """The items of each part."""
    return blocks(items, MAPS_PER_PART)


def protocols_of(settings, fold):
    """The protocols whose tables need the maps of a fold."""
    return [protocol for protocol in settings.protocols if fold in protocol.table_folds]


def networks_of(settings):
    """The networks whose maps the settings' protocols need."""
    folds = [fold for fold in settings.folds if protocols_of(settings, fold)]
    found = [network for dataset in settings.datasets for network in networks.networks_of(settings, dataset, folds)]
    return [network for network in found if network.has_maps]


def protocols_of_network(network):
    """The protocols that need its maps."""
    if network.fold == ALL_FOLDS:
        return [protocol for protocol in network.settings.protocols if network.settings.table_folds(protocol)]
    return protocols_of(network.settings, network.fold)


def stage(settings):
    """All maps that the settings ask for, network by network."""
    settings.check_table_folds()
    items, mapped = mapped_items(settings), networks_of(settings)
    check_any(settings, mapped)
    make = maker(settings, items, remembered=1)
    jobs = [
        Job(
            [shelf_of(each, protocol, items[each.dataset]) for protocol in protocols_of_network(each)],
            make,
            kind=(each.source.network,),
        )
        for each in mapped
    ]
    return network_stage("saliency maps", "map", jobs, mapped, items.values(), loads, hint=HINT)


def check_any(settings, mapped):
    """Raise InputError if there are no networks to make maps of."""
    if not mapped:
        raise InputError(f"settings {settings.name!r}: none of the models has a network, so there are no saliency maps")


def loads(shelf):
    """The network that it takes to make a shelf."""
    return [shelf.of.network]


def maker(settings, items, remembered):
    """A function that makes a part of a network's maps by one or more protocols, from the same gradients; see Job.make.

    items: dataset -> list; remembered: how many networks stay loaded.
    """
    mapped = {network.path: network for network in networks_of(settings)}
    load = lru_cache(maxsize=remembered)(lambda path: loaded(mapped[path]))

    def make(shelves, number, tick):
        from reality_check.transforms import network_inputs
        from saliency.smoothgrad import saliency_map

        network = shelves[0].of.network
        some = parts_of(items[network.dataset])[number]
        maps = []
        ready, base = load(network.path)
        for item, image in zip(some, network_inputs(some, ready.transform)):
            gradients = gradients_of(network, ready.module, base, item.image_id, image)
            try:
                maps.append([saliency_map(gradients, shelf.of.protocol.name) for shelf in shelves])
            except ValueError as error:
                raise InputError(f"{network.name}: {item.path}: {error}; check the network's weights") from None
            tick(1)
        return [{"maps": list(each)} for each in zip(*maps)]

    return make


def loaded(network):
    """(network, Ready for gradients, its embedding (1, d) of the black image)."""
    from reality_check.transforms import black_input
    from saliency.smoothgrad import base_embedding

    ready = network.load(device_of(network.settings), gradients=True)
    try:
        return ready, base_embedding(ready.module, black_input(ready.transform))
    except ValueError as error:
        raise InputError(f"{network.name}: {error}; take another transform or network") from None


def gradients_of(network, module, base, image_id, image):
    """The gradients at noisy copies of a transformed image (C, H, W), under a network's module."""
    from reality_check.distances import distance_function
    from saliency.smoothgrad import gradients_in_batches, noisy_copies

    options = network.settings.saliency
    # Noise of its own for every network and image: shared noise would make any two networks look more alike.
    purpose = ("saliency noise", network.model.name, network.dataset, network.fold, image_id)
    seed = derived_seed(network.settings.seed, *purpose)
    copies = noisy_copies(image.to(base.device), options.noise_samples, options.noise_sigma, seed)
    return gradients_in_batches(module, copies, base, distance_function(network.model.distance), options.batch_size)


# ---------------------------------------------------------------------------------------------------------------------
# What the figures show.
# ---------------------------------------------------------------------------------------------------------------------
def shown_parts(items):
    """The numbers of the parts that hold the maps which the figures show: of images evenly spaced over all."""
    return {index // MAPS_PER_PART for index in datasets.evenly_spaced(range(len(items)), SHOWN_IMAGES)}
