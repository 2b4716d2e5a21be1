"""The losses, miners and rho-regularisation of Roth et al., on batches small enough to be worked out by hand.

The losses' batch is that of test_losses.py: four embeddings at 0, 60, 90 and 180 degrees, two of each class, those of the first
class of length 2. The miners' is on the unit circle too, where distances grow with the angle between two images.
"""

from collections import Counter, defaultdict
from math import cos, exp, log, pi, radians, sqrt

import pytest
import torch
from pytorch_metric_learning import losses, miners
from pytorch_metric_learning.distances import SNRDistance
from pytorch_metric_learning.miners import distance_weighted_miner

from dml_analysis.checkout import ROOT
from dml_analysis.config import load_settings
from dml_analysis.training.losses import check_loss, training_loss
from dml_analysis.training.roth import roth_losses, roth_miners
from dml_analysis.training.roth.rho_regularization import (
    RhoMiner,
    switched_pairs,
    switched_triplets,
)

ROOT3 = sqrt(3)
D12 = sqrt(
    2 - ROOT3
)  # the distance between 60 and 90 degrees; 0-1: 1, 0-2: root 2, 0-3: 2, 1-3: root 3, 2-3: root 2
LABELS = torch.tensor([0, 0, 1, 1])
EMPTY = torch.empty(0, dtype=torch.long)


def on_circle(*degrees, lengths=1.0):
    angles = torch.tensor(degrees, dtype=torch.float64) * pi / 180
    points = torch.stack([angles.cos(), angles.sin()], dim=1) * torch.as_tensor(lengths).reshape(
        -1, 1
    )
    return points.requires_grad_()


def batch():
    """Points (2, 0), (1, root 3), (0, 1), (-1, 0)."""
    return on_circle(0, 60, 90, 180, lengths=[2.0, 2.0, 1.0, 1.0])


def tuples(*rows):
    """Triplets as the library has them, of rows (a, p, n)."""
    return tuple(torch.tensor(column) for column in zip(*rows))


def softmax_loss(right, *wrong):
    """-log of the share that the right one of some logits has."""
    return log(sum(exp(each - right) for each in (right, *wrong)))


# ---------------------------------------------------------------------------------------------------------------------
# Losses.
# ---------------------------------------------------------------------------------------------------------------------
def contrastive():
    # Each positive twice of four; of the eight negative pairs 1-2 and 2-1 are nearer than 1.
    return (1 + sqrt(2)) / 2 + 2 * (1 - D12) / 8


def triplet():
    # Squares: 0-1: 1, 0-2: 2, 0-3: 4, 1-2: 2 - root 3, 1-3: 3, 2-3: 2. Of eight triplets (1, 0, 2), (2, 3, 0) and (2, 3, 1) are
    # above zero.
    return ((1 - (2 - ROOT3) + 0.2) + (2 - 2 + 0.2) + (2 - (2 - ROOT3) + 0.2)) / 8


def quadruplet():
    # The same three, of distances; in two classes there is no fourth image.
    return ((1 - D12 + 0.2) + (sqrt(2) - sqrt(2) + 0.2) + (sqrt(2) - D12 + 0.2)) / 8


def snr():
    # In two dimensions the variance is half the square of x - y: 1, (1 - root 3) / 2, -1 and -1. Of the eight triplets
    # (1, 0, 2) and (1, 0, 3) are above zero, both by d(1, 0) = (2 + root 3)^2 and d(1, 2) = d(1, 3) = 3. |x + y| is 1,
    # (1 + root 3) / 2, 1 and 1.
    return (2 + ROOT3) ** 2 - 3 + 0.2 + 0.005 * (1 + (1 + ROOT3) / 2 + 1 + 1) / 4


def lifted():
    # As they are: 0-1: 2, 0-2: root 5, 0-3: 3, 1-2: root (1 + (root 3 - 1)^2), 1-3: root 7, 2-3: root 2.
    d12 = sqrt(1 + (ROOT3 - 1) ** 2)
    rows = [(2, sqrt(5), 3), (2, d12, sqrt(7)), (sqrt(2), sqrt(5), d12), (sqrt(2), 3, sqrt(7))]
    terms = [max(0, own + log(sum(exp(1 - each) for each in others))) for own, *others in rows]
    return sum(terms) / 4 + 0.005 * 1.5  # the mean length of 2, 2, 1 and 1


def npair():
    # Dot products as they are: 0-1: 2, 0-2: 0, 0-3: -2, 1-2: root 3, 1-3: -1, 2-3: 0.
    rows = [(2, 0, -2), (2, ROOT3, -1), (0, 0, ROOT3), (0, -2, -1)]
    return sum(softmax_loss(*row) for row in rows) / 4 + 0.005 * 1.5


def angular_npair():
    # tan^2 of 30 degrees is 1/3: exponents are 4/3 (a + p) n - 8/3 a p, of length 1. (a + p) n is for 0-1 and 2: root 3 / 2,
    # 0-1 and 3: -1 - 1/2, 2-3 and 0: 0 - 1, 2-3 and 1: root 3 / 2 - 1/2. a p: 1/2 and 0. Each pair is there both ways round.
    first = softmax_loss(0, 4 / 3 * ROOT3 / 2 - 4 / 3, 4 / 3 * -1.5 - 4 / 3)
    second = softmax_loss(0, -4 / 3, 4 / 3 * (ROOT3 - 1) / 2)
    return npair() + 2 * (first + second) / 2


def histogram():
    # Nodes -1, 0, 1. Positives: .5 (half to node 0, half to 1) and 0. Negatives: 0, -1, root 3 / 2 and -.5.
    positive = [0, (0.5 + 1) / 2, 0.5 / 2]
    negative = [(1 + 0.5) / 4, (1 + (1 - ROOT3 / 2) + 0.5) / 4, ROOT3 / 2 / 4]
    return negative[1] * positive[1] + negative[2] * (positive[1] + positive[2])


COSINES = [
    (1, 0),
    (0.5, ROOT3 / 2),
    (1, 0),
    (0, -1),
]  # to the own class's vector, and to the other's; they are at 0 and 90 degrees


def softmax():
    return sum(softmax_loss(own / 0.05, other / 0.05) for own, other in COSINES) / 4


def arcface():
    turned = [cos(angle + 0.5) for angle in (0, pi / 3, 0, pi / 2)]
    return sum(softmax_loss(16 * own, 16 * other) for own, (_, other) in zip(turned, COSINES)) / 4


def proxy_nca():
    return sum(softmax_loss(-9 * (2 - 2 * own), -9 * (2 - 2 * other)) for own, other in COSINES) / 4


def soft_triple():
    def weighed(*cosines):  # by a softmax of cosines over .1
        return sum(each * exp(10 * each) for each in cosines) / sum(
            exp(10 * each) for each in cosines
        )

    # Centres of the first class at 0 and 90 degrees, of the second at 90 and 180.
    first = [weighed(1, 0), weighed(0.5, ROOT3 / 2), weighed(0, 1), weighed(-1, 0)]
    second = [weighed(0, -1), weighed(ROOT3 / 2, -0.5), weighed(1, 0), weighed(0, 1)]
    rows = [*zip(first[:2], second[:2]), *zip(second[2:], first[2:])]
    apart = (sqrt(2) + sqrt(2)) / (2 * 2 * 1)
    return sum(softmax_loss(8 * (own - 0.01), 8 * other) for own, other in rows) / 4 + 0.2 * apart


def softmax_as_they_are():
    # Logits x and y, the second with a bias of 1.
    return (
        sum(softmax_loss(*row) for row in [(2, 0 + 1), (1, ROOT3 + 1), (1 + 1, 0), (0 + 1, -1)]) / 4
    )


TWO = {"num_classes": 2, "embedding_size": 2}
EXPECTED = {
    contrastive: roth_losses.contrastive(),
    triplet: roth_losses.triplet(),
    quadruplet: roth_losses.QuadrupletLoss(),
    snr: roth_losses.snr_triplet(),
    lifted: roth_losses.lifted(),
    npair: roth_losses.npair(),
    angular_npair: roth_losses.angular_npair(alpha=30),
    histogram: roth_losses.HistogramLoss(n_bins=3),
    softmax: roth_losses.softmax(**TWO),
    arcface: roth_losses.arcface(**TWO),
    proxy_nca: roth_losses.proxy_nca(**TWO),
    soft_triple: roth_losses.soft_triple(**TWO),
    softmax_as_they_are: roth_losses.SoftmaxLoss(**TWO),
}
VECTORS = {"W": [[1, 0], [0, 1]], "proxies": [[1, 0], [0, 1]], "linear.weight": [[1, 0], [0, 1]], "linear.bias": [0, 1],
           "fc": [[1, 0, 0, -1], [0, 1, 1, 0]]}  # fmt: skip


@pytest.mark.parametrize("by_hand", EXPECTED, ids=lambda each: each.__name__)
def test_value_on_the_batch(by_hand):
    function = EXPECTED[by_hand].double()
    with torch.no_grad():
        for name, parameter in function.named_parameters():
            parameter.copy_(torch.tensor(VECTORS[name]))
    embeddings = batch()
    value = function(embeddings, LABELS)
    value.backward()
    assert value.item() == pytest.approx(by_hand(), rel=1e-5)
    assert torch.isfinite(embeddings.grad).all() and embeddings.grad.abs().sum() > 0


def test_multi_similarity_leaves_out_anchors_without_a_find():
    # Within .1: of 1 the positive (.5) and 2 (root 3 / 2); of 2 the positive (0), 0 (0) and 1. Of 0 and 3 nothing.
    def term(positive, *negatives):
        return (
            log(1 + exp(-2 * (positive - 0.5))) / 2
            + log(1 + sum(exp(40 * (s - 0.5)) for s in negatives)) / 40
        )

    embeddings = batch()
    found = miners.MultiSimilarityMiner(epsilon=0.1)(embeddings, LABELS)
    value = roth_losses.multi_similarity()(embeddings, LABELS, found)
    assert value.item() == pytest.approx(
        (term(0.5, ROOT3 / 2) + term(0, 0, ROOT3 / 2)) / 2, rel=1e-6
    )


def test_a_mean_is_over_all_tuples():
    # (1, 1, 0) pulls nothing; the pushes are relu(1 - 1) and 1 - D12. Squared: 0 - 1 + 1.5 and 1 - (2 - root 3) + 1.5.
    found = tuples((1, 1, 0), (1, 0, 2))
    assert roth_losses.contrastive()(batch(), LABELS, found).item() == pytest.approx(
        (0 + 1) / 2 + (0 + 1 - D12) / 2
    )
    value = roth_losses.triplet(margin=1.5)(batch(), LABELS, found).item()
    assert value == pytest.approx((0.5 + 0.5 + ROOT3) / 2)


@pytest.mark.parametrize("seed", range(10))
def test_fourth_image_of_a_quadruplet_is_of_a_third_class(seed):
    # At 270 degrees, 2 from image 2 and root 2 from image 3. Triplets by margin .2: 1 - D12 + .2 and 0.
    torch.manual_seed(seed)
    embeddings = on_circle(0, 60, 90, 180, 270)
    function = roth_losses.QuadrupletLoss(margin_1=0.2, margin_2=1.5)
    value = function(embeddings, torch.tensor([0, 0, 1, 1, 2]), tuples((1, 0, 2), (1, 0, 3)))
    expected = (1 - D12 + 0.2) / 2 + ((1 - 2 + 1.5) + (1 - sqrt(2) + 1.5)) / 2
    assert value.item() == pytest.approx(expected)


def test_snr_regularizer_is_on_embeddings_of_length_1_and_can_be_left_out():
    without = roth_losses.snr_triplet(regularizer_weight=0)
    for length in (1.0, 3.0):
        embeddings = on_circle(0, 60, 90, 180, lengths=length)
        pull = roth_losses.snr_triplet()(embeddings, LABELS) - without(embeddings, LABELS)
        assert pull.item() == pytest.approx(snr() - ((2 + ROOT3) ** 2 - 3 + 0.2), rel=1e-5)


def test_histogram_takes_images_that_are_alike():
    embeddings = (
        torch.nn.functional.normalize(torch.arange(1.0, 13).reshape(4, 3))
        .repeat(2, 1)
        .requires_grad_()
    )
    value = roth_losses.HistogramLoss()(embeddings, torch.tensor([0, 0, 1, 1, 0, 0, 1, 1]))
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_histogram_of_one_kind_of_pairs_is_zero(labels):
    assert roth_losses.HistogramLoss()(batch(), torch.tensor(labels)).item() == 0


def test_first_vectors_of_classes():
    """Uniform up to 1 / root 16 for softmax and ArcFace, up to 1 / root 400, of all centres, for SoftTriple; else normal."""
    torch.manual_seed(0)
    for build in (roth_losses.softmax, roth_losses.arcface):
        vectors = build(num_classes=200, embedding_size=16).W.detach()
        assert 0.245 < vectors.abs().max() <= 0.25 and vectors.std().item() == pytest.approx(
            0.25 / ROOT3, rel=0.05
        )
    assert roth_losses.proxy_nca(200, 16).proxies.std().item() == pytest.approx(1 / 8, rel=0.05)
    assert 0.049 < roth_losses.soft_triple(200, 16).fc.abs().max() <= 0.05


# ---------------------------------------------------------------------------------------------------------------------
# Miners. Degrees 0, 20, 100 | 50, 60 | 170: the last has no other of its class.
# ---------------------------------------------------------------------------------------------------------------------
CIRCLE, CLASSES = (
    on_circle(0, 20, 100, 50, 60, 170, lengths=[1.0, 2.0, 3.0, 1.0, 2.0, 3.0]),
    torch.tensor([0, 0, 0, 1, 1, 2]),
)
ANY_NEGATIVE = {0: {3, 4, 5}, 1: {3, 4, 5}, 2: {3, 4, 5}, 3: {0, 1, 2, 5}, 4: {0, 1, 2, 5}}
ANY_POSITIVE = {0: {1, 2}, 1: {0, 2}, 2: {0, 1}, 3: {4}, 4: {3}}


def draws(miner, times=300):
    """(a, p, n) of many calls; each of the five anchors once a call."""
    torch.manual_seed(0)
    found = []
    for _ in range(times):
        a, p, n = miner(CIRCLE, CLASSES)
        assert a.tolist() == [0, 1, 2, 3, 4] and not any(each.requires_grad for each in (a, p, n))
        found += zip(a.tolist(), p.tolist(), n.tolist())
    return found


def seen(pairs):
    found = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return dict(found)


def test_random_miner():
    found = draws(roth_miners.RandomMiner())
    assert seen((a, p) for a, p, _ in found) == ANY_POSITIVE
    assert seen((a, n) for a, _, n in found) == ANY_NEGATIVE


def test_semihard_miner():
    found = draws(roth_miners.SemihardMiner(margin=0.6), 600)
    assert seen((a, p) for a, p, _ in found) == ANY_POSITIVE
    # Chords: 10 degrees .174, 20 .347, 30 .518, 40 .684, 50 .845, 60 1, 70 1.147, 80 1.286, 100 1.532, 150 1.932, 170 1.992.
    assert seen(((a, p), n) for a, p, n in found) == {
        (0, 1): {3},  # from .347 to .947: .845
        (0, 2): {5},  # from 1.532 to 2.132: 1.992
        (1, 0): {3, 4},  # from .347 to .947: .518 and .684
        (1, 2): {3, 4, 5},  # from 1.286 to 1.886 there is none
        (2, 0): {3, 4, 5},  # from 1.532 on there is none
        (2, 1): {3, 4, 5},  # from 1.286 on there is none
        (3, 4): {1},  # from .174 to .774: .518
        (4, 3): {1, 2},  # from .174 to .774: .684 twice
    }


def test_softhard_miner():
    found = draws(roth_miners.SofthardMiner())
    # The nearest negatives are 50, 30, 40, 30 and 40 degrees away, the farthest positives 100, 80, 100, 10 and 10.
    assert seen((a, p) for a, p, _ in found) == ANY_POSITIVE | {0: {2}, 1: {2}}
    assert seen((a, n) for a, _, n in found) == ANY_NEGATIVE | {0: {3, 4}, 1: {3, 4}}


@pytest.mark.parametrize(
    "bound, expected",
    # In two dimensions the inverse density is root (1 - d^2 / 4), the cosine of half the angle. 1.4 is that of 88.9 degrees.
    [(1.4, {0: {3: 25, 4: 30}, 1: {3: 15, 4: 20}, 2: {3: 25, 4: 20, 5: 35}, 3: {0: 25, 1: 15, 2: 25},
            4: {0: 30, 1: 20, 2: 20}}),
     (None, {0: {3: 25, 4: 30, 5: 85}, 1: {3: 15, 4: 20, 5: 75}, 2: {3: 25, 4: 20, 5: 35},
             3: {0: 25, 1: 15, 2: 25, 5: 60}, 4: {0: 30, 1: 20, 2: 20, 5: 55}})],
)  # fmt: skip
def test_distance_weighted_miner(bound, expected):
    found = draws(roth_miners.DistanceWeightedMiner(cutoff=0.5, nonzero_loss_cutoff=bound), 800)
    assert seen((a, p) for a, p, _ in found) == ANY_POSITIVE
    counts = Counter((a, n) for a, _, n in found)
    for a, halves in expected.items():
        total = sum(cos(radians(half)) for half in halves.values())
        shares = {n: counts[a, n] / 800 for n in range(6) if counts[a, n]}
        assert shares == pytest.approx(
            {n: cos(radians(half)) / total for n, half in halves.items()}, abs=0.06
        )


def test_distance_weighted_miner_beyond_the_bound():
    """Where all negatives are farther than that, any is sampled."""
    a, p, n = roth_miners.DistanceWeightedMiner()(on_circle(0, 1, 180, 181), LABELS)
    assert a.tolist() == [0, 1, 2, 3] and p.tolist() == [1, 0, 3, 2]
    assert (LABELS[n] != LABELS[a]).all()


def formula(distance):
    """The inverse density of distances on the sphere in 8 dimensions."""
    return 1 / (distance**6 * (1 - distance**2 / 4) ** 2.5)


def test_inverse_density():
    # .3 counts as .5; the fourth is not eligible.
    found = roth_miners.inverse_density(
        torch.tensor([[0.3, 1.0, 1.5, 0.7]]),
        torch.tensor([[True, True, True, False]]),
        dimensions=8,
        cutoff=0.5,
    )
    weights = [formula(0.5), formula(1), formula(1.5)]
    assert found[0].tolist() == pytest.approx(
        [each / sum(weights) for each in weights] + [0], rel=1e-5
    )


def test_inverse_density_of_opposite_points_is_finite():
    found = roth_miners.inverse_density(
        torch.tensor([[2.0, 1.0]]), torch.ones(1, 2, dtype=torch.bool), 128, 0.5
    )
    assert torch.isfinite(found).all() and found.sum() == pytest.approx(1)


def all_pairs(embeddings, labels):
    return distance_weighted_miner.lmu.get_all_pairs_indices(labels)


MINERS = [roth_miners.RandomMiner(), roth_miners.SemihardMiner(), roth_miners.SofthardMiner(),
          roth_miners.DistanceWeightedMiner()]  # fmt: skip
RHO_MINERS = [RhoMiner(each, 0.5, form) for each in (None, *MINERS) for form in ("push", "swap")]
RHO_MINERS += [RhoMiner(all_pairs, 0.5, form) for form in ("push", "swap")]


@pytest.mark.parametrize("miner", [*MINERS, *RHO_MINERS], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    "labels, anchors", [([0, 0, 0, 0], []), ([0, 1, 2, 3], []), ([0, 0, 1, 2], [0, 1])]
)
def test_batches_that_have_few_tuples(miner, labels, anchors):
    embeddings, labels = batch(), torch.tensor(labels)
    found = miner(embeddings, labels)
    if len(found) == 3:
        assert sorted(set(found[0].tolist())) == anchors and all(
            each.dtype == torch.long for each in found
        )
    for function in (
        losses.TripletMarginLoss(),
        roth_losses.contrastive(),
        roth_losses.QuadrupletLoss(),
    ):
        assert torch.isfinite(function(embeddings, labels, found))


# ---------------------------------------------------------------------------------------------------------------------
# rho-regularisation.
# ---------------------------------------------------------------------------------------------------------------------
MANY = torch.arange(10).repeat_interleave(
    4
)  # 40 images: 40 x 3 x 36 = 4,320 triplets, 120 positive and 1,440 negative pairs


def many():
    torch.manual_seed(1)
    return torch.randn(40, 16, requires_grad=True)


@pytest.mark.parametrize("rho", [0.2, 0.35, 1])
@pytest.mark.parametrize("form", ["push", "swap"])
def test_switched_triplets(rho, form):
    plain = distance_weighted_miner.lmu.get_all_triplets_indices(MANY)
    a, p, n = RhoMiner(rho=rho, form=form)(many(), MANY)
    switched = MANY[n] == MANY[a]
    # 4,320 draws: a standard deviation of at most .0076
    assert switched.double().mean() == pytest.approx(rho, abs=0.03)
    assert torch.equal(a, plain[0]) and (n != a).all()
    assert torch.equal(n[~switched], plain[2][~switched]) and torch.equal(
        p[~switched], plain[1][~switched]
    )
    assert torch.equal(p[switched], (a if form == "push" else plain[1])[switched])
    # Each of the three others of a class equally often: 864 draws at least, of share 1/3 with standard deviation .016
    places = Counter(((n - a) % 4)[switched].tolist())
    assert [places[each] / switched.sum() for each in (1, 2, 3)] == pytest.approx(
        [1 / 3] * 3, abs=0.06
    )


@pytest.mark.parametrize("form", ["push", "swap"])
def test_switched_pairs(form):
    plain = distance_weighted_miner.lmu.get_all_pairs_indices(MANY)
    a1, p, a2, n = RhoMiner(all_pairs, 0.35, form)(many(), MANY)
    switched = MANY[n] == MANY[a2]
    assert switched.double().mean() == pytest.approx(0.35, abs=0.04)  # 1,440 draws: .0126
    assert (
        torch.equal(a2, plain[2])
        and torch.equal(n[~switched], plain[3][~switched])
        and (n != a2).all()
    )
    if form == "swap":
        assert torch.equal(a1, plain[0]) and torch.equal(p, plain[1])
    else:
        assert len(a1) / 120 == pytest.approx(0.65, abs=0.13)  # 120 draws: .044
        kept = set(zip(a1.tolist(), p.tolist()))
        assert len(kept) == len(a1) and kept < set(zip(plain[0].tolist(), plain[1].tolist()))


@pytest.mark.parametrize(
    "found", [tuples((0, 4, 8), (4, 0, 12), (5, 6, 1)), (EMPTY, EMPTY, *tuples((0, 8), (5, 1)))]
)
def test_tuples_are_those_of_the_miner(found):
    """Three or four as it gives, of which about half are switched."""
    miner, embeddings = RhoMiner(lambda *_: found, 0.5), many()
    calls = [miner(embeddings, MANY) for _ in range(50)]
    for *others, _ in calls:  # all but the negatives
        assert len(others) == len(found) - 1 and all(map(torch.equal, others, found))
    kept = torch.stack([call[-1] == found[-1] for call in calls]).double().mean()
    assert kept == pytest.approx(0.5, abs=0.2)  # 100 draws or more: .05


def test_an_image_alone_in_its_class_is_never_switched():
    pairs = (EMPTY, EMPTY, torch.tensor([2, 2, 0]), torch.tensor([0, 1, 2]))
    _, _, _, n = switched_pairs(pairs, torch.tensor([0, 0, 1]), 1, "push")
    assert n.tolist() == [0, 1, 1]
    a, p, n = switched_triplets(tuples((2, 2, 0), (0, 1, 2)), torch.tensor([0, 0, 1]), 1, "push")
    assert (a.tolist(), p.tolist(), n.tolist()) == ([2, 0], [2, 0], [0, 1])


def gradient_of_angles(function, found, labels, *degrees):
    angles = torch.tensor(
        [radians(each) for each in degrees], dtype=torch.float64, requires_grad=True
    )
    value = function(torch.stack([angles.cos(), angles.sin()], dim=1), torch.tensor(labels), found)
    value.backward()
    return value.item(), angles.grad.tolist()


def test_push_is_apart_and_nothing_else():
    # Images at 0 and 60 degrees of one class: the loss is 1.2 - d with d = 2 sin(angle / 2), whose slope is cos(30 degrees).
    found = switched_triplets(tuples((0, 1, 2)), torch.tensor([0, 0, 1]), 1, "push")
    value, gradient = gradient_of_angles(
        losses.TripletMarginLoss(margin=1.2), found, [0, 0, 1], 0, 60, 200
    )
    assert value == pytest.approx(0.2)
    assert gradient == pytest.approx(
        [ROOT3 / 2, -ROOT3 / 2, 0]
    )  # a step against it turns 0 back and 60 on


def test_swap_keeps_the_pull():
    # Images at 0, 20 and 60 degrees of one class: 20 is pulled by cos(10 degrees), 60 is pushed by cos(30 degrees).
    labels, found = [0, 0, 0, 1], None
    for seed in range(50):
        torch.manual_seed(seed)
        found = switched_triplets(tuples((0, 1, 3)), torch.tensor(labels), 1, "swap")
        if found[2].item() == 2:
            break
    _, gradient = gradient_of_angles(
        losses.TripletMarginLoss(margin=1.2), found, labels, 0, 20, 60, 200
    )
    pull, push = cos(radians(10)), cos(radians(30))
    assert gradient == pytest.approx([push - pull, pull, -push, 0])


PLAIN = {
    "triplet": losses.TripletMarginLoss(margin=0.2),
    "contrastive": losses.ContrastiveLoss(),
    "margin": losses.MarginLoss(beta=1.2, learn_beta=True),
    "snr contrastive": losses.SignalToNoiseRatioContrastiveLoss(pos_margin=0.1, neg_margin=2),
    "snr triplet": losses.TripletMarginLoss(margin=0.2, distance=SNRDistance()),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("miner, arguments", [(None, {}), ("DistanceWeightedMiner", {"cutoff": 0.5}),
                                              ("dml_analysis.training.roth.roth_miners:SemihardMiner", {"margin": 0.1}),
                                              ("MultiSimilarityMiner", {})])  # fmt: skip
@pytest.mark.parametrize("form", ["push", "swap"])
def test_a_rho_of_zero_is_the_plain_loss(name, miner, arguments, form):
    plain = {None: None, "DistanceWeightedMiner": miners.DistanceWeightedMiner(cutoff=0.5),
             "MultiSimilarityMiner": miners.MultiSimilarityMiner()}.get(miner, roth_miners.SemihardMiner(0.1))  # fmt: skip
    results = []
    for each in (plain, RhoMiner(miner, 0, form, **arguments)):
        embeddings = many()
        value = PLAIN[name](embeddings, MANY, each(embeddings, MANY) if each else None)
        value.backward()
        results.append((value.detach(), embeddings.grad, torch.get_rng_state()))
    assert all(torch.equal(first, second) for first, second in zip(*results))
    assert results[0][0] > 0


@pytest.mark.parametrize("name", [*PLAIN, "roth triplet", "roth contrastive", "roth snr"])
@pytest.mark.parametrize("form", ["push", "swap"])
@pytest.mark.parametrize("miner", [None, all_pairs])
def test_gradients_are_finite(name, form, miner):
    """Also where an image is compared with itself, in a batch as large as theirs."""
    roth = {"roth triplet": roth_losses.triplet(), "roth contrastive": roth_losses.contrastive(),
             "roth snr": roth_losses.snr_triplet()}  # fmt: skip
    torch.manual_seed(0)
    embeddings, labels = (
        torch.randn(112, 128, requires_grad=True),
        torch.arange(56).repeat_interleave(2),
    )
    found = RhoMiner(miner, 0.5, form)(embeddings, labels)
    value = (PLAIN | roth)[name](embeddings, labels, found)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize(
    "arguments, message",
    [({"rho": -0.1}, "rho is -0.1"), ({"rho": 1.5}, "rho is 1.5"), ({"rho": float("nan")}, "rho is nan"),
     ({"form": "pull"}, "unknown form 'pull'"),
     ({"cutoff": 0.5}, "cutoff: only a miner that is named")],
)  # fmt: skip
def test_rho_miners_that_are_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        RhoMiner(**arguments)


# ---------------------------------------------------------------------------------------------------------------------
# The settings of Roth et al.
# ---------------------------------------------------------------------------------------------------------------------
ROTH = load_settings(ROOT / "settings" / "roth.yaml")


@pytest.mark.parametrize("model", ROTH.models, ids=lambda model: model.name)
def test_every_model_can_be_trained(model):
    torch.manual_seed(0)
    kit = training_loss(model, "Cars196", classes=8, dimensions=16)
    embeddings = torch.randn(16, 16, requires_grad=True)
    labels = torch.arange(8).repeat_interleave(2)
    check_loss(model, kit, 16, [labels])
    assert kit.images_per_class == 2
    value = kit.function(embeddings, labels, kit.miner(embeddings, labels) if kit.miner else None)
    value.backward()
    parameters = [embeddings, *kit.function.parameters()]
    assert torch.isfinite(value) and value > 0
    assert all(torch.isfinite(each.grad).all() for each in parameters)
    # But for the betas of a margin loss, on which a positive and a negative that both cost may cancel.
    assert all(each.grad.abs().sum() > 0 for each in parameters if each.ndim > 1)


def test_all_rows_are_there():
    names = [model.name for model in ROTH.models]
    assert len(names) == 23 and [name for name in names if name.startswith("R-")] == names[18:]
    for model in ROTH.models[18:]:
        plain = next(each for each in ROTH.models if each.name == model.name.removeprefix("R-"))
        kits = [training_loss(each, "Cars196", classes=8, dimensions=16) for each in (plain, model)]
        # All that a regularised row differs by is rho.
        names = ("loss", "loss_arguments", "loss_learning_rate", "distance")
        assert [getattr(plain, each) for each in names] == [getattr(model, each) for each in names]
        miner, rho_miner = (kit.miner for kit in kits)
        assert type(rho_miner.miner) is type(miner) and (rho_miner.rho, rho_miner.form) == (
            0.35,
            "push",
        )
        assert rho_miner.miner.cutoff == miner.cutoff == 0.5
        assert rho_miner.miner.nonzero_loss_cutoff == miner.nonzero_loss_cutoff == 1.4
