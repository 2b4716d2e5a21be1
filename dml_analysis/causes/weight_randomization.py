"""Maps of networks whose weights are made random, layer by layer from the last one on.

The sanity check of Adebayo et al. (NeurIPS 2018): if maps stay as they are, they show the picture
and not the network.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from dml_analysis.config import Settings
from dml_analysis.datasets.readers import Sample, evenly_spaced
from dml_analysis.files import csv_files
from dml_analysis.metrics.map_similarity import fisher_mean, fisher_std, pearson
from dml_analysis.networks.specifications import Network
from dml_analysis.paper import Protocol
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.map_settings import MapSettings
from dml_analysis.store import ResultStore
from dml_analysis.views import View

SHARES = (0.01, 0.25, 0.5, 0.75, 1.0)  # of the layers; the first is the last layer alone
MAP_SETTINGS = [MapSettings(f"random_{round(100 * share)}", random_share=share) for share in SHARES]
COLUMNS = {
    "loss": str, "type": str, "dataset": str, "fold": int,
    "random_share": csv_files.between(0, 1), "n_images": int,
    "correlation_mean": csv_files.between(-1, 1), "correlation_std": csv_files.between(0, 1),
}  # fmt: skip


def csv_file(settings: Settings, protocol: Protocol, dataset: str) -> Path:
    """Return the path of randomization_<dataset>.csv."""
    return settings.results / protocol.name / "causes" / f"randomization_{dataset}.csv"


def randomised_samples(settings: Settings) -> list[Sample]:
    """Return the images of which maps are made, of all that have maps."""
    samples = saliency_maps.mapped_samples(settings, settings.shown_dataset)
    return evenly_spaced(samples, settings.causes.randomised_images)


def randomised_networks(settings: Settings) -> list[Network]:
    """Return some of the networks that have maps, of the first fold that tables are about."""
    folds = saliency_maps.folds_with_maps(settings)[:1]
    networks = saliency_maps.networks_with_maps(settings, [settings.shown_dataset], folds)
    return evenly_spaced(networks, settings.causes.randomised_models)


def view_of(settings: Settings, networks: Sequence[Network], protocol: Protocol) -> View:
    """Return randomization_<dataset>.csv of these networks."""
    samples = randomised_samples(settings)
    dataset = settings.shown_dataset
    own = saliency_maps.own_stores(settings, protocol, dataset, networks)
    stores = [
        saliency_maps.store_of(settings, store.subject.network, protocol, samples, map_settings)
        for store in own
        for map_settings in MAP_SETTINGS
    ]
    rows = partial(rows_of, own, samples)
    return View(csv_file(settings, protocol, dataset), COLUMNS, stores, rows)


def rows_of(
    own: list[ResultStore], samples: Sequence[Sample], stores: list[ResultStore], _: object
) -> Iterator[list]:
    """Yield how the maps of each network and share correlate with its own, over the images.

    own: the stores of the run's own maps of the samples.
    """
    for store in stores:
        network, _, map_settings = store.subject
        (own_maps,) = saliency_maps.read_own_maps(own, [store], samples)
        r = pearson(own_maps, store.read("maps")["maps"])
        numbers = len(r), fisher_mean(r), fisher_std(r)
        yield [*network.labels.values(), map_settings.random_share, *numbers]
