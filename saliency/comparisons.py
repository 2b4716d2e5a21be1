"""The similarity of every pair of networks' maps: per image on shelves, averaged over images in pairs_<dataset>.csv.

A shelf of comparisons has an array for each pair of networks, and grows as there are maps of more. All goes part by part,
so that memory does not grow with the number of images.
"""

from functools import partial
from itertools import chain, combinations_with_replacement
from typing import NamedTuple

import numpy as np

from common.errors import InputError, MissingFile
from common.models import slug
from common.seeds import described, fingerprint
from common.settings import Settings
from common.shelf import Array, Job, Shelf, Stage, View
from data import datasets
from reality_check.networks import Network, network_stage
from saliency import maps
from utils import Protocol

IMAGES_AT_ONCE = 16  # 16 images x 15 networks in float32 are 50 MB
COLUMNS = {
    "dataset": str,
    "fold": int,
    "loss_a": str,
    "loss_b": str,
    "n_images": int,
    "correlation_mean": float,
    "correlation_std": float,
    "jsd_mean": float,
    "jsd_std": float,
}


class Comparison(NamedTuple):
    """What is compared: the maps of a dataset's images, in a fold, by a protocol."""

    settings: Settings
    protocol: Protocol
    dataset: str
    fold: int
    items: list
    maps: dict  # name of a model -> the shelf of its network's maps; of all networks of the whole run that are known

    def arrays_of(self, names):
        """(name, name) -> the name of their array, which tells by which maps it was made, not in which order."""
        names = [name for name in self.maps if name in names]
        arrays = {}
        for pair in combinations_with_replacement(names, 2):
            a, b = sorted(pair)
            made_of = fingerprint([self.maps[a].fingerprint, self.maps[b].fingerprint])
            arrays[pair] = f"{slug(a)}-{slug(b)}-{made_of}"
        return arrays

    def shelf_of(self, names):
        """The shelf of correlation and JSD of every pair, a row for each image, which must have those of these models."""
        made_of = {"images": described(datasets.ids_of(self.items)), "jsd_base": self.protocol.jsd_base}
        folder = self.settings.results / self.protocol.name / "saliency" / "comparisons"
        parts = [datasets.ids_of(some) for some in maps.parts_of(self.items)]
        arrays = {name: Array("f8", (2,)) for name in self.arrays_of(self.maps).values()}
        wanted = tuple(self.arrays_of(names).values())
        return Shelf(folder / self.dataset / f"fold{self.fold}", made_of, parts, arrays, self, wanted=wanted)

    def is_shown(self, number):
        """Whether figures show maps of this part."""
        settings = self.settings.whole
        in_figures = self.dataset == settings.tables[2] and self.fold == settings.table_folds(self.protocol)[0]
        return in_figures and number in maps.shown_parts(self.items)


def comparisons_of(settings, items):
    """All comparisons of a run; items: dataset -> list."""
    found = []
    for dataset in settings.datasets:
        for fold in settings.folds:
            mapped = [Network(settings, model, dataset, fold) for model in settings.whole.models]
            known = [network for network in mapped if network.is_known()]
            for protocol in maps.protocols_of(settings, fold):
                shelves = {n.model.name: maps.shelf_of(n, protocol, items[dataset]) for n in known}
                found.append(Comparison(settings, protocol, dataset, fold, items[dataset], shelves))
    return found


# ---------------------------------------------------------------------------------------------------------------------
# The stage where maps are kept.
# ---------------------------------------------------------------------------------------------------------------------
def stage(settings):
    """The comparison of all networks whose maps are whole, also of those that a narrowed run leaves out."""
    settings.check_table_folds()
    items, jobs, lacking, asked = maps.mapped_items(settings), [], {}, [model.name for model in settings.models]
    for comparison in comparisons_of(settings, items):
        ready = [name for name, each in comparison.maps.items() if each.is_whole()]
        compared, common = comparison.arrays_of(asked), comparison.shelf_of(()).common()
        gone = {name for pair, array in compared.items() if array not in common for name in pair} - set(ready)
        lacking |= dict.fromkeys(name for name in asked if name in gone or name not in comparison.maps)
        jobs += [Job([comparison.shelf_of(ready)], partial(compare_kept, ready))] if ready else []
    if len(lacking) == len(asked) and not jobs:
        folder = settings.results / settings.protocols[0].name / "saliency" / "maps"
        raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
    what = f"the maps of {', '.join(lacking)} are not whole; run saliency/1_compute_maps.py" if lacking else ""
    return Stage("comparisons", "image", jobs, views(settings, items), lacking=what)


def compare_kept(names, shelves, number, tick):
    """A part of the comparison, from the models' maps on their shelves; see Job.make."""
    kept = [shelves[0].of.maps[name].get(number)["maps"] for name in names]
    return [compared(shelves[0].of, names, kept, tick)]


def compared(comparison, names, some, tick):
    """The arrays (n, 2), correlation and JSD, of all pairs of these models, whose maps (n, h, w) are given as a list."""
    correlation, jsd = compare(some, comparison.protocol.jsd_base, tick)
    places = {name: place for place, name in enumerate(names)}
    return {
        array: np.stack([each[:, places[a], places[b]] for each in (correlation, jsd)], axis=1)
        for (a, b), array in comparison.arrays_of(names).items()
    }


def compare(some, jsd_base, tick):
    """(correlation, JSD), each (n, l, l), of all pairs of maps, given as a list of l arrays (n, h, w)."""
    from saliency.similarity import all_pairs  # compiled code takes a second to load

    parts = []
    for start in range(0, len(some[0]), IMAGES_AT_ONCE):
        now = np.array([each[start : start + IMAGES_AT_ONCE] for each in some], dtype=np.float32)
        parts.append(all_pairs(now, jsd_base))
        tick(now.shape[1])
    return map(np.concatenate, zip(*parts))


# ---------------------------------------------------------------------------------------------------------------------
# The stage where maps are not kept.
# ---------------------------------------------------------------------------------------------------------------------
def stage_without_maps(settings):
    """The comparison of the settings' networks, whose maps are made for it and deleted as soon as they are compared."""
    settings.check_table_folds()
    items, mapped, names = maps.mapped_items(settings), maps.networks_of(settings), [m.name for m in settings.models]
    make_maps, together = maps.maker(settings, items, remembered=len(names)), {}
    for network in mapped:
        network.made_of()  # raises MissingFile, where what is known already would pass over a network
    for comparison in comparisons_of(settings, items):  # by all protocols from the same gradients
        together.setdefault((comparison.dataset, comparison.fold), []).append(comparison.shelf_of(names))
    jobs = [
        # What takes long are the maps, of which a trial writes none.
        Job(shelves, partial(compare_and_discard, names, make_maps), len(names), partial(try_maps, names[0], make_maps))
        for shelves in together.values()
    ]
    # The maps that the figures show, and those of a part while it is compared
    room = (maps.SHOWN_IMAGES + 1) * sum(
        maps.shelf_of(each, protocol, items[mapped[0].dataset]).bytes(0)
        for each in mapped[: len(names)]
        for protocol in settings.protocols
    )
    return network_stage(
        "compared saliency maps",
        "map",
        jobs,
        mapped,
        chain(*items.values()),
        lambda shelf: [shelf.of.maps[name].of.network for name in names],
        views=views(settings, items),
        extra_bytes=room,
    )


def try_maps(name, make_maps, shelves, number, tick):
    """The maps of one network, by all protocols."""
    make_maps([shelf.of.maps[name] for shelf in shelves], number, tick)


def compare_and_discard(names, make_maps, shelves, number, tick):
    """A part of the comparison by some protocols, for which its maps are made; then away with them; see Job.make."""
    import torch

    found = [maps_of_network([shelf.of.maps[name] for shelf in shelves], make_maps, number, tick) for name in names]
    threads = torch.get_num_threads()
    results = [compared(shelf.of, names, some, lambda ticks: None) for shelf, some in zip(shelves, zip(*found))]
    torch.set_num_threads(threads)  # compiled code may have set another number, with which the next maps would round
    for shelf, name in ((shelf, name) for shelf in shelves for name in names):
        if not shelf.of.is_shown(number):
            shelf.of.maps[name].discard(number)
    return results


def maps_of_network(shelves, make_maps, number, tick):
    """The maps (n, h, w) of a part by each protocol: those that exist, and for the others new ones, put on their shelves.

    They are kept in memory, as a process that compares other models may delete these.
    """
    found = {shelf.folder: _if_exists(shelf, number) for shelf in shelves}
    lacking = [shelf for shelf in shelves if found[shelf.folder] is None]
    for shelf, arrays in zip(lacking, make_maps(lacking, number, tick) if lacking else ()):
        shelf.put(number, **arrays)
        found[shelf.folder] = np.array(arrays["maps"], dtype=shelf.arrays["maps"].dtype)  # as it is read again
    if not lacking:
        tick(len(shelves[0].parts[number]))
    return list(found.values())


def _if_exists(shelf, number):
    try:
        return shelf.get(number)["maps"]
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
    whole, files = settings.whole._replace(datasets=settings.datasets), {}
    for each in comparisons_of(whole, items or maps.mapped_items(whole)):
        files.setdefault(pairs_file(settings, each.protocol, each.dataset), []).append(each)
    return [
        View(file, COLUMNS, [shelf for each in some for shelf in (each.shelf_of(()), *each.maps.values())],
             lambda whole, columns, some=some: (row for each in some for row in rows_of(each)))
        for file, some in files.items()
    ]  # fmt: skip


def rows_of(comparison):
    """One row per pair of networks that is compared on all images: mean and std over these, and their number.

    Of all values only those of one network are in memory at a time: some hundred bytes an image.
    """
    from saliency.similarity import fisher_mean, fisher_std

    shelf = comparison.shelf_of(())
    common = shelf.common()
    arrays = {pair: array for pair, array in comparison.arrays_of(comparison.maps).items() if array in common}
    for first in comparison.maps:
        of_first = {b: array for (a, b), array in arrays.items() if a == first}
        values = shelf.read(*of_first.values()) if of_first else {}
        for second, array in of_first.items():
            r, divergence = values[array][~np.isnan(values[array]).any(axis=1)].T
            if len(r):
                numbers = fisher_mean(r), fisher_std(r), divergence.mean(), divergence.std()
                yield comparison.dataset, comparison.fold, first, second, len(r), *map(float, numbers)
