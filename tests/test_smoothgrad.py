"""Saliency maps: the arithmetic by hand, gradients against those known analytically, noise by its purpose."""

import numpy as np
import pytest
import torch

from dml_analysis.metrics.smoothgrad import (
    base_embedding,
    gradients_in_batches,
    input_gradients,
    noisy_copies,
    saliency_map,
    scaled,
)
from dml_analysis.networks.distances import distance_function

# Two samples, two channels, one row of two pixels
GRADIENTS = np.array([[[[4.0, 1.0]], [[-2.0, 3.0]]], [[[-4.0, 3.0]], [[6.0, -1.0]]]])


class Linear(torch.nn.Module):
    """f(x) = W x for images (n, 1, 2, 2)."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.tensor(weight)

    def forward(self, images):
        return images.flatten(1) @ self.weight.T


def raw_map(protocol, monkeypatch):
    monkeypatch.setattr(
        "dml_analysis.metrics.smoothgrad.scaled", lambda raw: raw
    )  # as it is, not clipped or scaled
    return saliency_map(GRADIENTS, protocol)


def test_paper_order(monkeypatch):
    # means over samples: (0, 2) and (2, 1); absolute values; mean over channels
    np.testing.assert_array_equal(raw_map("paper", monkeypatch), [[1.0, 1.5]])


def test_released_order(monkeypatch):
    # means over channels: (1, 2) and (1, 1); absolute values; sum over samples
    np.testing.assert_array_equal(raw_map("released", monkeypatch), [[2.0, 3.0]])


def test_sign_flips_of_single_samples_matter_to_the_paper_only():
    gradients = np.random.default_rng(0).normal(size=(4, 3, 8, 8))
    flipped = gradients * np.array([1, -1, 1, -1])[:, None, None, None]
    np.testing.assert_allclose(
        saliency_map(gradients, "released"), saliency_map(flipped, "released")
    )
    assert np.abs(saliency_map(gradients, "paper") - saliency_map(flipped, "paper")).max() > 0.1


def test_clipping_and_scaling():
    raw = torch.arange(101.0, dtype=torch.float64).reshape(1, 101)  # its 99th percentile is 99
    expected = np.minimum(np.arange(101) / 99, 1).reshape(1, 101)
    np.testing.assert_allclose(scaled(raw), expected)
    np.testing.assert_allclose(scaled(raw * 3 + 5), expected)  # the minimum is taken off
    np.testing.assert_array_equal(scaled(torch.full((2, 2), 0.3)), np.zeros((2, 2)))


@pytest.mark.parametrize("bad", [np.ones((2, 3, 4)), np.full((1, 1, 2, 2), np.nan)])
def test_bad_gradients(bad):
    with pytest.raises(ValueError):
        saliency_map(bad, "paper")
    with pytest.raises(ValueError, match="unknown protocol"):
        saliency_map(np.ones((1, 1, 2, 2)), "pape")


def test_gradient_of_a_linear_model():
    """f(x) = W x, d(u, v) = |u/|u| - v/|v||^2 = 2 - 2 cos: the gradient is -2 W^T (v' - cos u') / |u|."""
    rng = np.random.default_rng(2)
    weight, image, base = (
        rng.normal(size=(3, 4)),
        rng.normal(size=(2, 1, 2, 2)),
        rng.normal(size=(1, 3)),
    )
    network, images, target = Linear(weight), torch.tensor(image), torch.tensor(base)
    got = input_gradients(network, images, target, distance_function("Squared Euclidean"))
    for x, gradient in zip(image.reshape(2, 4), got.reshape(2, 4).numpy()):
        u = weight @ x
        v_unit, u_unit = base[0] / np.linalg.norm(base[0]), u / np.linalg.norm(u)
        expected = -2 * weight.T @ (v_unit - (v_unit @ u_unit) * u_unit) / np.linalg.norm(u)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6)


def test_images_of_a_batch_do_not_mix():
    network, distance = Linear(np.eye(4)), distance_function("Euclidean Distance")
    images, base = (
        torch.rand(5, 1, 2, 2, dtype=torch.float64),
        torch.rand(1, 4, dtype=torch.float64),
    )
    together = input_gradients(network, images, base, distance)
    alone = torch.cat([input_gradients(network, image[None], base, distance) for image in images])
    torch.testing.assert_close(together, alone)


def test_snr_gradient_takes_the_image_as_anchor():
    """d var(x/|x| - b) / var(x/|x|) by central differences; with the roles swapped it is another gradient."""
    x, base = np.array([1.0, 2, 3, 7]), np.array([0.0, 1, 0, 0])

    def snr(x):
        x = x / np.linalg.norm(x)
        return np.var(x - base, ddof=1) / np.var(x, ddof=1)

    step = 1e-6 * np.eye(4)
    expected = [(snr(x + h) - snr(x - h)) / 2e-6 for h in step]
    image, target = torch.tensor(x).reshape(1, 1, 2, 2), torch.tensor(base)[None]
    got = input_gradients(Linear(np.eye(4)), image, target, distance_function("SNR Distance"))
    np.testing.assert_allclose(got.numpy().ravel(), expected, rtol=1e-5)


def test_noise_depends_on_its_seed_alone():
    image = torch.rand(3, 5, 5)
    first = noisy_copies(image, 4, 0.15, seed=7)
    torch.rand(100)  # other random numbers drawn in between do not matter
    assert torch.equal(first, noisy_copies(image, 4, 0.15, seed=7))
    assert not torch.equal(first, noisy_copies(image, 4, 0.15, seed=8))


def test_noise_scale_is_a_share_of_the_value_range():
    image = torch.zeros(3, 100, 100)
    image[0, 0, 0], image[0, 0, 1] = -100, 151
    noise = noisy_copies(image, 3, 0.15, seed=0) - image
    assert noise.std().item() == pytest.approx(0.15 * 251, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=1)


def test_maps_do_not_depend_on_the_batch_size():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(800, 5)
    )
    image = torch.rand(3, 12, 12) * 255 - 104
    with torch.no_grad():
        base = network(torch.zeros(1, 3, 12, 12))
    for protocol in ("paper", "released"):
        distance = distance_function("Cosine Similarity")
        copies = noisy_copies(image, 7, 0.15, seed=3)
        gradients = (
            gradients_in_batches(network, copies, base, distance, size) for size in (1, 2, 7, 50)
        )
        maps = [saliency_map(each, protocol) for each in gradients]
        assert maps[0].shape == (12, 12) and maps[0].min() == 0 and maps[0].max() == 1
        for other in maps[1:]:
            np.testing.assert_allclose(maps[0], other, atol=1e-4)


def test_a_black_image_without_a_direction():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3, bias=False))
    with pytest.raises(ValueError, match="embedding of the black image is zero"):
        base_embedding(network, torch.zeros(3, 2, 2))
    assert base_embedding(network, torch.ones(3, 2, 2)).shape == (1, 3)
    assert not base_embedding(
        network, torch.zeros(3, 2, 2), normalised=False
    ).any()  # as raw distances have it
