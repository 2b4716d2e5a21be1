"""How alike maps are of networks that have nothing in common: the floor below every correlation in Tables 2-4."""

import numpy as np
import pytest
import torch

from dml_analysis.checkout import ROOT
from dml_analysis.datasets.images import open_image
from dml_analysis.metrics.map_similarity import pearson
from dml_analysis.metrics.smoothgrad import input_gradients, noisy_copies, saliency_map
from dml_analysis.networks.bn_inception import network_input, random_network
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.modules import ready_for_inference
from dml_analysis.networks.transforms import black_input

IMAGES = [ROOT / "data" / "sample_cars" / "images" / f"{frame}.jpg" for frame in range(1, 31)]
SAMPLES = 6


@pytest.fixture(scope="module")
def maps():
    """(protocol, network, image) -> map, of two random networks with noise of their own on the same two images."""
    images = torch.stack([network_input(open_image(path)) for path in IMAGES])
    found = {}
    for seed in (1, 2):
        network = ready_for_inference(random_network(seed, images))
        base = network(black_input(network_input)[None])
        for i in (0, 1):
            copies = noisy_copies(images[i], SAMPLES, 0.15, seed=10 * seed + i)
            gradients = input_gradients(
                network, copies, base, distance_function("Euclidean Distance")
            ).numpy()
            for protocol in ("paper", "released"):
                found[protocol, seed, i] = saliency_map(gradients, protocol)
    return found


@pytest.mark.parametrize("protocol, low, high", [("paper", 0.3, 0.45), ("released", 0.47, 0.62)])
def test_unrelated_networks_have_similar_maps(maps, protocol, low, high):
    assert all(low < pearson(maps[protocol, 1, i], maps[protocol, 2, i]) < high for i in (0, 1))


def test_the_protocols_make_different_maps_of_the_same_gradients(maps):
    between = [
        float(pearson(maps["paper", s, i], maps["released", s, i])) for s in (1, 2) for i in (0, 1)
    ]
    assert np.mean(between) == pytest.approx(0.57, abs=0.05)
