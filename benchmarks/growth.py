"""How time and memory grow with the number of images, of networks and of embeddings."""

import torch

from benchmarks import neighbors, saliency_maps
from benchmarks.map_pairs import LOSSES, random_maps
from benchmarks.measure import time_and_memory
from benchmarks.saliency_maps import DISTANCE, SIGMA
from dml_analysis.metrics.map_similarity import all_pairs
from dml_analysis.metrics.smoothgrad import gradients_in_batches, input_gradients, noisy_copies, saliency_map
from dml_analysis.saliency.saliency_maps import MAPS_PER_PART

COLUMNS = "what along size seconds extra_gb".split()
SAMPLES = 6  # of the saliency maps, whose time is proportional to it


def comparison(losses, images):
    """The pairs of maps, part by part as saliency/2_compare_maps.py goes; every part has the same maps."""
    maps = random_maps(losses, min(images, MAPS_PER_PART))
    all_pairs(maps[:2, :1], 2)  # so that it is compiled
    return lambda: [all_pairs(maps[:, : images - start], 2) for start in range(0, images, MAPS_PER_PART)]


def maps(images):
    """Saliency maps of one image, again and again."""
    _, network, image, base = saliency_maps.contestants("cpu")

    def run():
        for seed in range(images):
            gradients = gradients_in_batches(
                network, noisy_copies(image, SAMPLES, SIGMA, seed), base, DISTANCE, SAMPLES
            )
            saliency_map(gradients, "paper")

    input_gradients(network, torch.stack([image] * SAMPLES), base, DISTANCE)
    return run


CURVES = [  # what, along what, sizes, function of a module, its arguments for a size
    ("NR-Precision", "embeddings", (5_000, 10_000, 20_000, 50_000, 100_000), neighbors.ours, lambda n: (n,)),
    ("comparison of maps", "images", (32, 64, 128, 256, 512), comparison, lambda n: (LOSSES, n)),
    ("comparison of maps", "networks", (5, 10, 15, 30, 60), comparison, lambda n: (n, 32)),
    ("saliency maps", "images", (4, 8, 16, 32), maps, lambda n: (n,)),
]


def rows():
    """Yield a row (see COLUMNS) for every point of every curve."""
    for what, along, sizes, prepare, arguments in CURVES:
        for size in sizes:
            seconds, memory = time_and_memory(prepare, *arguments(size))
            yield what, along, size, seconds, memory / neighbors.GB
