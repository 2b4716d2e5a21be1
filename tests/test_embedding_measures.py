"""Measures of embedding spaces: literals worked out by hand, plain loops, and other libraries."""

import math

import numpy as np
import pytest

from dml_analysis.metrics.clustering import agreement, clustering
from dml_analysis.metrics.embedding_measures import LABELS, measured
from dml_analysis.metrics.geometry import (
    ZeroMean,
    decay_of,
    pi_inter,
    pi_intra,
    pi_ratio,
    singular_values,
    spectral_decay,
)

RNG = np.random.default_rng(5)
RANDOM, CLASSES = RNG.normal(size=(90, 12)) + 0.5, RNG.integers(0, 7, 90)


def on_circle(*degrees):
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)


# --------------------------------------------------------------------------------------------------
# Density.
# --------------------------------------------------------------------------------------------------
def test_three_points_on_a_circle():
    """0 and 60 degrees are of one class, 120 of another: 1 - cos 60 inside; the class means are at 30 and 120."""
    points, labels = (
        on_circle(0, 60, 120) * [[2], [0.1], [7]],
        [0, 0, 1],
    )  # lengths make no difference
    assert pi_intra(points, labels) == pytest.approx(0.5)  # the class of one image is left out
    assert pi_inter(points, labels) == pytest.approx(1)
    assert pi_ratio(points, labels) == pytest.approx(0.5)
    assert pi_intra(points, [0, 1, 2]) != pi_intra(points, [0, 1, 2]) and np.isnan(
        pi_inter(points, [4, 4, 4])
    )


def test_classes_count_alike():
    # 0, 90 of one class: 1; 0, 0, 60 of another: (0 + .5 + .5) / 3; not by pairs, which would be (1 + 1) / 4
    assert pi_intra(on_circle(0, 90, 0, 0, 60), [0, 0, 1, 1, 1]) == pytest.approx((1 + 1 / 3) / 2)


def cosine_distance(a, b):
    return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_plain_loops_over_pairs():
    members = [RANDOM[CLASSES == label] for label in range(7)]
    inside = [
        np.mean([cosine_distance(a, b) for i, a in enumerate(some) for b in some[:i]])
        for some in members
    ]
    assert pi_intra(RANDOM, CLASSES) == pytest.approx(np.mean(inside))
    means = [np.mean([each / np.linalg.norm(each) for each in some], axis=0) for some in members]
    between = np.mean([cosine_distance(a, b) for i, a in enumerate(means) for b in means[:i]])
    assert pi_inter(RANDOM, CLASSES) == pytest.approx(between)
    assert pi_ratio(RANDOM, CLASSES) == pytest.approx(np.mean(inside) / between)


def test_one_point_for_all_has_no_density():
    assert np.isnan(pi_ratio(np.ones((4, 3)), [0, 0, 1, 1])) and pi_intra(
        np.ones((4, 3)), [0, 0, 1, 1]
    ) == pytest.approx(0, abs=1e-12)


# --------------------------------------------------------------------------------------------------
# The spectrum.
# --------------------------------------------------------------------------------------------------
def test_an_orthonormal_set_has_no_decay():
    for reverse in (False, True):
        assert spectral_decay(np.eye(5) * 3, 1, reverse) == pytest.approx(0, abs=1e-12)
        assert spectral_decay(np.eye(5), 4, reverse) == pytest.approx(0, abs=1e-12)


@pytest.mark.filterwarnings("error")
def test_a_rank_one_set():
    points = np.outer([1, 2, -3, 4], [3, 4, 0])  # all on one line
    assert spectral_decay(points) == math.inf and spectral_decay(
        points, reverse=True
    ) == pytest.approx(math.log(3))
    assert np.isnan(spectral_decay(points, 2)) and np.isnan(spectral_decay(points, 2, reverse=True))


def test_two_points():
    """At an angle of 60 degrees the eigenvalues of the Gram matrix are 1 + .5 and 1 - .5."""
    values = singular_values(on_circle(0, 60))
    assert values == pytest.approx([1.5**0.5, 0.5**0.5])
    s1 = 1.5**0.5 / (1.5**0.5 + 0.5**0.5)  # .633975
    forward = 0.5 * math.log(0.5 / s1) + 0.5 * math.log(0.5 / (1 - s1))
    backward = s1 * math.log(s1 / 0.5) + (1 - s1) * math.log((1 - s1) / 0.5)
    assert (
        spectral_decay(on_circle(0, 60))
        == pytest.approx(forward)
        == pytest.approx(0.037252, abs=1e-6)
    )
    assert (
        spectral_decay(on_circle(0, 60), reverse=True)
        == pytest.approx(backward)
        == pytest.approx(0.036341, abs=1e-6)
    )


def test_decays_by_hand():
    # 4, 2, 1, 1 without the first: shares .5, .25, .25: -ln 3 - (ln .5 + 2 ln .25) / 3 = -1.098612 + 5 ln 2 / 3
    assert decay_of([4, 2, 1, 1], 2) == pytest.approx(5 * math.log(2) / 3 - math.log(3))
    # and ln 3 - 1.5 ln 2
    assert decay_of([4, 2, 1, 1], 2, reverse=True) == pytest.approx(math.log(3) - 1.5 * math.log(2))
    assert decay_of([4, 2, 1, 1], 4) == 0 == decay_of([4, 2, 1, 1], 3)
    # All but 1e-9 of the sum is the first: -ln 2 - (ln 1 + ln 1e-9) / 2; what is below the rounding of the first is zero
    assert decay_of([1, 1e-9]) == pytest.approx(4.5 * math.log(10) - math.log(2))
    assert decay_of([1, 1e-16]) == math.inf
    assert decay_of([4, 2, 0], 1) == math.inf and decay_of([4, 2, 0], 1, reverse=True) < math.inf


@pytest.mark.parametrize("m", [0, 3, -1])
def test_decays_that_there_are_not(m):
    with pytest.raises(ValueError, match="must be from 1 to the 2 singular values"):
        decay_of([2, 1], m)


@pytest.mark.parametrize(
    "bad, words", [([0, 0], "zero"), ([np.nan, 1], "NaN"), ([np.inf, 1], "NaN or infinite")]
)
def test_embeddings_without_a_direction(bad, words):
    for measure in (
        pi_intra,
        pi_inter,
        lambda x, y: singular_values(x),
        lambda x, y: measured(x, y, 0),
        lambda x, y: clustering(x, y, 0),
    ):
        with pytest.raises(ValueError, match=words):
            measure(np.array([[1.0, 2], bad, [1, 1], [2, 1]]), [0, 0, 1, 1])


# --------------------------------------------------------------------------------------------------
# Clusters.
# --------------------------------------------------------------------------------------------------
def test_agreement_by_hand():
    """Images of (class, cluster) a1, a1, b1, b2, b2.

    Pairs in a class: aa, and 3 of bbb: 4; in a cluster: 3 and 1: 4; in both: aa and
    (b2, b2): 2. So F1 = 2 * 2 / (4 + 4). Entropies: both of 2/5 and 3/5: .673012; mutual information: 2/5 ln(2/5 / (2/5 * 3/5))
    + 1/5 ln(1/5 / (3/5 * 3/5)) + 2/5 ln(2/5 / (3/5 * 2/5)) = .8 ln(5/3) + .2 ln(5/9) = .291103.
    """
    found = agreement(["a", "a", "b", "b", "b"], [1, 1, 1, 2, 2])
    assert found == pytest.approx((0.291103 / 0.673012, 0.5), abs=1e-5)
    assert agreement([0, 1, 2], [0, 1, 2]).f1 == 0


def test_agreement_where_clusters_and_classes_differ_in_size():
    """Classes a, a, a, b in clusters 1, 1, 2, 2: of the pairs 3 are in a class, 2 in a cluster and 1 in both.

    F1 = 2 / (3 + 2). Entropies: of 3/4 and 1/4 .562335, of halves .693147, on average .627741; mutual information:
    1/2 ln(4/3) + 1/4 ln(2/3) + 1/4 ln 2 = .215762.
    """
    expected = pytest.approx((0.215762 / 0.627741, 0.4), abs=1e-5)
    assert (
        agreement(["a", "a", "a", "b"], [1, 1, 2, 2])
        == expected
        == agreement([1, 1, 2, 2], ["a", "a", "a", "b"])
    )


def test_clusters_far_apart_are_the_classes():
    labels = np.repeat([0, 1, 2, 3], 10)
    points = np.eye(4)[labels] * 5 + 0.01 * RNG.normal(size=(40, 4))
    assert clustering(points, labels, seed=1) == pytest.approx((1, 1))
    assert (
        clustering(RANDOM, CLASSES, 1)
        == clustering(RANDOM, CLASSES, 1)
        != clustering(RANDOM, CLASSES, 2)
    )


def test_all_measures_by_name():
    found = measured(RANDOM, CLASSES, 0)
    assert list(found) == list(LABELS) and found["rho_2"] == spectral_decay(RANDOM, 2)
    assert (
        found["reverse_rho_10"] == spectral_decay(RANDOM, 10, reverse=True)
        and found["nmi"] == clustering(RANDOM, CLASSES, 0).nmi
    )
    assert np.isnan(measured(RANDOM[:, :4], CLASSES, 0)["rho_10"])


def test_measures_need_a_query():
    with pytest.raises(ValueError, match="no class has two images"):
        measured(np.eye(3), np.arange(3), 0)


@pytest.mark.parametrize("degrees", [(10, 190), (77, 257), (0, 120, 240)])
def test_a_class_whose_mean_is_zero(degrees):
    """Opposite directions; what rounding leaves of their sum is no direction."""
    points, labels = on_circle(20, 30, *degrees), np.array([4, 4] + [7] * len(degrees))
    with pytest.raises(ZeroMean, match="the mean of class 7 is zero"):
        pi_inter(points, labels)
    with pytest.raises(ZeroMean):
        measured(points, labels, 0)
