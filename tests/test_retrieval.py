"""Retrieval: all orders of tied images, literals worked out by hand, pytorch-metric-learning, and NR-Precision."""

import itertools
import tracemalloc

import numpy as np
import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from sklearn.metrics import average_precision_score

from dml_analysis.metrics import retrieval as module
from dml_analysis.metrics.coordinates import ZeroEmbedding, unit
from dml_analysis.metrics.nr_precision import nr_precision
from dml_analysis.metrics.retrieval import (
    Retrieval,
    expected_scores,
    retrieval,
    retrieval_of_queries,
    retrieval_scores,
    tied_groups,
)
from dml_analysis.paper import RAW_EUCLIDEAN

RNG = np.random.default_rng(5)
RANDOM, CLASSES = RNG.normal(size=(90, 12)) + 0.5, RNG.integers(0, 7, 90)
LONE = np.where(np.arange(90) < 2, [50, 51] * 45, CLASSES)  # two images are alone in their class
SIGNS, QUARTERS = (
    np.sign(np.random.default_rng(0).normal(size=(600, 16))),
    np.repeat(np.arange(30), 20),
)


def on_line(*places):
    return np.array(places, dtype=float)[:, None]


def scores_of(groups):
    """Retrieval of one query, by (closer, matches, others) of each group of ties with a match."""
    scores = np.empty(len(Retrieval._fields))
    expected_scores(*np.array(groups, dtype=np.int64).T, scores)
    return Retrieval(*scores.tolist())


def plain(matches):
    """Retrieval of a query by whether each image is a match, the nearest first."""
    matches, count = np.asarray(matches), sum(matches)
    precisions = matches * np.cumsum(matches) / np.arange(1, len(matches) + 1)
    recalls = [float(matches[:k].any()) for k in (1, 2, 4)]
    at_1000 = precisions[: module.MAX_RANK].sum() / min(count, module.MAX_RANK)
    return [
        *recalls,
        matches[:count].mean(),
        precisions[:count].sum() / count,
        precisions.sum() / count,
        at_1000,
    ]


# ---------------------------------------------------------------------------------------------------------------------
# Ties.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("max_rank", [1000, 3])
@pytest.mark.parametrize("distances, same", [([1, 1, 1, 2, 2, 3], [1, 0, 1, 0, 1, 1]), ([1, 2, 2, 2, 2, 3], [0, 1, 0, 0, 1, 0]),
                                             ([1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]), ([1, 1, 2, 2, 3, 3], [0, 0, 1, 1, 0, 1])])  # fmt: skip
def test_all_orders_of_tied_images(distances, same, max_rank, monkeypatch):
    """The mean over all permutations of six images, each brought into an order of their distances that keeps the permutation."""
    monkeypatch.setattr(module, "MAX_RANK", max_rank)
    orders = [
        sorted(order, key=lambda i: distances[i]) for order in itertools.permutations(range(6))
    ]
    expected = np.mean([plain([same[i] for i in order]) for order in orders], axis=0)
    labels = np.array([0, *(1 - np.array(same))])
    score = (
        module.expected_scores.py_func
    )  # uncompiled, so that it sees the maximum rank that is set here
    groups = tied_groups(
        np.array([0.0, *distances])[np.argsort(labels, kind="stable")], 0, 0, 1 + sum(same), 1e-9
    )
    scores = np.empty(7)
    score(*groups, scores)
    assert scores == pytest.approx(expected)
    if max_rank == 1000:
        found = retrieval_of_queries(on_line(0, *distances), labels)[0]
        assert found == pytest.approx(expected)


def test_groups_by_hand():
    """A query at 0; its class at -1, 2 and 4; others at 1, 2 (twice), 3 and 5. Equal: one match with one, one with two, one alone."""
    labels = [0, 0, 0, 0, 1, 1, 1, 1, 1]
    distances = np.array([0, 1, 4, 16, 1, 4, 4, 9, 25.0])
    groups = tied_groups(distances, 0, 0, 4, 1e-9)
    assert [each.tolist() for each in groups] == [[0, 2, 6], [1, 1, 1], [1, 2, 0]]
    found = Retrieval(*retrieval_of_queries(on_line(0, -1, 2, 4, 1, 2, 2, 3, 5), labels)[0])
    # Of the first two one is a match: Recall@1 1/2, Recall@2 1. R = 3: 1 match in two places, and 1/3 in the third.
    assert found[:4] == pytest.approx((1 / 2, 1, 1, (1 + 1 / 3) / 3))
    # Ranks 1, 2: half a match each, precision 1, 1/2. Ranks 3, 4, 5: a third each, precision 2/3, 2/4, 2/5. Rank 7: 3/7.
    first, third = (1 + 1 / 2) / 2, 2 / 3 / 3
    assert found.map_at_r == pytest.approx((first + third) / 3)
    assert (
        found.mean_ap
        == pytest.approx((first + (2 / 3 + 2 / 4 + 2 / 5) / 3 + 3 / 7) / 3)
        == found.mean_ap_1000
    )


def test_two_matches_tie_with_two_others():
    """After one closer image: Recall@1 0; @2 2/4; @4 three of four places: 1. R = 2: rank 2, a match with probability 1/2.

    Precision at ranks 2, 3, 4, 5 if there is a match: (1 + 0) / 2, (1 + 1/3) / 3, (1 + 2/3) / 4, (1 + 1) / 5.
    """
    found = scores_of([(1, 2, 2)])
    assert found[:5] == pytest.approx((0, 1 / 2, 1, 1 / 4, 1 / 2 * 1 / 2 / 2))
    assert found.mean_ap == pytest.approx((1 / 2 + 4 / 9 + 5 / 12 + 2 / 5) / 2 / 2)
    assert scores_of([(0, 1, 5)]).recall_at_4 == pytest.approx(4 / 6)
    assert scores_of([(0, 2, 4)]).recall_at_2 == pytest.approx(1 - 4 / 6 * 3 / 5)


def test_ranks_beyond_the_thousandth():
    """1,000 matches first and another at rank 5,000; matches at ranks 2 and 1,001."""
    assert scores_of([(0, 1000, 0), (4999, 1, 0)]).mean_ap_1000 == pytest.approx(1)
    assert scores_of([(1, 1, 0), (1000, 1, 0)]).mean_ap_1000 == pytest.approx(1 / 2 / 2)


def test_the_same_embedding_for_all_is_chance():
    """12 images in three classes: 3 matches among 11 others."""
    for points in (np.ones((12, 3)), np.zeros((12, 3))):
        found = retrieval(points, np.repeat([0, 1, 2], 4))
        chosen = [1 - np.prod([(8 - i) / (11 - i) for i in range(k)]) for k in (1, 2, 4)]
        assert found[:4] == pytest.approx((*chosen, 3 / 11))
        # Rank p: a match with probability 3 / 11, and of those before it 2 / 10 are.
        assert found.map_at_r == pytest.approx(
            3 / 11 * sum((1 + (p - 1) * 2 / 10) / p for p in (1, 2, 3)) / 3
        )


@pytest.mark.parametrize("distance", ["Cosine Similarity", "SNR Distance", RAW_EUCLIDEAN])
def test_the_order_of_images_makes_no_difference(distance):
    """Signs in 16 dimensions have few distances, so most images tie."""
    whole = retrieval_scores(SIGNS, QUARTERS, distance)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(600)
        assert retrieval_scores(SIGNS[order], QUARTERS[order], distance) == pytest.approx(
            whole, rel=1e-12
        )
    reverse = retrieval_of_queries(SIGNS[::-1], QUARTERS[::-1])[::-1]
    np.testing.assert_allclose(reverse, retrieval_of_queries(SIGNS, QUARTERS), rtol=1e-12)


@pytest.mark.parametrize("dimensions", [16, 12, 50])
@pytest.mark.parametrize("lengths", [1, np.linspace(0.1, 7, 600)[:, None]])
def test_ties_outlast_rounding(dimensions, lengths):
    """Signs of any length, in dimensions whose root is no binary number: as the whole numbers that cosines are multiples of."""
    signs = np.sign(np.random.default_rng(1).normal(size=(600, dimensions)))
    expected = np.full((600, 7), np.nan)
    for i in range(600):
        groups = tied_groups(-(signs @ signs[i]), i, QUARTERS[i] * 20, QUARTERS[i] * 20 + 20, 0.5)
        expected_scores(*groups, expected[i])
    np.testing.assert_allclose(
        retrieval_of_queries(unit(signs * lengths), QUARTERS), expected, rtol=1e-12
    )


def test_copies_tie_wherever_they_stand():
    """A product of matrices rounds the cosines of copies differently, by their place, at this size."""
    labels = np.arange(5003) % 1250
    copies = np.tile(np.random.default_rng(1).normal(size=128), (5003, 1))
    found = retrieval_of_queries(copies + np.arange(128), labels)[:, 0]
    np.testing.assert_allclose(found, (np.bincount(labels)[labels] - 1) / 5002)


def test_collapsed_but_not_equal():
    """Embeddings that differ in their seventh digit alone are still told apart, and far from the origin, too."""
    fine = np.random.default_rng(2).normal(size=(60, 4))
    labels = np.arange(60) // 4
    for shifted in (1 + 1e-7 * fine, 1e6 + fine):
        np.testing.assert_allclose(retrieval(shifted, labels), retrieval(fine, labels))


# ---------------------------------------------------------------------------------------------------------------------
# Against others.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("block", [8 * 90 * 90, 8 * 90 * 7, 1])
def test_against_other_libraries(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    names = (
        "precision_at_1",
        "r_precision",
        "mean_average_precision_at_r",
        "mean_average_precision",
    )
    calculator = AccuracyCalculator(
        names, k=89, knn_func=CustomKNN(CosineSimilarity()), device=torch.device("cpu")
    )
    theirs = calculator.get_accuracy(torch.as_tensor(RANDOM), torch.as_tensor(LONE))
    found = retrieval(unit(RANDOM), LONE)
    ours = (found.recall_at_1, found.r_precision, found.map_at_r, found.mean_ap)
    assert ours == pytest.approx([theirs[name] for name in names])
    assert retrieval_scores(RANDOM, LONE) == pytest.approx(found)
    cosines, queries = (
        unit(RANDOM) @ unit(RANDOM).T,
        [i for i in range(90) if (LONE == LONE[i]).sum() > 1],
    )
    others = [np.delete(np.arange(90), i) for i in queries]
    precisions = [
        average_precision_score(LONE[some] == LONE[i], cosines[i, some])
        for i, some in zip(queries, others)
    ]
    assert found.mean_ap == pytest.approx(np.mean(precisions))
    for k, value in zip((1, 2, 4), found):
        nearest = [some[np.argsort(-cosines[i, some])[:k]] for i, some in zip(queries, others)]
        assert value == pytest.approx(
            np.mean([LONE[i] in LONE[some] for i, some in zip(queries, nearest)])
        )


@pytest.mark.parametrize("points, labels", [(RANDOM, LONE), (SIGNS, QUARTERS), (np.ones((12, 3)), np.repeat([0, 1, 2], 4)),
                                            (np.round(RANDOM), CLASSES)])  # fmt: skip
def test_r_precision_is_that_of_nr_precision(points, labels):
    expected = nr_precision(points, labels[:, None]).r_precision[0]
    assert retrieval(points, labels).r_precision == pytest.approx(expected, rel=1e-12)


def test_raw_and_normalised_distances():
    """From 1 degree, length 1: by angle 0 degrees at length 9 is nearest, by raw distance 60 degrees at length 1."""
    angles, lengths = np.radians([1, 0, 60, 180]), np.array([1, 9, 1, 9])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]
    first = {name: retrieval_scores(points[:3], [0, 0, 1], name).recall_at_1 for name in ("Euclidean Distance", RAW_EUCLIDEAN)}  # fmt: skip
    # By raw distance the second image's nearest is the first one as well (8.0 against 8.5), and the first's is the third.
    assert first == {"Euclidean Distance": 1, RAW_EUCLIDEAN: 0.5}


def test_snr_takes_off_the_mean():
    """By cosine (1, 0, 0) is nearest to (2, 1, 1); less their means both are one direction, (2, -1, -1) and (2, -1, -1) / 3."""
    points = np.array([[1, 0, 0], [2, 1, 1], [1, 1, 0], [2, -1, -1]], dtype=float)
    by_loop = []
    normalised = unit(points)
    for i in range(4):
        ratios = [
            np.var(normalised[i] - each, ddof=1) / np.var(normalised[i], ddof=1)
            for each in normalised
        ]
        by_loop.append(np.argsort(ratios)[1])
    labels = np.array([0, 0, 1, 1])
    expected = np.mean(labels[by_loop] == labels)
    assert retrieval_scores(points, labels, "SNR Distance").recall_at_1 == expected


# ---------------------------------------------------------------------------------------------------------------------
# Memory and bad input.
# ---------------------------------------------------------------------------------------------------------------------
def test_memory_is_bounded(monkeypatch):
    """3,000 images in two classes: pytorch-metric-learning would take 77 bytes x 3,000 x 1,500."""
    monkeypatch.setattr(module, "BLOCK_BYTES", 2**22)
    points, labels = np.random.default_rng(0).normal(size=(3000, 8)), np.arange(3000) % 2
    retrieval(points[:10], labels[:10])  # so that it is compiled
    tracemalloc.start()
    retrieval(points, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2**22 < peak < 3 * 2**22


def test_queries():
    assert np.isnan(retrieval(np.eye(3), [0, 1, 2])).all()
    assert np.isnan(retrieval_of_queries(RANDOM, LONE)[:2]).all()


@pytest.mark.parametrize("points, labels, words", [(np.eye(3), [0, 0], "need labels of all 3 images, not of 2"), (np.eye(3)[0], [0] * 3, r"need coordinates \(n, d\)"),
                                                   (np.diag([1, np.nan, 1]), [0] * 3, "NaN or infinite")])  # fmt: skip
def test_what_is_no_coordinates(points, labels, words):
    with pytest.raises(ValueError, match=words):
        retrieval(points, labels)


def test_zero_embeddings():
    points = np.array([[1.0, 2], [0, 0], [1, 1], [2, 1]])
    for distance in ("Cosine Similarity", "SNR Distance", "Squared Euclidean"):
        with pytest.raises(ZeroEmbedding, match="embedding 1 is zero") as error:
            retrieval_scores(points, [0, 0, 1, 1], distance)
        assert error.value.row == 1
    # The last's nearest is of its class; the third's is the first or the last, which tie.
    assert retrieval_scores(points, [0, 0, 1, 1], RAW_EUCLIDEAN).recall_at_1 == pytest.approx(
        (1 + 1 / 2) / 4
    )
