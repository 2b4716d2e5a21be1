"""Batch samplers: on points whose order, probabilities and distances follow by hand, and on embeddings that tell nothing."""

from collections import Counter
from itertools import permutations
from math import sqrt

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from dml_analysis.config import BY_EMBEDDINGS, FILLERS
from dml_analysis.training.roth import batch_samplers

LABELS = np.repeat(np.arange(30), 25)  # 750 images, more than a pool


def generator(seed=0):
    return np.random.default_rng(seed)


def points(n, d, seed=0):
    return generator(seed).normal(size=(n, d))


def column(*numbers):
    return np.array(numbers, dtype=float)[:, None]


# ---------------------------------------------------------------------------------------------------------------------
# Coresets.
# ---------------------------------------------------------------------------------------------------------------------
def test_greedy_coreset_on_a_line():
    # At 0, 1, 4 and 10. From 0: 10; then 1 is 1 from its nearest, 4 is 4, so 4; then 1. From 1: 10 (9 away); then 0 is 1,
    # 4 is 3. From 4: 10 (6); then 0 is 4, 1 is 3. From 10: 0; then 1 is 1, 4 is 4.
    orders = {0: (0, 10, 4, 1), 1: (1, 10, 4, 0), 4: (4, 10, 0, 1), 10: (10, 0, 4, 1)}
    pool = column(4, 0, 10, 1)
    found = Counter(
        tuple(pool[batch_samplers.greedy_coreset(pool, 4, generator(seed)), 0].astype(int))
        for seed in range(200)
    )
    assert set(found) == set(orders.values())
    assert min(found.values()) > 30  # of 200, each a quarter


def d2_probabilities(pool, draws=10**6):
    """The probability of every order of the first three of d2_coreset; where draws are nearest to is counted."""
    mean, covariance = pool.mean(axis=0), np.cov(pool.T)
    drawn = generator(1).multivariate_normal(mean, np.atleast_2d(covariance), draws)
    nearest = (
        np.bincount(scipy.spatial.distance.cdist(drawn, pool).argmin(axis=1), minlength=len(pool))
        / draws
    )
    density = scipy.stats.multivariate_normal(mean, covariance).pdf(pool)
    squares, found = scipy.spatial.distance.cdist(pool, pool) ** 2, {}
    for a, b, c in permutations(range(len(pool)), 3):
        from_first, from_both = density * squares[a], density * (squares[a] + squares[b])
        left = from_both.sum() - from_both[a] - from_both[b]
        found[a, b, c] = nearest[a] * from_first[b] / from_first.sum() * from_both[c] / left
    return found


@pytest.mark.parametrize(
    "pool", [column(-1, 2, 3, 4.5), np.array([[0, 0], [3, 4], [5, 4], [7, 9]])]
)
def test_d2_coreset_draws_with_the_probabilities_of_its_definition(pool):
    rng, draws, expected = generator(), 6000, d2_probabilities(pool)
    assert (
        sum(expected.values()) == pytest.approx(1) and draws * min(expected.values()) > 5
    )  # as the test asks
    found = Counter(tuple(batch_samplers.d2_coreset(pool, 3, rng).tolist()) for _ in range(draws))
    assert set(found) <= set(expected)
    test = scipy.stats.chisquare(
        [found[order] for order in expected], [draws * p for p in expected.values()]
    )
    assert test.pvalue > 0.01


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("choose", batch_samplers.CORESETS.values())
def test_a_coreset_takes_a_point_once(choose):
    for pool in (
        points(40, 3),
        points(12, 64),
        np.ones((12, 5)),
        np.full((12, 3), 0.1),
        np.eye(12),
        np.ones((1, 3)),
        np.repeat(points(6, 4), 2, axis=0),
    ):
        assert sorted(choose(pool, len(pool), generator())) == list(range(len(pool)))


# ---------------------------------------------------------------------------------------------------------------------
# Batches that are like the pool.
# ---------------------------------------------------------------------------------------------------------------------
def test_frechet_distance_by_hand():
    # (+-1, 0), (0, +-2) have variances 2/3 and 8/3, without covariance; (3 +- 2, 4), (3, 4 +- 1) have 8/3 and 2/3. The means
    # are 5 apart, and of each deviation there is root 2/3 in the one and twice that in the other: 25 + 2 * 2/3.
    a = np.array([[1, 0], [-1, 0], [0, 2], [0, -2]])
    b = np.array([[5, 4], [1, 4], [3, 5], [3, 3]])
    assert batch_samplers.frechet_distance(a, b) == pytest.approx(25 + 4 / 3)
    assert batch_samplers.frechet_distance(a, a) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("m, d", [(5, 64), (4, 1)])
def test_frechet_distance_of_singular_covariances(m, d):
    some = points(m, d)
    assert batch_samplers.frechet_distance(some, some) == pytest.approx(0, abs=1e-10)
    # All equal: what is left is the variance of the others, and the distance of the means, d * 3^2
    around = some - some.mean(axis=0)
    expected = d * 9 + np.trace(np.atleast_2d(np.cov(around.T)))
    assert batch_samplers.frechet_distance(around, np.full((7, d), 3.0)) == pytest.approx(expected)


def test_distance_histogram_cost_by_hand():
    # Points at 0, 1 and 3 of a line in the direction (.6, .8), and a batch of the first two. Means: 4/3 and 1/2, 5/6 apart.
    # Deviations: the root of 10/3 - 16/9 = 14/9, and 1/2. Distances 1, 2, 3: bins of .04 from 1 to 3, a third each in the
    # bins 0, 25 and 49; the batch's distance is in bin 0. The sums differ by 2/3 in 25 bins, by 1/3 in 24: 74/3 * .04.
    pool = column(0, 1, 3) * (0.6, 0.8)
    expected = 5 / 6 + (sqrt(14 / 9) - 1 / 2) + 75 * 74 / 3 * 0.04
    assert batch_samplers.HistogramCost(pool)(pool[:2]) == pytest.approx(expected)
    assert batch_samplers.HistogramCost(pool)(pool) == 0


def histogram_cost(pool, batch):
    distances, found = scipy.spatial.distance.pdist(pool), scipy.spatial.distance.pdist(batch)
    limits = distances.min(), distances.max()
    (heights, edges), (of_batch, _) = (
        np.histogram(each, 50, limits) for each in (distances, found)
    )
    middles = (edges[1:] + edges[:-1]) / 2
    between = scipy.stats.wasserstein_distance(middles, middles, heights, of_batch)
    gaps = [
        np.linalg.norm(moment(pool, axis=0) - moment(batch, axis=0)) for moment in (np.mean, np.std)
    ]
    return sum(gaps) + 75 * between


MATCHES = [
    ("fid_matched", batch_samplers.frechet_distance),
    ("distance_histogram_matched", histogram_cost),
]


@pytest.mark.parametrize("name, cost", MATCHES)
def test_the_best_of_some_random_batches_is_taken(name, cost):
    """They are those that come one by one from the same random numbers."""
    pool, labels = points(60, 3), np.repeat(np.arange(10), 6)

    def choose(rng, tries):
        of_batch = batch_samplers.MATCHED[name](pool)
        return batch_samplers.best_batch(of_batch, pool, labels, 12, 3, rng, tries)

    for seed in range(5):
        rng = generator(seed)
        tried = [choose(rng, 1) for _ in range(10)]
        assert len({tuple(each) for each in tried}) == 10
        assert all(
            sorted(Counter(labels[each]).values()) == [3] * 4 and len(set(each)) == 12
            for each in tried
        )
        best = min(tried, key=lambda places: cost(pool, pool[places]))
        assert choose(generator(seed), 10).tolist() == best.tolist()


@pytest.mark.parametrize("name", batch_samplers.MATCHED)
def test_a_batch_like_the_pool_is_found(name):
    """Classes 0 and 2 lie together, as 1 and 3 do: a batch of one of each is as the pool."""
    pool = np.array([[0, 0], [0, 2], [10, 0], [10, 2]] * 2, dtype=float)
    labels = np.repeat(np.arange(4), 2)
    for seed in range(10):
        cost = batch_samplers.MATCHED[name](pool)
        batch = batch_samplers.best_batch(cost, pool, labels, 4, 2, generator(seed), tries=40)
        chosen = labels[batch]
        assert {each % 2 for each in chosen} == {0, 1} and len(set(chosen)) == 2


# ---------------------------------------------------------------------------------------------------------------------
# Batches.
# ---------------------------------------------------------------------------------------------------------------------
def test_all_samplers_that_settings_know():
    assert ("classes", "uniform", *batch_samplers.CORESETS, *batch_samplers.MATCHED) == FILLERS
    assert BY_EMBEDDINGS == (*batch_samplers.CORESETS, *batch_samplers.MATCHED)


def test_uniform_takes_any_image_once():
    rng, labels = generator(), np.arange(10) % 2
    found = [batch_samplers.uniform(labels, 4, rng) for _ in range(3000)]
    assert all(len(set(each)) == 4 for each in found)
    counts = Counter(np.concatenate(found).tolist())
    assert (
        min(counts.values()) > 1100 and max(counts.values()) < 1300
    )  # of 3000, .4; one deviation is 27
    assert {sum(labels[each]) for each in found} == {
        1,
        2,
        3,
    }  # how many of a class is left to chance, but for none
    assert len(batch_samplers.uniform(labels, 32, rng)) == 32


def test_uniform_batches_are_not_of_one_class():
    labels = np.array([0] * 99 + [1])
    assert all(99 in batch_samplers.uniform(labels, 2, generator(seed)) for seed in range(20))


@pytest.mark.parametrize("labels", [LABELS, LABELS[:200]])
@pytest.mark.parametrize("filler", BY_EMBEDDINGS)
def test_a_batch_has_so_many_images_of_each_class(filler, labels):
    embeddings = points(len(labels), 8).astype(np.float32)
    found = [
        batch_samplers.sample_batch(filler, embeddings, labels, 4, 32, seed) for seed in range(6)
    ]
    for places in found:
        counts = Counter(labels[places])
        assert len(places) == len(set(places)) == 32 and len(counts) > 1
        if filler in batch_samplers.MATCHED:
            assert sorted(counts.values()) == [4] * 8
        else:
            assert {each % 4 for each in counts.values()} == {0}
    assert len(set(labels[np.concatenate(found)])) > len(set(labels)) / 2  # any class,
    assert len(set(np.concatenate(found) % 25)) > 22  # and any of its 25 images


@pytest.mark.parametrize("filler", FILLERS[1:])
def test_a_batch_depends_on_the_seed_and_the_iteration_alone(filler):
    embeddings = points(750, 8)
    first, again, other_seed, other_iteration = (
        batch_samplers.sample_batch(filler, embeddings, LABELS, 4, 32, seed, iteration).tolist()
        for seed, iteration in ((1, 1), (1, 1), (2, 1), (1, 2))
    )
    assert first == again and first not in (other_seed, other_iteration)


def spied(monkeypatch, kind, name):
    """What a sampler chooses from, and how much."""
    seen, choose = [], kind[name]
    monkeypatch.setitem(kind, name, lambda *given: seen.append(given) or choose(*given))
    return seen


@pytest.mark.parametrize(
    "per_class, batch_size, n, size", [(4, 32, 750, 512), (4, 32, 200, 200), (1, 600, 750, 600)]
)
def test_a_coreset_is_chosen_of_a_pool_of_random_images(
    monkeypatch, per_class, batch_size, n, size
):
    seen, embeddings = (
        spied(monkeypatch, batch_samplers.CORESETS, "greedy_coreset"),
        points(n, 3) * 7,
    )
    places = batch_samplers.sample_batch(
        "greedy_coreset", embeddings, LABELS[:n], per_class, batch_size, 0
    )
    ((pool, count, _),) = seen
    assert (
        pool.shape == (size, 3)
        and count == batch_size // per_class
        and len(set(places)) == batch_size
    )
    assert len(np.unique(pool, axis=0)) == size
    np.testing.assert_allclose(np.linalg.norm(pool, axis=1), 1)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert not np.allclose(pool, unit[:size])  # not the first of them, nor in their order
    assert all(np.isclose(unit, each).all(axis=1).any() for each in pool)


@pytest.mark.parametrize(
    "per_class, batch_size, n, expected",
    [(2, 4, 750, {16: 14, 18: 16}), (32, 64, 750, {25: 16}), (20, 40, 750, {20: 25}), (20, 40, 500, {25: 20}),
     (1, 600, 750, {20: 30})],
)  # fmt: skip
def test_a_pool_to_match_is_made_class_by_class(monkeypatch, per_class, batch_size, n, expected):
    """How many classes of how many images it has."""
    # 512 / 2 = 256 times a class: each of the 30 eight times, and 16 of them once more. 512 / 32 = 16 classes, which have no
    # more than 25 images; 512 / 20 are 25 classes. Of 500 images all are the pool, and a batch of 600 takes one of 600.
    seen, best_batch = [], batch_samplers.best_batch
    monkeypatch.setattr(
        batch_samplers, "best_batch", lambda *given: seen.append(given) or best_batch(*given)
    )
    places = batch_samplers.sample_batch(
        "fid_matched", points(n, 3), LABELS[:n], per_class, batch_size, 0
    )
    ((_, pool, labels, *_),) = seen
    assert Counter(Counter(labels).values()) == expected and len(places) == batch_size
    assert len(np.unique(pool, axis=0)) == len(pool) == len(labels)


def test_a_coreset_of_one_class_takes_in_another():
    """The point farthest from any of these is the other one of its class."""
    embeddings = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    for seed in range(20):
        places = batch_samplers.sample_batch(
            "greedy_coreset", embeddings, np.array([0, 0, 1, 1]), 2, 4, seed
        )
        assert sorted(places) == [0, 1, 2, 3]


@pytest.mark.parametrize("filler", BY_EMBEDDINGS)
def test_a_class_with_few_images_repeats_some(filler):
    labels = np.array([0, 0, 1, 1, 1, 1, 1])
    places = batch_samplers.sample_batch(filler, points(7, 3), labels, 4, 8, 0)
    assert Counter(labels[places]) == {0: 4, 1: 4} and len(set(places[labels[places] == 1])) == 4
    places = batch_samplers.sample_batch(
        filler, points(4, 3), np.array([0, 0, 1, 1]), 2, 8, 0
    )  # a coreset has all of them
    assert sorted(Counter(places // 2).values()) == [4, 4]


@pytest.mark.parametrize("filler", BY_EMBEDDINGS)
@pytest.mark.parametrize(
    "embeddings",
    [
        np.zeros((200, 1)),
        np.full((200, 5), 0.1),
        points(200, 300),
        np.eye(200),
        np.repeat(np.eye(8), 25, axis=0),
    ],
)
def test_embeddings_that_tell_nothing_do_no_harm(filler, embeddings):
    places = batch_samplers.sample_batch(
        filler, embeddings.astype(np.float32), LABELS[:200], 4, 24, 0
    )
    assert len(places) == len(set(places)) == 24 and len(set(LABELS[places])) > 1
