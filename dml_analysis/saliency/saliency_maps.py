"""The saliency maps of networks: their stores, and how they are computed by SmoothGrad.

The maths of a map is in metrics/smoothgrad.py.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from dml_analysis.config import Settings, unlike_defaults
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.metrics.map_similarity import constant
from dml_analysis.networks.specifications import (
    ALL_FOLDS,
    Network,
    code_of,
    device_of,
    loader,
    networks_of,
)
from dml_analysis.paper import Protocol
from dml_analysis.saliency.map_settings import (
    BASES,
    INTEGRATED,
    OWN,
    MapSettings,
    base_image,
    integrated_gradients,
)
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore, blocks

if TYPE_CHECKING:  # torch takes seconds to load
    import torch

    from dml_analysis.networks.loading import Ready

MAPS_PER_CHUNK = 64  # 6.6 MB of BN-Inception's; a stopped run loses at most these of a network
CALIBRATION_IMAGES = 50  # that set the BatchNorm statistics of random layers
MAP_TYPE = "f2"  # float16
SHOWN_IMAGES = 6  # per dataset, that the larger of the two figures of maps shows


# -------------------------------------------------------------------------------------------------
# Which maps: samples, networks and stores.
# -------------------------------------------------------------------------------------------------
def mapped_samples(settings: Settings, dataset: str) -> list[Sample]:
    """Return the test images of a dataset that the settings ask saliency maps of.

    Raises InputError if the dataset or an image is missing.
    """
    test_images = readers.required_samples(settings, dataset, "test")
    samples = readers.evenly_spaced(test_images, settings.saliency.images)
    readers.check_images(samples)
    return samples


def protocols_of(settings: Settings, fold: int) -> list[Protocol]:
    """Return the protocols whose tables need the maps of a fold's networks."""
    if fold == ALL_FOLDS:
        return [each for each in settings.protocols if settings.table_folds(each)]
    return [each for each in settings.protocols if fold in each.table_folds]


def folds_with_maps(settings: Settings) -> list[int]:
    """Return the folds whose maps the tables of some protocol need."""
    return [fold for fold in settings.folds if protocols_of(settings, fold)]


def networks_with_maps(
    settings: Settings, datasets: Iterable[str], folds: Iterable[int] | None = None
) -> list[Network]:
    """Return the networks of datasets and folds, by default all, whose maps the tables need.

    Raises InputError if there are none, or no fold that a protocol's tables are about.
    """
    settings.check_table_folds()
    folds = folds_with_maps(settings) if folds is None else folds
    networks = [
        network
        for dataset in datasets
        for network in networks_of(settings, dataset, folds)
        if network.has_maps
    ]
    if not networks:
        raise InputError(
            f"settings {settings.name!r}: none of the models has a network, "
            "so there are no saliency maps"
        )
    return networks


class Mapped(NamedTuple):
    """The subject of a store of maps."""

    network: Network
    protocol: Protocol
    map_settings: MapSettings = OWN


def store_of(
    settings: Settings,
    network: Network,
    protocol: Protocol,
    samples: Sequence[Sample],
    map_settings: MapSettings = OWN,
) -> ResultStore:
    """Return the store of the maps, in [0, 1], of one network by one protocol; a row per sample."""
    provenance = map_provenance(settings, network, protocol, samples) | map_settings.provenance()
    assert network.crop is not None  # only embeddings given as a file have none
    kind = Path("saliency", "maps")
    if map_settings.name:
        kind = Path("controls", "maps", map_settings.name)
    return ResultStore(
        settings.results / protocol.name / kind / network.path,
        provenance,
        [readers.ids_of(chunk) for chunk in chunks_of(samples)],
        {"maps": Array(MAP_TYPE, network.crop.size, low=0, high=1)},
        Mapped(network, protocol, map_settings),
    )


def stores_of(
    settings: Settings,
    network: Network,
    samples: Sequence[Sample],
    alternatives: Sequence[MapSettings] = (OWN,),
) -> list[ResultStore]:
    """Return a network's stores by each protocol that needs its maps and each map setting."""
    return [
        store_of(settings, network, protocol, samples, map_settings)
        for protocol in protocols_of(settings, network.fold)
        for map_settings in alternatives
    ]


def map_provenance(
    settings: Settings, network: Network, protocol: Protocol, samples: Sequence[Sample]
) -> dict:
    """Return what the maps of these samples by a network depend on, for the store's provenance."""
    return {
        "images": image_digests.described(settings.records, samples),
        **network.provenance(),
        "distance": network.model.distance,
        **code_of(settings.records, network.model.distance),
        "signed_mean_over": protocol.signed_mean_over,
        **unlike_defaults(settings.saliency),
        **unlike_defaults(settings, "seed"),
    }


def chunks_of(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """Return the samples of each chunk."""
    return blocks(samples, MAPS_PER_CHUNK)


def shown_chunks(samples: Sequence[Sample]) -> set[int]:
    """Return the numbers of the chunks with maps that figures show, evenly spaced over all."""
    rows = readers.evenly_spaced(range(len(samples)), SHOWN_IMAGES)
    return {row // MAPS_PER_CHUNK for row in rows}


def own_stores(
    settings: Settings, protocol: Protocol, dataset: str, networks: Iterable[Network] | None = None
) -> list[ResultStore]:
    """Return the stores of the run's own maps of known networks, by default of all in the tables."""
    if networks is None:
        networks = networks_of(settings, dataset, settings.table_folds(protocol))
    samples = mapped_samples(settings, dataset)
    known = [network for network in networks if network.has_maps and network.is_known()]
    return [store_of(settings, network, protocol, samples) for network in known]


def incomplete(stores: Iterable[ResultStore]) -> str:
    """Return a line that names the networks of incomplete stores; empty if all are complete."""
    names = dict.fromkeys(
        store.subject.network.model.name for store in stores if not store.is_complete()
    )
    advice = "run saliency/1_compute_maps.py, with `keep_maps: true`"
    return f"the maps of {', '.join(names)} are not complete; {advice}" if names else ""


def check_own_maps(settings: Settings, networks: Iterable[Network]) -> None:
    """Raise InputError if the run's own maps of one of these networks are not complete."""
    networks = list(networks)
    samples = {each: mapped_samples(settings, each) for each in {n.dataset for n in networks}}
    stores = [stores_of(settings, network, samples[network.dataset]) for network in networks]
    if problem := incomplete(chain(*stores)):
        raise InputError(f"settings {settings.name!r}: {problem}")


def read_maps(store: ResultStore, image_ids: Iterable[str]) -> Float[np.ndarray, "n h w"]:
    """Return the maps of these images, in their order, from a complete store."""
    place = {
        image_id: (number, row)
        for number, chunk in enumerate(store.chunks)
        for row, image_id in enumerate(chunk)
    }
    places = [place[image_id] for image_id in image_ids]
    chunks = {number: store.load(number)["maps"] for number in sorted({n for n, _ in places})}
    return np.array([chunks[number][row] for number, row in places])


def read_own_maps(
    own: Iterable[ResultStore], stores: Iterable[ResultStore], samples: Sequence[Sample]
) -> list[Float[np.ndarray, "n h w"]]:
    """Return the maps of samples in `own`, the run's own, by the network of each of the stores."""
    by_path = {store.subject.network.path: store for store in own}
    ids = readers.ids_of(samples)
    return [read_maps(by_path[store.subject.network.path], ids) for store in stores]


def report_constant_maps(chunks: Iterable[tuple[ResultStore, int]]) -> None:
    """Print a line for each network that has constant maps in these chunks, (store, number)."""
    flags: dict[str, dict[str, list[bool]]] = {}
    for store, number in chunks:
        network, protocol, _ = store.subject
        by_protocol = flags.setdefault(network.name, {})
        by_protocol.setdefault(protocol.name, []).extend(constant(store.load(number)["maps"]))
    for name, by_protocol in flags.items():
        counts = {key: (sum(each), len(each)) for key, each in by_protocol.items() if any(each)}
        if counts:
            print(about_constant(name, counts))


def about_constant(name: str, counts: dict[str, tuple[int, int]]) -> str:
    """Return a line on a network's constant maps; counts: protocol -> (constant maps, all maps)."""
    numbers = " and ".join(
        f"{n_constant} of {n} by protocol {protocol}"
        for protocol, (n_constant, n) in counts.items()
    )
    return (
        f"{name}: saliency maps that are constant, as gradients are zero or alike: {numbers}; "
        "these correlate with nothing"
    )


# -------------------------------------------------------------------------------------------------
# How maps are computed.
# -------------------------------------------------------------------------------------------------
class Noise(NamedTuple):
    """The noise of SmoothGrad."""

    samples: int  # noisy copies of an image
    sigma: float  # standard deviation, as a share of the image's range
    seed: int  # of the run


class LoadedNetwork(NamedTuple):
    """A network whose gradients can be computed."""

    network: Network
    ready: "Ready"
    black: "Float[torch.Tensor, 'c h w']"  # the black image
    base: "Float[torch.Tensor, '1 d']"  # its embedding


class MapMaker:
    """Computes saliency maps under some networks, of which the last ones stay loaded."""

    def __init__(self, networks: Sequence[Network], settings: Settings, remembered: int = 1):
        """Take the noise, batch size and seed from the settings; remembered: how many stay loaded."""
        self.options, self.seed = settings.saliency, settings.seed
        self.load = loader(networks, remembered)
        # Layers that become random must not have others folded into them.
        self.load_unfolded = loader(networks, device="cpu", folded=False)

    def maps(
        self,
        stores: Sequence[ResultStore],
        samples: Sequence[Sample],
        rows: slice,
        advance: Callable[[int], object],
    ) -> list[dict[str, Float[np.ndarray, "n h w"]]]:
        """Return the maps of some rows of all samples for each of the stores, as {"maps": maps}.

        All come from the same gradients. So the stores' network is the same, and their map
        settings differ at most in name and number of noise samples. advance(n) is called whenever
        the maps of n images are ready. Raises InputError if the network gives no useful gradients.
        """
        network, _, map_settings = stores[0].subject
        requests = [
            (store.subject.protocol.name, self._noise(store.subject.map_settings).samples)
            for store in stores
        ]
        most = max(n_samples for _, n_samples in requests)
        noise = self._noise(map_settings)._replace(samples=most)
        if map_settings.random_share:
            ready = self.load_unfolded(network.path)
            ready = with_random_layers(network, ready, map_settings, samples, self.seed)
        else:
            ready = self.load(network.path)
        loaded = with_black_image(network, ready)
        maps = []
        images_at_once = max(1, self.options.batch_size // most)  # their copies share batches
        for images in _in_batches(samples[rows], loaded.ready, images_at_once):
            all_gradients = gradients_of(
                loaded, images, noise, self.options.batch_size, map_settings
            )
            for (sample, _), gradients in zip(images, all_gradients):
                maps.append(_maps_of(network, sample, gradients, requests))
            advance(len(images))
        return [{"maps": np.array(of_store)} for of_store in zip(*maps)]

    def _noise(self, map_settings: MapSettings) -> Noise:
        """Return the noise of the map settings."""
        samples = map_settings.noise_samples or self.options.noise_samples
        sigma = map_settings.noise_sigma or self.options.noise_sigma
        return Noise(samples, sigma, self.seed)


def _in_batches(
    samples: Sequence[Sample], ready: "Ready", size: int
) -> "Iterable[list[tuple[Sample, Float[torch.Tensor, 'c h w']]]]":
    """Return an iterator over lists of (sample, its transformed image), `size` at a time."""
    from dml_analysis.networks.transforms import network_inputs

    images = zip(samples, network_inputs(samples, ready.transform))
    return iter(lambda: list(islice(images, size)), [])


def _maps_of(
    network: Network,
    sample: Sample,
    gradients: "Float[torch.Tensor, 'samples c h w']",
    requests: Sequence[tuple[str, int]],
) -> list[Float[np.ndarray, "h w"]]:
    """Return the map of a sample for each request, (protocol, number of noise samples)."""
    from dml_analysis.metrics.smoothgrad import saliency_map

    try:
        return [saliency_map(gradients[:n], protocol) for protocol, n in requests]
    except ValueError as error:
        raise InputError(
            f"{network.name}: {sample.path}: {error}; check the network's weights"
        ) from None


def with_black_image(network: Network, ready: "Ready") -> LoadedNetwork:
    """Return a network that is loaded with its embedding of the black image.

    Raises InputError if that embedding is zero, so that distances to it are undefined.
    """
    from dml_analysis.metrics.smoothgrad import base_embedding
    from dml_analysis.networks.transforms import black_input

    black = black_input(ready.transform)
    try:
        base = base_embedding(ready.module, black, normalises(network.model.distance))
    except ValueError as error:
        raise InputError(f"{network.name}: {error}; take another transform or network") from None
    return LoadedNetwork(network, ready, black, base)


def with_random_layers(
    network: Network,
    ready: "Ready",
    map_settings: MapSettings,
    samples: Sequence[Sample],
    seed: int,
) -> "Ready":
    """Return a network that is loaded with the random layers of the map settings.

    samples: their images set the BatchNorm statistics of these layers. Raises InputError if the
    network cannot be copied.
    """
    import torch

    from dml_analysis.networks.loading import for_inference
    from dml_analysis.networks.modules import randomised
    from dml_analysis.networks.transforms import network_inputs

    images = torch.stack(list(network_inputs(samples[:CALIBRATION_IMAGES], ready.transform)))
    purpose = (network.model.name, network.dataset, network.fold_name, map_settings.random_draw)
    weights_seed = derived_seed(seed, "random weights", *purpose)
    try:
        module = randomised(ready.module, weights_seed, images, map_settings.random_share)
    except ValueError as error:
        raise InputError(f"{network.name}: {error}") from None
    return ready._replace(module=for_inference(module, device_of(network)))


def gradients_of(
    loaded: LoadedNetwork,
    images: "Sequence[tuple[Sample, Float[torch.Tensor, 'c h w']]]",
    noise: Noise,
    batch_size: int,
    map_settings: MapSettings = OWN,
) -> "Sequence[Float[torch.Tensor, 'samples c h w']]":
    """Return the gradients at noisy copies of each image, or what the map settings use instead.

    images: (sample, its transformed image). batch_size: of noisy copies, which share batches if
    all are compared with the black image.
    """
    import torch

    from dml_analysis.metrics.smoothgrad import base_embedding, gradients_in_batches
    from dml_analysis.networks.distances import distance_function

    network, module, black_base = loaded.network, loaded.ready.module, loaded.base
    distance = distance_function(network.model.distance)
    images = [(sample, image.to(black_base.device)) for sample, image in images]
    if map_settings.base == BASES[0] and map_settings.attribution != INTEGRATED:
        copies = torch.cat([copies_of(network, *each, noise, map_settings) for each in images])
        gradients = gradients_in_batches(module, copies, black_base, distance, batch_size)
        return gradients.split(noise.samples)
    result = []
    for sample, image in images:
        base_input = base_image(map_settings.base, image, loaded.black.to(image.device))
        base = base_embedding(module, base_input, normalises(network.model.distance))
        if map_settings.attribution == INTEGRATED:
            gradients = integrated_gradients(
                module, image, base_input, base, distance, noise.samples, batch_size
            )
        else:
            copies = copies_of(network, sample, image, noise, map_settings)
            gradients = gradients_in_batches(module, copies, base, distance, batch_size)
        result.append(gradients)
    return result


def copies_of(
    network: Network,
    sample: Sample,
    image: "Float[torch.Tensor, 'c h w']",
    noise: Noise,
    map_settings: MapSettings = OWN,
) -> "Float[torch.Tensor, 'samples c h w']":
    """Return the noisy copies of a transformed image that a network is shown.

    Each network and image has its own noise: shared noise would make networks look more alike.
    """
    from dml_analysis.metrics.smoothgrad import noisy_copies

    purpose = (network.model.name, network.dataset, network.fold_name, sample.image_id)
    noise_seed = derived_seed(noise.seed, "saliency noise", *purpose, *map_settings.purpose)
    return noisy_copies(image, noise.samples, noise.sigma, noise_seed)
