"""The maths of map regions, embedding shifts and wrong neighbours, by hand and with planted answers."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

from dml_analysis.causes import embedding_shifts, map_regions
from dml_analysis.datasets.images import Crop
from dml_analysis.datasets.masks import BACKDROP, CAR, GROUND
from dml_analysis.metrics import wrong_neighbors
from dml_analysis.metrics.map_mass import REGIONS, Located, located, region_shares
from dml_analysis.metrics.shift_sizes import (
    carried,
    changed_pixels,
    interval,
    rank_correlation,
    relative_shifts,
)
from dml_analysis.paper import Model


# --------------------------------------------------------------------------------------------------
# Regions.
# --------------------------------------------------------------------------------------------------
def test_shares_of_regions_by_hand():
    """A mask of 4 x 4: above backdrop, below ground, in its middle a car of 2 x 2; seen in 2 x 2 pixels."""
    mask = np.array(
        [[BACKDROP] * 4, [BACKDROP, CAR, CAR, BACKDROP], [GROUND, CAR, CAR, GROUND], [GROUND] * 4],
        np.uint8,
    )
    car, ground, backdrop = region_shares(mask, Crop(2, (2, 2)))
    assert list(REGIONS) == ["car", "ground", "backdrop"]
    assert car.tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert ground.tolist() == [[0, 0], [0.75, 0.75]] and backdrop.tolist() == [[0.75, 0.75], [0, 0]]


def test_only_what_a_network_sees_counts():
    """Of a picture twice as wide as high it sees the middle."""
    mask = np.full((4, 8), BACKDROP, np.uint8)
    mask[:, :2] = CAR  # left of what is seen
    mask[:, 2:4] = GROUND
    car, ground, backdrop = region_shares(mask, Crop(4, (4, 4)))
    assert (
        not car.any() and ground[:, :2].all() and backdrop[:, 2:].all() and not ground[:, 2:].any()
    )


def test_located_by_hand():
    shares = np.array([[[[1, 0], [0.5, 0]], [[0, 1], [0.5, 1]]]])  # one picture of two regions
    maps = np.array([[[0.2, 0.8], [0.2, 0.8]]])
    found = located(maps, shares)
    assert found.mass[0] == pytest.approx([0.3 / 2.0, 1.7 / 2.0])
    assert found.highest[0] == pytest.approx([0, 1])  # both of its highest pixels are in the second
    assert found.pixels[0] == pytest.approx([1.5 / 4, 2.5 / 4])


def test_a_map_without_a_pattern_is_nowhere():
    shares = np.full((2, 3, 4, 4), 1 / 3)
    found = located(np.stack([np.zeros((4, 4)), np.ones((4, 4))]), shares)
    assert (
        np.isnan(found.mass).all()
        and np.isnan(found.highest).all()
        and found.pixels == pytest.approx(1 / 3)
    )


def test_a_map_that_looks_at_the_backdrop_alone_is_found_out():
    mask = np.full((8, 8), GROUND, np.uint8)
    mask[:3], mask[3:6, 2:6] = BACKDROP, CAR
    shares = region_shares(mask, Crop(8, (8, 8)))
    of_backdrop = (mask == BACKDROP) * np.linspace(0.5, 1, 64).reshape(8, 8)
    found = located(of_backdrop[None], shares[None])
    assert found.mass[0] == pytest.approx([0, 0, 1]) and found.highest[0] == pytest.approx(
        [0, 0, 1]
    )
    assert found.pixels[0] == pytest.approx([12 / 64, 28 / 64, 24 / 64])
    both = located(
        np.stack([of_backdrop, 0.1 * of_backdrop[::-1]]), np.stack([shares, shares[:, ::-1]])
    )
    assert both.highest == pytest.approx(
        np.array([[0, 0, 1]] * 2)
    )  # each map has highest pixels of its own


# --------------------------------------------------------------------------------------------------
# Embedding shifts.
# --------------------------------------------------------------------------------------------------
def test_shifts_by_hand():
    """Three counterfactual sets whose distances are 4, 10 and 14: the median is 10."""
    base = np.array([[0.0, 0], [4, 0], [14, 0]])
    changed = np.stack([base + [2.5, 0], base + [0, 5], base], axis=1)
    assert relative_shifts(base, changed) == pytest.approx(np.tile([0.25, 0.5, 0], (3, 1)))
    assert relative_shifts(1e6 + base, 1e6 + changed) == pytest.approx(
        np.tile([0.25, 0.5, 0], (3, 1))
    )


def test_the_shift_of_the_noise_frame_is_the_last():
    """Two sets whose bases are 10 apart; in every set only the last image is another, by 1 or 3."""
    coordinates = np.zeros((2, 13, 2))
    coordinates[1] += [10, 0]
    coordinates[:, 12, 1] = [1, 3]
    shifts = embedding_shifts.shifts_of(None, coordinates.reshape(26, 2))
    assert shifts[:, :11] == pytest.approx(np.zeros((2, 11)))
    assert embedding_shifts.CHANGES[11:] == ["render noise"]
    assert shifts[:, 11] == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize("base", [[[1.0, 2]], [[1.0, 2], [1, 2]]])
def test_shifts_need_a_unit(base):
    with pytest.raises(ValueError, match="at least two counterfactual sets"):
        relative_shifts(base, np.zeros((len(base), 1, 2)))


def test_a_network_that_ignores_a_property_does_not_move_with_it():
    """Embeddings made of two of three hidden numbers: the third does not move them."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(40, 3))
    changed = np.stack(
        [hidden + np.eye(3)[place] * rng.normal(size=(40, 1)) for place in range(3)], axis=1
    )
    moved = relative_shifts(hidden[:, :2], changed[:, :, :2]).mean(axis=0)
    assert moved[2] == 0 and (moved[:2] > 0.1).all()


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng, held = np.random.default_rng(1), np.zeros(2)
    for trial in range(200):
        low, high = interval(rng.exponential(size=(60, 2)), trial, resamples=400)
        held += (low <= 1) & (1 <= high)
    assert (held >= 172).all() and (held <= 199).all()


def test_rank_correlation_by_hand():
    # ranks 1 2 3 4 and 1 3 2 4: 1 - 6 * 2 / (4 * 15)
    assert rank_correlation([1, 2, 3, 4], [10, 30, 20, 40])[0] == pytest.approx(0.8)
    assert (
        np.isnan(rank_correlation([1, 1, 1], [1, 2, 3])).all()
        and np.isnan(rank_correlation([1, np.nan], [1, 2])).all()
    )


def test_changed_pixels_and_what_they_carry():
    base = np.zeros((2, 2, 3))
    changed = base.copy()
    changed[0, 0], changed[0, 1] = 0.1, 3 / 255  # one clearly, one by less than what counts
    assert changed_pixels(base, changed).tolist() == [[True, False], [False, False]]
    mass, pixels = carried(np.array([[0.6, 0.2], [0.2, 0.2]]), changed_pixels(base, changed))
    assert mass == pytest.approx(0.5) and pixels == 0.25
    assert np.isnan(carried(np.zeros((2, 2)), np.ones((2, 2), bool))[0])


# --------------------------------------------------------------------------------------------------
# Wrong neighbours.
# --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("block", [1, 2**26])
def test_nearest_is_that_of_a_plain_loop(block, monkeypatch):
    monkeypatch.setattr(wrong_neighbors, "BLOCK_BYTES", block)
    points = np.random.default_rng(2).normal(size=(50, 4)) + 1e4
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert wrong_neighbors.nearest(points).tolist() == distances.argmin(axis=1).tolist()


def test_chance_by_hand():
    """Of four images, two of either model: a query of the first may meet the two of the second."""
    codes = np.array([[0, 0], [0, 1], [1, 0], [1, 0]])
    assert wrong_neighbors.chance(codes, 0)[:, 1].tolist() == [1, 0, 0.5, 0.5]


def test_chance_is_that_of_a_plain_loop():
    codes = np.random.default_rng(3).integers(0, 4, size=(60, 3))
    expected = [[np.mean([codes[j, k] == codes[i, k] for j in range(60) if codes[j, 1] != codes[i, 1]]) for k in range(3)]
                for i in range(60)]  # fmt: skip
    assert wrong_neighbors.chance(codes, 1) == pytest.approx(np.array(expected))


def test_excesses_by_hand():
    codes = np.array([[0, 0], [0, 1], [1, 0], [1, 0]])
    found = wrong_neighbors.excesses(np.array([2, 0, 1, 0]), codes, 0)
    assert found[:, 1] == pytest.approx(
        [1 - 1, np.nan, 0 - 0.5, 1 - 0.5], nan_ok=True
    )  # the second is right
    assert np.isnan(found[:, 0]).all()


def test_what_errors_share_is_found_and_nothing_else():
    """Neighbours that are wrong, and chosen by the second property: it alone is shared too often."""
    rng, n = np.random.default_rng(4), 400
    codes = rng.integers(0, [6, 5, 5], size=(n, 3))
    neighbors = np.array([rng.choice(np.flatnonzero((codes[:, 0] != codes[i, 0]) & (codes[:, 1] == codes[i, 1])))
                          for i in range(n)])  # fmt: skip
    mean, low, high = wrong_neighbors.mean_and_interval(
        wrong_neighbors.excesses(neighbors, codes, 0)[None], 0
    )
    assert (
        mean[1] == pytest.approx(0.8, abs=0.03)
        and low[1] > 0.7
        and low[2] < 0 < high[2]
        and np.isnan(mean[0])
    )


def test_the_interval_of_chance_holds_zero():
    rng, n, held = np.random.default_rng(5), 200, 0
    for trial in range(150):
        codes = rng.integers(0, [6, 5], size=(n, 2))
        neighbors = (np.arange(n) + rng.integers(1, n, size=n)) % n
        _, low, high = wrong_neighbors.mean_and_interval(
            wrong_neighbors.excesses(neighbors, codes, 0)[None], trial, 300
        )
        held += low[1] <= 0 <= high[1]
    assert 132 <= held <= 149


def test_networks_count_alike():
    """One network is wrong at one query, another at three: each network's mean has the same weight."""
    values = np.full((2, 4, 1), np.nan)
    values[0, 0], values[1, :3] = 1, 0
    assert wrong_neighbors.mean_and_interval(values, 0)[0] == pytest.approx([0.5])


# --------------------------------------------------------------------------------------------------
# Groups of models: stores of made-up shares, of which the backdrop's is planted.
# --------------------------------------------------------------------------------------------------
def rows_of_groups(backdrop, folds=1):
    """Return (unit, measure, region) -> row of test_rows; backdrop: model -> share of each of its maps."""
    models = [
        Model(name, 2020, "Ranking" if name < "M" else "Classification", "Euclidean Distance")
        for name in backdrop
    ]
    networks = [
        SimpleNamespace(model=model, fold=fold) for model in models for fold in range(folds)
    ]

    def share(store):
        of_backdrop = (
            np.asarray(backdrop[store.subject.network.model.name])
            + 0.02 * store.subject.network.fold
        )
        mass = np.stack([0.75 * (1 - of_backdrop), 0.25 * (1 - of_backdrop), of_backdrop], axis=1)
        return Located(mass, mass[:, ::-1], np.full_like(mass, 1 / 3))

    stores = [SimpleNamespace(subject=SimpleNamespace(network=each)) for each in networks]
    names = list(map_regions.TESTS)
    found = [
        dict(zip(names, row))
        for row in map_regions.test_rows(share, models, stores, map_regions.TESTS)
    ]
    return {(row["unit"], row["measure"], row["region"]): row for row in found}


def test_a_group_that_looks_more_at_the_backdrop_is_found():
    rng = np.random.default_rng(0)
    hard = rng.uniform(0.1, 0.4, 20)  # images differ more than groups do
    noise = {name: rng.uniform(-0.02, 0.02, 20) for name in "ABCXYZ"}
    rows = rows_of_groups(
        {name: hard + each + 0.05 * (name > "M") for name, each in noise.items()}, folds=2
    )
    row = rows["images", "mass", "backdrop"]
    assert (row["group_a"], row["group_b"], row["n_a"], row["n_b"]) == (
        "Ranking",
        "Classification",
        20,
        20,
    )
    assert row["difference"] == pytest.approx(-0.05, abs=0.01) and row["p_value"] == pytest.approx(
        2 / 2**20
    )
    row = rows["models", "mass", "backdrop"]
    assert (row["n_a"], row["n_b"]) == (3, 3) and row["p_value"] == pytest.approx(
        2 / 20
    )  # the least of six models
    assert rows["images", "mass", "car"]["difference"] == pytest.approx(0.75 * 0.05, abs=0.01)
    assert rows["models", "highest", "backdrop"]["mean_a"] == pytest.approx(
        rows["models", "mass", "car"]["mean_a"]
    )
    both = np.mean([hard + noise[name] for name in "ABC"]) + 0.01  # of two folds, 0.02 apart
    assert row["mean_a"] == pytest.approx(both)


def test_groups_that_do_not_differ_give_uniform_p_values_on_images():
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(300):
        hard = rng.uniform(0.1, 0.4, 30)
        rows = rows_of_groups({name: hard + rng.uniform(-0.05, 0.05, 30) for name in "AX"})
        p_values.append(rows["images", "mass", "backdrop"]["p_value"])
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


def test_an_image_without_a_pattern_counts_in_no_group():
    rows = rows_of_groups({"A": [0.1, 0.2, np.nan, 0.3], "X": [0.2, 0.3, 0.9, 0.4]})
    row = rows["images", "mass", "backdrop"]
    assert (
        row["n_a"] == 3
        and row["mean_a"] == pytest.approx(0.2)
        and row["mean_b"] == pytest.approx(0.3)
    )
    assert row["p_value"] == pytest.approx(0.25)  # all three of one sign: 2 / 8
