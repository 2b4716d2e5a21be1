"""Maps with other settings, explained pairs, random weights, noise ceilings and baselines."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from dml_analysis.controls import noise_ceilings
from dml_analysis.metrics.disattenuation import corrected, matching
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.modules import layers_in_order, randomised
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import Model
from dml_analysis.saliency.map_settings import (
    BASES,
    OWN,
    MapSettings,
    base_image,
    integrated_gradients,
)
from dml_analysis.saliency.pair_explanations import explain_pair, pair_gradients
from tests.networks import small_transform


# ---------------------------------------------------------------------------------------------------------------------
# Map settings.
# ---------------------------------------------------------------------------------------------------------------------
def test_the_runs_own_maps_change_nothing():
    assert (
        OWN.provenance() == {} and OWN.purpose == () and MapSettings("elsewhere").provenance() == {}
    )


def test_map_settings_differ_in_provenance_and_only_some_in_noise():
    assert MapSettings("a", draw=1).provenance() == {"draw here": 1} and MapSettings(
        "a", draw=1
    ).purpose == ("draw 1",)
    assert (
        MapSettings("a", noise_sigma=0.3).purpose
        == ()
        != MapSettings("a", noise_sigma=0.3).provenance()
    )
    purposes = [
        MapSettings(random_share=share, random_draw=draw).purpose
        for share in (0.25, 1.0)
        for draw in (0, 1)
    ]
    assert len(set(purposes)) == 4


def test_base_images():
    image, black = torch.arange(48.0).reshape(3, 4, 4), torch.full((3, 4, 4), -1.0)
    assert base_image("black", image, black) is black
    mean = base_image("mean colour", image, black)
    assert (
        mean.shape == image.shape
        and mean[:, 0, 0].tolist() == [7.5, 23.5, 39.5]
        and (mean == mean[:, :1, :1]).all()
    )
    picture = torch.zeros(3, 32, 32)
    picture[:, 16, 16] = 1
    blurred = base_image("blurred", picture, black)
    assert blurred.sum() == pytest.approx(3, rel=1e-3)  # nothing is lost where the rim is far
    width = ((torch.arange(32) - 16) ** 2 * blurred[0].sum(dim=0)).sum() ** 0.5
    assert width == pytest.approx(3.2, rel=0.05)  # a tenth of the side
    assert set(BASES) == {"black", "mean colour", "blurred"}


def test_integrated_gradients_sum_to_what_is_gained():
    """Completeness: the attributions of all pixels sum to the distance of the image less that of the base image."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    image, base = (
        torch.rand(3, 4, 4, dtype=torch.float64),
        torch.zeros(3, 4, 4, dtype=torch.float64),
    )
    with torch.no_grad():
        of_base = network(base[None])
        gained = distance_function("Squared Euclidean")(network(image[None]), of_base)
    found = integrated_gradients(
        network, image, base, of_base, distance_function("Squared Euclidean"), 200, 50
    )
    assert found.shape == (1, 3, 4, 4) and float(found.sum()) == pytest.approx(
        float(gained), rel=1e-6
    )


# ---------------------------------------------------------------------------------------------------------------------
# Random weights.
# ---------------------------------------------------------------------------------------------------------------------
class Crossed(nn.Module):
    """Layers that are at work in another order than they are written in."""

    def __init__(self):
        super().__init__()
        self.last, self.norm, self.first = nn.Linear(6, 2), nn.BatchNorm1d(6), nn.Linear(4, 6)
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        return self.last(self.norm(self.first(x)))


def test_layers_come_in_the_order_of_their_work():
    network = Crossed()
    assert layers_in_order(network, torch.rand(2, 4)) == [network.first, network.norm, network.last]


@pytest.mark.parametrize(
    "share, changed",
    [(0.01, ["last"]), (0.34, ["last"]), (0.67, ["norm", "last"]), (1, ["first", "norm", "last"])],
)
def test_layers_become_random_from_the_last_one_on(share, changed):
    torch.manual_seed(1)
    network, images = Crossed().eval(), torch.rand(25, 4)
    for module in (network.norm,):
        nn.init.uniform_(module.weight), nn.init.uniform_(module.bias)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = randomised(network, 7, images, share)
    differs = {name.split(".")[0] for name, value in found.state_dict().items()
               if value.is_floating_point() and not torch.equal(value, before[name])}  # fmt: skip
    assert differs - {"unused"} == set(changed)
    assert all(
        torch.equal(value, before[name]) for name, value in network.state_dict().items()
    )  # itself is left alone
    assert not found.training and not found.norm.training
    if "norm" in changed:  # its statistics are those of what reaches it now
        assert torch.allclose(found.norm.running_mean, found.first(images).mean(dim=0), atol=1e-5)


def test_random_weights_come_from_their_seed():
    network, images = Crossed().eval(), torch.rand(25, 4)
    same, again, other = (
        randomised(network, seed, images).state_dict()["last.weight"] for seed in (1, 1, 2)
    )
    assert torch.equal(same, again) and not torch.equal(same, other)


# ---------------------------------------------------------------------------------------------------------------------
# Pairs.
# ---------------------------------------------------------------------------------------------------------------------
def linear(weights):
    """A network that takes images (n, 1, 1, k) to embeddings, by weights (d, k)."""
    layer = nn.Linear(weights.shape[1], weights.shape[0], bias=False)
    layer.weight.data = weights
    return nn.Sequential(nn.Flatten(), layer).eval().requires_grad_(False)


def test_gradients_of_a_pair_by_hand():
    """Dot products of normalised embeddings; the first number alone counts, so both move by the tangent of the circle."""
    network = linear(torch.eye(2))
    query, neighbor = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])
    distance = distance_function("Cosine Similarity")
    at_query, at_neighbor = pair_gradients(network, query, neighbor, distance, 3, 0.0, (1, 2))
    assert at_query.shape == (3, 1, 1, 2)
    # d cos / d query at (1, 0) is the neighbour less its part along the query: (0, 1); and the other way round.
    assert at_query.numpy() == pytest.approx(np.tile([[[0.0, 1.0]]], (3, 1, 1, 1)), abs=1e-6)
    assert at_neighbor.numpy() == pytest.approx(np.tile([[[1.0, 0.0]]], (3, 1, 1, 1)), abs=1e-6)


def test_the_query_comes_first_in_both():
    """SNR's distance var(a - b) / var(a) is another if the two are swapped."""
    torch.manual_seed(2)
    network = linear(torch.rand(4, 4))
    query, neighbor = torch.rand(1, 1, 4), torch.rand(1, 1, 4)
    distance = distance_function("SNR Distance")
    _, found = pair_gradients(network, query, neighbor, distance, 2, 0.0, (1, 2))
    given = neighbor[None].clone().requires_grad_()
    expected = torch.autograd.grad(distance(network(query[None]), network(given)).sum(), given)[0]
    assert torch.allclose(found, expected.expand(2, 1, 1, 4), atol=1e-6)


def test_a_pair_of_pictures(tmp_path):
    """A network that sees the left half alone is moved by the left half alone, in both pictures."""
    from PIL import Image

    rng = np.random.default_rng(3)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)).save(
            tmp_path / f"{name}.png"
        )

    class Left(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(4)
            self.layer = nn.Linear(3 * 20 * 10, 6)

        def forward(self, images):
            return self.layer(images[..., :10].flatten(1))

    maps = explain_pair(
        Left(), small_transform(), tmp_path / "a.png", tmp_path / "b.png", noise_samples=8
    )
    for found in maps:
        assert found.shape == (20, 20) and found[:, :10].max() == 1 and not found[:, 10:].any()
    again = explain_pair(
        Left(), small_transform(), tmp_path / "a.png", tmp_path / "b.png", noise_samples=8
    )
    assert all(np.array_equal(a, b) for a, b in zip(maps, again))


# ---------------------------------------------------------------------------------------------------------------------
# Noise ceilings.
# ---------------------------------------------------------------------------------------------------------------------
def test_correction_by_hand():
    assert corrected(0.6, 0.9, 0.4) == pytest.approx(1.0) and corrected(
        0.3, 0.5, 0.5
    ) == pytest.approx(0.6)
    assert (
        np.isnan(corrected(0.3, 0.0, 0.5))
        and np.isnan(corrected(0.3, -0.5, -0.5))
        and np.isnan(corrected(0.3, np.nan, 1))
    )


def test_correction_finds_what_noise_hides():
    """Two patterns that correlate at .7, each seen through noise of its own: corrected by their ceilings it is .7 again."""
    rng = np.random.default_rng(5)
    a = rng.normal(size=200_000)
    b = 0.7 * a + np.sqrt(1 - 0.49) * rng.normal(size=200_000)
    seen = [
        [pattern + scale * rng.normal(size=len(a)) for _ in range(2)]
        for pattern, scale in ((a, 1.0), (b, 0.5))
    ]
    r, ceiling_a, ceiling_b = (
        np.corrcoef(x, y)[0, 1] for x, y in ((seen[0][0], seen[1][0]), seen[0], seen[1])
    )
    assert r < 0.5 and corrected(r, ceiling_a, ceiling_b) == pytest.approx(0.7, abs=0.01)


def test_matching_by_hand():
    """Two losses, one image: z of .5 where they are the same, of .1 where not."""
    found = matching([[[0.5, 0.1], [0.1, 0.5]]], 0, permutations=99)
    assert found.same == pytest.approx(0.5) and found.other == pytest.approx(0.1)
    assert found.low == found.high == pytest.approx(np.arctanh(0.5) - np.arctanh(0.1))
    assert found.p_value == pytest.approx(0.5, abs=0.15)  # of two orders, one is as good


def correlations(same, rng, images=20, losses=8):
    """(images, losses, losses): about .5 for two losses, by `same` more for one and itself."""
    z = 0.5 + same * np.eye(losses) + 0.1 * rng.normal(size=(images, losses, losses))
    return np.tanh(z)


def test_losses_that_keep_to_themselves_are_found():
    found = matching(correlations(0.2, np.random.default_rng(6)), 1)
    assert found.same > found.other and found.low > 0.1 and found.p_value < 0.001


def test_losses_that_do_not_give_uniform_p_values():
    import scipy.stats

    rng = np.random.default_rng(7)
    p_values = [
        matching(correlations(0, rng, images=5), trial, resamples=2, permutations=199).p_value
        for trial in range(300)
    ]
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


def test_several_pairs_of_folds_are_averaged_and_undefined_images_left_out():
    rng = np.random.default_rng(8)
    first, second = correlations(0.2, rng), correlations(0.2, rng)
    both = matching(np.stack([first, second], axis=1), 2)
    z = np.arctanh(np.stack([first, second])).mean(axis=0)
    assert both == pytest.approx(matching(np.tanh(z), 2))
    broken = np.concatenate([first, np.full((1, 8, 8), np.nan)])
    assert matching(broken, 3).same == pytest.approx(matching(first, 3).same)
    assert np.isnan(matching(broken[-1:], 3)).all()


# ---------------------------------------------------------------------------------------------------------------------
# What is said of networks: a made-up comparison, every correlation the same on all images.
# ---------------------------------------------------------------------------------------------------------------------
def network(name, fold, trained=True):
    return SimpleNamespace(
        model=Model(name, 2020, "Ranking", "Euclidean Distance", trained=trained), fold=fold
    )


def compared(networks, similarity, ceilings, images=4):
    """The ComparedMaps of networks, None for one of random weights; similarity(a, b): of two of them."""
    matrix = np.array([[similarity(a, b) for b in networks] for a in networks])
    pairs = np.stack([np.tile(matrix, (images, 1, 1)), np.full((images, *matrix.shape), 0.5)])
    own = np.tile(ceilings, (images, 1))
    return noise_ceilings.ComparedMaps(networks, pairs, np.stack([own, own]))


def by_kind(a, b):
    values = {
        "same loss, other fold": 0.6,
        "other loss, same fold": 0.5,
        "other loss, other fold": 0.4,
        "random weights": 0.1,
        "two random": 0.2,
    }
    return 1 if a is b and a else values[noise_ceilings.kind_of(a, b)]


TWO_FOLDS = [network(name, fold) for name in "ABC" for fold in (0, 1)]


def test_rows_of_bounds_by_hand():
    found = compared(
        [network("A", 0), network("B", 0), network("B", 1), None], by_kind, [0.9, 0.4, 0.7]
    )
    rows = {
        (row[0], row[1], row[3], row[4], row[6]): row[7:] for row in noise_ceilings.rows_from(found)
    }
    assert rows["other noise", "A", 0, "A", 0][1:4] == pytest.approx([0.9, 0, 1])
    assert rows["other loss, same fold", "A", 0, "B", 0][:4] == pytest.approx(
        [4, 0.5, 0, 0.5 / 0.6]
    )  # sqrt(.9 * .4) = .6
    assert rows["same loss, other fold", "B", 0, "B", 1][3] == pytest.approx(0.6 / np.sqrt(0.28))
    assert (
        np.isnan(rows["random weights", "A", 0, noise_ceilings.RANDOM, ALL_FOLDS][3])
        and len(rows) == 9
    )
    assert {row[4] for row in rows.values()} == {
        0.5,
        0.9,
        0.4,
        0.7,
    }  # divergences: 0.5, or made up like the ceilings


def test_a_network_for_all_folds_is_in_every_fold():
    assert (
        noise_ceilings.kind_of(network("A", ALL_FOLDS), network("B", 1)) == "other loss, same fold"
    )
    assert noise_ceilings.kind_of(network("A", 0), network("B", 1)) == "other loss, other fold"


def test_losses_and_folds_by_hand():
    networks = [
        *TWO_FOLDS,
        network("None", 0, trained=False),
        network("None", 1, trained=False),
        None,
    ]
    names = dict(
        zip(
            noise_ceilings.ANSWER,
            noise_ceilings.answer_from(compared(networks, by_kind, [0.9] * 8), seed=0),
        )
    )
    # Pairs of one fold, .5, and those of the untrained do not count. Three losses can be matched in six ways.
    assert names["same_loss"] == pytest.approx(0.6) and names["other_loss"] == pytest.approx(0.4)
    assert names["low"] == names["high"] == pytest.approx(np.arctanh(0.6) - np.arctanh(0.4))
    assert names["p_value"] == pytest.approx(1 / 6, abs=0.02)
    assert (names["n_losses"], names["n_folds"], names["n_images"]) == (3, 2, 4)
    assert names["ceiling"] == pytest.approx(0.9) and names["floor"] == pytest.approx(0.1)


def test_losses_and_folds_take_two_of_both():
    assert noise_ceilings.answer_from(compared(TWO_FOLDS[:2], by_kind, [0.9] * 2), seed=0) is None
    assert noise_ceilings.answer_from(compared(TWO_FOLDS[::2], by_kind, [0.9] * 3), seed=0) is None
    incomplete = compared([*TWO_FOLDS[:4], network("C", 0)], by_kind, [0.9] * 5)
    answer = noise_ceilings.answer_from(incomplete, seed=0)
    assert answer[0] == 2 and np.isnan(answer[-1])  # C lacks a fold; there are no random weights
