"""All pairs of the maps of fifteen networks: ours, and NumPy with SciPy in a pool of processes."""

import multiprocessing
import os
from itertools import combinations

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import jensenshannon
from threadpoolctl import threadpool_limits

from benchmarks.measure import Row, medians
from dml_analysis.metrics.map_similarity import all_pairs

NETWORKS, IMAGES, SIDE = 15, 16, 227


def random_maps(networks: int, images: int, side: int = SIDE) -> Float[np.ndarray, "l i s s"]:
    """Return maps as they come from disk, with a tail like that of saliency maps."""
    maps = np.random.default_rng(0).random((networks, images, side, side), dtype=np.float32) ** 3
    return maps.astype(np.float16).astype(np.float32)


def compared_pair_by_pair(maps: Float[np.ndarray, "l h w"]) -> Float[np.ndarray, "2 p"]:
    """Return correlation and JSD of each pair of the maps of one image."""
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    pairs = [
        (np.corrcoef(a, b)[0, 1], jensenshannon(a, b, base=2) ** 2)
        for a, b in combinations(flat, 2)
    ]
    return np.transpose(pairs)


def ours(maps: Float[np.ndarray, "l i h w"]) -> Float[np.ndarray, "i 2 p"]:
    """Return correlation and JSD of each pair of the maps of every image."""
    upper = np.triu_indices(len(maps), 1)
    return np.stack([array[:, *upper] for array in all_pairs(maps, 2)], axis=1)


def rows(rounds: int = 15) -> list[Row]:
    """Return the comparison per image."""
    maps = random_maps(NETWORKS, IMAGES)
    by_image = list(maps.swapaxes(0, 1))
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count(), threadpool_limits, [1]) as pool:  # a process for every core

        def theirs() -> list:
            return pool.map(compared_pair_by_pair, by_image)

        difference = np.abs(ours(maps) - theirs()).max()
        seconds = medians({"theirs": theirs, "ours": lambda: ours(maps)}, rounds)
    what, against = "105 pairs of 15 maps, correlation and JSD", "NumPy and SciPy, process pool"
    times = (seconds[name] / IMAGES for name in ("ours", "theirs"))
    return [Row(what, against, "s", 1, *times, difference)]
