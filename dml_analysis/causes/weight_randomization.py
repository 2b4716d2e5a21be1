"""Do maps depend on what was learned? Maps of networks whose weights are made random, layer by layer from the last one on.

The sanity check of Adebayo et al. (NeurIPS 2018): if maps stay as they were, they show the picture and not the network.
"""

from functools import partial

from dml_analysis.datasets.readers import evenly_spaced, ids_of
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.networks.specifications import ALL_FOLDS, network_stage
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.map_settings import Condition
from dml_analysis.stages import Job
from dml_analysis.views import View

SHARES = (
    0.01,
    0.25,
    0.5,
    0.75,
    1.0,
)  # of the layers; the first is the last layer alone, an embedder
CONDITIONS = [Condition(f"random_{round(100 * share)}", random_share=share) for share in SHARES]
COLUMNS = {"loss": str, "type": str, "dataset": str, "fold": int, "random_share": csv_files.between(0, 1), "n_images": int,
           "correlation_mean": csv_files.between(-1, 1), "correlation_std": csv_files.between(0, 1)}  # fmt: skip


def csv_file(settings, protocol, dataset):
    return settings.results / protocol.name / "causes" / f"randomization_{dataset}.csv"


def stage(settings):
    """Maps of some images under some networks with random weights, and the correlation with those of the intact ones."""
    settings.check_table_folds()
    whole, dataset, jobs, views, lacking = settings.whole, settings.shown_dataset, [], [], []
    everything = saliency_maps.mapped_items(settings.model_copy(update={"datasets": [dataset]}))[
        dataset
    ]
    items = evenly_spaced(everything, settings.causes.randomised_images)
    networks = networks_asked(whole, dataset)
    make = saliency_maps.maker(settings, {dataset: items}, 1, networks)
    for network in networks:
        protocols = [
            each
            for each in settings.protocols
            if network.fold in (*settings.table_folds(each), ALL_FOLDS)
        ]
        jobs += [
            Job(
                [saliency_maps.store_of(network, each, items, condition) for each in protocols],
                make,
            )
            for condition in CONDITIONS
        ]
    for protocol in settings.protocols:
        kept = [
            saliency_maps.store_of(each, protocol, everything)
            for each in networks
            if each.is_known()
        ]
        random = [
            saliency_maps.store_of(each.subject.network, protocol, items, condition)
            for each in kept
            for condition in CONDITIONS
        ]
        lacking += kept
        views.append(
            View(
                csv_file(settings, protocol, dataset),
                COLUMNS,
                random,
                partial(rows_of, everything, items),
            )
        )
    if what := saliency_maps.lacking(lacking):
        raise InputError(f"settings {settings.name!r}: {what}")
    return network_stage(
        "maps of random weights", "map", jobs, networks, [items], saliency_maps.loads, views=views
    )


def networks_asked(settings, dataset):
    """Some of the networks that have maps, of the first fold that tables are about."""
    found = saliency_maps.networks_of(
        settings.model_copy(
            update={"datasets": [dataset], "folds": saliency_maps.first_fold(settings)}
        )
    )
    return evenly_spaced(found, settings.causes.randomised_models)


def rows_of(everything, items, stores, columns):
    """A row for each network and share: how its maps correlate with those of the intact network, over the images."""
    from dml_analysis.metrics.map_similarity import fisher_mean, fisher_std, pearson

    intact = {}
    for store in stores:
        network, protocol, condition = store.subject
        if network.path not in intact:
            intact[network.path] = saliency_maps.some_maps(
                saliency_maps.store_of(network, protocol, everything), ids_of(items)
            )
        r = pearson(intact[network.path], store.read("maps")["maps"])
        yield [
            *network.labels.values(),
            condition.random_share,
            len(r),
            fisher_mean(r),
            fisher_std(r),
        ]
