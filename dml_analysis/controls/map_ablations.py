"""Ablations of maps: which conclusions survive another sigma, number of samples, base or method?

Maps of some images are made with each of these settings. CSV files show how alike the models' maps
are then, and how many images tell two models apart.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dml_analysis.config import Settings
from dml_analysis.controls.noise_ceilings import control_samples, noise_settings
from dml_analysis.datasets.readers import Sample
from dml_analysis.files import csv_files
from dml_analysis.metrics import sample_size
from dml_analysis.metrics.groupings import mantel, within_between_test
from dml_analysis.metrics.map_similarity import fisher_mean, pearson
from dml_analysis.networks.specifications import Network
from dml_analysis.paper import Protocol
from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.saliency.map_settings import BASES, INTEGRATED, OWN, SMOOTHGRAD, MapSettings
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore
from dml_analysis.views import View

R, SHARE = csv_files.between(-1, 1), csv_files.between(0, 1)
COLUMNS = {
    "variation": str, "sigma": float, "samples": int, "base": csv_files.one_of(BASES),
    "attribution": csv_files.one_of([SMOOTHGRAD, INTEGRATED]), "n_models": int, "n_images": int,
    "within": R, "between": R, "difference": float, "p_value": SHARE, "with_own": R,
    "order_as_own": R,
}  # fmt: skip
NEEDED = {"samples": int, "n_pairs": int, "n_images": int, "images": int, "told_apart": SHARE}
COUNTS = (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)  # of images


def csv_file(settings: Settings, protocol: Protocol, dataset: str) -> Path:
    """Return the path of variations_<dataset>.csv."""
    return settings.results / protocol.name / "controls" / f"variations_{dataset}.csv"


def needed_file(settings: Settings, protocol: Protocol, dataset: str) -> Path:
    """Return the path of needed_images_<dataset>.csv."""
    return settings.results / protocol.name / "controls" / f"needed_images_{dataset}.csv"


# -------------------------------------------------------------------------------------------------
# Which maps.
# -------------------------------------------------------------------------------------------------
def ablations_of(settings: Settings) -> list[tuple[str, list[MapSettings]]]:
    """Return (what is varied, map settings that share gradients) of all ablations."""
    usual, control = settings.saliency, settings.controls
    fewer = [count for count in control.varied_samples if count < usual.noise_samples]
    ablations = []
    for sigma in dict.fromkeys([usual.noise_sigma, *control.varied_sigmas]):
        is_own = sigma == usual.noise_sigma
        changed_sigma = None if is_own else sigma
        counts = fewer if is_own else [usual.noise_samples, *fewer]
        alternatives = [
            MapSettings(
                f"sigma_{sigma:g}_samples_{count}", noise_samples=count, noise_sigma=changed_sigma
            )
            for count in counts
        ]
        if alternatives:
            ablations.append(("sigma and samples", alternatives))
    for base in BASES[1:]:
        ablations.append(("base image", [MapSettings(f"base_{base.replace(' ', '_')}", base=base)]))
    integrated = MapSettings("integrated_gradients", attribution=INTEGRATED)
    return [*ablations, ("attribution", [integrated])]


def ablated_networks(settings: Settings, dataset: str) -> list[Network]:
    """Return the trained networks that have maps, of the first fold that tables are about."""
    folds = saliency_maps.folds_with_maps(settings)[:1]
    networks = saliency_maps.networks_with_maps(settings, [dataset], folds)
    return [network for network in networks if network.model.trained]


def views_of(settings: Settings, protocol: Protocol) -> list[View]:
    """Return variations_<dataset>.csv and needed_images_<dataset>.csv of the complete run."""
    dataset = settings.shown_dataset
    samples = control_samples(settings, dataset)
    known = [each for each in ablated_networks(settings, dataset) if each.is_known()]
    own = saliency_maps.own_stores(settings, protocol, dataset, known)
    named = {each: name for name, group in ablations_of(settings) for each in group}

    def stores_with(alternatives: Sequence[MapSettings]) -> list[ResultStore]:
        return [
            saliency_maps.store_of(settings, network, protocol, samples, map_settings)
            for map_settings in alternatives
            for network in known
        ]

    stores, noise = stores_with(list(named)), stores_with(noise_settings(settings))
    rows = partial(rows_of, settings, named, own, samples)
    needed = partial(needed_rows, settings, own, samples)
    return [
        View(csv_file(settings, protocol, dataset), COLUMNS, stores, rows),
        View(needed_file(settings, protocol, dataset), NEEDED, [*stores, *noise], needed),
    ]


# -------------------------------------------------------------------------------------------------
# Is the order of the models' similarities the same?
# -------------------------------------------------------------------------------------------------
def rows_of(
    settings: Settings,
    named: dict[MapSettings, str],
    own: list[ResultStore],
    samples: Sequence[Sample],
    stores: list[ResultStore],
    _: object,
) -> Iterator[list]:
    """Yield a row for each ablation with complete maps by all networks, the run's own maps first.

    named: map settings -> what is varied. own: the stores of the run's own maps.
    """
    by_settings: dict[MapSettings, list[ResultStore]] = {}
    for store in stores:
        by_settings.setdefault(store.subject.map_settings, []).append(store)
    most = max(map(len, by_settings.values()), default=0)
    complete = {each: group for each, group in by_settings.items() if len(group) == most}
    if not complete:
        return
    first = next(iter(complete.values()))
    own_maps = saliency_maps.read_own_maps(own, first, samples)
    own_similarity = similarity(first, samples, own_maps)
    yield _row(settings, "own", OWN, first, own_similarity, own_similarity, len(samples))
    for map_settings, group in complete.items():
        maps = [store.read("maps")["maps"] for store in group]
        ablated = similarity(group, samples, maps)
        name = named[map_settings]
        yield _row(settings, name, map_settings, group, ablated, own_similarity, len(samples))


def similarity(
    stores: Sequence[ResultStore], samples: Sequence[Sample], maps: map_comparisons.Maps
) -> Float[np.ndarray, "l l"]:
    """Return the correlation of every two networks' maps, the mean over the images by Fisher's z.

    maps: by the networks of these stores, of the samples.
    """
    r, _ = map_comparisons.compare(stores, maps, samples)
    means = fisher_mean(r, axis=0)
    return np.where(np.eye(len(means), dtype=bool), 1, means)


def _row(
    settings: Settings,
    name: str,
    map_settings: MapSettings,
    stores: Sequence[ResultStore],
    ablated: Float[np.ndarray, "l l"],
    own: Float[np.ndarray, "l l"],
    n_images: int,
) -> list:
    """Return a row of COLUMNS; ablated, own: similarities of the models of the stores."""
    groups = [store.subject.network.model.group for store in stores]
    upper = np.triu_indices(len(groups), 1)
    same = np.equal.outer(groups, groups)[upper]
    within, between = (fisher_mean(ablated[upper][pairs]) for pairs in (same, ~same))
    p_value = np.nan
    if same.any() and not same.all():
        seed = derived_seed(settings.seed, "groups")
        p_value = within_between_test(ablated, groups, seed).p_value
    order = [
        mantel(ablated, own, derived_seed(settings.seed, "order"), 1, kind).correlation
        for kind in ("pearson", "spearman")
    ]
    usual = settings.saliency
    return [
        name,
        map_settings.noise_sigma or usual.noise_sigma,
        map_settings.noise_samples or usual.noise_samples,
        map_settings.base,
        map_settings.attribution,
        len(groups),
        n_images,
        within,
        between,
        within - between,
        p_value,
        *order,
    ]


# -------------------------------------------------------------------------------------------------
# How many images are needed?
# -------------------------------------------------------------------------------------------------
def needed_rows(
    settings: Settings,
    own: list[ResultStore],
    samples: Sequence[Sample],
    stores: list[ResultStore],
    _: object,
) -> Iterator[list]:
    """Yield how many images tell two models' maps apart, by the number of noise samples.

    Two models are told apart if their maps are less alike than each one's own under other noise,
    by Fisher's z.
    """
    usual = settings.saliency.noise_samples
    for count in [usual, *settings.controls.varied_samples]:
        noise = [
            store
            for store in stores
            if store.subject.map_settings.draw
            and (store.subject.map_settings.noise_samples or usual) == count
        ]
        if count == usual:
            maps = saliency_maps.read_own_maps(own, noise, samples)
        else:
            same_noise = OWN._replace(noise_samples=count)
            maps = [
                store.read("maps")["maps"]
                for store in stores
                if store.subject.map_settings._replace(name="") == same_noise
            ]
        crops = {store.subject.network.crop for store in noise}
        if 1 < len(noise) == len(maps) and len(crops) == 1:
            again = [store.read("maps")["maps"] for store in noise]
            yield from _needed(count, maps, again)


def _needed(
    noise_samples: int, maps: map_comparisons.Maps, again: map_comparisons.Maps
) -> Iterator[list]:
    """Yield rows of NEEDED for networks' maps, and their maps again under other noise."""
    ceilings = np.arctanh([pearson(a, b) for a, b in zip(maps, again)])
    rows, others = np.triu_indices(len(maps), 1)
    z = np.arctanh([pearson(maps[a], maps[b]) for a, b in combinations(range(len(maps)), 2)])
    differences = ((ceilings[rows] + ceilings[others]) / 2 - z).T
    differences = differences[np.isfinite(differences).all(axis=1)]  # constant maps have no z
    if len(differences) >= sample_size.FEWEST:
        needs = sample_size.images_needed(differences)
        for count in COUNTS:
            told_apart = (needs <= count).mean()
            yield [noise_samples, len(needs), len(differences), count, told_apart]
