"""Correlations and their bootstrap over methods."""

import numpy as np
import pytest
import scipy.stats

from dml_analysis.metrics.correlations import _pearson, _rank_shares, _spearman, correlation

RNG = np.random.default_rng(3)
X = RNG.normal(size=12)
Y = X + RNG.normal(size=12)
METHODS = np.repeat(["a", "b", "c", "d", "e", "f"], 2)


def test_by_hand():
    # x - mean = -1, 0, 1; y - mean = -1, -1, 2: 3 / sqrt(2 * 6); ranks 1, 2, 3 and 1.5, 1.5, 3: 1.5 / sqrt(2 * 1.5)
    x, y, methods = [1, 2, 3], [1, 1, 4], ["a", "b", "c"]
    assert correlation(x, y, methods, "pearson", 0).value == pytest.approx(3 / 12**0.5)
    assert correlation(x, y, methods, "spearman", 0).value == pytest.approx(1.5 / 3**0.5)


@pytest.mark.parametrize(
    "place", [np.arange(12), np.repeat(np.arange(6), 2), np.array([0, 1, 2] * 4)]
)
def test_sampled_methods_are_copies(place):
    counts = RNG.integers(0, 4, size=(5, place.max() + 1))
    shares = [_rank_shares(values, place, counts.shape[1]) for values in (X, Y)]
    for row, pearson, spearman in zip(
        counts[:, place], _pearson(X, Y, place, counts), _spearman(*shares, place, counts)
    ):
        x, y = np.repeat(X, row), np.repeat(Y, row)
        assert pearson == pytest.approx(scipy.stats.pearsonr(x, y).statistic)
        assert spearman == pytest.approx(scipy.stats.spearmanr(x, y).statistic)


def test_ranks_are_scipys():
    values, place = RNG.integers(0, 9, size=40), RNG.integers(0, 5, size=40)
    counts = RNG.integers(0, 4, size=(20, 5))
    for row, ranks in zip(counts[:, place], counts @ _rank_shares(values, place, 5) + 1 / 2):
        assert (np.repeat(ranks, row) == scipy.stats.rankdata(np.repeat(values, row))).all()


def test_all_points_of_a_method_are_sampled_together():
    """Copies of a method's points add nothing to what is known: the interval stays that of six methods."""
    few = correlation(X[::2], Y[::2], METHODS[::2], "pearson", 1)
    many = correlation(
        np.repeat(X[::2], 50), np.repeat(Y[::2], 50), np.repeat(METHODS[::2], 50), "pearson", 1
    )
    assert many == pytest.approx(few)
    alone = correlation(np.repeat(X[::2], 50), np.repeat(Y[::2], 50), np.arange(300), "pearson", 1)
    assert alone.high - alone.low < 0.5 * (few.high - few.low)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Forty methods with a correlation of .5: of 200 such samples the 95% interval holds it in about 190."""
    rng, held = np.random.default_rng(0), 0
    for trial in range(200):
        x, noise = rng.normal(size=(2, 40))
        found = correlation(
            x, 0.5 * x + 0.75**0.5 * noise, np.arange(40), "pearson", trial, resamples=500
        )
        held += found.low <= 0.5 <= found.high
    assert 176 <= held <= 199


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_what_cannot_be_said_is_nan(kind):
    assert np.isnan(correlation([1, 1, 1], [1, 2, 3], ["a", "b", "c"], kind, 0)).all()
    few = correlation([1, 2, 3], [1, 2, 4], ["a", "b", "c"], kind, 0)
    assert few.value > 0.9 and np.isnan([few.low, few.high]).all()
    assert correlation([*X, np.inf], [*Y, 0], [*METHODS, "g"], kind, 0) == correlation(
        X, Y, METHODS, kind, 0
    )
    assert correlation([*X, 0], [*Y, np.inf], [*METHODS, "g"], kind, 0) == correlation(
        X, Y, METHODS, kind, 0
    )
    assert np.isnan(correlation([], [], [], kind, 0)).all()


def test_the_seed_decides():
    found = [correlation(X, Y, METHODS, "pearson", seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2] and found[0].value == found[2].value
