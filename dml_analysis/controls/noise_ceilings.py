"""Noise ceilings and the random-weights baseline of the similarity of maps.

Maps of some images are made again under other noise, and under random weights. CSV files compare
them with the run's own maps of these images, pair by pair, over all folds.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from dml_analysis.config import Settings
from dml_analysis.datasets.readers import Sample, evenly_spaced
from dml_analysis.files import csv_files
from dml_analysis.metrics.disattenuation import corrected, matching
from dml_analysis.metrics.map_similarity import fisher_mean, fisher_std, jensen_shannon, pearson
from dml_analysis.networks.specifications import ALL_FOLDS, Network
from dml_analysis.paper import Model, Protocol
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.map_comparisons import compare
from dml_analysis.saliency.map_settings import MapSettings
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore
from dml_analysis.views import View

OTHER_NOISE = MapSettings("other_noise", draw=1)
KINDS = (
    "other noise",
    "same loss, other fold",
    "other loss, same fold",
    "other loss, other fold",
    "random weights",
    "two random",
)
RANDOM = "random weights"  # in place of a loss and of its type
R, SHARE = csv_files.between(-1, 1), csv_files.between(0, 1)
COLUMNS = {
    "kind": csv_files.one_of(KINDS), "loss_a": str, "type_a": str, "fold_a": int, "loss_b": str,
    "type_b": str, "fold_b": int, "n_images": int, "correlation_mean": R, "correlation_std": SHARE,
    "corrected": float, "jsd_mean": SHARE, "jsd_std": SHARE,
}  # fmt: skip
ANSWER = {
    "n_losses": int, "n_folds": int, "n_images": int, "same_loss": R, "other_loss": R, "low": float,
    "high": float, "p_value": SHARE, "ceiling": R, "floor": R,
}  # fmt: skip


def csv_file(settings: Settings, protocol: Protocol, dataset: str) -> Path:
    """Return the path of bounds_<dataset>.csv."""
    return settings.results / protocol.name / "controls" / f"bounds_{dataset}.csv"


def answer_file(settings: Settings, protocol: Protocol, dataset: str) -> Path:
    """Return the path of folds_against_losses_<dataset>.csv."""
    return settings.results / protocol.name / "controls" / f"folds_against_losses_{dataset}.csv"


# -------------------------------------------------------------------------------------------------
# Which maps.
# -------------------------------------------------------------------------------------------------
def control_samples(settings: Settings, dataset: str) -> list[Sample]:
    """Return the images of controls, of all that have maps."""
    return evenly_spaced(saliency_maps.mapped_samples(settings, dataset), settings.controls.images)


def noise_settings(settings: Settings) -> list[MapSettings]:
    """Return other noise, by the settings' number of samples and by each smaller one to vary."""
    usual = settings.saliency.noise_samples
    fewer = [count for count in settings.controls.varied_samples if count < usual]
    return [
        OTHER_NOISE,
        *(MapSettings(f"other_noise_{count}", draw=1, noise_samples=count) for count in fewer),
    ]


def random_settings(settings: Settings) -> list[MapSettings]:
    """Return the map settings of each network of random weights."""
    numbers = range(settings.controls.random_networks)
    return [MapSettings(f"random_weights_{i}", random_share=1.0, random_draw=i) for i in numbers]


def random_network(networks: Sequence[Network]) -> Network:
    """Return the network whose architecture gets random weights: "None", or else the first."""
    return next((network for network in networks if network.model.is_none), networks[0])


def views_of(settings: Settings, protocol: Protocol, dataset: str) -> list[View]:
    """Return bounds_<dataset>.csv and folds_against_losses_<dataset>.csv."""
    samples = control_samples(settings, dataset)
    own = saliency_maps.own_stores(settings, protocol, dataset)
    networks = [store.subject.network for store in own]
    subjects = [(network, OTHER_NOISE) for network in networks]
    if networks:
        subjects += [(random_network(networks), each) for each in random_settings(settings)]
    stores = [
        saliency_maps.store_of(settings, network, protocol, samples, map_settings)
        for network, map_settings in subjects
    ]
    seed = derived_seed(settings.seed, "matching losses")

    by_folder = {store.folder: store for store in stores}

    @cache  # both files need it
    def compared(*folders: Path) -> ComparedMaps | None:
        return compare_maps(own, samples, [by_folder[folder] for folder in folders])

    def bounds(complete: list[ResultStore], _: object) -> Iterable[list]:
        maps = compared(*(store.folder for store in complete))
        return rows_from(maps) if maps else []

    def answers(complete: list[ResultStore], _: object) -> Iterable[list]:
        maps = compared(*(store.folder for store in complete))
        answer = answer_from(maps, seed) if maps else None
        return [answer] if answer else []

    return [
        View(csv_file(settings, protocol, dataset), COLUMNS, stores, bounds),
        View(answer_file(settings, protocol, dataset), ANSWER, stores, answers),
    ]


# -------------------------------------------------------------------------------------------------
# The similarity of maps.
# -------------------------------------------------------------------------------------------------
class ComparedMaps(NamedTuple):
    """Correlation and JSD of maps of the same images; these two are the first axis of arrays."""

    networks: list[Network | None]  # the run's own, then None for each of random weights
    pairs: Float[np.ndarray, "2 images networks networks"]
    ceilings: Float[np.ndarray, "2 images own"]  # own networks with themselves under other noise

    @property
    def noise_ceilings(self) -> Float[np.ndarray, " networks"]:
        """Return each network's mean correlation under other noise; NaN for random weights."""
        means = fisher_mean(self.ceilings[0], axis=0)
        return np.concatenate([means, np.full(len(self.networks) - len(means), np.nan)])


def compare_maps(
    own_stores: Sequence[ResultStore], samples: Sequence[Sample], stores: Sequence[ResultStore]
) -> ComparedMaps | None:
    """Return the similarities of the run's own maps of samples, and of those in stores.

    stores: of maps under other noise and of random weights; None if there are none under noise.
    """
    noise = [store for store in stores if store.subject.map_settings == OTHER_NOISE]
    random = [store for store in stores if store.subject.map_settings != OTHER_NOISE]
    if not noise:
        return None
    own = saliency_maps.read_own_maps(own_stores, noise, samples)
    jsd_base = stores[0].subject.protocol.jsd_base
    maps = own + [store.read("maps")["maps"] for store in random]
    pairs = compare(noise + random, maps, samples)
    again = [store.read("maps")["maps"] for store in noise]
    ceilings = [[pearson(a, b), jensen_shannon(a, b, jsd_base)] for a, b in zip(own, again)]
    networks = [store.subject.network for store in noise] + [None] * len(random)
    return ComparedMaps(networks, np.array(pairs), np.moveaxis(np.array(ceilings), 0, 2))


# -------------------------------------------------------------------------------------------------
# CSV files.
# -------------------------------------------------------------------------------------------------
def rows_from(compared: ComparedMaps) -> Iterator[list]:
    """Yield a row for each network with itself under other noise, and for each pair of networks.

    Numbers are means over the images.
    """
    ceilings, networks = compared.noise_ceilings, compared.networks
    for i, network in enumerate(networks):
        if network:
            factor = corrected(1, ceilings[i], ceilings[i])
            means = _means(compared.ceilings[:, :, i], factor)
            yield ["other noise", *_labels(network) * 2, *means]
    for a, b in combinations(range(len(networks)), 2):
        factor = corrected(1, ceilings[a], ceilings[b])
        means = _means(compared.pairs[:, :, a, b], factor)
        kind = kind_of(networks[a], networks[b])
        yield [kind, *_labels(networks[a]), *_labels(networks[b]), *means]


def kind_of(a: Network | None, b: Network | None) -> str:
    """Return one of KINDS for two different networks; None stands for random weights.

    A network for all folds counts as of the other network's fold, as in Tables 2 to 4.
    """
    if a is None or b is None:
        return "two random" if a is b else "random weights"
    loss = "same" if a.model.name == b.model.name else "other"
    same_fold = a.fold == b.fold or ALL_FOLDS in (a.fold, b.fold)
    return f"{loss} loss, {'same' if same_fold else 'other'} fold"


def kinds_of(table: pd.DataFrame, models: Sequence[Model]) -> list[tuple[str, pd.DataFrame]]:
    """Return (kind, its rows) of a table of COLUMNS, from noise ceiling to random weights.

    Kinds of KINDS are of trained networks alone. Rows of an untrained model are kinds of their own
    that have its name.
    """
    untrained = {model.name for model in models if not model.trained}
    kinds = []
    for kind in KINDS:
        rows = table[table.kind == kind]
        labels = [_named(kind, untrained & {*pair}) for pair in zip(rows.loss_a, rows.loss_b)]
        for label in sorted({*labels}, key=lambda label: (label != kind, label)):
            kinds.append((label, rows[[each == label for each in labels]]))
    return kinds


def _named(kind: str, untrained: set[str]) -> str:
    """Return the name of a kind of pairs that have these untrained models."""
    if not untrained:
        return kind
    names = " and ".join(f"“{name}”" for name in sorted(untrained))
    if kind == "random weights":
        return f"{names} and {kind}"
    what, _, fold = kind.rpartition(", ")
    return f"{'a loss and ' * (what == 'other loss' and len(untrained) == 1)}{names}, {fold}"


def _labels(network: Network | None) -> list:
    """Return (loss, type, fold) of a network; None stands for random weights."""
    if network is None:
        return [RANDOM, RANDOM, ALL_FOLDS]
    return [network.model.name, network.model.group, network.fold]


def _means(values: Float[np.ndarray, "2 n"], factor: Any) -> list:
    """Return the numbers of a row; factor: that noise-corrects the mean correlation."""
    r, jsd = values[:, np.isfinite(values).all(axis=0)]
    mean, of_jsd = fisher_mean(r), [jsd.mean(), jsd.std()] if len(jsd) else [np.nan, np.nan]
    return [len(r), mean, fisher_std(r), mean * factor, *of_jsd]


def answer_from(compared: ComparedMaps, seed: int) -> list | None:
    """Return whether maps of two losses are less alike than those of one loss in two folds.

    A row of ANSWER; None without two folds and two losses. Networks of one fold have seen the same
    images, so only pairs over folds are compared. Trained models alone.
    """
    index = {
        (network.model.name, network.fold): i
        for i, network in enumerate(compared.networks)
        if network and network.model.trained
    }
    folds = list(dict.fromkeys(fold for _, fold in index if fold != ALL_FOLDS))
    losses = dict.fromkeys(name for name, _ in index)
    names = [name for name in losses if all((name, fold) in index for fold in folds)]
    if len(folds) < 2 or len(names) < 2:
        return None
    correlations = compared.pairs[0]
    of_folds = {fold: [index[name, fold] for name in names] for fold in folds}
    r = [correlations[:, of_folds[f]][:, :, of_folds[g]] for f, g in combinations(folds, 2)]
    trained = list(index.values())
    random = [i for i, network in enumerate(compared.networks) if network is None]
    baseline = np.nan
    if random:
        baseline = fisher_mean(correlations[:, trained][:, :, random], axis=0).mean()
    matched = matching(np.stack(r, axis=1), seed)
    ceiling = np.nanmean(compared.noise_ceilings[trained])
    return [len(names), len(folds), len(correlations), *matched, ceiling, baseline]
