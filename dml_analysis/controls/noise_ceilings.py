"""Floor and ceiling of the similarity of maps: the same network under other noise, the same loss in another fold, random weights.

Two things are made: maps under other noise and of random weights, of some images; and CSV files that compare these, and the run's
own maps of the same images, pair by pair, over all folds.
"""

from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np

from dml_analysis.datasets.images import size_of
from dml_analysis.datasets.readers import evenly_spaced, ids_of
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.metrics.disattenuation import corrected, matching
from dml_analysis.metrics.map_similarity import fisher_mean, fisher_std, jensen_shannon, pearson
from dml_analysis.networks.specifications import ALL_FOLDS, network_stage
from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.saliency.map_settings import Condition
from dml_analysis.seeds import derived_seed
from dml_analysis.stages import Job
from dml_analysis.views import View

OTHER_NOISE = Condition("other_noise", draw=1)
KINDS = ("other noise", "same loss, other fold", "other loss, same fold", "other loss, other fold", "random weights",
         "two random")  # fmt: skip
RANDOM = "random weights"  # in the place of a loss and of its type
R, SHARE = csv_files.between(-1, 1), csv_files.between(0, 1)
COLUMNS = {"kind": csv_files.one_of(KINDS), "loss_a": str, "type_a": str, "fold_a": int, "loss_b": str, "type_b": str,
           "fold_b": int, "n_images": int, "correlation_mean": R, "correlation_std": SHARE, "corrected": float,
           "jsd_mean": SHARE, "jsd_std": SHARE}  # fmt: skip
ANSWER = {"n_losses": int, "n_folds": int, "n_images": int, "same_loss": R, "other_loss": R, "low": float, "high": float,
          "p_value": SHARE, "ceiling": R, "floor": R}  # fmt: skip


def random_condition(number):
    return Condition(f"random_weights_{number}", random_share=1.0, random_draw=number)


def csv_file(settings, protocol, dataset):
    return settings.results / protocol.name / "controls" / f"bounds_{dataset}.csv"


def answer_file(settings, protocol, dataset):
    return settings.results / protocol.name / "controls" / f"folds_against_losses_{dataset}.csv"


def noise_conditions(settings):
    """Other noise, by as many samples as the settings say, and by fewer for whoever asks how many it takes."""
    usual = settings.saliency.noise_samples
    fewer = [each for each in settings.controls.varied_samples if each < usual]
    return [
        OTHER_NOISE,
        *(Condition(f"other_noise_{each}", draw=1, noise_samples=each) for each in fewer),
    ]


# ---------------------------------------------------------------------------------------------------------------------
# The stage.
# ---------------------------------------------------------------------------------------------------------------------
def stage(settings):
    """Maps of some images under other noise, by all networks, and under random weights, by one network's architecture."""
    settings.check_table_folds()
    everything, jobs, views, mapped, lists = saliency_maps.mapped_items(settings), [], [], [], []
    kept = [store for protocol in settings.protocols for dataset in settings.datasets
            for store in saliency_maps.kept(settings, protocol, dataset, everything[dataset])]  # fmt: skip
    if what := saliency_maps.lacking(kept):
        raise InputError(f"settings {settings.name!r}: {what}")
    for dataset in settings.datasets:
        items = items_of(settings, everything[dataset])
        networks = saliency_maps.networks_of(settings.model_copy(update={"datasets": [dataset]}))
        make = saliency_maps.maker(settings, {dataset: items}, 1, networks)
        for network in networks:
            protocols = saliency_maps.protocols_of_network(network)
            conditions = noise_conditions(settings)
            jobs.append(
                Job(
                    [
                        saliency_maps.store_of(network, p, items, c)
                        for p in protocols
                        for c in conditions
                    ],
                    make,
                )
            )
        for condition in random_conditions(settings):
            network = drawn_from(networks)
            jobs.append(
                Job(
                    [
                        saliency_maps.store_of(network, p, items, condition)
                        for p in settings.protocols
                    ],
                    make,
                )
            )
        mapped, lists = mapped + networks, [*lists, items]
        for protocol in settings.protocols:
            views += views_of(settings.whole, protocol, dataset, everything[dataset])
    return network_stage(
        "maps of controls", "map", jobs, mapped, lists, saliency_maps.loads, views=views
    )


def items_of(settings, everything):
    """The images of which controls are made, of all that have maps."""
    return evenly_spaced(everything, settings.controls.images)


def random_conditions(settings):
    return [random_condition(number) for number in range(settings.controls.random_networks)]


def drawn_from(networks):
    """The network whose architecture random weights are drawn for: that of "None", or else the first."""
    return next((each for each in networks if each.model.is_none), networks[0])


# ---------------------------------------------------------------------------------------------------------------------
# CSV files.
# ---------------------------------------------------------------------------------------------------------------------
def views_of(settings, protocol, dataset, everything):
    """bounds_<dataset>.csv and folds_against_losses_<dataset>.csv."""
    items = items_of(settings, everything)
    networks = [
        each.subject.network for each in saliency_maps.kept(settings, protocol, dataset, everything)
    ]
    stores = [saliency_maps.store_of(each, protocol, items, OTHER_NOISE) for each in networks]
    stores += [
        saliency_maps.store_of(drawn_from(networks), protocol, items, each)
        for each in random_conditions(settings)
        if networks
    ]
    rows, answer = (partial(each, settings, items, everything) for each in (rows_of, answer_of))
    return [View(csv_file(settings, protocol, dataset), COLUMNS, stores, rows),
            View(answer_file(settings, protocol, dataset), ANSWER, stores, answer)]  # fmt: skip


class Compared(NamedTuple):
    """The similarity of maps: correlation and JSD, on the first axis, of each image."""

    networks: list  # of l: the run's own, then None for each of random weights
    pairs: np.ndarray  # (2, n, l, l)
    ceilings: np.ndarray  # (2, n, m): of the run's own networks with themselves under other noise

    @property
    def ceiling(self):
        """(l,): of each network the mean of its correlations with itself; NaN where weights are random."""
        found = fisher_mean(self.ceilings[0], axis=0)
        return np.concatenate([found, np.full(len(self.networks) - len(found), np.nan)])


def compare(items, everything, stores):
    """The Compared of the run's own maps of these items, and those on stores: under other noise, and of random weights."""
    protocol, ids = stores[0].subject.protocol, ids_of(items)
    noise = [store for store in stores if store.subject.condition == OTHER_NOISE]
    random = [store for store in stores if store.subject.condition != OTHER_NOISE]
    own = [
        saliency_maps.some_maps(
            saliency_maps.store_of(each.subject.network, protocol, everything), ids
        )
        for each in noise
    ]
    some, crops = (
        own + [each.read("maps")["maps"] for each in random],
        [each.subject.network.crop for each in noise + random],
    )
    sizes = [size_of(item.path) for item in items] if len(set(crops)) > 1 else ()
    pairs = map_comparisons.compare(some, protocol.jsd_base, lambda ticks: None, crops, sizes)
    again = [each.read("maps")["maps"] for each in noise]
    ceilings = [
        [pearson(a, b), jensen_shannon(a, b, protocol.jsd_base)] for a, b in zip(own, again)
    ]
    return Compared(
        [each.subject.network for each in noise] + [None] * len(random),
        pairs,
        np.moveaxis(ceilings, 0, 2),
    )


def rows_of(settings, items, everything, stores, columns):
    """A row for each network with itself under other noise, and for each pair: means over the images."""
    if not any(store.subject.condition == OTHER_NOISE for store in stores):
        return
    yield from rows_from(compare(items, everything, stores))


def rows_from(found):
    """The rows of bounds_<dataset>.csv of a Compared."""
    ceiling = found.ceiling
    for place, network in enumerate(found.networks):
        if network:
            factor = corrected(1, ceiling[place], ceiling[place])
            yield [
                "other noise",
                *_labels(network) * 2,
                *_means(found.ceilings[:, :, place], factor),
            ]
    for a, b in combinations(range(len(found.networks)), 2):
        kind = kind_of(found.networks[a], found.networks[b])
        factor = corrected(1, ceiling[a], ceiling[b])
        yield [
            kind,
            *_labels(found.networks[a]),
            *_labels(found.networks[b]),
            *_means(found.pairs[:, :, a, b], factor),
        ]


def kind_of(a, b):
    """One of KINDS for two different networks; None for one of random weights.

    A network for all folds is in the fold of whichever it is compared with, as in Tables 2 to 4.
    """
    if a is None or b is None:
        return "two random" if a is b else "random weights"
    loss = "same" if a.model.name == b.model.name else "other"
    same_fold = a.fold == b.fold or ALL_FOLDS in (a.fold, b.fold)
    return f"{loss} loss, {'same' if same_fold else 'other'} fold"


def kinds_of(table, models):
    """[(kind, its rows)] of a table of COLUMNS, from the ceiling to the floor.

    A kind of KINDS is of trained networks alone. Rows of an untrained model are kinds of their own, which its name tells.
    """
    untrained, found = {model.name for model in models if not model.trained}, []
    for kind in KINDS:
        some = table[table.kind == kind]
        labels = [_named(kind, untrained & {*pair}) for pair in zip(some.loss_a, some.loss_b)]
        for label in sorted({*labels}, key=lambda label: (label != kind, label)):
            found.append((label, some[[each == label for each in labels]]))
    return found


def _named(kind, untrained):
    """A kind of pairs that have these untrained models."""
    if not untrained:
        return kind
    names = " and ".join(f"“{name}”" for name in sorted(untrained))
    if kind == "random weights":
        return f"{names} and {kind}"
    what, _, fold = kind.rpartition(", ")
    return f"{'a loss and ' * (what == 'other loss' and len(untrained) == 1)}{names}, {fold}"


def _labels(network):
    return (
        [network.model.name, network.model.group, network.fold]
        if network
        else [RANDOM, RANDOM, ALL_FOLDS]
    )


def _means(values, factor):
    """What a row says of values (2, n): the correlation also times the factor that corrects it for attenuation."""
    r, jsd = values[:, np.isfinite(values).all(axis=0)]
    mean = fisher_mean(r)
    return [
        len(r),
        mean,
        fisher_std(r),
        mean * factor,
        jsd.mean() if len(jsd) else np.nan,
        jsd.std() if len(jsd) else np.nan,
    ]


def answer_of(settings, items, everything, stores, columns):
    """The row of folds_against_losses_<dataset>.csv; none where there is one fold, or one trained loss."""
    if not any(store.subject.condition == OTHER_NOISE for store in stores):
        return
    if answer := answer_from(
        compare(items, everything, stores), derived_seed(settings.seed, "matching losses")
    ):
        yield answer


def answer_from(found, seed):
    """Are the maps of two losses less alike than those of one loss in two folds? Of a Compared; None without two of both.

    Networks of one fold have seen the same images, so only pairs over folds are compared with each other. Trained models alone.
    """
    places = {
        (each.model.name, each.fold): place
        for place, each in enumerate(found.networks)
        if each and each.model.trained
    }
    folds = list(dict.fromkeys(fold for _, fold in places if fold != ALL_FOLDS))
    losses = dict.fromkeys(name for name, _ in places)
    names = [name for name in losses if all((name, fold) in places for fold in folds)]
    if len(folds) < 2 or len(names) < 2:
        return None
    r = np.stack([found.pairs[0][:, [[places[a, f]] for a in names], [places[b, g] for b in names]]
                  for f, g in combinations(folds, 2)], axis=1)  # fmt: skip
    trained = list(places.values())
    random = [place for place, each in enumerate(found.networks) if each is None]
    floor = (
        fisher_mean(found.pairs[0][:, trained][:, :, random], axis=0).mean() if random else np.nan
    )
    return [
        len(names),
        len(folds),
        r.shape[0],
        *matching(r, seed),
        np.nanmean(found.ceiling[trained]),
        floor,
    ]
