"""Which conclusions survive another sigma, fewer samples, another base image, another attribution? Maps of some images under each."""

from functools import partial
from typing import NamedTuple

import numpy as np

from dml_analysis.controls import noise_ceilings
from dml_analysis.datasets.images import size_of
from dml_analysis.datasets.readers import ids_of
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import trained_groups
from dml_analysis.metrics import sample_size
from dml_analysis.metrics.groupings import mantel, within_between_test
from dml_analysis.metrics.map_similarity import fisher_mean, pearson
from dml_analysis.networks.specifications import network_stage
from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.saliency.map_settings import BASES, INTEGRATED, OWN, SMOOTHGRAD, Condition
from dml_analysis.seeds import derived_seed
from dml_analysis.stages import Job, Stage
from dml_analysis.views import View

R, SHARE = csv_files.between(-1, 1), csv_files.between(0, 1)
COLUMNS = {"variation": str, "sigma": float, "samples": int, "base": csv_files.one_of(BASES),
           "attribution": csv_files.one_of([SMOOTHGRAD, INTEGRATED]), "n_models": int, "n_images": int, "within": R, "between": R,
           "difference": float, "p_value": SHARE, "with_own": R, "order_as_own": R}  # fmt: skip


NEEDED = {"samples": int, "n_pairs": int, "n_images": int, "images": int, "told_apart": SHARE}
COUNTS = (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)  # of images


class Variation(NamedTuple):
    """One way to make maps; of several samples the same gradients are taken."""

    name: str
    conditions: list


def variations_of(settings):
    """All Variations of the settings but their own way."""
    usual, control = settings.saliency, settings.controls
    fewer = [each for each in control.varied_samples if each < usual.noise_samples]
    found = []
    for sigma in dict.fromkeys([usual.noise_sigma, *control.varied_sigmas]):
        own = sigma == usual.noise_sigma
        samples = fewer if own else [usual.noise_samples, *fewer]
        conditions = [Condition(f"sigma_{sigma:g}_samples_{each}", noise_samples=each, noise_sigma=None if own else sigma)
                      for each in samples]  # fmt: skip
        found += [Variation("sigma and samples", conditions)] if conditions else []
    found += [
        Variation("base image", [Condition(f"base_{base.replace(' ', '_')}", base=base)])
        for base in BASES[1:]
    ]
    return [
        *found,
        Variation("attribution", [Condition("integrated_gradients", attribution=INTEGRATED)]),
    ]


def csv_file(settings, protocol, dataset):
    return settings.results / protocol.name / "controls" / f"variations_{dataset}.csv"


def needed_file(settings, protocol, dataset):
    return settings.results / protocol.name / "controls" / f"needed_images_{dataset}.csv"


def stage(settings):
    """The maps of the varied images, under all networks of the first fold that tables are about."""
    settings.check_table_folds()
    if not settings.controls.vary:
        return Stage("varied maps", "map", [])
    dataset, whole, jobs, views = settings.shown_dataset, settings.whole, [], []
    everything = saliency_maps.mapped_items(settings.model_copy(update={"datasets": [dataset]}))[
        dataset
    ]
    items, networks = (
        noise_ceilings.items_of(settings, everything),
        networks_asked(settings, dataset),
    )
    if what := saliency_maps.lacking(
        [
            saliency_maps.store_of(each, p, everything)
            for each in networks
            for p in settings.protocols
        ]
    ):
        raise InputError(f"settings {settings.name!r}: {what}")
    make = saliency_maps.maker(settings, {dataset: items}, 1, networks)
    for network in networks:
        for variation in variations_of(settings):
            stores = [
                saliency_maps.store_of(network, p, items, each)
                for p in settings.protocols
                for each in variation.conditions
            ]
            jobs.append(Job(stores, make))
    for protocol in settings.protocols:
        known = [each for each in networks_asked(whole, dataset) if each.is_known()]
        stores = [saliency_maps.store_of(each, protocol, items, condition) for variation in variations_of(settings)
                   for condition in variation.conditions for each in known]  # fmt: skip
        noise = [saliency_maps.store_of(each, protocol, items, condition) for condition in noise_ceilings.noise_conditions(settings)
                 for each in known]  # fmt: skip
        of_all, of_some = (
            partial(each, whole, everything, items) for each in (rows_of, needed_rows)
        )
        views.append(View(csv_file(settings, protocol, dataset), COLUMNS, stores, of_all))
        views.append(
            View(needed_file(settings, protocol, dataset), NEEDED, [*stores, *noise], of_some)
        )
    return network_stage(
        "varied maps", "map", jobs, networks, [items], saliency_maps.loads, views=views
    )


def networks_asked(settings, dataset):
    """The trained networks that have maps, of the first fold that tables are about."""
    found = saliency_maps.networks_of(
        settings.model_copy(
            update={"datasets": [dataset], "folds": saliency_maps.first_fold(settings)}
        )
    )
    return [each for each in found if each.model.trained]


# ---------------------------------------------------------------------------------------------------------------------
# The CSV file.
# ---------------------------------------------------------------------------------------------------------------------
def rows_of(settings, everything, items, stores, columns):
    """A row for each variation whose maps are whole under all networks, the settings' own way first."""
    by_condition = {}
    for store in stores:
        by_condition.setdefault(store.subject.condition, []).append(store)
    most = max(map(len, by_condition.values()), default=0)
    whole = {condition: some for condition, some in by_condition.items() if len(some) == most}
    if not whole:
        return
    first = next(iter(whole.values()))
    own_maps = [
        saliency_maps.some_maps(
            saliency_maps.store_of(each.subject.network, each.subject.protocol, everything),
            ids_of(items),
        )
        for each in first
    ]
    own = similarity(first, items, own_maps)
    yield _row(settings, "own", OWN, first, own, own, len(items))
    named = {
        condition: variation.name
        for variation in variations_of(settings)
        for condition in variation.conditions
    }
    for condition, some in whole.items():
        found = similarity(some, items, [store.read("maps")["maps"] for store in some])
        yield _row(settings, named[condition], condition, some, found, own, len(items))


def similarity(stores, items, some):
    """(l, l): the correlation of every two networks' maps (n, h, w), mean over the images by Fisher's z."""
    crops = [store.subject.network.crop for store in stores]
    sizes = [size_of(item.path) for item in items] if len(set(crops)) > 1 else ()
    r, _ = map_comparisons.compare(
        some, stores[0].subject.protocol.jsd_base, lambda ticks: None, crops, sizes
    )
    found = fisher_mean(r, axis=0)
    return np.where(np.eye(len(found), dtype=bool), 1, found)


def _row(settings, name, condition, stores, found, own, n_images):
    models = [store.subject.network.model for store in stores]
    of = [model.group for model in models]
    upper = np.triu_indices(len(of), 1)
    same = np.equal.outer(of, of)[upper]
    within, between = (fisher_mean(found[upper][each]) for each in (same, ~same))
    test = (
        within_between_test(found, of, derived_seed(settings.seed, "groups"))
        if len(trained_groups(models)) > 1
        else None
    )
    seed, kinds = derived_seed(settings.seed, "order"), ("pearson", "spearman")
    order = [mantel(found, own, seed, permutations=1, kind=kind).correlation for kind in kinds]
    usual = settings.saliency
    return [name, condition.noise_sigma or usual.noise_sigma, condition.noise_samples or usual.noise_samples, condition.base,
            condition.attribution, len(models), n_images, within, between, within - between,
            test.p_value if test else np.nan, *order]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# How many images it takes.
# ---------------------------------------------------------------------------------------------------------------------
def needed_rows(settings, everything, items, stores, columns):
    """How many images it takes to tell two models' maps apart, by the number of samples.

    Two models are told apart if their maps are less alike than each one's own under other noise, by Fisher's z.
    """
    usual = settings.saliency.noise_samples
    for samples in [usual, *settings.controls.varied_samples]:
        noise = [each for each in stores
                 if each.subject.condition.draw and (each.subject.condition.noise_samples or usual) == samples]  # fmt: skip
        first = _first_maps(settings, everything, items, stores, noise, samples)
        if (
            not 1 < len(noise) == len(first)
            or len({each.subject.network.crop for each in noise}) > 1
        ):
            continue
        ceilings = np.arctanh([pearson(a, b.read("maps")["maps"]) for a, b in zip(first, noise)])
        rows, others = np.triu_indices(len(first), 1)
        z = np.arctanh([pearson(first[a], first[b]) for a, b in zip(rows, others)])
        differences = ((ceilings[rows] + ceilings[others]) / 2 - z).T
        differences = differences[
            np.isfinite(differences).all(axis=1)
        ]  # a map without a pattern correlates with nothing
        if len(differences) < sample_size.FEWEST:
            continue
        needs = sample_size.images_needed(differences)
        for count in COUNTS:
            yield [samples, len(needs), len(differences), count, (needs <= count).mean()]


def _first_maps(settings, everything, items, stores, noise, samples):
    """The maps (n, h, w) under the run's own noise, of each network that has such under other noise."""
    if samples == settings.saliency.noise_samples:
        return [
            saliency_maps.some_maps(
                saliency_maps.store_of(each.subject.network, each.subject.protocol, everything),
                ids_of(items),
            )
            for each in noise
        ]
    return [each.read("maps")["maps"] for each in stores
            if each.subject.condition._replace(name="", noise_samples=None) == OWN
            and each.subject.condition.noise_samples == samples]  # fmt: skip
