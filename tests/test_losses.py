"""What makes each of the fourteen losses itself: its value on one literal batch, worked out by hand.

Four embeddings on the unit circle, at 0, 60, 90 and 180 degrees (those of the first class twice as long, which no loss may
notice), two of each class. Their cosines are .5 (0-1), 0 (0-2), -1 (0-3), .866 (1-2), -.5 (1-3) and 0 (2-3); the
hyperparameters are those for Cars196.
"""

from math import cos, exp, log, pi, sqrt

import pytest
import torch
from pytorch_metric_learning import losses

from dml_analysis import paper
from dml_analysis.errors import InputError
from dml_analysis.paper import Model
from dml_analysis.training.losses import check_loss, training_loss

ANGLES = (0, pi / 3, pi / 2, pi)
LABELS = (0, 0, 1, 1)
ROOT3 = sqrt(3)
D12 = sqrt(
    2 - ROOT3
)  # the distance between 60 and 90 degrees; the others are 1, root 2, 2, root 3, root 2
MODELS = {model.name: model for model in paper.MODELS if model.trained}


def batch(length=2.0):
    angles = torch.tensor(ANGLES, dtype=torch.float64)
    embeddings = torch.stack([angles.cos(), angles.sin()], dim=1)
    embeddings[:2] *= length
    return embeddings.requires_grad_(), torch.tensor(LABELS)


def loss_of(name, length=2.0):
    """(value, kit, gradient of the embeddings); a loss with vectors for its classes has these at 0 and 90 degrees."""
    kit = training_loss(MODELS[name], "Cars196", classes=2, dimensions=2)
    kit.function.double()
    with torch.no_grad():
        for key, parameter in kit.function.named_parameters():
            if key in ("W", "proxies"):
                parameter.copy_(torch.eye(2))
            if (
                key == "fc"
            ):  # of SoftTriple: ten for each class, of which the first class has five at 90 degrees too
                parameter.copy_(torch.tensor([[1.0] * 5 + [0.0] * 15, [0.0] * 5 + [1.0] * 15]))
            if key == "beta" and len(parameter) == 2:
                parameter[1] = 1.2
    embeddings, labels = batch(length)
    value = kit.function(embeddings, labels, kit.miner(embeddings, labels) if kit.miner else None)
    value.backward()
    return value.item(), kit, embeddings.grad


def softmax_loss(right, *wrong):
    """-log of the share that the right one of some logits has."""
    return log(sum(exp(each - right) for each in (right, *wrong)))


def contrastive():
    positive = ((1 - 0.2652) + (sqrt(2) - 0.2652)) / 2  # above the margin
    return positive + (0.5409 - D12)  # of the others only 1-2 are nearer than that


def triplet():
    # Of the eight, three are not further apart than the margin of .119 asks for.
    return ((1 + 0.119 - D12) + 0.119 + (sqrt(2) + 0.119 - D12)) / 3


def ntxent():
    t = 0.0219
    pairs = [(0.5, 0, -1), (0.5, ROOT3 / 2, -0.5), (0, 0, ROOT3 / 2), (0, -1, -0.5)]
    return sum(softmax_loss(*(each / t for each in pair)) for pair in pairs) / 4


def proxy_nca():
    # Squared distances to the own proxy and the other.
    squared = [(0, 2), (1, 2 - ROOT3), (0, 2), (2, 4)]
    return sum(softmax_loss(-7.97 * own, -7.97 * other) for own, other in squared) / 4


def margin():
    # Each positive stands in two triplets. Above beta less the margin: those of class 2. Below beta: 1-2, twice.
    terms = 4 * [sqrt(2) - 1.3164 + 0.0781] + 2 * [1.3164 - D12 + 0.0781]
    return sum(terms) / 6


def margin_of_classes():
    # The first class has beta .9598, the second 1.2.
    terms = (
        4 * [1 - 0.9598 + 0.0776]
        + 4 * [sqrt(2) - 1.2 + 0.0776]
        + [0.9598 - D12 + 0.0776, 1.2 - D12 + 0.0776]
    )
    return sum(terms) / 10


COSINES = [
    (1, 0),
    (0.5, ROOT3 / 2),
    (1, 0),
    (0, -1),
]  # to the vector of the own class, and to the other's


def normalized_softmax():
    return sum(softmax_loss(own / 0.0886, other / 0.0886) for own, other in COSINES) / 4


def cosface():
    return sum(softmax_loss(161.5 * (own - 0.4324), 161.5 * other) for own, other in COSINES) / 4


def arcface():
    turned = [cos(angle + 20.52 * pi / 180) for angle in (0, pi / 3, 0, pi / 2)]
    return (
        sum(softmax_loss(49.5 * own, 49.5 * other) for own, (_, other) in zip(turned, COSINES)) / 4
    )


def fastap():
    # 27 bins of squared distances from 0 to 4: 1 lies at 6.75, 2 at 13.5, a quarter and three, or half and half, in two bins.
    nearest = 0.25 + 0.75  # the positive of 0 is its nearest, as that of 3
    behind_one = 0.25 * 0.25 / 1.25 + 0.75 * 1 / 2  # that of 1 has 2 before it
    beside_one = 0.5 * 0.5 / 2 + 0.5 * 1 / 3  # that of 2 has 1 before it, and 0 at its side
    return 1 - (2 * nearest + behind_one + beside_one) / 4


def snr_contrastive():
    # With two dimensions the variance is half the square of x - y. Beyond their margins are 0-1 and 1-0 of the positives, 2-1
    # and 3-1 of the negatives.
    u = (1, (1 - ROOT3) / 2, -1, -1)

    def distance(a, b):
        return ((u[a] - u[b]) / u[a]) ** 2

    return (
        (distance(0, 1) + distance(1, 0)) / 2
        - 0.167
        + 0.9337
        - (distance(2, 1) + distance(3, 1)) / 2
    )


def multi_similarity():
    return _multi_similarity(
        14.35,
        75.83,
        0.66,
        [(0.5, (0, -1)), (0.5, (ROOT3 / 2, -0.5)), (0, (0, ROOT3 / 2)), (0, (-1, -0.5))],
    )


def multi_similarity_with_miner():
    # Of the negatives those are left that are no more than .72 less alike than the positive.
    return _multi_similarity(
        7.49, 47.99, 0.63, [(0.5, (0,)), (0.5, (ROOT3 / 2,)), (0, (0, ROOT3 / 2)), (0, (-0.5,))]
    )


def _multi_similarity(alpha, beta, base, anchors):
    return sum(
        log(1 + exp(-alpha * (positive - base))) / alpha + log(1 + sum(exp(beta * (s - base)) for s in negatives)) / beta
        for positive, negatives in anchors
    ) / 4  # fmt: skip


def soft_triple():
    def to_first(
        x, y
    ):  # cosines to its two kinds of centres, weighed by a softmax at temperature 19.18
        return (x * exp(x / 19.18) + y * exp(y / 19.18)) / (exp(x / 19.18) + exp(y / 19.18))

    points = [(1, 0), (0.5, ROOT3 / 2), (0, 1), (-1, 0)]
    first, second = [to_first(*point) for point in points], [y for _, y in points]
    data = sum(softmax_loss(17.69 * (a - 0.3588), 17.69 * b) for a, b in zip(first[:2], second[:2]))
    data += sum(
        softmax_loss(17.69 * (b - 0.3588), 17.69 * a) for a, b in zip(first[2:], second[2:])
    )
    apart = 5 * 5 * sqrt(2) / (2 * 90)  # of the 90 pairs of centres of one class, 25 are orthogonal
    return data / 4 + 0.0669 * apart


EXPECTED = {
    "Contrastive": contrastive, "Triplet": triplet, "NTXent": ntxent, "ProxyNCA": proxy_nca, "Margin": margin,
    "Margin / class": margin_of_classes, "Normalized Softmax": normalized_softmax, "CosFace": cosface, "ArcFace": arcface,
    "FastAP": fastap, "SNR Contrastive": snr_contrastive, "Multi Similarity": multi_similarity,
    "Multi Similarity + Miner": multi_similarity_with_miner, "SoftTriple": soft_triple,
}  # fmt: skip


def test_all_losses_are_here():
    assert list(EXPECTED) == list(MODELS)


@pytest.mark.parametrize("name", EXPECTED)
def test_value_on_the_batch(name):
    value, _, gradient = loss_of(name)
    # Library functions keep roots and angles away from zero by about 1e-4.
    assert value == pytest.approx(EXPECTED[name](), rel=2e-4)
    assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0


@pytest.mark.parametrize("name", EXPECTED)
def test_the_length_of_embeddings_does_not_matter(name):
    """Nor is there a pull along them."""
    value, _, gradient = loss_of(name, 1.0)
    assert value == pytest.approx(loss_of(name, 5.0)[0], rel=1e-4)
    assert (gradient * batch(1.0)[0]).sum(dim=1).abs().max() < 1e-4 * gradient.abs().max()


def test_snr_keeps_embeddings_near_zero_on_cub200():
    """By .1382 times the mean size of the sums (1, 1.366, 1, -1) of the embeddings."""
    kit = training_loss(MODELS["SNR Contrastive"], "CUB200", 2, 2)
    for length in (1.0, 5.0):
        embeddings, labels = batch(length)
        whole = kit.function(embeddings, labels)
        margins = {"pos_margin": kit.function.pos_margin, "neg_margin": kit.function.neg_margin}
        without = losses.SignalToNoiseRatioContrastiveLoss(**margins)
        pull = float(whole - without(embeddings, labels))
        assert pull == pytest.approx(0.1382 * (1 + (1 + ROOT3) / 2 + 1 + 1) / 4, rel=1e-3)


def test_own_parameters_are_trained_without_decay_for_margin_alone():
    without = [
        name for name, model in MODELS.items() if not training_loss(model, "Cars196", 2, 2).decays
    ]
    assert without == ["Margin", "Margin / class"]


# ---------------------------------------------------------------------------------------------------------------------
# Losses that settings name.
# ---------------------------------------------------------------------------------------------------------------------
def own(**given):
    return Model("Mine", None, "Ranking", "Euclidean Distance", "mine", **given)


def test_a_class_of_the_library_with_arguments():
    kit = training_loss(
        own(loss="ContrastiveLoss", loss_arguments={"neg_margin": 0.7}), "Cars196", 2, 2
    )
    assert (
        kit.function.neg_margin == 0.7 and kit.learning_rate is None and kit.images_per_class == 4
    )
    kit = training_loss(own(loss="pytorch_metric_learning.losses:ProxyAnchorLoss", loss_learning_rate=0.1, images_per_class=2,
                            miner="MultiSimilarityMiner", miner_arguments={"epsilon": 0.3}), "Cars196", 6, 3)  # fmt: skip
    assert (
        kit.function.proxies.shape == (6, 3)
        and kit.learning_rate == 0.1
        and kit.images_per_class == 2
    )
    assert kit.miner.epsilon == 0.3


@pytest.mark.parametrize(
    "given, message",
    [({"loss": "ContrastivLoss"}, "losses has no such class; did you mean ContrastiveLoss, "),
     ({"loss": "Qwxyz"}, "losses has no such class; is it one of your own"),
     ({"loss": "no_such_module:Loss"}, "no_such_module:Loss: cannot be imported"),
     ({"loss": "math:no_such"}, "math:no_such: cannot be imported"),
     ({"loss": "ContrastiveLoss", "loss_arguments": {"margni": 1}}, "loss ContrastiveLoss: does not take its arguments"),
     ({"loss": "math:sqrt", "loss_arguments": {}}, "loss math:sqrt: does not take its arguments"),
     ({"loss": "pathlib:Path"}, "must be a torch.nn.Module"),
     ({"loss": "ProxyAnchorLoss"}, "has parameters of its own: give `loss_learning_rate`"),
     ({"loss": "ContrastiveLoss", "loss_learning_rate": 0.1}, "has no parameters: remove `loss_learning_rate`"),
     ({"loss": "ContrastiveLoss", "miner": "Min"}, "miner Min: pytorch_metric_learning.miners has no such class")],
)  # fmt: skip
def test_losses_that_are_none(given, message):
    with pytest.raises(InputError, match=message):
        training_loss(own(**given), "Cars196", 2, 2)


@pytest.mark.parametrize(
    "loss, message",
    [("DynamicSoftMarginLoss", "Trying to backward through the graph a second time"),
     ("SmoothAPLoss", "same number of elements.*; mend the loss, or set sampler: strict"),
     ("tests.test_losses:Detached", "element 0 of tensors does not require grad"),
     ("torch.nn:Identity", r"cannot be called with embeddings \(4, 5\)|fails for embeddings \(4, 5\)")],
)  # fmt: skip
def test_losses_that_cannot_be_trained(loss, message):
    """The second batch has three images of a class and one of another."""
    kit = training_loss(own(loss=loss), "Cars196", 2, 5)
    batches = [torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1])]
    with pytest.raises(InputError, match=f"models: 'Mine': loss {loss}: .*{message}"):
        check_loss(own(loss=loss), kit, 5, batches)


class Detached(torch.nn.Module):
    """A loss without a gradient."""

    def forward(self, embeddings, labels, tuples=None):
        return embeddings.detach().sum()


def test_the_softmax_loss_is_the_cross_entropy_of_a_linear_layer():
    kit = training_loss(own(loss="SoftmaxLoss", loss_learning_rate=0.1), "Cars196", 2, 2)
    with torch.no_grad():
        kit.function.classifier.weight.copy_(torch.eye(2))
        kit.function.classifier.bias.copy_(torch.tensor([0.0, 1.0]))
    value = kit.function(torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 1]))
    assert value.item() == pytest.approx((softmax_loss(2, 1) + softmax_loss(4, 0)) / 2)


def test_the_rate_of_own_parameters_is_a_multiple_of_the_reality_checks():
    for name, rate in (("ProxyNCA", 4.43e-3), ("Contrastive", None)):
        kit = training_loss(MODELS[name], "Cars196", 2, 2, rate_factor=100)
        assert kit.learning_rate == (rate and pytest.approx(100 * rate))
