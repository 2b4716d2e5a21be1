"""All pairs of the maps of fifteen networks: ours, and NumPy with SciPy in a pool of processes."""

import multiprocessing
import os
import tempfile
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.spatial.distance import jensenshannon
from threadpoolctl import threadpool_limits

from benchmarks.measure import Row, medians
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.map_similarity import all_pairs
from dml_analysis.saliency.map_comparisons import compare, kept_maps
from dml_analysis.saliency.saliency_maps import MAPS_PER_PART
from dml_analysis.store import ResultStore

LOSSES, IMAGES, SIDE = 15, 16, 227


def random_maps(losses, images, side=SIDE):
    """Maps (losses, images, side, side) as they come from disk, with a tail like that of saliency maps."""
    maps = np.random.default_rng(0).random((losses, images, side, side), dtype=np.float32) ** 3
    return maps.astype(np.float16).astype(np.float32)


def compared_pair_by_pair(maps):
    """(correlation, jsd), each (l, l) filled above the diagonal, of maps (l, H, W) of one image."""
    maps = maps.reshape(len(maps), -1).astype(np.float64)
    correlation, jsd = np.zeros((2, len(maps), len(maps)))
    for a, b in combinations(range(len(maps)), 2):
        correlation[a, b] = np.corrcoef(maps[a], maps[b])[0, 1]
        jsd[a, b] = jensenshannon(maps[a], maps[b], base=2) ** 2
    return correlation, jsd


def _compared(file, image):
    return compared_pair_by_pair(np.load(file, mmap_mode="r")[:, image])


def rows(rounds=15):
    maps = random_maps(LOSSES, IMAGES)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "maps.npy"
        np.save(file, maps)
        context = multiprocessing.get_context("spawn")
        with context.Pool(os.cpu_count(), threadpool_limits, [1]) as pool:  # a process for every core

            def theirs():
                return [np.stack(each) for each in zip(*pool.map(partial(_compared, file), range(IMAGES)))]

            upper = np.triu_indices(LOSSES, 1)
            difference = max(np.abs(a[:, *upper] - b[:, *upper]).max() for a, b in zip(all_pairs(maps, 2), theirs()))
            seconds = medians({"pool": theirs, "ours": lambda: all_pairs(maps, 2)}, rounds)
    ours, pool_seconds = seconds["ours"] / IMAGES, seconds["pool"] / IMAGES
    what, against = "105 pairs of 15 maps, correlation and JSD", "NumPy corrcoef + SciPy jensenshannon, process pool"
    return [Row(what, against, "cpu", "s", 25, ours, pool_seconds, rounds, difference)]


def from_disk(rounds=7, parts=2):
    """The comparison of maps on stores, beside its two halves alone: reading them, from the disk's cache, and comparing them.

    Theirs is the slower of the two.
    """
    maps, images = random_maps(LOSSES, MAPS_PER_PART).astype(np.float16), [str(each) for each in range(MAPS_PER_PART)]
    with tempfile.TemporaryDirectory() as folder:
        arrays = {"maps": Array("f2", (SIDE, SIDE), low=0, high=1)}
        stores = [ResultStore(Path(folder) / str(loss), {}, [images] * parts, arrays) for loss in range(LOSSES)]
        for number in range(parts):
            for store, of_loss in zip(stores, maps):
                store.put(number, maps=of_loss)
        numbers, tick = range(parts), lambda images: None
        in_memory = [kept_maps(stores, number) for number in numbers]
        runs = {
            "both": lambda: [compare(kept_maps(stores, number), 2, tick) for number in numbers],
            "read": lambda: [kept_maps(stores, number) for number in numbers],
            "compare": lambda: [compare(some, 2, tick) for some in in_memory],
        }
        medians(runs, 1)
        seconds = {name: each / parts / MAPS_PER_PART for name, each in medians(runs, rounds).items()}
    slower = max(("read", "compare"), key=seconds.get)
    against = "reading them alone" if slower == "read" else "comparing them alone, in memory"
    what = "15 maps of an image from disk, compared"
    return [Row(what, against, "cpu", "s", 0.9, seconds["both"], seconds[slower], rounds)]
