"""The similarity of every pair of networks' maps: per image on stores, averaged over images in pairs_<dataset>.csv.

A store of comparisons has an array for each pair of networks, and grows as there are maps of more. All goes part by part,
so that memory does not grow with the number of images.
"""

from functools import partial
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from dml_analysis.config import Settings
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.images import size_of
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.methods import slug
from dml_analysis.metrics.map_alignment import brought_together, laid_on_grid, scaled
from dml_analysis.metrics.map_similarity import all_pairs, fisher_mean, fisher_std
from dml_analysis.networks.specifications import ALL_FOLDS, network_stage, networks_of
from dml_analysis.paper import Protocol
from dml_analysis.saliency import saliency_maps
from dml_analysis.seeds import digest
from dml_analysis.stages import Job, Stage
from dml_analysis.store import ResultStore
from dml_analysis.views import View

IMAGES_AT_ONCE = 16  # 16 images x 15 networks in float16 are 25 MB
KEY = ("dataset", "fold", "loss_a", "loss_b")
COLUMNS = {
    "dataset": str,
    "fold": int,
    "loss_a": str,
    "loss_b": str,
    "n_images": int,
    "n_undefined": int,
    "correlation_mean": csv_files.between(-1, 1),
    "correlation_std": csv_files.between(0, 1),
    "jsd_mean": csv_files.between(0, 1),
    "jsd_std": csv_files.between(0, 1),
}


class Comparison(NamedTuple):
    """What is compared: the maps of a dataset's images, in a fold, by a protocol."""

    settings: Settings
    protocol: Protocol
    dataset: str
    fold: int
    items: list
    maps: dict  # name of a model -> the store of its network's maps; of all networks of the whole run that are known
    is_first: bool  # of all folds that are compared

    def fold_of(self, pair):
        """The fold of a pair of models' networks: ALL_FOLDS if both have one for all."""
        folds = {self.maps[name].subject.network.fold for name in pair} - {ALL_FOLDS}
        return folds.pop() if folds else ALL_FOLDS

    def arrays_of(self, names):
        """(name, name) -> the name of their array, which tells by which maps it was made, not in which order.

        Two models that have one network each for all folds are a pair of the first fold alone.
        """
        names = [name for name in self.maps if name in names]
        arrays = {}
        for pair in combinations_with_replacement(names, 2):
            if self.fold_of(pair) == ALL_FOLDS and not self.is_first:
                continue
            a, b = sorted(pair)
            provenance = digest([self.maps[a].digest, self.maps[b].digest])
            arrays[pair] = f"{slug(a)}-{slug(b)}-{provenance}"
        return arrays

    def store_of(self, names):
        """The store of correlation and JSD of every pair, a row for each image, which must have those of these models."""
        provenance = {
            "images": image_digests.described(self.settings.records, self.items),
            "jsd_base": self.protocol.jsd_base,
        }
        folder = self.settings.results / self.protocol.name / "saliency" / "comparisons"
        parts = [readers.ids_of(some) for some in saliency_maps.parts_of(self.items)]
        arrays = {
            name: Array("f8", (2,), finite=False, low=-1, high=1)
            for name in self.arrays_of(self.maps).values()
        }
        wanted = tuple(self.arrays_of(names).values())
        return ResultStore(
            folder / self.dataset / f"fold{self.fold}",
            provenance,
            parts,
            arrays,
            self,
            required=wanted,
        )

    def image_sizes(self, number):
        """(width, height) of the images of a part."""
        return [size_of(item.path) for item in saliency_maps.parts_of(self.items)[number]]

    def is_shown(self, name, number):
        """Whether figures show a model's maps of this part."""
        shown = self.is_first or self.maps[name].subject.network.fold == ALL_FOLDS
        return (
            shown
            and self.dataset == self.settings.whole.shown_dataset
            and number in saliency_maps.shown_parts(self.items)
        )


def comparisons_of(settings, items):
    """All comparisons of a run; items: dataset -> list."""
    found = []
    for dataset in settings.datasets:
        for fold in settings.folds:
            mapped = [
                each
                for each in networks_of(settings.whole, dataset, [fold])
                if each.has_maps and each.is_known()
            ]
            for protocol in saliency_maps.protocols_of(settings, fold):
                stores = {
                    n.model.name: saliency_maps.store_of(n, protocol, items[dataset])
                    for n in mapped
                }
                is_first = fold == settings.whole.table_folds(protocol)[0]
                found.append(
                    Comparison(settings, protocol, dataset, fold, items[dataset], stores, is_first)
                )
    return found


# ---------------------------------------------------------------------------------------------------------------------
# The stage where maps are kept.
# ---------------------------------------------------------------------------------------------------------------------
def stage(settings):
    """The comparison of all networks whose maps are whole, also of those that a narrowed run leaves out."""
    settings.check_table_folds()
    items, jobs, lacking = saliency_maps.mapped_items(settings), [], {}
    saliency_maps.check_any(settings, saliency_maps.networks_of(settings))
    asked = [model.name for model in settings.models if not model.embeddings]
    for comparison in comparisons_of(settings, items):
        ready = [name for name, each in comparison.maps.items() if each.is_complete()]
        compared, common = comparison.arrays_of(asked), comparison.store_of(()).common()
        gone = {
            name for pair, array in compared.items() if array not in common for name in pair
        } - set(ready)
        lacking |= dict.fromkeys(
            name for name in asked if name in gone or name not in comparison.maps
        )
        jobs += [Job([comparison.store_of(ready)], partial(compare_kept, ready))] if ready else []
    if len(lacking) == len(asked) and not jobs:
        folder = settings.results / settings.protocols[0].name / "saliency" / "maps"
        raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
    what = (
        f"the maps of {', '.join(lacking)} are not whole; run saliency/1_compute_maps.py"
        if lacking
        else ""
    )
    return Stage("comparisons", "image", jobs, views_with_lines(settings, items), lacking=what)


def compare_kept(names, stores, number, tick):
    """A part of the comparison, from the models' maps on their stores; see Job.make."""
    kept = [stores[0].subject.maps[name].load(number)["maps"] for name in names]
    return [compared(stores[0].subject, names, kept, number, tick)]


def compared(comparison, names, some, number, tick):
    """The arrays (n, 2), correlation and JSD, of all pairs of these models, whose maps (n, h, w) of a part are given."""
    seen = [comparison.maps[name].subject.network.crop for name in names]
    images = comparison.image_sizes(number) if len(set(seen)) > 1 else ()
    correlation, jsd = compare(some, comparison.protocol.jsd_base, tick, seen, images)
    places = {name: place for place, name in enumerate(names)}
    return {
        array: np.stack([each[:, places[a], places[b]] for each in (correlation, jsd)], axis=1)
        for (a, b), array in comparison.arrays_of(names).items()
    }


def compare(some, jsd_base, tick, crops=None, image_sizes=()):
    """(correlation, JSD), each (n, l, l), of all pairs of maps, a list of l arrays (n, h, w).

    crops: what part of the n images each of the l networks sees; image_sizes: (width, height) of these, if crops differ.
    """
    crops, n = crops or [None] * len(some), len(some[0])
    found = np.full((2, n, len(some), len(some)), np.nan)
    for start in range(0, n, IMAGES_AT_ONCE):
        now = range(n)[start : start + IMAGES_AT_ONCE]
        for first, second in combinations_with_replacement(dict.fromkeys(crops), 2):
            a, b = (
                [place for place, crop in enumerate(crops) if crop == each]
                for each in (first, second)
            )
            if first == second:
                stack = np.array([some[place][now.start : now.stop] for place in a])
                values = np.array(all_pairs(stack, jsd_base))
                found[np.ix_((0, 1), now, a, a)] = values
            else:
                stacks = [
                    on_one_grid(some, crops, a + b, image, image_sizes[image]) for image in now
                ]
                values = np.concatenate(
                    [np.array(all_pairs(stack, jsd_base)) for stack in stacks], axis=1
                )
                across = values[:, :, : len(a), len(a) :]
                found[np.ix_((0, 1), now, a, b)] = across
                found[np.ix_((0, 1), now, b, a)] = across.swapaxes(2, 3)
        tick(len(now))
    return found


def on_one_grid(some, crops, places, image, image_size):
    """(l, 1, H, W): the maps at these places, of one or two crops, of the image at this place, as far as both see it."""
    different = list(dict.fromkeys(crops[place] for place in places))
    if len(different) == 1:
        return np.array([some[place][image] for place in places])[:, None]
    part, grid = brought_together(different, image_size)
    laid = [
        scaled(laid_on_grid(some[place][image], crops[place], image_size, part, grid))
        for place in places
    ]
    return np.array(laid)[:, None]


# ---------------------------------------------------------------------------------------------------------------------
# The stage where maps are not kept.
# ---------------------------------------------------------------------------------------------------------------------
def stage_without_maps(settings):
    """The comparison of the settings' networks, whose maps are made for it and deleted as soon as they are compared."""
    settings.check_table_folds()
    items, mapped = saliency_maps.mapped_items(settings), saliency_maps.networks_of(settings)
    saliency_maps.check_any(settings, mapped)
    names = [model.name for model in settings.models if not model.embeddings]
    make_maps, together = saliency_maps.maker(settings, items, remembered=len(names)), {}
    for network in mapped:
        network.provenance()  # raises MissingFile, where what is known already would pass over a network
    for comparison in comparisons_of(settings, items):  # by all protocols from the same gradients
        together.setdefault((comparison.dataset, comparison.fold), []).append(
            comparison.store_of(names)
        )
    jobs = [
        Job(stores, partial(compare_and_discard, names, make_maps), len(names))
        for stores in together.values()
    ]
    # The maps that the figures show, and those of a part while it is compared
    room = (saliency_maps.SHOWN_IMAGES + 1) * sum(
        saliency_maps.store_of(each, protocol, items[mapped[0].dataset]).bytes(0)
        for each in mapped[: len(names)]
        for protocol in settings.protocols
    )
    return network_stage(
        "compared saliency maps",
        "map",
        jobs,
        mapped,
        items.values(),
        lambda store: [store.subject.maps[name].subject.network for name in names],
        views=views_with_lines(settings, items),
        extra_bytes=room,
    )


def compare_and_discard(names, make_maps, stores, number, tick):
    """A part of the comparison by some protocols, for which its maps are made; then away with them; see Job.make."""
    found = [
        maps_of_network([store.subject.maps[name] for store in stores], make_maps, number, tick)
        for name in names
    ]
    results = [
        compared(store.subject, names, some, number, lambda ticks: None)
        for store, some in zip(stores, zip(*found))
    ]
    for store, name in ((store, name) for store in stores for name in names):
        if not store.subject.is_shown(name, number):
            store.subject.maps[name].discard(number)
    return results


def maps_of_network(stores, make_maps, number, tick):
    """The maps (n, h, w) of a part by each protocol: those that exist, and for the others new ones, put on their stores.

    They are kept in memory, as a process that compares other models may delete these.
    """
    found = {store.folder: _if_exists(store, number) for store in stores}
    lacking = [store for store in stores if found[store.folder] is None]
    for store, arrays in zip(lacking, make_maps(lacking, number, tick) if lacking else ()):
        store.save(number, **arrays)
        found[store.folder] = np.array(
            arrays["maps"], dtype=store.arrays["maps"].dtype
        )  # as it is read again
    if not lacking:
        tick(len(stores[0].chunks[number]))
    return list(found.values())


def _if_exists(store, number):
    try:
        return store.load(number)["maps"]
    except MissingFile:
        return None


# ---------------------------------------------------------------------------------------------------------------------
# Averaged over the images.
# ---------------------------------------------------------------------------------------------------------------------
def pairs_file(settings, protocol, dataset):
    return settings.results / protocol.name / "saliency" / f"pairs_{dataset}.csv"


def views(settings, items=None):
    """pairs_<dataset>.csv of the settings' datasets, with all folds and models of the whole run.

    items: dataset -> list, if they are known already.
    """
    whole, files = settings.whole.model_copy(update={"datasets": settings.datasets}), {}
    for each in comparisons_of(whole, items or saliency_maps.mapped_items(whole)):
        files.setdefault(pairs_file(settings, each.protocol, each.dataset), []).append(each)
    return [
        View(file, COLUMNS, [store for each in some for store in (each.store_of(()), *each.maps.values())],
             lambda whole, columns, some=some: (row for each in some for row in rows_of(each)))
        for file, some in files.items()
    ]  # fmt: skip


def views_with_lines(settings, items):
    """The same, and lines about constant maps."""
    return [*views(settings, items), ConstantMapsCompared(settings)]


class ConstantMapsCompared(NamedTuple):
    """In the place of a View: a line for each network that has constant maps, by pairs_<dataset>.csv of the settings."""

    settings: Settings
    stores: tuple = ()

    def write(self):
        counts = {}
        for dataset in self.settings.datasets:
            for protocol in self.settings.protocols:
                table = csv_files.read(pairs_file(self.settings, protocol, dataset), COLUMNS, KEY)
                for row in table[
                    (table.loss_a == table.loss_b) & (table.n_undefined > 0)
                ].itertuples():
                    name = f"{row.loss_a}, {dataset}" + (
                        f", fold {row.fold}" if row.fold != ALL_FOLDS else ""
                    )
                    counts.setdefault(name, {})[protocol.name] = (
                        row.n_undefined,
                        row.n_undefined + row.n_images,
                    )
        for name, of_network in counts.items():
            print(saliency_maps.about_constant(name, of_network))


def rows_of(comparison):
    """One row per pair of networks that is compared on all images: mean and std over these, and their number.

    Images of which a map is constant have no correlation: they are counted as n_undefined, and left out of all else.

    Of all values only those of one network are in memory at a time: some hundred bytes an image.
    """
    store = comparison.store_of(())
    common = store.common()
    arrays = {
        pair: array
        for pair, array in comparison.arrays_of(comparison.maps).items()
        if array in common
    }
    for first in comparison.maps:
        of_first = {b: array for (a, b), array in arrays.items() if a == first}
        values = store.read(*of_first.values()) if of_first else {}
        for second, array in of_first.items():
            r, divergence = values[array][~np.isnan(values[array]).any(axis=1)].T
            numbers = [np.nan] * 4
            if len(r):
                numbers = fisher_mean(r), fisher_std(r), divergence.mean(), divergence.std()
            yield (
                comparison.dataset,
                comparison.fold_of((first, second)),
                first,
                second,
                len(r),
                len(values[array]) - len(r),
                *map(float, numbers),
            )
