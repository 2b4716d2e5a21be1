"""The saliency maps of networks: which stores they are on, and how a part is made. The maths is smoothgrad's."""

from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dml_analysis.config import unlike_defaults
from dml_analysis.datasets import image_digests, readers
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.networks import specifications
from dml_analysis.networks.specifications import (
    ALL_FOLDS,
    Network,
    code_of,
    device_of,
    loader,
    network_stage,
)
from dml_analysis.paper import Protocol
from dml_analysis.saliency.map_settings import (
    BASES,
    INTEGRATED,
    OWN,
    Condition,
    base_image,
    integrated_gradients,
)
from dml_analysis.seeds import derived_seed
from dml_analysis.stages import Job
from dml_analysis.store import ResultStore, blocks

MAPS_PER_PART = (
    64  # 6.6 MB of BN-Inception's; a stopped run loses at most this many maps of one network
)
CALIBRATED_ON = 50  # images that set the BatchNorm statistics of random layers
SHOWN_IMAGES = 6  # per dataset, that the larger of the two figures of maps shows
HINT = "; with `saliency: keep_maps: false` maps are deleted once compared"


class Mapped(NamedTuple):
    """What a store of maps is of."""

    network: Network
    protocol: Protocol
    condition: Condition = OWN


def mapped_items(settings):
    """Dataset -> the test images that the settings want saliency maps of.

    Raises InputError if a dataset or an image is missing.
    """
    items = {
        dataset: readers.evenly_spaced(
            readers.some_items(settings, dataset, "test"), settings.saliency.images
        )
        for dataset in settings.datasets
    }
    for some in items.values():
        readers.check_images(some)
    return items


def store_of(network, protocol, items, condition=OWN):
    """The maps (h, w) in [0, 1] of one network by one protocol, a row for each of the items."""
    settings, size = network.settings, network.crop.size
    provenance = provenance_maps(network, protocol, items) | condition.provenance()
    kind = Path("controls", "maps", condition.name) if condition.name else Path("saliency", "maps")
    folder = settings.results / protocol.name / kind / network.path
    parts, of = (
        [readers.ids_of(some) for some in parts_of(items)],
        Mapped(network, protocol, condition),
    )
    return ResultStore(folder, provenance, parts, {"maps": Array("f2", size, low=0, high=1)}, of)


def provenance_maps(network, protocol, items):
    """For provenance: what the maps of these items under a network hang on."""
    settings = network.settings
    return {
        "images": image_digests.described(settings.records, items),
        **network.provenance(),
        "distance": network.model.distance,
        **code_of(settings.records, network.model.distance),
        "signed_mean_over": protocol.signed_mean_over,
        **unlike_defaults(settings.saliency, "noise_samples", "noise_sigma"),
        **unlike_defaults(settings, "seed"),
    }


def first_fold(settings):
    """A list of the first fold whose maps the settings' tables are about, for who asks for one network of each model."""
    return [fold for fold in settings.folds if protocols_of(settings, fold)][:1]


def kept(settings, protocol, dataset, items):
    """The stores of the maps of all networks that a dataset's tables are about; items: those of mapped_items."""
    found = specifications.networks_of(settings, dataset, settings.table_folds(protocol))
    return [store_of(each, protocol, items) for each in found if each.has_maps and each.is_known()]


def lacking(stores):
    """A line that says which of these stores of a run's own maps are not whole, and what to do; empty if all are."""
    names = dict.fromkeys(
        store.subject.network.model.name for store in stores if not store.is_complete()
    )
    advice = "run saliency/1_compute_maps.py, with `keep_maps: true`"
    return f"the maps of {', '.join(names)} are not whole; {advice}" if names else ""


def some_maps(store, image_ids):
    """The maps (n, h, w) of these images, in their order, from a whole store."""
    place = {
        each: (number, row)
        for number, part in enumerate(store.chunks)
        for row, each in enumerate(part)
    }
    parts = {
        number: store.load(number)["maps"]
        for number in sorted({place[each][0] for each in image_ids})
    }
    return np.array([parts[number][row] for number, row in (place[each] for each in image_ids)])


def parts_of(items):
    """The items of each part."""
    return blocks(items, MAPS_PER_PART)


def protocols_of(settings, fold):
    """The protocols whose tables need the maps of a fold."""
    return [protocol for protocol in settings.protocols if fold in protocol.table_folds]


def networks_of(settings):
    """The networks whose maps the settings' protocols need."""
    folds = [fold for fold in settings.folds if protocols_of(settings, fold)]
    found = [
        network
        for dataset in settings.datasets
        for network in specifications.networks_of(settings, dataset, folds)
    ]
    return [network for network in found if network.has_maps]


def protocols_of_network(network):
    """The protocols that need its maps."""
    if network.fold == ALL_FOLDS:
        return [
            protocol
            for protocol in network.settings.protocols
            if network.settings.table_folds(protocol)
        ]
    return protocols_of(network.settings, network.fold)


def stage(settings):
    """All maps that the settings ask for, network by network."""
    settings.check_table_folds()
    items, mapped = mapped_items(settings), networks_of(settings)
    check_any(settings, mapped)
    make = maker(settings, items, remembered=1)
    jobs = [
        Job(
            [
                store_of(each, protocol, items[each.dataset])
                for protocol in protocols_of_network(each)
            ],
            make,
        )
        for each in mapped
    ]
    made = [(store, store.missing()) for job in jobs for store in job.stores]
    return network_stage(
        "saliency maps",
        "map",
        jobs,
        mapped,
        items.values(),
        loads,
        views=[ConstantMapsMade(made)],
        hint=HINT,
    )


class ConstantMapsMade(NamedTuple):
    """In the place of a View: a line for each network that has constant maps among those that a run has made."""

    made: list  # (store, numbers of the parts that it lacked before)
    stores: tuple = ()

    def write(self):
        from dml_analysis.metrics.map_similarity import constant

        counts = {}
        for store, numbers in self.made:
            network, protocol, _ = store.subject
            some = [
                constant(store.load(number)["maps"])
                for number in numbers
                if not store.lacks(number)
            ]
            if some and np.concatenate(some).any():
                counts.setdefault(network.name, {})[protocol.name] = np.concatenate(some)
        for name, of_network in counts.items():
            print(
                about_constant(
                    name,
                    {protocol: (each.sum(), len(each)) for protocol, each in of_network.items()},
                )
            )


def about_constant(name, counts):
    """A line that says how many maps of a network are constant; counts: name of a protocol -> (of these, of all)."""
    numbers = " and ".join(
        f"{some} of {n} by protocol {protocol}" for protocol, (some, n) in counts.items()
    )
    return f"{name}: saliency maps that are constant, as gradients are zero or alike: {numbers}; these correlate with nothing"


def check_any(settings, mapped):
    """Raise InputError if there are no networks to make maps of."""
    if not mapped:
        raise InputError(
            f"settings {settings.name!r}: none of the models has a network, so there are no saliency maps"
        )


def loads(store):
    """The network that it takes to make a store."""
    return [store.subject.network]


def maker(settings, items, remembered, networks=None):
    """A function that makes a part of a network's maps on one or more stores, from the same gradients; see Job.make.

    Stores that are made together may differ in their protocol, and their conditions in name and number of samples.
    items: dataset of images -> list; remembered: how many networks stay loaded; networks: networks_of by default.
    """
    mapped = {network.path: network for network in networks or networks_of(settings)}
    load = loader(mapped.values(), remembered)
    load_layers = loader(
        mapped.values(), device="cpu", folded=False
    )  # lest those to be drawn anew have others in them

    @lru_cache(maxsize=remembered)
    def subject(path, share, draw):
        network, condition = mapped[path], Condition(random_share=share, random_draw=draw)
        ready = (
            _random(network, load_layers(path), condition, items[network.images])
            if share
            else load(path)
        )
        return subject_of(network, ready)

    def make(stores, number, tick):
        from dml_analysis.metrics.smoothgrad import saliency_map
        from dml_analysis.networks.transforms import network_inputs

        network, condition = stores[0].subject[::2]
        some, options = parts_of(items[network.images])[number], network.settings.saliency
        samples = [
            store.subject.condition.noise_samples or options.noise_samples for store in stores
        ]
        most = condition._replace(noise_samples=max(samples))
        shown = subject(network.path, condition.random_share, condition.random_draw)

        def maps_of(images):
            found = []
            for (item, _), gradients in zip(images, gradients_of(network, shown, images, most)):
                try:
                    found.append(
                        [
                            saliency_map(gradients[:n], store.subject.protocol.name)
                            for n, store in zip(samples, stores)
                        ]
                    )
                except ValueError as error:
                    raise InputError(
                        f"{network.name}: {item.path}: {error}; check the network's weights"
                    ) from None
            return found

        maps, at_once = (
            [],
            max(1, options.batch_size // max(samples)),
        )  # images whose copies share a batch
        images = zip(some, network_inputs(some, shown.ready.transform))
        together = iter(lambda: list(islice(images, at_once)), [])
        for found in map(maps_of, together):
            maps += found
            tick(len(found))
        return [{"maps": list(each)} for each in zip(*maps)]

    return make


class Subject(NamedTuple):
    """A network that is ready to be asked for gradients."""

    ready: tuple  # dml_analysis.networks.loading.Ready
    black: object  # the black image, a tensor (C, H, W),
    base: object  # and its embedding (1, d)


def subject_of(network, ready):
    """The Subject that a network is, which is loaded."""
    from dml_analysis.metrics.smoothgrad import base_embedding
    from dml_analysis.networks.transforms import black_input

    black = black_input(ready.transform)
    try:
        return Subject(
            ready, black, base_embedding(ready.module, black, normalises(network.model.distance))
        )
    except ValueError as error:
        raise InputError(f"{network.name}: {error}; take another transform or network") from None


def _random(network, ready, condition, items):
    """The network, which is loaded, with as many random layers as the condition says, Ready.

    items: whose images set what these layers take from images.
    """
    import torch

    from dml_analysis.networks.loading import for_inference
    from dml_analysis.networks.modules import randomised
    from dml_analysis.networks.transforms import network_inputs

    purpose = (
        "random weights",
        network.model.name,
        network.dataset,
        network.fold_name,
        condition.random_draw,
    )
    images = torch.stack(list(network_inputs(items[:CALIBRATED_ON], ready.transform)))
    seed = derived_seed(network.settings.seed, *purpose)
    try:
        module = randomised(ready.module, seed, images, condition.random_share)
    except ValueError as error:
        raise InputError(f"{network.name}: {error}") from None
    return ready._replace(module=for_inference(module, device_of(network.settings)))


def gradients_of(network, subject, images, condition=OWN):
    """The gradients (samples, C, H, W) at noisy copies of each of some images, or what else a condition takes for them.

    images: (item, transformed image (C, H, W)). Where all are compared with the black image, their copies share batches.
    """
    import torch

    from dml_analysis.metrics.smoothgrad import base_embedding, gradients_in_batches
    from dml_analysis.networks.distances import distance_function

    module, base, size = subject.ready.module, subject.base, network.settings.saliency.batch_size
    distance = distance_function(network.model.distance)
    images = [(item, image.to(base.device)) for item, image in images]
    if condition.base == BASES[0] and condition.attribution != INTEGRATED:
        copies = [copies_of(network, item, image, condition) for item, image in images]
        return gradients_in_batches(module, torch.cat(copies), base, distance, size).split(
            len(copies[0])
        )
    found = []
    for item, image in images:
        compared = base_image(condition.base, image, subject.black.to(base.device))
        other = base_embedding(module, compared, normalises(network.model.distance))
        if condition.attribution == INTEGRATED:
            steps = condition.noise_samples or network.settings.saliency.noise_samples
            found.append(
                integrated_gradients(module, image, compared, other, distance, steps, size)
            )
        else:
            found.append(
                gradients_in_batches(
                    module, copies_of(network, item, image, condition), other, distance, size
                )
            )
    return found


def copies_of(network, item, image, condition=OWN):
    """The noisy copies (samples, C, H, W) of a transformed image (C, H, W) that a network is shown."""
    from dml_analysis.metrics.smoothgrad import noisy_copies

    options = network.settings.saliency
    samples, sigma = (
        condition.noise_samples or options.noise_samples,
        condition.noise_sigma or options.noise_sigma,
    )
    # Noise of its own for every network and image: shared noise would make any two networks look more alike.
    purpose = (
        "saliency noise",
        network.model.name,
        network.dataset,
        network.fold_name,
        item.image_id,
        *condition.purpose,
    )
    return noisy_copies(image, samples, sigma, derived_seed(network.settings.seed, *purpose))


# ---------------------------------------------------------------------------------------------------------------------
# What the figures show.
# ---------------------------------------------------------------------------------------------------------------------
def shown_parts(items):
    """The numbers of the parts that hold the maps which the figures show: of images evenly spaced over all."""
    return {
        index // MAPS_PER_PART for index in readers.evenly_spaced(range(len(items)), SHOWN_IMAGES)
    }
