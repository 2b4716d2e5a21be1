"""How much it takes to tell two models apart: values by hand, and tests that find what they should find as often as they should."""

import numpy as np
import pytest
import scipy.stats

from dml_analysis.metrics.sample_size import FEWEST, images_needed, least_difference, variances


def test_images_needed_by_hand():
    # sd sqrt(2), mean 1: (1.64485 + 0.84162)^2 * 2 = 12.4; sd sqrt(2), mean 10: less than one, but two are the fewest.
    differences = np.array([[0.0, 9.0, -2.0, 5.0], [2.0, 11.0, 0.0, 5.0]])
    assert images_needed(differences).tolist() == [13, FEWEST, np.inf, FEWEST]
    assert (
        images_needed(differences, level=0.01, power=0.9)[0] == 27
    )  # (2.32635 + 1.28155)^2 * 2 = 26.03
    with pytest.raises(ValueError, match="at least two images"):
        images_needed(differences[:1])


def test_on_so_many_images_the_difference_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    needed = int(images_needed(rng.normal(0.25, 1, size=(100_000, 1)))[0])
    assert 95 <= needed <= 104  # (2.48647 / 0.25)^2 = 98.9
    planted = rng.normal(0.25, 1, size=(needed, 4000))
    found = scipy.stats.ttest_1samp(planted, 0, alternative="greater").pvalue < 0.05
    assert 0.77 < found.mean() < 0.83


def test_least_difference_by_hand():
    # 1.95996 + 0.84162 = 2.80159; sqrt(4 / 100 + 1 / 4) = 0.538516
    assert least_difference([4.0], [1.0], 100, 4) == pytest.approx([2.80159 * 0.538516], abs=1e-4)
    assert least_difference(4.0, 0.0, 100, 1, level=0.01, power=0.9) == pytest.approx(
        3.85738 * 0.2, abs=1e-5
    )


def test_variances_by_hand():
    # Queries' means over folds: 1, 3 -> 2. Folds' means 1, 3 -> 2. What is left, +-0 of each query: nothing to take off.
    assert [each.tolist() for each in variances([[[0.0], [2.0]], [[2.0], [4.0]]])] == [[2.0], [2.0]]
    # Folds' means 2, 2 -> 0, but the queries go apart by 2 each: not below 0.
    assert [each.tolist() for each in variances([[[1.0], [3.0]], [[3.0], [1.0]]])] == [[0.0], [0.0]]
    of_queries, of_folds = variances([[[0.0], [2.0]]])
    assert of_queries.tolist() == [2.0] and np.isnan(of_folds).all()
    assert variances([[[0.0], [2.0], [np.nan]], [[2.0], [4.0], [np.nan]]])[0].tolist() == [2.0]


def test_the_variance_over_folds_is_not_that_of_queries():
    """Many pairs of models: folds differ with a variance of 0.04, or not at all; 50 queries make 0.02 of it."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4, 50, 3000))
    folds = rng.normal(0, 0.2, size=(4, 1, 3000))
    assert variances(noise + folds)[1].mean() == pytest.approx(0.04, rel=0.1)
    assert variances(noise)[1].mean() < 0.01 < np.var(noise.mean(axis=1), axis=0, ddof=1).mean()


def test_the_least_difference_is_found_four_times_in_five():
    """4,000 pairs of models on 200 queries, hard or easy for both, as folds given."""
    rng = np.random.default_rng(0)
    queries, own = rng.normal(size=(200, 4000)), rng.normal(size=(2, 200, 4000))
    a, b = queries + own
    of_queries, _ = variances((a - b)[None])
    difference = least_difference(of_queries, 0, 200, 1).mean()
    rejected = [scipy.stats.ttest_rel(a + added, b).pvalue < 0.05 for added in (difference, 0)]
    assert 0.78 < np.mean(rejected[0]) < 0.82 and 0.04 < np.mean(rejected[1]) < 0.06
