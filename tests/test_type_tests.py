"""Permutation tests between types, worked out by hand, against scipy, and on values without a difference."""

import numpy as np
import pytest
import scipy.stats

from dml_analysis.metrics import map_concentration, type_tests
from dml_analysis.metrics.type_tests import (
    correlation_interval,
    difference_interval,
    power,
    smallest_p,
    types_differ,
    types_differ_given,
)

FIRST = np.array([True] * 4 + [False] * 5)


def test_all_assignments_of_types():
    """Of the ten assignments of two of five, {0, 1} has the smallest sum and none is as far above."""
    test = types_differ([0.0, 1.0, 4.0, 5.0, 9.0], [True, True, False, False, False])
    # Centred: -3.8, -2.8, .2, 1.2, 5.2. Sums of two at least 6.6 away: -6.6 itself; 6.4 is not.
    assert test == (pytest.approx(-5.5), pytest.approx(0.1), pytest.approx(0.1))
    assert smallest_p(9, 5) == pytest.approx(1 / 2002) and smallest_p(2, 2) == pytest.approx(1 / 3)


def test_as_scipy():
    values = np.random.default_rng(0).normal(size=9)
    expected = scipy.stats.permutation_test(
        (values[FIRST], values[~FIRST]), lambda a, b, axis: np.abs(a.mean(axis) - b.mean(axis)),
        vectorized=True, n_resamples=np.inf, alternative="greater",
    )  # fmt: skip
    assert types_differ(values, FIRST).p_value == pytest.approx(expected.pvalue)


def test_random_assignments_agree_with_all(monkeypatch):
    values = np.random.default_rng(1).normal(size=9) + 0.8 * FIRST
    exact = types_differ(values, FIRST)
    monkeypatch.setattr(type_tests, "MAX_ASSIGNMENTS", 10)
    sampled = types_differ(values, FIRST)
    assert sampled.p_value == pytest.approx(exact.p_value, abs=0.01)
    assert sampled.difference == exact.difference and sampled.smallest_p == 1 / 20_001


def test_a_covariate_explains_a_difference():
    """The values are twice the covariate, and 3 more for the first type; the first without the type."""
    rng = np.random.default_rng(0)
    covariate = rng.normal(size=9) + 2 * FIRST
    noise = 0.01 * rng.normal(size=9)
    explained = types_differ_given(2 * covariate + noise, FIRST, covariate, 0, 2_000)
    assert abs(explained.difference) < 0.05 and explained.p_value > 0.05
    found = types_differ_given(2 * covariate + 3 * FIRST + noise, FIRST, covariate, 0, 2_000)
    assert found.difference == pytest.approx(3, abs=0.05) and found.p_value < 0.02
    design = np.column_stack([np.ones(9), covariate, FIRST])
    values = rng.normal(size=9)
    coefficient = np.linalg.lstsq(design, values, rcond=None)[0][2]
    test = types_differ_given(values, FIRST, covariate, 0, 100)
    assert test.difference == pytest.approx(coefficient)


def test_p_values_without_a_difference_are_uniform():
    rng = np.random.default_rng(0)
    draws = [rng.normal(size=(2, 9)) for _ in range(300)]
    for p_values in (
        [types_differ(values, FIRST).p_value for values, _ in draws],
        [types_differ_given(values, FIRST, z, 0, 200).p_value for values, z in draws],
    ):
        assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    "values, is_first, covariate, message",
    [([1, np.nan], [True, False], None, "a finite value and a type"),
     ([1, 2], [True, True], None, "methods of both types"),
     ([1, 2, 3], [True, False, True], [1, 1, 1], "does not vary"),
     ([1, 2, 3], [True, False, True], [1, 0, 1], "determines the type"),
     ([1, 2, 3], [True, False, True], [1, 0], "a finite covariate")],
)  # fmt: skip
def test_values_that_cannot_be_tested(values, is_first, covariate, message):
    with pytest.raises(ValueError, match=message):
        if covariate is None:
            types_differ(values, is_first)
        else:
            types_differ_given(values, is_first, covariate, 0)


def test_power_of_the_two_designs():
    """More methods find more; without an effect the test finds its level; beyond smallest_p nothing."""
    small, large = (power(1.3, 9, n, 0.01, 0, 4_000) for n in (5, 11))
    assert small < large and 0.15 < small < 0.4 and 0.35 < large < 0.65
    assert power(0, 9, 11, 0.05, 0, 4_000) == pytest.approx(0.05, abs=0.015)
    assert power(50, 9, 5, 1 / 2002, 0) == 0


def test_correlation_intervals():
    """BCa intervals include the true correlation about as often as they say."""
    rng, true, included = np.random.default_rng(0), 0.6, 0
    for _ in range(100):
        x = rng.normal(size=20)
        y = true * x + np.sqrt(1 - true**2) * rng.normal(size=20)
        r, low, high = correlation_interval(x, y, 0, 1_000)
        assert r == pytest.approx(np.corrcoef(x, y)[0, 1]) and low < r < high
        included += low <= true <= high
    assert 87 <= included <= 100
    with pytest.raises(ValueError, match="at least four methods"):
        correlation_interval([1, 2, 3], [1, 2, 3], 0)


def test_concentration_of_maps():
    rng = np.random.default_rng(0)
    values = rng.exponential(size=(1, 20, 30))
    pairs = np.abs(values.ravel()[:, None] - values.ravel()[None]).mean()
    assert map_concentration.gini(values)[0] == pytest.approx(pairs / (2 * values.mean()))
    shares = values.ravel() / values.sum()
    assert map_concentration.entropy(values)[0] == pytest.approx(
        scipy.stats.entropy(shares) / np.log(600)
    )
    peaked = values**3
    assert map_concentration.gini(peaked) > map_concentration.gini(values)
    assert map_concentration.entropy(peaked) < map_concentration.entropy(values)
    zeros = np.zeros((1, 4, 4))
    assert np.isnan(map_concentration.gini(zeros)) and np.isnan(map_concentration.entropy(zeros))


def test_intervals_of_differences():
    """Without a covariate as scipy's; with one, as by the textbook's formulas for two groups."""
    values, is_first = np.array([1.0, 2.0, 4.0, 7.0, 8.0]), np.array([1, 1, 1, 0, 0], bool)
    expected = scipy.stats.ttest_ind(values[:3], values[3:], equal_var=False).confidence_interval()
    assert difference_interval(values, is_first) == pytest.approx(tuple(expected))
    # A covariate with mean 0 in both groups and no effect leaves the difference; 2 degrees remain.
    covariate = np.array([-1.0, 0.0, 1.0, 0.0, 0.0])
    values = np.array([1.0, 4.0, 1.0, 7.0, 9.0])
    low, high = difference_interval(values, is_first, covariate)
    assert (low + high) / 2 == pytest.approx(2 - 8)
    error = np.sqrt((1 + 4 + 1 + 1 + 1) / 2 * (1 / 3 + 1 / 2))
    assert high - low == pytest.approx(2 * scipy.stats.t.ppf(0.975, 2) * error)
    assert np.isnan(difference_interval([1.0, 2.0, 3.0], [True, False, False])).all()
