"""Similarity of representations: by hand, by other libraries, by chance, and of models over their folds."""

import math
import tracemalloc
from itertools import combinations_with_replacement

import numpy as np
import pytest
import scipy.spatial

from dml_analysis.controls import compared_representations
from dml_analysis.errors import InputError
from dml_analysis.metrics import representation_similarity as module
from dml_analysis.metrics.coordinates import ZeroEmbedding
from dml_analysis.metrics.representation_similarity import (
    MEASURES,
    linear_cka,
    mutual_knn,
    procrustes,
    representation_similarity,
)
from dml_analysis.networks.specifications import ALL_FOLDS

NAN = float("nan")


# --------------------------------------------------------------------------------------------------
# Centred kernel alignment.
# --------------------------------------------------------------------------------------------------
def plain_cka(x, y):
    """From kernels (n, n) without their diagonals, doubly centred as Song et al. (2012) and Szekely and Rizzo (2014) do."""
    centred = []
    for each in (np.asarray(x, dtype=float), np.asarray(y, dtype=float)):
        n, kernel = len(each), each @ each.T
        np.fill_diagonal(kernel, 0)
        rows = kernel.sum(axis=1) / (n - 2)
        kernel = kernel - rows[:, None] - rows + kernel.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(kernel, 0)
        centred.append(kernel)
    k, l = centred  # noqa: E741
    return (k * l).sum() / math.sqrt((k * k).sum() * (l * l).sum())


def test_cka_by_hand():
    # HSIC_1 times n (n - 3) is tr(KL) + sum(K) sum(L) / 6 - sum(KL), of kernels without diagonals. K has 3, -3, -9, -1, -3, 3
    # above its diagonal, and rows of -9, -1, -1, -9; L has -1, -1, 1, 1, -1, -1, and rows of -1.
    x, y = np.array([[-3], [-1], [1], [3]]), np.array([[1], [-1], [-1], [1]])
    across = 2 * (-3 + 3 - 9 - 1 + 3 - 3) + 20 * 4 / 6 - 20
    own = 2 * (9 + 9 + 81 + 1 + 9 + 9) + 20 * 20 / 6 - 164, 2 * 6 + 4 * 4 / 6 - 4
    assert linear_cka(x, y) == pytest.approx(across / math.sqrt(own[0] * own[1]), rel=1e-12)
    assert linear_cka(x, y) == pytest.approx(
        -80 / math.sqrt(416 * 32), rel=1e-12
    )  # it can be negative
    assert linear_cka(x, x) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("n", [4, 5, 24, 300])
def test_cka_by_kernels(n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(3, 1, size=(n, 4)), rng.normal(-5, 1, size=(n, 7))
    y[:, :4] += x
    assert linear_cka(x, y) == pytest.approx(plain_cka(x, y), rel=1e-9)


@pytest.mark.parametrize("n, trials", [(24, 100), (96, 50), (600, 10)])
def test_unrelated_embeddings_have_a_cka_of_about_zero(n, trials):
    """That of kernels with their diagonals is 0.85 at 24 images, 0.57 at 96 and 0.17 at 600."""
    rng = np.random.default_rng(20)
    values = [linear_cka(*rng.normal(size=(2, n, 128))) for _ in range(trials)]
    assert abs(np.mean(values)) < 0.02 and min(values) < 0


def test_cka_does_not_mind_rotation_scale_and_place():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 5)), rng.normal(size=(50, 3))
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert (
        linear_cka(x @ turn * 7 + 3, y)
        == pytest.approx(linear_cka(x, y), rel=1e-9)
        == linear_cka(y, x)
    )
    assert linear_cka(x, x @ turn * 0.1 - 8) == pytest.approx(1, rel=1e-12)
    assert linear_cka(x, x * [1, 1, 1, 1, 5]) < 0.95  # other maps change it


def test_cka_block_by_block(monkeypatch):
    rng = np.random.default_rng(2)
    x, y = rng.normal(2, 1, size=(23, 4)), rng.normal(size=(23, 3))
    whole = linear_cka(x, y)
    monkeypatch.setattr(module, "BLOCK", 5)
    assert linear_cka(x, y) == pytest.approx(whole, rel=1e-12)


def test_cka_needs_no_matrix_of_all_pairs_of_images():
    """100,000 embeddings, whose kernels would take 80 GB each; the second is the first and as much noise."""
    rng = np.random.default_rng(21)
    x = rng.normal(size=(100_000, 8)).astype("f4")
    y = np.concatenate([x, rng.normal(size=x.shape).astype("f4")], axis=1)
    assert linear_cka(x, y) == pytest.approx(1 / 2**0.5, abs=0.005)  # 8 / sqrt(8 * 16)


@pytest.mark.parametrize(
    "same", [np.full((7, 3), 0.1), np.diag(range(1, 8)), 0.1 * np.eye(7)[:, :1]]
)
def test_embeddings_that_are_constant_or_orthogonal_have_no_cka(same):
    """All images alike (seven times 0.1 have a mean that is not quite 0.1); orthogonal ones; one image unlike the others."""
    x = np.random.default_rng(4).normal(size=(7, 3))
    for given, which in (((x, same), "second"), ((same, x), "first")):
        with pytest.raises(
            ValueError, match=f"in the {which} embeddings all images are equal or orthogonal"
        ):
            linear_cka(*given)


@pytest.mark.parametrize(
    "x, y", [([[1], [2]], [[1], [2], [3]]), ([1, 2], [[1], [2]]), (np.empty((0, 2)), np.empty((0, 2))),
             ([[1], [2], [4]], [[1], [3], [2]]), ([[1], [2], [4], [NAN]], [[1], [2], [4], [3]]),
             ([[1], [2], [4], [3]], [[1], [2], [4], [math.inf]])],
)  # fmt: skip
def test_cka_takes_embeddings_of_the_same_four_images_or_more(x, y):
    with pytest.raises(ValueError, match="embeddings"):
        linear_cka(x, y)


# --------------------------------------------------------------------------------------------------
# Procrustes.
# --------------------------------------------------------------------------------------------------
def test_procrustes_by_hand():
    # Of one dimension, it is the absolute correlation: (-3)(-2) + (-1)(1) + 3 = 8, over sqrt(20 * 6)
    x, y = [[-3], [-1], [1], [3]], [[-2], [1], [0], [1]]
    assert procrustes(x, y) == pytest.approx(8 / math.sqrt(20 * 6), rel=1e-12)
    # X'Y is diag(2 * 1, 2 * 3) over norms of sqrt(2 + 2) and sqrt(2 + 18): the nuclear norm is its sum
    x, y = (
        np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]),
        np.array([[1, 0], [-1, 0], [0, 3], [0, -3]]),
    )
    assert procrustes(x, y) == pytest.approx((2 + 6) / math.sqrt(4 * 20), rel=1e-12)


@pytest.mark.parametrize("dimensions", [1, 2, 7])
def test_procrustes_of_scipy(dimensions):
    """Its disparity is the smallest squared distance over rotations and scales, 1 - similarity^2."""
    rng = np.random.default_rng(dimensions)
    x, y = rng.normal(size=(2, 30, dimensions))
    *_, disparity = scipy.spatial.procrustes(x, y + x)
    assert procrustes(x, y + x) == pytest.approx(math.sqrt(1 - disparity), rel=1e-9)


# --------------------------------------------------------------------------------------------------
# Mutual nearest neighbours.
# --------------------------------------------------------------------------------------------------
def on_circle(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_mutual_neighbors_by_hand():
    # Nearest in the first: 1, 0, 1, 4, 3; in the second: 1, 0, 3, 2, 3: three of five agree
    x, y = on_circle(0, 10, 25, 100, 110), on_circle(0, 10, 100, 112, 130)
    assert mutual_knn(x, y, 1) == pytest.approx(3 / 5)
    # Two nearest: 12 02 10 42 32, and 12 02 34 24 32: 2, 2, 0, 2, 2 in common
    assert mutual_knn(x, y, 2) == pytest.approx((2 + 2 + 0 + 2 + 2) / 10)
    # By cosine: lengths do not count
    assert mutual_knn(x * [[1], [5], [0.1], [7], [1]], y, 1) == pytest.approx(3 / 5)


def test_tied_neighbors_share_their_places():
    # For 0, images 1 and 2 tie for the nearest place: each has it with probability 1/2. The others' are
    # 0 or 2 for 1 (they tie), 0 or 1 for 2, and 4 and 3 for 3 and 4.
    x = on_circle(0, 0, 0, 100, 110)
    assert mutual_knn(x, x, 1) == pytest.approx((3 * (1 / 4 + 1 / 4) + 2) / 5)
    # Embeddings that are all equal are at chance
    same = np.ones((9, 2))
    others = np.random.default_rng(0).normal(size=(9, 3))
    assert mutual_knn(same, others, 3) == pytest.approx(3 / 8)


def test_mutual_neighbors_by_a_plain_loop():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 5))
    y = x + rng.normal(size=(60, 5))

    def nearest(points, image):
        cosines = points @ points[image] / np.linalg.norm(points, axis=1)
        cosines[image] = -np.inf
        return set(np.argsort(-cosines)[:7])

    expected = np.mean([len(nearest(x, image) & nearest(y, image)) / 7 for image in range(60)])
    assert mutual_knn(x, y, 7) == pytest.approx(expected, rel=1e-12)


def test_neighbors_need_no_matrix_of_all_pairs_of_images():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 4000, 8))
    mutual_knn(x[:20], y[:20])  # so that it is compiled
    tracemalloc.start()
    mutual_knn(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000


def test_neighbors_that_are_refused(monkeypatch):
    x = np.random.default_rng(3).normal(size=(8, 3))
    for k in (0, 7):
        with pytest.raises(ValueError, match=f"neighbors is {k}, but must be from 1 to 6, for 8"):
            mutual_knn(x, x, k)
    with pytest.raises(ZeroEmbedding, match="embedding 2 is zero"):
        mutual_knn(x, x * (np.arange(8) != 2)[:, None], 3)
    monkeypatch.setattr(module, "MAX_TIES", 8 * 3)
    assert mutual_knn(x, x, 3) == 1
    with pytest.raises(ValueError, match="in the second embeddings too many images tie"):
        mutual_knn(x, np.ones((8, 3)), 3)


# --------------------------------------------------------------------------------------------------
# All measures, and their permutation nulls.
# --------------------------------------------------------------------------------------------------
every_measure = pytest.mark.parametrize("measure", MEASURES)


@every_measure
def test_it_does_not_mind_rotation_scale_and_order(measure):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(50, 5)), rng.normal(size=(50, 3))
    turn, order = np.linalg.qr(rng.normal(size=(5, 5)))[0], rng.permutation(50)

    def value(x, y):
        return representation_similarity(x, y, measure, permutations=2).value

    assert value(x, 7 * x @ turn) == pytest.approx(1, rel=1e-12)
    assert value(x, y) == pytest.approx(value(y, x), rel=1e-12)
    assert value(x, y) == pytest.approx(value(x[order] @ turn, y[order]), rel=1e-12)
    for scale in (1e37, 1e300, 1e-300):
        assert value(x * scale, y) == pytest.approx(value(x, y), rel=1e-12)
    assert value(x.astype("f4") * np.float32(1e37), y) == pytest.approx(value(x, y), rel=1e-4)


@every_measure
def test_unrelated_embeddings_are_as_alike_as_their_null(measure):
    rng, found = np.random.default_rng(5), []
    for seed in range(40):
        x, y = rng.normal(size=(2, 40, 6))
        found.append(representation_similarity(x, y, measure, permutations=19, seed=seed))
    values, means, stds, p_values = np.array(found).T
    assert abs(np.mean((values - means) / stds)) < 0.7
    assert 0.3 < np.mean(p_values) < 0.75 and min(p_values) >= 1 / 20
    expected = {"linear_cka": 0, "mutual_knn": 10 / 39}
    if measure in expected:
        assert np.mean(means) == pytest.approx(expected[measure], abs=0.01)


@every_measure
def test_related_embeddings_are_more_alike_than_their_null(measure):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(60, 6))
    found = representation_similarity(x, x + rng.normal(size=x.shape), measure, permutations=50)
    assert found.value > found.null_mean + 4 * found.null_std and found.p_value == 1 / 51
    again, other = (
        representation_similarity(x, x + 1, measure, permutations=9, seed=seed) for seed in (0, 1)
    )
    assert again == representation_similarity(x, x + 1, measure, permutations=9)
    assert again.null_mean != other.null_mean


@every_measure
def test_the_null_is_of_permuted_images(measure):
    """All three measures of permuted embeddings, by a permutation that is known."""
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 5))
    order = np.random.default_rng(8).permutation(30)
    first, second = (MEASURES[measure].prepare(each, 10, "") for each in (x, y))
    permuted = MEASURES[measure].compare(first, second, order)
    expected = representation_similarity(x, y[order], measure, permutations=2).value
    assert permuted == pytest.approx(expected, rel=1e-12)


def test_what_is_no_measure():
    x = np.random.default_rng(9).normal(size=(20, 3))
    with pytest.raises(
        ValueError, match="unknown measure 'cka'; known: linear_cka, mutual_knn, pro"
    ):
        representation_similarity(x, x, "cka")
    with pytest.raises(ValueError, match="permutations is 1, but at least two are needed"):
        representation_similarity(x, x, permutations=1)
    with pytest.raises(ValueError, match="in the second embeddings all images are equal"):
        representation_similarity(x, np.full((20, 2), 0.1), "procrustes")


# --------------------------------------------------------------------------------------------------
# Of models.
# --------------------------------------------------------------------------------------------------
def table_of(**models):
    comparer = compared_representations.Comparer("demo", models)
    pairs = [pair for pair in combinations_with_replacement(models, 2) if comparer.folds(*pair)]
    similarities = {pair: comparer.similarities(*pair, seed=0, permutations=3) for pair in pairs}
    return compared_representations.table_of(comparer, similarities)


def test_models_are_compared_fold_by_fold_and_with_themselves():
    rng = np.random.default_rng(22)
    a, b = rng.normal(size=(2, 2, 30, 5))  # two folds each
    table = table_of(A={0: a[0], 3: a[1]}, B={3: b[1], 0: b[0]}).set_index(
        ["measure", "loss_a", "loss_b"]
    )
    for measure, function in (
        ("linear_cka", plain_cka),
        ("procrustes", procrustes),
        ("mutual_knn", mutual_knn),
    ):
        expected = {
            ("A", "A"): function(a[0], a[1]),
            ("A", "B"): (function(a[0], b[0]) + function(a[1], b[1])) / 2,
            ("B", "B"): function(b[0], b[1]),
        }
        assert table.loc[measure].similarity.to_dict() == pytest.approx(expected)
    assert table.n_pairs.tolist() == 3 * [1, 2, 1] and set(table.n_images) == {30}
    matrix = compared_representations.matrix(table.reset_index(), "linear_cka", ["B", "A"])
    assert matrix[0, 1] == matrix[1, 0] == table.similarity["linear_cka", "A", "B"]
    assert matrix.diagonal().tolist() == [1, 1]


def test_a_network_for_all_folds_is_compared_with_each():
    rng = np.random.default_rng(23)
    a, b = rng.normal(size=(2, 2, 30, 5))
    table = table_of(A={0: a[0], 1: a[1]}, B={ALL_FOLDS: b[0]})
    rows = table[table.measure == "linear_cka"].set_index(["loss_a", "loss_b"])
    assert rows.index.tolist() == [("A", "A"), ("A", "B")]
    assert rows.similarity["A", "B"] == pytest.approx(
        (plain_cka(a[0], b[0]) + plain_cka(a[1], b[0])) / 2
    )
    for folds in ({0: b[0]}, {0: b[0], 2: b[1]}):
        with pytest.raises(InputError, match="by A and B: they are of folds 0, 1 and 0.*; run"):
            table_of(A={0: a[0], 1: a[1]}, B=folds)


@pytest.mark.parametrize(
    "embeddings, words",
    [(np.zeros((30, 5)), "in the compared embeddings all images are equal or .*; check its networks"),
     (np.eye(3), "of at least 4 images, not 3; .* `images` of `properties`")],
)  # fmt: skip
def test_models_without_a_similarity_are_named(embeddings, words):
    good = np.random.default_rng(24).normal(size=(len(embeddings), 5))
    with pytest.raises(InputError, match=f"^settings 'demo': embeddings by [AB]: .*{words}"):
        table_of(A={0: good}, B={0: embeddings})
