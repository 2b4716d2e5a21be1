"""The similarity of every pair of networks' maps: per image on shelves, averaged over images in pairs_<dataset>.csv.

A shelf of comparisons has a set of networks. Once there are maps of more networks, the larger set gets a shelf of its own,
and that of the smaller set is deleted. All goes part by part, so that memory does not grow with the number of images.
"""

import shutil
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from common import safe_files
from common.errors import InputError, MissingFile
from common.seeds import described, fingerprint
from common.settings import Settings
from common.shelf import Array, Job, Shelf, Stage, View
from data import datasets
from reality_check.networks import Network, network_stage
from saliency import maps
from utils import Protocol

IMAGES_AT_ONCE = 16  # 16 images x 15 networks in float32 are 50 MB
MAPS_OF = "maps of "  # in made_of, before the name of each network's model
COLUMNS = {"dataset": str, "fold": int, "loss_a": str, "loss_b": str, "n_images": int, "correlation_mean": float,
           "correlation_std": float, "jsd_mean": float, "jsd_std": float}  # fmt: skip


class Comparison(NamedTuple):
    """What is compared: the maps of a dataset's images, in a fold, by a protocol."""

    settings: Settings
    protocol: Protocol
    dataset: str
    fold: int
    items: list
    maps: dict  # name of a model -> the shelf of its network's maps; of all networks that are known

    @property
    def folder(self):
        """Where its shelves are, one for each set of networks."""
        folder = self.settings.results / self.protocol.name / "saliency" / "comparisons"
        return folder / self.dataset / f"fold{self.fold}"

    def shelf_of(self, names):
        """The shelf of a set of networks, by the names of their models."""
        made_of = {
            "images": described(datasets.ids_of(self.items)),
            "jsd_base": self.protocol.jsd_base,
            **{f"{MAPS_OF}{name}": self.maps[name].fingerprint for name in names},
        }
        pairs = Array("f8", (len(names), len(names)))
        arrays = {"correlation": pairs, "jsd": pairs}
        return Shelf(self.folder / fingerprint(names), made_of, self.maps[names[0]].parts, arrays, NetworkSet(self, names))

    def shelves(self):
        """The shelves that exist, whole or not. Raises InputError if one is of other maps or images."""
        found = []
        for file in sorted(self.folder.glob("*/made_of.json")):
            names = [key.removeprefix(MAPS_OF) for key in safe_files.read_json(file) if key.startswith(MAPS_OF)]
            if names and set(names) <= set(self.maps):
                shelf = self.shelf_of(names)._replace(folder=file.parent)
                shelf.check()
                found.append(shelf)
        return found

    def best(self):
        """The whole shelf of most networks; None if none is whole."""
        whole = [shelf for shelf in self.shelves() if shelf.is_whole()]
        return max(whole, key=lambda shelf: len(shelf.of.names), default=None)

    def target(self, names):
        """The shelf that has these networks: the best if it does, else a new one.

        Raises InputError if the best has others as well, whose maps are gone and so cannot be compared with these.
        """
        best = self.best()
        if best and set(names) <= set(best.of.names):
            return best
        gone = [name for name in best.of.names if name not in names] if best else []
        if gone:
            raise InputError(
                f"{best.folder}: the maps of {', '.join(gone)} were deleted once compared (keep_maps: false), so those of "
                "other models cannot be compared with them; run all models together, or delete this folder"
            )
        return self.shelf_of(names)

    def is_shown(self, number):
        """Whether figures show maps of this part."""
        settings = self.settings.whole
        in_figures = self.dataset == settings.tables[2] and self.fold == settings.table_folds(self.protocol)[0]
        return in_figures and number in maps.shown_parts(self.items)


class NetworkSet(NamedTuple):
    """What a shelf of comparisons is of."""

    comparison: Comparison
    names: list  # of models


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
    items = maps.mapped_items(settings)
    found = comparisons_of(settings, items)
    shelves, lacking = [], {}
    for comparison in found:
        names = [name for name, each in comparison.maps.items() if each.is_whole()]
        best = comparison.best()
        if names or best:
            shelves.append(comparison.target(names) if names else best)
            names = shelves[-1].of.names
        lacking |= dict.fromkeys(model.name for model in settings.models if model.name not in names)
    if not shelves:
        folder = found[0].folder.parents[2] / "maps"
        raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
    return Stage(
        "comparisons",
        "image",
        [Job([shelf], compare_kept) for shelf in shelves],
        views(settings, items),
        lacking=f"the maps of {', '.join(lacking)} are not whole; run saliency/1_compute_maps.py" if lacking else "",
    )


def compare_kept(shelves, number, tick):
    """A part of the comparison, from maps on their shelves; see Job.make."""
    (shelf,) = shelves
    comparison, names = shelf.of
    kept = [comparison.maps[name].get(number)["maps"] for name in names]
    return [compare(kept, comparison.protocol.jsd_base, tick)]


def compare(some, jsd_base, tick):
    """Correlation and JSD (n, l, l) of all pairs of maps, given as a list of l arrays (n, h, w)."""
    from saliency.similarity import all_pairs  # compiled code takes a second to load

    parts = []
    for start in range(0, len(some[0]), IMAGES_AT_ONCE):
        now = np.array([each[start : start + IMAGES_AT_ONCE] for each in some], dtype=np.float32)
        parts.append(all_pairs(now, jsd_base))
        tick(now.shape[1])
    correlation, jsd = map(np.concatenate, zip(*parts))
    return {"correlation": correlation, "jsd": jsd}


# ---------------------------------------------------------------------------------------------------------------------
# The stage where maps are not kept.
# ---------------------------------------------------------------------------------------------------------------------
def stage_without_maps(settings):
    """The comparison of the settings' networks, whose maps are made for it and deleted as soon as they are compared."""
    settings.check_table_folds()
    items, names = maps.mapped_items(settings), [model.name for model in settings.models]
    make_maps = maps.maker(settings, items, remembered=len(names))
    found, together = comparisons_of(settings, items), {}  # by all protocols from the same gradients
    for comparison in found:
        for name in names:
            comparison.maps[name].check()
        together.setdefault((comparison.dataset, comparison.fold), []).append(comparison.target(names))
    jobs = [
        # What takes long are the maps, of which a trial writes none.
        Job(shelves, partial(compare_and_discard, make_maps), len(names), trial=partial(try_maps, make_maps))
        for shelves in together.values()
    ]
    # The maps that the figures show, and those of a part while it is compared
    room = (maps.SHOWN_IMAGES + 1) * len(names) * len(settings.protocols) * found[0].maps[names[0]].bytes(0)
    return network_stage(
        "compared saliency maps",
        "map",
        jobs,
        maps.networks_of(settings),
        chain(*items.values()),
        views=views(settings, items),
        extra_bytes=room,
    )


def try_maps(make_maps, shelves, number, tick):
    """The maps of the first network, by all protocols."""
    make_maps([next(iter(shelf.of.comparison.maps.values())) for shelf in shelves], number, tick)


def compare_and_discard(make_maps, shelves, number, tick):
    """A part of the comparison by some protocols, for which its maps are made; then away with them; see Job.make."""
    comparisons, results = [shelf.of.comparison for shelf in shelves], []
    found = [
        maps_of_network([each.maps[name] for each in comparisons], make_maps, number, tick)
        for name in shelves[0].of.names
    ]
    for comparison, some in zip(comparisons, zip(*found)):
        results.append(compare(some, comparison.protocol.jsd_base, lambda ticks: None))
    for shelf in shelves:
        if not shelf.of.comparison.is_shown(number):
            for name in shelf.of.names:
                shelf.of.comparison.maps[name].discard(number)
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


class Pairs(NamedTuple):
    """pairs_<dataset>.csv by a protocol, a View of whichever shelves are the best once it is written."""

    file: object
    comparisons: list  # of all folds of the run

    @property
    def shelves(self):
        return [shelf for comparison in self.comparisons for shelf in comparison.shelves()]

    def write(self):
        View(self.file, COLUMNS, [each.best() for each in self.comparisons if each.best()], rows_of).write()
        with safe_files.locked(self.file):
            for comparison in self.comparisons:
                discard_smaller(comparison)


def discard_smaller(comparison):
    """Delete the shelves whose networks are all on a larger whole one."""
    best = comparison.best()
    for shelf in comparison.shelves() if best else ():
        if set(shelf.of.names) < set(best.of.names):
            shutil.rmtree(shelf.folder, ignore_errors=True)


def views(settings, items=None):
    """pairs_<dataset>.csv of the settings' datasets, with all folds and models of the whole run.

    items: dataset -> list, if they are known already.
    """
    whole, files = settings.whole._replace(datasets=settings.datasets), {}
    for each in comparisons_of(whole, items or maps.mapped_items(whole)):
        files.setdefault(pairs_file(settings, each.protocol, each.dataset), []).append(each)
    return [Pairs(file, comparisons) for file, comparisons in files.items()]


def rows_of(shelves):
    """One row per fold and pair of networks, a network with itself included: mean and std over the images."""
    return [row for shelf in shelves for row in rows_of_shelf(shelf)]


def rows_of_shelf(shelf):
    """Its rows. Of all values only those of one network are in memory at a time: some hundred bytes an image."""
    from saliency.similarity import fisher_mean, fisher_std

    comparison, names = shelf.of
    order = [model.name for model in comparison.settings.whole.models if model.name in names]
    for a, name in enumerate(order):
        place = names.index(name)
        parts = (shelf.get(number) for number in range(len(shelf.parts)))
        # A stack is a copy, and lets go of the part.
        correlation, jsd = np.concatenate([np.stack([p["correlation"][:, place], p["jsd"][:, place]]) for p in parts], axis=1)
        for other in order[a:]:
            r, divergence = correlation[:, names.index(other)], jsd[:, names.index(other)]
            found = ~np.isnan(r) & ~np.isnan(divergence)
            if found.any():
                r, divergence = r[found], divergence[found]
                numbers = fisher_mean(r), fisher_std(r), divergence.mean(), divergence.std()
                yield comparison.dataset, comparison.fold, name, other, len(r), *map(float, numbers)
