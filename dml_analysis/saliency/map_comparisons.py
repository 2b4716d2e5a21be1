"""The similarity of every pair of networks' maps: per image in stores, averaged in CSV files.

A store of comparisons has an array for each pair of networks, and grows with the networks that
have maps. It is read and written chunk by chunk, so that memory does not grow with the images.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dml_analysis.config import Settings
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.images import size_of
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import MissingFile
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.methods import slug
from dml_analysis.metrics.map_alignment import Maps, Pairs, similarities
from dml_analysis.metrics.map_similarity import all_pairs, fisher_mean, fisher_std
from dml_analysis.networks.specifications import ALL_FOLDS, networks_of
from dml_analysis.paper import Protocol
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.saliency_maps import MAP_TYPE, MapMaker
from dml_analysis.seeds import digest
from dml_analysis.store import ResultStore
from dml_analysis.todo import Chunk
from dml_analysis.views import View

KEY = ("dataset", "fold", "loss_a", "loss_b")
R, SHARE = csv_files.between(-1, 1), csv_files.between(0, 1)
COLUMNS = {
    "dataset": str, "fold": int, "loss_a": str, "loss_b": str, "n_images": int, "n_undefined": int,
    "correlation_mean": R, "correlation_std": SHARE, "jsd_mean": SHARE, "jsd_std": SHARE,
}  # fmt: skip


class Comparison(NamedTuple):
    """The comparison of the maps of a dataset's images, in a fold, by a protocol."""

    folder: Path  # of its store
    protocol: Protocol
    dataset: str
    fold: int
    samples: list[Sample]
    images: str  # what was in the images, for provenance
    maps: dict[str, ResultStore]  # model -> maps, of all known networks of the complete run
    is_first: bool  # of all folds that are compared

    def fold_of(self, pair: tuple[str, str]) -> int:
        """Return the fold of a pair of models' networks: ALL_FOLDS if both have one for all."""
        folds = {self.maps[name].subject.network.fold for name in pair} - {ALL_FOLDS}
        return folds.pop() if folds else ALL_FOLDS

    def pair_arrays(self, names: Iterable[str]) -> dict[tuple[str, str], str]:
        """Return the name of the array of each pair of these models.

        The name tells by which maps the array was made. Two models with one network each for all
        folds are a pair of the first fold alone.
        """
        names = [name for name in self.maps if name in names]
        arrays = {}
        for pair in combinations_with_replacement(names, 2):
            if self.is_first or self.fold_of(pair) != ALL_FOLDS:
                a, b = sorted(pair)
                maps_digest = digest([self.maps[a].digest, self.maps[b].digest])
                arrays[pair] = f"{slug(a)}-{slug(b)}-{maps_digest}"
        return arrays

    def store_of(self, names: Iterable[str]) -> ResultStore:
        """Return the store of the correlation and JSD of every pair, a row for each image.

        names: the models whose pairs each chunk must have to be complete.
        """
        array = Array("f8", (2,), finite=False, low=-1, high=1)
        return ResultStore(
            self.folder,
            {"images": self.images, "jsd_base": self.protocol.jsd_base},
            [readers.ids_of(chunk) for chunk in saliency_maps.chunks_of(self.samples)],
            dict.fromkeys(self.pair_arrays(self.maps).values(), array),
            self,
            required=tuple(self.pair_arrays(names).values()),
        )

    def models_without(self, names: Sequence[str], available: Sequence[str]) -> list[str]:
        """Return the models among names whose maps are needed again, but not available."""
        common = self.store_of(()).common()
        pairs = [pair for pair, array in self.pair_arrays(names).items() if array not in common]
        needed = {name for pair in pairs for name in pair} | (set(names) - self.maps.keys())
        return [name for name in names if name in needed and name not in available]


def comparisons_of(settings: Settings) -> list[Comparison]:
    """Return the comparisons of all datasets, folds and protocols of the settings."""
    comparisons = []
    for dataset in settings.datasets:
        samples = saliency_maps.mapped_samples(settings, dataset)
        images = image_digests.described(settings.records, samples)
        for fold in saliency_maps.folds_with_maps(settings):
            networks = networks_of(settings.whole, dataset, [fold])
            known = [network for network in networks if network.has_maps and network.is_known()]
            for protocol in saliency_maps.protocols_of(settings, fold):
                folder = settings.results / protocol.name / "saliency" / "comparisons"
                maps = {
                    network.model.name: saliency_maps.store_of(settings, network, protocol, samples)
                    for network in known
                }
                comparisons.append(
                    Comparison(
                        folder / dataset / f"fold{fold}",
                        protocol,
                        dataset,
                        fold,
                        samples,
                        images,
                        maps,
                        fold == settings.whole.table_folds(protocol)[0],
                    )
                )
    return comparisons


# -------------------------------------------------------------------------------------------------
# The similarity of maps.
# -------------------------------------------------------------------------------------------------
def compared(
    comparison: Comparison, names: Sequence[str], maps: Maps, rows: slice
) -> dict[str, Float[np.ndarray, "n 2"]]:
    """Return the arrays, by name, of correlation and JSD of all pairs of these models.

    maps: of each of the models, of these rows of the comparison's samples.
    """
    stores = [comparison.maps[name] for name in names]
    correlation, jsd = compare(stores, maps, comparison.samples[rows])
    index = {name: number for number, name in enumerate(names)}
    return {
        array: np.stack([each[:, index[a], index[b]] for each in (correlation, jsd)], axis=1)
        for (a, b), array in comparison.pair_arrays(names).items()
    }


def compare(
    stores: Sequence[ResultStore], maps: Maps, samples: Sequence[Sample]
) -> tuple[Pairs, Pairs]:
    """Return (correlation, JSD) of all pairs of maps; stores: of which they are, of one protocol.

    samples: those that the maps are of.
    """
    crops = [store.subject.network.crop for store in stores]
    jsd_base = stores[0].subject.protocol.jsd_base
    if len(set(crops)) == 1:
        correlation, jsd = all_pairs(np.array(maps), jsd_base)
        return correlation, jsd
    return similarities(maps, jsd_base, crops, [size_of(sample.path) for sample in samples])


# -------------------------------------------------------------------------------------------------
# Maps that are deleted once compared.
# -------------------------------------------------------------------------------------------------
def maps_by_protocol(
    maker: MapMaker, chunk: Chunk, stores: Sequence[ResultStore], samples: Sequence[Sample]
) -> list[Float[np.ndarray, "n h w"]]:
    """Return a network's maps of a chunk by each protocol, and save those that do not exist yet.

    They are returned, as a process that compares other models may delete the files.
    """
    saved = [_if_exists(store, chunk.number) for store in stores]
    missing = [store for store, maps in zip(stores, saved) if maps is None]
    if not missing:
        chunk.advance(len(stores[0].chunks[chunk.number]))
    made = maker.maps(missing, samples, chunk.rows, chunk.advance) if missing else []
    for store, arrays in zip(missing, made):
        store.save(chunk.number, **arrays)
    new = iter([arrays["maps"].astype(MAP_TYPE) for arrays in made])
    return [next(new) if maps is None else maps for maps in saved]


def _if_exists(store: ResultStore, number: int) -> Float[np.ndarray, "n h w"] | None:
    """Return the maps of a chunk, or None if it does not exist."""
    try:
        return store.load(number)["maps"]
    except MissingFile:
        return None


def discard_maps(comparison: Comparison, names: Iterable[str], number: int, shown: str) -> None:
    """Delete the models' maps of a chunk, except those in figures; shown: the figures' dataset."""
    in_figures = number in saliency_maps.shown_chunks(comparison.samples)
    for name in names:
        store = comparison.maps[name]
        of_shown_fold = comparison.is_first or store.subject.network.fold == ALL_FOLDS
        if not (in_figures and of_shown_fold and comparison.dataset == shown):
            store.discard(number)


# -------------------------------------------------------------------------------------------------
# Averages over the images.
# -------------------------------------------------------------------------------------------------
def pairs_file(settings: Settings, protocol: Protocol, dataset: str) -> Path:
    """Return the path of pairs_<dataset>.csv."""
    return settings.results / protocol.name / "saliency" / f"pairs_{dataset}.csv"


def views(settings: Settings) -> list[View]:
    """Return pairs_<dataset>.csv of the settings' datasets, with all folds and models of the run."""
    by_file: dict[Path, list[Comparison]] = {}
    for each in comparisons_of(settings.whole.model_copy(update={"datasets": settings.datasets})):
        file = pairs_file(settings, each.protocol, each.dataset)
        by_file.setdefault(file, []).append(each)
    return [_view(file, comparisons) for file, comparisons in by_file.items()]


def _view(file: Path, comparisons: list[Comparison]) -> View:
    """Return the CSV file of the comparisons of a dataset's folds, which may be incomplete."""
    stores = [store for each in comparisons for store in (each.store_of(()), *each.maps.values())]
    return View(file, COLUMNS, stores, lambda *_: chain(*map(rows_of, comparisons)))


def rows_of(comparison: Comparison) -> Iterator[tuple]:
    """Yield a row for each pair of networks that is compared on all images: their mean and std.

    Images with a constant map have no correlation: they are counted as n_undefined, and left out.
    Only one network's values are in memory at a time: some hundred bytes an image.
    """
    store = comparison.store_of(())
    common, arrays = store.common(), comparison.pair_arrays(comparison.maps)
    for first in comparison.maps:
        of_first = {
            pair: array for pair, array in arrays.items() if array in common and pair[0] == first
        }
        values = store.read(*of_first.values()) if of_first else {}
        for pair, array in of_first.items():
            r, divergence = values[array][~np.isnan(values[array]).any(axis=1)].T
            numbers = [np.nan] * 4
            if len(r):
                of_jsd = divergence.mean(), divergence.std()
                numbers = [*map(float, (fisher_mean(r), fisher_std(r), *of_jsd))]
            counts = len(r), len(values[array]) - len(r)
            yield comparison.dataset, comparison.fold_of(pair), *pair, *counts, *numbers


def report_constant_maps(settings: Settings) -> None:
    """Print a line for each network that has constant maps, by pairs_<dataset>.csv."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for dataset in settings.datasets:
        for protocol in settings.protocols:
            table = csv_files.read(pairs_file(settings, protocol, dataset), COLUMNS, KEY)
            of_networks = table[(table.loss_a == table.loss_b) & (table.n_undefined > 0)]
            for row in of_networks.itertuples():
                fold = "" if row.fold == ALL_FOLDS else f", fold {row.fold}"
                by_protocol = counts.setdefault(f"{row.loss_a}, {dataset}{fold}", {})
                total = row.n_undefined + row.n_images
                by_protocol[protocol.name] = row.n_undefined, total
    for name, by_protocol in counts.items():
        print(saliency_maps.about_constant(name, by_protocol))
