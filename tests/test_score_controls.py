"""Controls of NR-Precision against literal permutations and copies, values by hand, and what chance should give."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

from dml_analysis.controls import score_controls
from dml_analysis.metrics import nearest_neighbors
from dml_analysis.metrics import permutation_null as module
from dml_analysis.metrics.nr_precision import nr_precision
from dml_analysis.metrics.permutation_null import (
    bootstrap,
    null_summary,
    permutation_null,
    permuted,
    query_scores,
)

LINE = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
EMBEDDINGS = {
    "plain": lambda x: x,
    "each one twice": lambda x: np.repeat(x[: -(-len(x) // 2)], 2, axis=0)[: len(x)],
    "all equal": lambda x: np.ones_like(x),
    "coarse grid": np.round,
    "one far away": lambda x: np.concatenate([x[:-1], [[1e6] * x.shape[1]]]),
}


def literal_null(embeddings, labels, permutations, seed, max_neighbors=None):
    """The definition read aloud: (2, permutations, k)."""
    rows = [
        [permuted(column, seed, j, number) for j, column in enumerate(labels.T)]
        for number in range(permutations)
    ]
    return np.stack(
        [nr_precision(embeddings, np.stack(row, axis=1), max_neighbors) for row in rows], axis=1
    )


def some_labels(rng, n):
    """Even and uneven counts, a value of one image, one value in all, values that are all single."""
    lone = rng.integers(0, 3, n)
    lone[n // 2] = -5
    return np.stack(
        [
            rng.integers(0, 4, n),
            rng.choice(5, n, p=[0.6, 0.2, 0.1, 0.06, 0.04]),
            lone,
            np.full(n, 7),
            np.arange(n),
        ],
        1,
    )


# --------------------------------------------------------------------------------------------------
# Permuted labels.
# --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", EMBEDDINGS)
@pytest.mark.parametrize("max_neighbors", [None, 1, 6])
def test_null_is_that_of_literal_permutations(kind, max_neighbors):
    rng = np.random.default_rng(1)
    # 50 images, as 49 * (1 / 49) is not 1: with one value in all, z is infinite unless the hits are exactly R.
    embeddings, labels = EMBEDDINGS[kind](rng.normal(size=(50, 2))), some_labels(rng, 50)
    found = permutation_null(embeddings, labels, 20, 3, max_neighbors)
    np.testing.assert_allclose(
        found, literal_null(embeddings, labels, 20, 3, max_neighbors), rtol=0, atol=1e-12
    )
    assert np.isfinite(found).all(axis=1).tolist() == [
        [True] * 4 + [False],
        [True] * 3 + [False] * 2,
    ]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_null_of_few_images(n):
    embeddings, labels = np.arange(n, dtype=float)[:, None], np.array([[0, 0], [0, 1], [1, 2]])[:n]
    np.testing.assert_allclose(
        permutation_null(embeddings, labels, 6, 0), literal_null(embeddings, labels, 6, 0)
    )


@pytest.mark.parametrize("kind", ["plain", "coarse grid"])
def test_null_of_more_than_a_byte_holds(kind):
    """Hits of a query, and values of a property: 256 values, and 255 with none to spare."""
    rng = np.random.default_rng(2)
    embeddings = EMBEDDINGS[kind](rng.normal(size=(700, 3)))
    labels = np.stack(
        [
            rng.random(700) < 0.1,
            np.minimum(np.arange(700) // 2, 255),
            np.arange(700) % 255,
            np.arange(700) // 2,
        ],
        axis=1,
    ).astype(int)
    found = permutation_null(embeddings, labels, 3, 0)
    np.testing.assert_allclose(found, literal_null(embeddings, labels, 3, 0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_and_threads_do_not_matter(threads, monkeypatch):
    rng = np.random.default_rng(0)
    embeddings, labels = np.round(rng.normal(size=(100, 3))), rng.integers(0, 4, (100, 2))
    whole, scores = permutation_null(embeddings, labels, 10, 0), query_scores(embeddings, labels)
    monkeypatch.setattr(nearest_neighbors, "BLOCK_BYTES", 0)
    monkeypatch.setattr(nearest_neighbors, "LEAST_QUERIES", 7)
    monkeypatch.setattr(nearest_neighbors.numba, "get_num_threads", lambda: threads)
    np.testing.assert_allclose(
        permutation_null(embeddings, labels, 10, 0), whole, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(query_scores(embeddings, labels), scores, rtol=0, atol=1e-12)


def test_null_by_hand():
    # Two pairs of images, R = 1. If the near ones share their value, all queries hit: (1 - 1/2) / sqrt(1/4) = 1. Else
    # none does. One of the three ways to pair four images is that: 300 of 900, with a standard deviation of 14.
    embeddings, labels = np.array([[0.0], [1.0], [10.0], [11.5]]), np.array([[3], [3], [8], [8]])
    found = permutation_null(embeddings, labels, 900, 5)
    pairs = [
        (values := permuted(labels[:, 0], 5, 0, number))[0] == values[1] for number in range(900)
    ]
    assert found.r_precision[:, 0].tolist() == [float(pair) for pair in pairs]
    assert found.nr_precision[:, 0].tolist() == [1.0 if pair else -1.0 for pair in pairs]
    assert 300 - 3 * 14 < sum(pairs) < 300 + 3 * 14


def test_permutations_come_from_their_purpose():
    values = np.arange(20)
    draws = [
        tuple(permuted(values, *purpose))
        for purpose in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    ]
    assert len(set(draws)) == 4 and all(sorted(draw) == values.tolist() for draw in draws)
    assert tuple(permuted(values.astype(np.uint8), 0, 0, 0)) == draws[0]  # whatever the type


def test_a_permutation_does_not_depend_on_their_number():
    rng = np.random.default_rng(0)
    embeddings, labels = rng.normal(size=(90, 3)), rng.integers(0, 11, (90, 2))
    many = permutation_null(embeddings, labels, 40, 0)
    for permutations in (1, 2, 17):
        few = permutation_null(embeddings, labels, permutations, 0)
        assert np.array_equal(few.r_precision, many.r_precision[:permutations])
        assert np.array_equal(few.nr_precision, many.nr_precision[:permutations])


@pytest.mark.parametrize(
    "embeddings, labels, permutations, options",
    [(LINE, np.zeros((5, 1), int), 3, {}), (LINE, np.zeros((6, 1), int), 0, {}),
     (LINE * np.nan, np.zeros((6, 1), int), 3, {}), (LINE, np.zeros((6, 1), int), 3, {"max_neighbors": 0})],
)  # fmt: skip
def test_bad_input_of_the_null(embeddings, labels, permutations, options):
    with pytest.raises(ValueError):
        permutation_null(embeddings, labels, permutations, 0, **options)


def test_summary_by_hand():
    # 2 and 3 are at least 2: (1 + 2) / (1 + 4); the mean is 1.5, the variance (2.25 + 0.25 + 0.25 + 2.25) / 3
    null = np.array([[0.0, 0.0, np.nan], [3.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    for observed in (2, 2 + 1e-12, 2 - 1e-12):  # the last digits are rounding
        summary = null_summary([observed, np.nan, 1], null)
        assert summary.p_value[0] == 3 / 5
    assert summary.mean[0] == 1.5 and summary.std[0] == pytest.approx((5 / 3) ** 0.5)
    assert np.isnan(summary)[:, 1:].all()
    assert null_summary([2.001, 0, 0], null).p_value[:2].tolist() == [2 / 5, 1]


@pytest.mark.parametrize(
    "observed, null", [([1], [[1]]), ([1, 2], [[1], [2]]), ([1], [1, 2]), (1, [[1], [2]])]
)
def test_bad_input_of_summaries(observed, null):
    with pytest.raises(ValueError):
        null_summary(observed, null)


def test_embeddings_that_are_all_equal_are_as_good_as_any_permutation():
    labels = np.random.default_rng(0).integers(0, 4, (50, 3))
    observed, null = (
        nr_precision(np.ones((50, 2)), labels),
        permutation_null(np.ones((50, 2)), labels, 19, 0),
    )
    assert null_summary(observed.nr_precision, null.nr_precision).p_value.tolist() == [1, 1, 1]


def test_p_values_of_labels_that_mean_nothing_are_uniform():
    """Also where embeddings are clusters, if of something else."""
    rng, p_values = np.random.default_rng(0), []
    for case in range(200):
        embeddings = rng.integers(0, 4, (40, 1)) * 5 + rng.normal(size=(40, 3))
        labels = rng.choice(3, (40, 1), p=[0.5, 0.3, 0.2])
        null = permutation_null(embeddings, labels, 99, case)
        p_values += null_summary(
            nr_precision(embeddings, labels).nr_precision, null.nr_precision
        ).p_value.tolist()
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.05


def test_planted_clusters_are_found():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (80, 2))
    embeddings = labels[:, :1] * [[1.0, 0.5]] + rng.normal(
        size=(80, 2)
    )  # clusters of the first property, not of the second
    summary = null_summary(
        nr_precision(embeddings, labels).nr_precision,
        permutation_null(embeddings, labels, 199, 0).nr_precision,
    )
    assert summary.p_value[0] == 1 / 200 and summary.p_value[1] > 0.05


def test_the_spread_under_chance_is_far_below_that_of_one_query():
    """1,200 images, six values, R = 199: near 1 / sqrt(1200) = 0.029, as if queries were independent, and not 1.

    A query has 199 / 1199 images of its value among the others, and p = 1/6 counts itself. So z has the mean
    199 (199 / 1199 - 1/6) / sqrt(199 * 5/36) = -0.0263.
    """
    embeddings, labels = (
        np.random.default_rng(0).normal(size=(1200, 16)),
        np.arange(1200)[:, None] % 6,
    )
    null = permutation_null(embeddings, labels, 400, 0).nr_precision
    assert 0.025 < null.std(ddof=1) < 0.035
    assert abs(null.mean() + 0.0263) < 4 * 0.03 / 400**0.5


# --------------------------------------------------------------------------------------------------
# Queries and folds.
# --------------------------------------------------------------------------------------------------
def test_query_scores_by_hand():
    # Three queries with R = 2, h = 2, p = 1/2: 1 / sqrt(1/2). Two with R = 1, h = 1, p = 1/3: (2/3) / sqrt(2/9). One is
    # alone.
    # Second property, 0 1 0 1 0 1: the queries' two nearest hold 1 0 1 0 1 1 hits; less 1, by sqrt(1/2).
    line = np.array([[0.0], [1.1], [2.0], [10.0], [10.9], [21.0]])
    labels = np.array([[0, 0], [0, 1], [0, 0], [1, 1], [1, 0], [7, 1]])
    scores = query_scores(line, labels)
    assert scores[:, 0] == pytest.approx([2**0.5] * 5 + [np.nan], nan_ok=True)
    assert scores[:, 1] == pytest.approx(np.array([0, -1, 0, -1, 0, 0]) * 2**0.5)


@pytest.mark.parametrize("kind", EMBEDDINGS)
@pytest.mark.parametrize("max_neighbors", [None, 6])
@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_means_of_query_scores_are_nr_precision(kind, max_neighbors):
    rng = np.random.default_rng(4)
    embeddings, labels = EMBEDDINGS[kind](rng.normal(size=(61, 2))), some_labels(rng, 61)
    scores = query_scores(embeddings, labels, max_neighbors)
    assert np.isnan(scores).sum(axis=0).tolist() == [0, 0, 1, 61, 61]
    expected = nr_precision(embeddings, labels, max_neighbors).nr_precision
    np.testing.assert_allclose(np.nanmean(scores, axis=0), expected, rtol=0, atol=1e-12)


def scores_with_gaps(rng, folds, n, k):
    scores = rng.normal(size=(folds, n, k)) + rng.normal(size=(n, k)) + np.arange(k)
    scores[:, rng.random((n, k)) < 0.2] = np.nan
    return scores


@pytest.mark.parametrize("over", module.OVER)
def test_bootstrap_is_that_of_copies(over, monkeypatch):
    scores, means = scores_with_gaps(np.random.default_rng(0), 3, 15, 2), []
    queries, folds = (
        np.random.default_rng(module.derived_seed(8, "queries")),
        np.random.default_rng(module.derived_seed(8, "folds")),
    )
    for _ in range(50):
        chosen = np.repeat(np.arange(15), queries.multinomial(15, np.full(15, 1 / 15)))
        sampled = (
            np.repeat(np.arange(3), folds.multinomial(3, np.full(3, 1 / 3)))
            if over == "queries and folds"
            else [0, 1, 2]
        )
        means.append(np.nanmean(scores[sampled][:, chosen], axis=(0, 1)))
    expected = np.quantile(means, [0.05, 0.95], axis=0).T
    np.testing.assert_allclose(
        bootstrap(scores, 8, 50, over, level=0.9), expected, rtol=0, atol=1e-12
    )
    monkeypatch.setattr(module, "SAMPLED_BYTES", 8 * 15 * 7)  # seven draws at a time
    np.testing.assert_allclose(
        bootstrap(scores, 8, 50, over, level=0.9), expected, rtol=0, atol=1e-12
    )


def test_folds_are_sampled_with_the_same_queries_in_all():
    # Folds of 0 and 1 have means of 0, 1/2 and 1. Queries that are above 1.5 in a fold, and as far below in the other,
    # have a mean of 1.5 in any sample.
    folds = np.repeat([0.0, 1.0], 20).reshape(2, 20, 1)
    assert bootstrap(folds, 0).tolist() == [[0.5, 0.5]]
    assert bootstrap(folds, 0, over="queries and folds").tolist() == [[0, 1]]
    queries = np.random.default_rng(0).normal(size=(20, 1))
    np.testing.assert_allclose(bootstrap(np.stack([queries, 3 - queries]), 0), [[1.5, 1.5]])


@pytest.mark.parametrize(
    "folds, over, least, most", [(1, "queries", 270, 297), (30, "queries and folds", 270, 297)]
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(folds, over, least, most):
    """Of 300 samples the 95% interval holds it in about 285. Scores have a part by query and one by fold."""
    rng = np.random.default_rng(0)
    scores = 2 + 2 * rng.normal(size=(80, 300)) + 2 * rng.normal(size=(folds, 1, 300)) * (folds > 1)
    scores = scores + rng.normal(size=(folds, 80, 300))
    low, high = bootstrap(scores, 0, over=over).T
    assert least <= ((low <= 2) & (2 <= high)).sum() <= most


def test_intervals_that_cannot_be_said_are_nan():
    scores = np.ones((2, 10, 3))
    scores[:, :, 1], scores[:, 1:, 2] = (
        np.nan,
        np.nan,
    )  # none at all, one that may be missing in a sample
    assert np.isnan(bootstrap(scores, 0)).tolist() == [[False] * 2, [True] * 2, [True] * 2]


GAP = np.where(np.arange(12).reshape(2, 6, 1) == 3, np.nan, 1.0)  # NaN in the first fold only


@pytest.mark.parametrize(
    "scores, options",
    [(np.ones((6, 2)), {}), (np.ones((0, 6, 2)), {}), (np.ones((2, 0, 2)), {}), (GAP, {}),
     (np.full((1, 6, 1), np.inf), {}), (np.ones((2, 6, 1)), {"over": "folds"}),
     (np.ones((1, 6, 1)), {"over": "queries and folds"}),
     (np.ones((2, 6, 1)), {"resamples": 0})],
)  # fmt: skip
def test_bad_input_of_the_bootstrap(scores, options):
    with pytest.raises(ValueError):
        bootstrap(scores, 0, **options)


def scored(name, fold, scores):
    """The store of a trained model's z-scores in a fold."""
    network = SimpleNamespace(fold=fold, model=SimpleNamespace(name=name, trained=True))
    return SimpleNamespace(
        subject=SimpleNamespace(network=network), read=lambda _: {"scores": scores}
    )


def test_models_are_compared_fold_by_fold():
    """Whatever the order of their folds; models of different folds are not compared."""
    names, shape = ["shape", "scale"], (2, 3, 40, 2)
    scores = np.random.default_rng(0).normal(size=shape)
    stores = [
        scored(name, fold, scores[m, fold]) for m, name in enumerate("ab") for fold in range(3)
    ]
    expected = list(score_controls.difference_rows(names, stores, {}))
    turned = list(score_controls.difference_rows(names, [*stores[:3], *reversed(stores[3:])], {}))
    assert expected and turned == expected
    moved = [*stores[:3], *(scored("b", fold + 1, scores[1, fold]) for fold in range(3))]
    assert list(score_controls.difference_rows(names, moved, {})) == []
