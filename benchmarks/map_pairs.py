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
from dml_analysis.metrics.map_similarity import all_pairs

LOSSES, IMAGES, SIDE = 15, 16, 227


def random_maps(losses, images, side=SIDE):
    """Maps (losses, images, side, side) as they come from disk, with a tail like that of saliency
    maps.
    """
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
        with context.Pool(
            os.cpu_count(), threadpool_limits, [1]
        ) as pool:  # a process for every core

            def theirs():
                return [
                    np.stack(each)
                    for each in zip(*pool.map(partial(_compared, file), range(IMAGES)))
                ]

            upper = np.triu_indices(LOSSES, 1)
            difference = max(
                np.abs(a[:, *upper] - b[:, *upper]).max()
                for a, b in zip(all_pairs(maps, 2), theirs())
            )
            seconds = medians({"pool": theirs, "ours": lambda: all_pairs(maps, 2)}, rounds)
    ours, pool_seconds = seconds["ours"] / IMAGES, seconds["pool"] / IMAGES
    what, against = (
        "105 pairs of 15 maps, correlation and JSD",
        "NumPy corrcoef + SciPy jensenshannon, process pool",
    )
    return [Row(what, against, "cpu", "s", 1, ours, pool_seconds, rounds, difference)]
