"""Shares of variance, and trainings of one method against those of different methods."""

import numpy as np
import pytest

from dml_analysis.metrics.same_method import same_method_test
from dml_analysis.metrics.variance_shares import variance_shares


def design(sizes=(2, 2), n_folds=2, n_seeds=2):
    """Return (types, methods, folds, seeds) of a training in each cell."""
    types = np.repeat(range(len(sizes)), sizes)
    methods, folds, seeds = np.meshgrid(
        range(len(types)), range(n_folds), range(n_seeds), indexing="ij"
    )
    return types[methods.ravel()], methods.ravel(), folds.ravel(), seeds.ravel()


def shares_of(values, *columns):
    return variance_shares(np.outer(values, values), *columns)


def test_shares_by_hand():
    """Types have means of .5 and 2.5 and methods of 0, 1, 2, 3: mean squares of 16 and 2."""
    types, methods, folds, seeds = design()
    shares = shares_of(methods, types, methods, folds, seeds)
    np.testing.assert_allclose(shares, [1.75 / 2.25, 0.5 / 2.25, 0, 0, 0], atol=1e-12)
    assert shares_of(folds, types, methods, folds, seeds).fold == pytest.approx(1)
    assert shares_of(seeds, types, methods, folds, seeds).seed == pytest.approx(1)
    # Trainings that differ by ±1 within each method have a mean square of 16 / 10.
    interaction = (2 * folds - 1) * (2 * seeds - 1)
    shares = shares_of(methods + interaction, types, methods, folds, seeds)
    np.testing.assert_allclose(shares, np.array([1.75, 0.1, 0, 0, 1.6]) / 3.45, atol=1e-12)
    assert np.isnan(shares_of(0 * seeds, types, methods, folds, seeds)).all()


def test_shares_of_sampled_effects():
    """Of a hundred types with five methods each, the variances are 4, 2 and 1."""
    columns, rng = design((5,) * 100), np.random.default_rng(0)
    of_type, of_method = rng.normal(0, 2, 100)[columns[0]], rng.normal(0, 2**0.5, 500)[columns[1]]
    values = of_type + of_method + rng.normal(size=2000)
    np.testing.assert_allclose(shares_of(values, *columns), [4 / 7, 2 / 7, 0, 0, 1 / 7], atol=0.06)


def test_a_shift_does_not_matter():
    rng, columns = np.random.default_rng(1), design((2, 3))
    vectors = rng.normal(size=(len(columns[0]), 5))
    shifted = vectors + rng.normal(size=5)
    expected = variance_shares(vectors @ vectors.T, *columns)
    np.testing.assert_allclose(variance_shares(shifted @ shifted.T, *columns), expected)
    assert sum(expected) == pytest.approx(1)


@pytest.mark.parametrize("wrong", ["missing", "one type", "one method each"])
def test_designs_that_are_refused(wrong):
    types, methods, folds, seeds = design((1, 1) if wrong == "one method each" else (2, 2))
    if wrong == "missing":
        types, methods, folds, seeds = (column[1:] for column in (types, methods, folds, seeds))
    types = 0 * types if wrong == "one type" else types
    with pytest.raises(ValueError, match="need"):
        shares_of(methods, types, methods, folds, seeds)


def blocks(values):
    """Return a symmetric similarity of two cells, whose trainings have these similarities."""
    m = len(values)
    similarity = np.full((m, 2, m, 2), 9.0)  # of one cell: never used
    similarity[:, 0, :, 1], similarity[:, 1, :, 0] = values, np.transpose(values)
    return similarity


def test_trainings_of_one_method_by_hand():
    """Own pairs: .9 and .8; others: .5 and .6. Swapping the methods turns the sign alone: p = 1."""
    result = same_method_test(blocks(np.array([[0.9, 0.5], [0.6, 0.8]])), [1, 1], 0, 50)
    assert result[:3] == pytest.approx((0.85, 0.55, 0.3))
    assert (result.p_value, result.n_methods) == (1, 2)


def test_methods_are_compared_within_their_stratum():
    values = np.full((5, 5), 0.5)
    values[:2, :2] = [[0.8, 0.8], [0.8, 0.8]]
    values[2:4, 2:4] = [[0.7, 0.6], [0.6, 0.7]]
    result = same_method_test(blocks(values), [1, 1, 2, 2, 3], 0, 200)
    assert result.difference == pytest.approx(0.05) and result.n_methods == 4
    assert same_method_test(blocks(values), [1, 2, 3, 4, 5], 0).n_methods == 0


def test_a_missing_training_is_left_out():
    values = np.array([[0.9, 0.5, 0.5], [0.5, 0.9, 0.5], [np.nan] * 3])
    result = same_method_test(blocks(values), [1, 1, 1], 0, 50)
    assert result.difference == pytest.approx(0.4) and result.n_methods == 2


def test_p_values_of_methods():
    """Small where methods differ; uniform where they do not."""
    rng = np.random.default_rng(2)

    def similarity(effect):
        vectors = rng.normal(size=(8, 1, 40)) * effect + rng.normal(size=(8, 4, 40))
        flat = vectors.reshape(32, 40)
        return np.corrcoef(flat).reshape(8, 4, 8, 4)

    assert same_method_test(similarity(1), [1] * 8, 0, 200).p_value == pytest.approx(1 / 201)
    p_values = [same_method_test(similarity(0), [1] * 8, i, 60).p_value for i in range(60)]
    assert 0.3 < np.mean(p_values) < 0.7 and np.mean(np.array(p_values) < 0.1) < 0.25
