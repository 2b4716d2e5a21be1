"""From saliency maps to the similarity of every pair of losses: per image (.npz), then averaged (CSV).

Both go block by block, so that memory does not grow with the number of images.
"""

import itertools
import time
import zipfile
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

import safe_files
import utils
from reality_check.checkpoint_files import source
from report import csv_tables
from report.workload import Workload
from saliency import map_files
from saliency.similarity import all_pairs, fisher_mean, fisher_std
from settings import run_record
from utils import InputError

IMAGES_AT_ONCE = 16  # 16 images x 15 losses in float32 are 50 MB


class Compared(NamedTuple):
    """A block of per_image/<dataset>_fold<k>: its arrays."""

    losses: list  # l names
    sources: list  # l texts: which networks the maps came of
    image_ids: list  # n
    correlation: np.ndarray  # (n, l, l), NaN where an image has no map of one of the two
    jsd: np.ndarray  # (n, l, l)


def compare(settings, script):
    """Write per_image/<dataset>_fold<k>/ and pairs_<dataset>.csv for the settings' datasets.

    Raises InputError if a dataset has maps of no network at all.
    """
    for dataset in settings.datasets:
        tables = [pairs_of_fold(settings, dataset, fold, script) for fold in settings.map_folds]
        if all(table is None for table in tables):
            folder = utils.maps_folder(settings, dataset, settings.map_folds[0], settings.losses[0]).parents[1]
            raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
        file = utils.pairs_file(settings, dataset)
        with safe_files.Claims(file.parent).held(0):  # another process may add the rows of other folds
            table = pd.concat([kept_rows(file, settings.map_folds), *tables]).sort_values("fold", kind="stable")
            csv_tables.write(file, table)
        print(f"wrote {file}")


def kept_rows(file, folds):
    """Rows of an earlier pairs file that belong to folds which this run leaves alone; None if there are none."""
    if not file.is_file():
        return None
    table = pd.read_csv(file, keep_default_na=False)
    return table[~table.fold.isin(folds)]


def pairs_of_fold(settings, dataset, fold, script):
    """The rows of pairs_<dataset>.csv for one fold; None if no network of the fold has maps."""
    todo = uncompared(settings, dataset, fold)
    if todo:
        run_record.note(settings, script)
        compare_blocks(settings, dataset, fold, todo)
    folder = utils.similarity_folder(settings, dataset, fold)
    files = [map_files.block_file(folder, number) for number in map_files.block_numbers(folder)]
    if not files:
        return None
    table = averaged(files, dataset, fold)
    for loss in settings.losses:
        if loss.name not in set(table.loss_a):
            print(f"{dataset} fold {fold}: {loss.name} has no maps and is left out")
    return table


# ---------------------------------------------------------------------------------------------------------------------
# Per image, block by block.
# ---------------------------------------------------------------------------------------------------------------------
def uncompared(settings, dataset, fold):
    """The numbers of the fold's blocks whose maps are not compared, or not those of every network that has some.

    That includes losses which a narrowed run leaves out: an earlier run's pairs stay.
    """
    sources = network_sources(settings, dataset, fold, utils.LOSSES)
    compared = utils.similarity_folder(settings, dataset, fold)
    todo = []
    for number in sorted({number for folder in _folders(settings, dataset, fold).values()
                          for number in map_files.block_numbers(folder)}):  # fmt: skip
        there = with_maps(settings, dataset, fold, number)
        if not covers(map_files.block_file(compared, number), {name: sources[name] for name in there}):
            todo.append(number)
    return todo


def network_sources(settings, dataset, fold, losses):
    """Loss -> what tells its network, by which its maps were made, from another of the same name."""
    folders = _folders(settings, dataset, fold)
    return {loss.name: source(map_files.note_file(folders[loss.name])) for loss in losses}


def _folders(settings, dataset, fold):
    return {loss.name: utils.maps_folder(settings, dataset, fold, loss) for loss in utils.LOSSES}


def with_maps(settings, dataset, fold, number):
    """Loss -> file of a block of maps, where it is there."""
    files = {n: map_files.block_file(folder, number) for n, folder in _folders(settings, dataset, fold).items()}
    return {name: file for name, file in files.items() if file.is_file()}


def covers(file, sources):
    """Whether a compared block has all these networks (loss -> source)."""
    if not file.is_file():
        return False
    return sources.items() <= compared_networks(file).items()


def compare_blocks(settings, dataset, fold, numbers):
    """Compare the maps of these blocks, together with other processes that may be at it."""
    claims = safe_files.Claims(utils.similarity_folder(settings, dataset, fold))
    left = []
    with tqdm(total=len(numbers), desc=f"comparing {dataset} fold {fold}", unit="block") as bar:
        for number in numbers:
            if not claims.take(1 + number):
                left.append(number)
                continue
            compare_block(settings, dataset, fold, number)
            claims.give(1 + number)
            bar.update()
        for number in left:  # until the other process has it, or has been stopped
            with claims.held(1 + number):
                compare_block(settings, dataset, fold, number)
            bar.update()


def compare_block(settings, dataset, fold, number):
    """Compare all maps of a block, unless they are compared, pair by pair and image by image."""
    files = with_maps(settings, dataset, fold, number)
    sources = network_sources(settings, dataset, fold, [loss for loss in utils.LOSSES if loss.name in files])
    file = map_files.block_file(utils.similarity_folder(settings, dataset, fold), number)
    if covers(file, sources):
        return
    check_none_gone(file, files)
    write_compared(
        file, {name: map_files.read_block(each) for name, each in files.items()}, sources, settings.rules.jsd_base
    )


def check_none_gone(file, names):
    """Raise InputError if a compared block has losses beside the named ones, whose maps are no longer there."""
    gone = compared_networks(file).keys() - set(names) if file.is_file() else set()
    if gone:
        raise InputError(
            f"{file}: the maps of {', '.join(sorted(gone))} were deleted once compared (keep_maps: false), so those of "
            "other losses cannot be compared with them; run all losses together, or delete this folder"
        )


def write_compared(file, maps, sources, jsd_base):
    """Compare maps, loss -> image id -> (H, W), and write the block; joined by id, NaN where an image has no map."""
    image_ids = list(dict.fromkeys(itertools.chain.from_iterable(maps.values())))
    correlation, jsd = (np.full((len(image_ids), len(maps), len(maps)), np.nan) for _ in range(2))
    for start in range(0, len(image_ids), IMAGES_AT_ONCE):
        some = slice(start, start + IMAGES_AT_ONCE)
        correlation[some], jsd[some] = all_pairs(stacked(maps.values(), image_ids[some]), jsd_base)
    arrays = Compared(list(maps), [sources[name] for name in maps], image_ids, correlation, jsd)
    with safe_files.written_aside(file) as aside:
        np.savez(aside, **arrays._asdict())


def read_compared(file):
    """A block of comparisons."""
    with _opened(file) as block:
        arrays = [block[name] for name in Compared._fields]
    return Compared(*(array.tolist() for array in arrays[:3]), *arrays[3:])


def compared_networks(file):
    """Loss -> source of the networks that are compared in a block, without reading the comparisons."""
    with _opened(file) as block:
        return dict(zip(block["losses"].tolist(), block["sources"].tolist()))


@contextmanager
def _opened(file):
    """The arrays of a block, read when asked for. Raises InputError if the file is no block of comparisons."""
    try:
        with np.load(file) as block:
            yield block
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: not a readable block of comparisons ({error}); delete it") from None


def stacked(maps, image_ids):
    """Maps (losses, images, H, W) in float32, joined by image id; NaN where a network has no map of an image."""
    shape = next(each[i] for each in maps for i in image_ids if i in each).shape
    missing = np.full(shape, np.nan)
    return np.array([[each.get(i, missing) for i in image_ids] for each in maps], dtype=np.float32)


# ---------------------------------------------------------------------------------------------------------------------
# Averaged over the images.
# ---------------------------------------------------------------------------------------------------------------------
def averaged(files, dataset, fold):
    """One row per pair of losses, a loss with itself included: mean and std over the images, and their number."""
    known = {name for file in files for name in compared_networks(file)}
    losses = [loss.name for loss in utils.LOSSES if loss.name in known]
    rows = []
    for a, name in enumerate(losses):
        correlation, jsd = of_loss(files, name, losses)
        for b in range(a, len(losses)):
            r, divergence = correlation[:, b], jsd[:, b]
            there = ~np.isnan(r) & ~np.isnan(divergence)
            if there.any():
                r, divergence = r[there], divergence[there]
                mean_std = fisher_mean(r), fisher_std(r), divergence.mean(), divergence.std()
                rows.append((dataset, fold, name, losses[b], len(r), *map(float, mean_std)))
    columns = "dataset fold loss_a loss_b n_images correlation_mean correlation_std jsd_mean jsd_std".split()
    return pd.DataFrame(rows, columns=columns)


def of_loss(files, name, losses):
    """(correlation, jsd), each (images, losses): one loss against the others, on all images of the blocks.

    Of all values only those of one loss are in memory at a time: some hundred bytes an image.
    """
    parts = []
    for file in files:
        block = read_compared(file)
        if name in block.losses:
            part = np.full((2, len(block.image_ids), len(losses)), np.nan)
            places = [losses.index(other) for other in block.losses]
            part[:, :, places] = [each[:, block.losses.index(name)] for each in (block.correlation, block.jsd)]
            parts.append(part)
    return np.concatenate(parts, axis=1)


# ---------------------------------------------------------------------------------------------------------------------
# What is to do.
# ---------------------------------------------------------------------------------------------------------------------
def workload(settings):
    """How much there is to compare, of the maps that are there."""
    networks = blocks = images = disk = 0
    for dataset in settings.datasets:
        for fold in settings.map_folds:
            todo = uncompared(settings, dataset, fold)
            files = [with_maps(settings, dataset, fold, number) for number in todo]
            sizes = [len(map_files.read_ids(next(iter(each.values())))) for each in files]
            networks += len({name for each in files for name in each})
            blocks, images = blocks + len(todo), images + sum(sizes)
            disk += sum(2 * 8 * len(each) ** 2 * size for each, size in zip(files, sizes))
    return Workload("comparisons", networks, images, blocks, "block", disk)


def timed(settings):
    """(seconds that a block takes, on which device), by random maps of all losses."""
    maps = np.random.default_rng(0).random((len(settings.losses), IMAGES_AT_ONCE, 227, 227), dtype=np.float32)
    begin = time.perf_counter()
    all_pairs(maps, settings.rules.jsd_base)
    return (time.perf_counter() - begin) * map_files.MAPS_PER_BLOCK / IMAGES_AT_ONCE, "cpu"
