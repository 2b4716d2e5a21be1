"""Which blocks of saliency maps are still to be computed, and in what order."""

from itertools import product
from typing import NamedTuple

import utils
from reality_check.checkpoint_files import check_made_with
from report.workload import Workload
from saliency import compare_maps, map_files


class Block(NamedTuple):
    """One network's maps of some of a dataset's images."""

    loss: utils.Loss
    dataset: str
    fold: int
    number: int
    items: list

    @property
    def cell(self):
        return self.loss, self.dataset, self.fold


def missing(settings, items):
    """The blocks that are not there, for items of each dataset (name -> list), in the order of computing them.

    That is network by network, or, where maps are not kept, block by block with every network's in turn.
    """
    if settings.saliency.keep_maps:
        return [block for block in _all(settings, items) if not block_file(settings, block).is_file()]
    todo = []
    for dataset, fold, number, some in uncompared(settings, items):
        blocks = [Block(loss, dataset, fold, number, some) for loss in settings.losses]
        todo += [block for block in blocks if not block_file(settings, block).is_file()]
    return todo


def cells(blocks):
    """The (loss, dataset, fold) of the blocks, each once."""
    return list({(block.loss.name, block.dataset, block.fold): block.cell for block in blocks}.values())


def workload(settings, todo):
    """How much there is to do."""
    images = {(block.dataset, block.number): len(block.items) for block in todo}
    count = sum(len(block.items) for block in todo)
    disk, hint = count * map_files.MAP_BYTES, "; with `saliency: keep_maps: false` maps are deleted once compared"
    if not settings.saliency.keep_maps:
        # What stays: the maps that the figures show, of one block more while it is compared, and the comparisons.
        losses = len(settings.losses)
        maps = min(count, (map_files.SHOWN_IMAGES + 1) * map_files.MAPS_PER_BLOCK * losses)
        disk, hint = maps * map_files.MAP_BYTES + 2 * 8 * losses * count, ""
    return Workload("saliency maps", len(cells(todo)), sum(images.values()), count, "map", disk, hint)


def _all(settings, items):
    for dataset, fold, loss in product(settings.datasets, settings.map_folds, settings.losses):
        for number, some in map_files.blocks(items[dataset]):
            yield Block(loss, dataset, fold, number, some)


def uncompared(settings, items):
    """(dataset, fold, block number, its items) of which not all of the settings' networks have been compared.

    Raises InputError if maps that were compared with others, and deleted, are not among the settings' losses.
    """
    todo = []
    for dataset, fold in product(settings.datasets, settings.map_folds):
        folder = utils.similarity_folder(settings, dataset, fold)
        sources = compare_maps.network_sources(settings, dataset, fold, settings.losses)
        for number, some in map_files.blocks(items[dataset]):
            file = map_files.block_file(folder, number)
            if not compare_maps.covers(file, sources):
                there = compare_maps.with_maps(settings, dataset, fold, number)
                compare_maps.check_none_gone(file, [*sources, *there])
                todo.append((dataset, fold, number, some))
    return todo


def block_file(settings, block):
    return map_files.block_file(utils.maps_folder(settings, block.dataset, block.fold, block.loss), block.number)


def check_begun(settings, items):
    """Raise InputError if maps that are there, or were, are of other checkpoints or images than there are now."""
    for dataset, fold, loss in product(settings.datasets, settings.map_folds, settings.losses):
        if is_begun(settings, loss, dataset, fold):
            note = map_files.note_file(utils.maps_folder(settings, dataset, fold, loss))
            check_made_with(note, settings, loss, dataset, fold, items[dataset])


def is_begun(settings, loss, dataset, fold):
    """Whether there are results of the maps that this network's note speaks of."""
    compared = map_files.block_numbers(utils.similarity_folder(settings, dataset, fold))
    return bool(compared or map_files.block_numbers(utils.maps_folder(settings, dataset, fold, loss)))


def discard_compared(settings, items):
    """Delete maps that a stopped run has compared, but not deleted."""
    uncompared_blocks = {part[:3] for part in uncompared(settings, items)}
    for dataset, fold in product(settings.datasets, settings.map_folds):
        for number, _ in map_files.blocks(items[dataset]):
            if (dataset, fold, number) not in uncompared_blocks:
                discard(settings, items, dataset, fold, number)


def discard(settings, items, dataset, fold, number):
    """Delete the maps of a block, unless the figures show some of them."""
    in_figures = dataset == settings.tables[2] and fold == settings.map_folds[0]
    if not (in_figures and number in map_files.shown_blocks(items[dataset])):
        for loss in settings.losses:
            map_files.block_file(utils.maps_folder(settings, dataset, fold, loss), number).unlink(missing_ok=True)
