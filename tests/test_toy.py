"""The toy example: its maths by hand, its training against PyTorch's own parts, and what comes out of it."""

from math import log, sqrt

import numpy as np
import pytest
import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch import nn

from dml_analysis.embedding_space import toy_example, toy_figure

BY_NAME = {variant.name: variant for variant in toy_example.VARIANTS}
CLASSES = np.repeat(np.arange(4), 15)


@pytest.fixture(scope="module")
def rows():
    """Of 20 seeds, as Roth et al.."""
    result = toy_example.train(toy_example.data(), toy_example.VARIANTS, range(20), 0)
    return list(toy_example.rows_of(result))


# --------------------------------------------------------------------------------------------------
# Data, network and loss.
# --------------------------------------------------------------------------------------------------
def test_data():
    data = toy_example.data()
    assert data.train_classes.tolist() == data.test_classes.tolist() == CLASSES.tolist()
    assert (data.train[:, 0] == data.train[:, 1]).all()
    ends = data.train.reshape(4, 15, 2)[:, [0, -1], 0]
    assert ends.tolist() == [[0.1, 0.3], [0.35, 0.55], [0.6, 0.8], [0.85, 1.05]]
    # Of 100 points the second chosen is number 99 / 14 = 7.07, so 7: .1 + 7 / 99 * .2
    assert data.train[1, 0] == pytest.approx(0.1 + 1.4 / 99)
    vertical, horizontal = data.test[:30].reshape(2, 15, 2), data.test[30:].reshape(2, 15, 2)
    assert set(vertical[..., 0].flat) == set(horizontal[..., 1].flat) == {0.2}
    assert vertical[:, [0, -1], 1].tolist() == [[0.2, 0.4], [0.55, 0.85]]
    assert horizontal[:, [0, -1], 0].tolist() == [[0.4, 0.6], [0.7, 0.9]]


# Points of the plane: the anchor at (0, 0), the positive at (.3, .4), the negative at (0, .08) or (0, 1): distances .5, and
# .08 or 1. Away from the anchor they lie in the directions (.6, .8) and (0, 1). The gradient of a distance is its direction.
@pytest.mark.parametrize(
    "loss, negative, value, of_positive, of_negative",
    [
        ("pull and push", 0.08, 0.5 + 0.02, (0.6, 0.8), (0, -1)), ("pull and push", 1, 0.5, (0.6, 0.8), (0, 0)),
        ("push", 0.08, 0.02, (0, 0), (0, -1)), ("push", 1, 0, (0, 0), (0, 0)),
        ("triplet", 0.08, 0.5 - 0.08 + 0.1, (0.6, 0.8), (0, -1)), ("triplet", 1, 0, (0, 0), (0, 0)),
    ],
)  # fmt: skip
def test_losses_by_hand(loss, negative, value, of_positive, of_negative):
    points = torch.tensor(
        [[0, 0], [0.3, 0.4], [0, negative]], dtype=torch.float64, requires_grad=True
    )
    found = toy_example.distances(points)
    cost = toy_example.LOSSES[loss](found[0, 1], found[0, 2], 0.1)
    cost.backward()
    assert cost.item() == pytest.approx(value)
    of_anchor = -np.add(of_positive, of_negative)
    assert points.grad.numpy() == pytest.approx(np.array([of_anchor, of_positive, of_negative]))


def test_equal_points_have_no_gradient():
    points = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
    toy_example.distances(points).sum().backward()
    assert points.grad.tolist() == [[0, 0], [0, 0]]


def test_triplets_by_hand():
    found = list(zip(*toy_example.triplets(np.array([5, 2, 5, 2, 1]))))
    # Positives: 0-2 and 1-3, either way; 4 is alone, and a negative only
    assert found == [(0, 2, 1), (0, 2, 3), (0, 2, 4), (1, 3, 0), (1, 3, 2), (1, 3, 4),
                     (2, 0, 1), (2, 0, 3), (2, 0, 4), (3, 1, 0), (3, 1, 2), (3, 1, 4)]  # fmt: skip


def test_others_of_class():
    classes = np.array([3, 1, 3, 0, 3, 1])
    anchors = np.repeat([0, 1, 2, 4, 5], 3000)
    others = toy_example.others_of_class(anchors, classes, np.random.default_rng(0))
    assert (classes[others] == classes[anchors]).all() and (others != anchors).all()
    assert set(others[anchors == 1]) == {5} and set(others[anchors == 5]) == {1}
    # Half of 3000 each, with a standard deviation of 27
    assert np.bincount(others[anchors == 2]).tolist() == pytest.approx(
        [1500, 0, 0, 0, 1500], abs=110
    )
    with pytest.raises(ValueError):
        toy_example.others_of_class(np.array([3]), classes, np.random.default_rng(0))


def sampled(count, number=0):
    generators = toy_example.generators(0, number)
    return [toy_example.sample_batch(generators, CLASSES) for _ in range(count)]


def test_share_of_switched_triplets():
    batches = sampled(100)
    n_triplets = sum(len(batch.uniform) for batch in batches)
    for p in (0, 0.001, 0.2, 1):
        share = sum((b.switched(p) != b.negatives).sum() for b in batches) / n_triplets
        four_deviations = 4 * sqrt(p * (1 - p) / 220_000)
        assert share == pytest.approx(p, abs=four_deviations)
    # Of three points of a batch: 24 * 23 * 22 * 14 / 59 * 45 / 58 = 2236 triplets of a batch
    assert n_triplets == pytest.approx(223_600, rel=0.01)


def test_batches():
    first, second = sampled(2)
    assert len(set(first.points)) == 24 and first.points.tolist() != second.points.tolist()
    classes = CLASSES[first.points]
    assert (classes[first.anchors] == classes[first.others]).all()
    assert (first.anchors != first.others).all()
    triplets = first.anchors, first.positives, first.negatives
    np.testing.assert_array_equal(triplets, toy_example.triplets(classes))


# --------------------------------------------------------------------------------------------------
# Training.
# --------------------------------------------------------------------------------------------------
def library_loss(variant, embeddings, batch):
    """The mean loss of a batch's triplets by losses that libraries have."""
    negatives = np.where(batch.uniform < variant.p, batch.others, batch.negatives)
    anchors, positives, negatives = map(
        torch.from_numpy, (batch.anchors, batch.positives, negatives)
    )
    if variant.loss == "triplet":
        return TripletMarginLoss(margin=0.1, reducer=MeanReducer())(
            embeddings, None, (anchors, positives, negatives)
        )
    pulled, pushed = (
        nn.functional.pairwise_distance(embeddings[anchors], embeddings[each], eps=0)
        for each in (positives, negatives)
    )
    hinge, ones = nn.HingeEmbeddingLoss(margin=0.1), torch.ones(len(anchors))
    return hinge(pushed, -ones) + (hinge(pulled, ones) if variant.loss == "pull and push" else 0)


def library_training(data, variant, number, seed, iterations):
    """Embeddings (60, 2) of training and of test points by one network of PyTorch's own layers."""
    generators = toy_example.generators(seed, number)
    network = nn.Sequential(
        nn.Linear(2, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 2)
    ).double()
    with torch.no_grad():
        for layer, (weights, biases) in zip(
            network[::2], toy_example.initial_parameters(generators["network"])
        ):
            layer.weight.copy_(torch.from_numpy(weights.T))
            layer.bias.copy_(torch.from_numpy(biases[0]))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(iterations):
        batch = toy_example.sample_batch(generators, data.train_classes)
        optimizer.zero_grad()
        embeddings = nn.functional.normalize(network(torch.from_numpy(data.train[batch.points])))
        library_loss(variant, embeddings, batch).backward()
        optimizer.step()
    return [
        nn.functional.normalize(network(torch.from_numpy(each))).detach().numpy()
        for each in (data.train, data.test)
    ]


@pytest.mark.parametrize(
    "name", ["push only, p = .001", "swap, p = .2", "triplet loss, swap, p = .2"]
)
def test_training_is_that_of_pytorch(name):
    data, variant = toy_example.data(), BY_NAME[name]
    found = toy_example.train(data, [variant], [4], 7, iterations=5)
    train, test = library_training(data, variant, 4, 7, 5)
    assert found.train[0, 0] == pytest.approx(train, abs=1e-9)
    assert found.test[0, 0] == pytest.approx(test, abs=1e-9)


def test_trainings_do_not_depend_on_others():
    data = toy_example.data()
    together = toy_example.train(data, toy_example.VARIANTS, [0, 2], 3, iterations=30)
    alone = toy_example.train(data, toy_example.VARIANTS[4:5], [2], 3, iterations=30)
    assert alone.train[0, 0] == pytest.approx(together.train[4, 1], abs=1e-9)
    assert alone.test[0, 0] == pytest.approx(together.test[4, 1], abs=1e-9)
    other_seed = toy_example.train(data, toy_example.VARIANTS[4:5], [2], 4, iterations=30)
    assert abs(other_seed.train - alone.train).max() > 0.01


def test_variants_of_a_seed_begin_alike():
    found = toy_example.train(
        toy_example.data(), toy_example.VARIANTS, [0, 1], 0, iterations=0
    ).train
    assert found.shape == (7, 2, 60, 2)
    assert (found == found[0]).all() and abs(found[0, 0] - found[0, 1]).max() > 0.01
    assert np.linalg.norm(found, axis=-1) == pytest.approx(np.ones((7, 2, 60)))


def test_initial_parameters_are_as_wide_as_those_of_pytorch():
    found = toy_example.initial_parameters(np.random.default_rng(0))
    torch.manual_seed(0)
    for (weights, biases), (rows, columns) in zip(found, [(2, 30), (30, 30), (30, 2)]):
        layer = nn.Linear(rows, columns)
        assert weights.shape == (rows, columns) and biases.shape == (1, columns)
        largest = layer.weight.abs().max().item()
        assert (
            abs(weights).max() == pytest.approx(largest, rel=0.15)
            and abs(biases).max() < 1.15 * largest
        )


def test_threads_are_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        toy_example.train(toy_example.data(), toy_example.VARIANTS[:1], [0], 0, iterations=1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


# --------------------------------------------------------------------------------------------------
# What came out.
# --------------------------------------------------------------------------------------------------
def test_measured_by_hand():
    # Twice (1, 0), once (0, 1) and once (0, -1): both singular values root 2, so a flat spectrum
    flat = np.array([[1, 0], [1, 0], [0, 1], [0, -1]])
    # The two at (1, 0) are of one class and nearest to each other; the two others are not: 2 of 4
    assert toy_example.measured(flat, [0, 0, 1, 1]) == pytest.approx((0.5, 0.5, 0, 0.5), abs=1e-12)
    # Three and one: root 3 and 1, shares r / (1 + r) and 1 / (1 + r); the mean of -log(2 s) of both
    r = sqrt(3)
    rho = -log(4 * r / (1 + r) ** 2) / 2
    points = np.array([[1, 0], [1, 0], [1, 0], [0, 1]])
    # Of two equally near points the first and third have one of their class, the last has one of three, the second none
    recall = (1 / 2 + 0 + 1 / 2 + 1 / 3) / 4
    assert toy_example.measured(points, [0, 1, 0, 1]) == pytest.approx(
        (r / (1 + r), 1 / (1 + r), rho, recall)
    )


def test_rows():
    data = toy_example.data()
    spaces = np.zeros((2, 3, 60, 2))
    spaces[..., 0] = 1
    spaces[1, 2, :15] = (0, 1)  # 45 and 15 points: singular values root 45 and root 15
    result = toy_example.Result(
        data, toy_example.VARIANTS[:2], (5, 6, 8), spaces, spaces[::-1, ::-1]
    )
    found = list(toy_example.rows_of(result))
    assert [row[:2] for row in found] == [
        (variant, number) for variant in ("plain", "push only, p = 0") for number in (5, 6, 8)
    ]
    assert all(len(row) == len(toy_example.COLUMNS) for row in found)
    train = dict(zip(toy_example.COLUMNS, found[-1]))
    test = dict(zip(toy_example.COLUMNS, found[0]))
    assert train["s2"] == test["test_s2"] == pytest.approx(1 / (1 + sqrt(3)))
    # Always for the first class; the 45 points of the three others are one, and 14 of 44 are of the query's class
    assert train["recall_at_1"] == test["test_recall_at_1"] == pytest.approx((1 + 3 * 14 / 44) / 4)
    assert train["test_s2"] == test["s2"] == 0 and test["rho"] == float("inf")


def test_summary_by_hand():
    rows = [("a", 0, 0.9, 0.1), ("b", 0, 0.5, 0.5), ("a", 1, 0.7, 0.3), ("b", 1, 0.5, 0.5)]
    (a, *values), b = toy_example.summary(rows)
    # Mean .2, deviation .1414 of two: t(.975; 1) = 12.7062 times .1
    assert a == "a" and values == pytest.approx([0.2, 0.2 - 1.27062, 0.2 + 1.27062])
    assert b == ("b", 0.5, 0.5, 0.5)
    assert toy_example.summary(rows, "s1")[0][1] == pytest.approx(0.8)


def test_where_the_effect_comes_from(rows):
    """Roth et al. have about .11 without and .40 with regularisation; here, with evenly spaced points, .099 and .449."""
    s2 = {name: mean for name, mean, _, _ in toy_example.summary(rows)}
    # The pull is all that makes it: without it the spectrum is flat though nothing, or next to nothing, is switched.
    assert 0.07 < s2["plain"] < 0.14
    assert (
        s2["push only, p = 0"] > 0.36 and s2["push only, p = .001"] > 0.36
    )  # measured: .445, .449
    assert s2["push only, p = .001"] == pytest.approx(s2["push only, p = 0"], abs=0.05)
    # Switching alone does nothing where the pull never ends, ...
    assert s2["swap, p = .001"] == pytest.approx(s2["plain"], abs=0.03)
    assert s2["swap, p = .2"] == pytest.approx(s2["plain"], abs=0.03)
    # ... and where it does end, it makes the spectrum steeper, not flatter.
    assert s2["triplet loss"] > 0.28  # measured: .336
    assert s2["triplet loss, swap, p = .2"] < s2["triplet loss"] - 0.02  # measured: .275


def test_all_learn_to_tell_the_training_classes_apart(rows):
    assert all(mean > 0.97 for _, mean, _, _ in toy_example.summary(rows, "recall_at_1"))


# --------------------------------------------------------------------------------------------------
# The figure.
# --------------------------------------------------------------------------------------------------
def test_turned_up():
    # Points about (.6, .8), mirrored at that direction, which has to become (0, 1)
    across = 0.1 * np.array([0.8, -0.6])
    points = np.array([0.6, 0.8]) + np.array([across, -across])
    for each in (points, -points, points[:, ::-1] * [-1, 1]):
        turn = toy_figure.turned_up(each)
        assert turn @ turn.T == pytest.approx(np.eye(2)) and np.linalg.det(turn) == pytest.approx(1)
        assert each.mean(axis=0) @ turn == pytest.approx([0, 1])


def test_figure(tmp_path):
    result = toy_example.train(toy_example.data(), toy_example.VARIANTS, [3, 5], 0, iterations=1)
    toy_figure.draw(tmp_path / "toy", result)
    assert {file.name for file in tmp_path.iterdir()} == {"toy.png", "toy.pdf", "toy.txt"}
    axes = toy_figure.panels(result).axes
    for variant, axis in zip(toy_example.VARIANTS, axes[1:8], strict=True):
        assert axis.get_title() == f"{variant.name}\n({variant.source})"
        shown = [points.get_offsets() for points in axis.collections]
        radii = [np.linalg.norm(points, axis=1).mean() for points in shown]
        assert radii == pytest.approx([1, 1, 1, 1, *toy_figure.RINGS])
        bottom, top = axis.get_ylim()
        assert all(bottom < points[:, 1].min() and points[:, 1].max() < top for points in shown)
    means = [line.get_xdata()[0] for line in axes[8].lines[1::2]]
    assert means == pytest.approx(
        [mean for _, mean, _, _ in toy_example.summary(list(toy_example.rows_of(result)))]
    )
