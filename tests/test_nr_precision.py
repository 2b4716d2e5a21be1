"""NR-Precision against values by hand, a plain float64 loop, its ceiling and its null."""

import numpy as np
import pytest

from dml_analysis.metrics import nearest_neighbors, neighbor_hits_torch
from dml_analysis.metrics.nr_precision import nr_precision, prepared, query_hits

LINE = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])


def plain_loop(embeddings, labels, max_neighbors=None):
    """The definition read aloud: one query, one property, one sort at a time; who ties for the last places shares them."""
    n, k = labels.shape
    precisions, normalized = [[] for _ in range(k)], [[] for _ in range(k)]
    for q in range(n):
        others = np.delete(np.arange(n), q)
        distances = (
            (embeddings[others].astype(np.float64) - embeddings[q].astype(np.float64)) ** 2
        ).sum(axis=1)
        for j in range(k):
            count = int((labels[:, j] == labels[q, j]).sum())
            r = min(count - 1, max_neighbors or n)
            if r == 0:
                continue
            limit, same = np.sort(distances)[r - 1], labels[others, j] == labels[q, j]
            nearer, tied = distances < limit, distances == limit
            hits = same[nearer].sum() + same[tied].mean() * (r - nearer.sum())
            p = count / n
            precisions[j].append(hits / r)
            normalized[j].append((hits - r * p) / np.sqrt(r * p * (1 - p)) if p < 1 else np.nan)
    return [[np.mean(x) if x else np.nan for x in values] for values in (precisions, normalized)]


def test_by_hand():
    # Each query's R = 2 nearest are its own three: h = 2, p = 1/2, so (2 - 1) / sqrt(1/2)
    result = nr_precision(LINE, np.array([[0], [0], [0], [1], [1], [1]]))
    assert result.r_precision == pytest.approx([1])
    assert result.nr_precision == pytest.approx([np.sqrt(2)])


def test_two_properties_by_hand():
    # Second property: values 0 1 0 1 0 1; hits of the queries' two nearest: 1 0 1 1 0 1, without ties
    line = np.array([[0.0], [1.1], [2.0], [10.0], [10.9], [12.0]])
    labels = np.array([[0, 0], [0, 1], [0, 0], [1, 1], [1, 0], [1, 1]])
    result = nr_precision(line, labels)
    assert result.r_precision == pytest.approx([1, 4 / 12])
    assert result.nr_precision == pytest.approx([np.sqrt(2), (4 / 6 - 1) / np.sqrt(0.5)])


@pytest.mark.parametrize("n", [2, 3, 7, 50, 301])
@pytest.mark.parametrize("max_neighbors", [None, 1, 5])
def test_against_the_plain_loop(n, max_neighbors):
    rng = np.random.default_rng(n)
    embeddings = rng.normal(size=(n, 4)).astype(np.float32) + 100
    labels = np.stack([rng.integers(0, values, n) for values in (2, 3, 7)], axis=1)
    labels[0] = 9  # a value of one image only
    result, expected = (
        nr_precision(embeddings, labels, max_neighbors),
        plain_loop(embeddings, labels, max_neighbors),
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "awkward",
    [lambda x: x * 1e200, lambda x: x * 1e-200, lambda x: -0.0 * x, lambda x: np.concatenate([x[:-1], [[1e6] * 4]]),
     np.round, lambda x: np.round(x) + 1000],
    ids=["huge", "tiny", "zeros of both signs", "one far away", "many ties", "many ties far out"],
)  # fmt: skip
@pytest.mark.parametrize("n", [1, 2, 3, 700])
def test_awkward_embeddings(n, awkward):
    """Bins of equal width are of little help here."""
    rng = np.random.default_rng(n)
    embeddings, labels = awkward(rng.normal(size=(n, 4))), rng.integers(0, 3, (n, 2))
    scaled = np.ldexp(
        embeddings, -np.frexp(np.abs(embeddings).max())[1]
    )  # its squares neither run over nor vanish
    np.testing.assert_allclose(
        nr_precision(embeddings, labels), plain_loop(scaled, labels), rtol=0, atol=1e-9
    )


# ---------------------------------------------------------------------------------------------------------------------
# Exact, though products are taken in float32.
# ---------------------------------------------------------------------------------------------------------------------
def float64_hits(embeddings, labels, queries, max_neighbors=None):
    """(q, k): the hits of these queries, every distance in float64, every row sorted; who ties shares the last places."""
    x, hits = embeddings.astype(np.float64), np.zeros((len(queries), labels.shape[1]))
    for row, q in enumerate(queries):
        distances = ((x - x[q]) ** 2).sum(axis=1)
        distances[q] = np.inf
        in_order = np.sort(distances)
        for j, column in enumerate(labels.T):
            same = column == column[q]
            r = min(same.sum() - 1, max_neighbors or len(x))
            if r > 0:
                nearer, tied = distances < in_order[r - 1], distances == in_order[r - 1]
                hits[row, j] = same[nearer].sum() + same[tied].mean() * (r - nearer.sum())
    return hits


MANY = {
    "as one finds them": lambda x, rng: x,
    "in clusters": lambda x, rng: (
        x + 20 * rng.normal(size=(50, x.shape[1]))[rng.integers(0, 50, len(x))]
    ),
    "each one four times": lambda x, rng: np.repeat(x[: len(x) // 4], 4, axis=0),
    "far off the centre": lambda x, rng: x.astype(np.float32) + np.float32(1e4),
    "on a grid": lambda x, rng: np.round(x[:, :6]),
    "one much farther": lambda x, rng: np.concatenate([x[:-1], 1e4 * x[-1:]]),
    "of unit length": lambda x, rng: x / np.linalg.norm(x, axis=1, keepdims=True),
    "in a narrow cone": lambda x, rng: 1 + 1e-6 * x,
}


@pytest.mark.parametrize("kind", MANY)
@pytest.mark.parametrize("max_neighbors", [None, 100])
def test_hits_of_many_are_those_of_float64(kind, max_neighbors):
    rng = np.random.default_rng(3)
    labels = np.stack(
        [rng.integers(0, values, 20_000) for values in (2, 3, 6, 10, 10, 300)], axis=1
    )
    embeddings = MANY[kind](rng.normal(size=(20_000, 64)) + 0.1 * labels[:, :1], rng)
    queries = rng.permutation(20_000)[:120]
    found = query_hits(embeddings, labels, max_neighbors, queries).hits
    np.testing.assert_allclose(
        found, float64_hits(embeddings, labels, queries, max_neighbors), rtol=0, atol=1e-9
    )


def test_what_float32_puts_into_the_wrong_order():
    """Images as far from the first as float32 can tell, but for float64 the odd ones are nearer, of which none is like it."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(400, 8))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    labels = np.arange(401) % 2
    embeddings = np.concatenate(
        [np.zeros((1, 8)), directions * (1 + 1e-9 * (1 - labels[1:, None]))]
    )
    rounded = embeddings.astype(np.float32)
    in_order = np.argsort((rounded**2).sum(axis=1)[1:], kind="stable") + 1
    assert 50 < (labels[in_order[:200]] == 0).sum() < 150
    # The first property has one value; of the second R is 200, and the 200 nearest are odd.
    assert query_hits(
        embeddings, np.stack([0 * labels, labels], axis=1), queries=[0]
    ).hits.tolist() == [[400, 0]]


def test_error_bound_by_hand():
    # d = 1, u = 2^-24; norms 1 and 1/2: 6 u (2 * norm * 1 + 1) / (1 - 6 u)
    errors = nearest_neighbors.error_bounds(np.array([1.0, 0.25]), 1)
    assert errors == pytest.approx(
        [18 * 2**-24 / (1 - 6 * 2**-24), 12 * 2**-24 / (1 - 6 * 2**-24)], rel=1e-12
    )


@pytest.mark.parametrize("kind", MANY)
def test_distances_in_float32_are_as_near_to_float64_as_they_say(kind):
    rng = np.random.default_rng(4)
    embeddings = prepared(
        MANY[kind](rng.normal(size=(3000, 64)), rng), np.zeros((3000, 1), int)
    ).embeddings
    squares = (embeddings**2).sum(axis=1)
    exact, rounded = squares - 2 * embeddings @ embeddings.T, embeddings.astype(np.float32)
    errors = np.abs(squares.astype(np.float32) - 2 * rounded @ rounded.T - exact).max(axis=1)
    assert (errors <= nearest_neighbors.error_bounds(squares, 64)).all()


@pytest.mark.parametrize(
    "awkward",
    [lambda x: x, lambda x: -0.0 * x, lambda x: np.concatenate([x[:-1], [[1e6] * 4]]), np.round],
    ids=["plain", "zeros of both signs", "one far away", "many ties"],
)
@pytest.mark.parametrize("n", [1, 2, 3, 50, 1500])
@pytest.mark.parametrize("max_neighbors", [None, 5])
def test_the_way_of_gpus(n, awkward, max_neighbors, monkeypatch):
    """Run on the CPU, under a name that stands for another device."""
    rng = np.random.default_rng(n)
    embeddings = awkward(rng.normal(size=(n, 4)))
    labels = np.stack([rng.integers(0, values, n) for values in (1, 3, 300)], axis=1)
    monkeypatch.setattr(neighbor_hits_torch, "BLOCK_SIZE", n * n // 3 + 1)  # three blocks or more
    found = nr_precision(embeddings, labels, max_neighbors, device="cpu:0")
    np.testing.assert_allclose(
        found, nr_precision(embeddings, labels, max_neighbors), rtol=0, atol=1e-10
    )


def test_blocks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(0)
    embeddings, labels = rng.normal(size=(100, 8)), rng.integers(0, 4, (100, 2))
    whole = nr_precision(embeddings, labels)
    monkeypatch.setattr(nearest_neighbors, "BLOCK_BYTES", 0)
    monkeypatch.setattr(nearest_neighbors, "LEAST_QUERIES", 7)
    monkeypatch.setattr(nearest_neighbors, "SAMPLE", 10)
    blocks = nr_precision(embeddings, labels)
    np.testing.assert_allclose(whole, blocks, rtol=1e-12)


def test_ceiling():
    """Perfect clusters of c among n: sqrt(R (1 - p) / p); for six car models in 100,000 and R = 1023 that is 71.5."""
    labels = np.repeat(np.arange(6), 50)[:, None]
    embeddings = labels * 100 + np.random.default_rng(0).random((300, 2))
    assert nr_precision(embeddings, labels).nr_precision == pytest.approx([np.sqrt(49 * 5)])
    assert nr_precision(embeddings, labels, max_neighbors=10).nr_precision == pytest.approx(
        [np.sqrt(10 * 5)]
    )
    assert np.sqrt(1023 * 5) == pytest.approx(71.5, abs=0.05)


def test_null():
    """Random embeddings: mean zero, with a spread far below one; also when they all are equal."""
    rng = np.random.default_rng(0)
    labels = np.stack([rng.integers(0, values, 1200) for values in (3, 6, 10)], axis=1)
    assert np.abs(nr_precision(rng.normal(size=(1200, 16)), labels).nr_precision).max() < 0.15
    # Equal embeddings are chance by definition: R (c - 1) / (n - 1) hits, a little below R c / n
    assert np.abs(nr_precision(np.ones((1200, 16)), labels).nr_precision).max() < 0.03


def test_duplicates_are_neighbours_and_the_query_is_not():
    # Every image twice, the copies with other values: the copy is nearest, so no query finds its own value.
    embeddings = np.repeat(np.arange(4.0), 2)[:, None] * 10
    labels = np.tile([0, 1], 4)[:, None]
    assert nr_precision(embeddings, labels, max_neighbors=1).r_precision == pytest.approx([0])
    # Copies that share their value are found.
    assert nr_precision(
        embeddings, np.repeat([0, 1, 2, 3], 2)[:, None]
    ).r_precision == pytest.approx([1])


def test_tied_images_share_the_places():
    # Query 0 has R = 1 place for two images at distance 1, one of them of its value: half a hit.
    embeddings, labels = (
        np.array([[0.0], [1.0], [-1.0], [50.0], [-50.0]]),
        np.array([[0], [0], [1], [2], [3]]),
    )
    # Query 1's nearest is query 0, a hit. The others are alone with their values.
    assert nr_precision(embeddings, labels).r_precision == pytest.approx([(0.5 + 1) / 2])
    order = [2, 0, 4, 1, 3]
    np.testing.assert_allclose(
        nr_precision(embeddings[order], labels[order]), nr_precision(embeddings, labels)
    )


def test_lone_values_are_left_out():
    # Image 5 is alone. Three queries with R = 2, h = 2, p = 1/2: 1 / sqrt(1/2); two with R = 1, h = 1, p = 1/3:
    # (2/3) / sqrt(2/9). Both are sqrt(2).
    result = nr_precision(
        LINE + [[0], [0], [0], [0], [0], [9]], np.array([[0], [0], [0], [1], [1], [7]])
    )
    assert result.r_precision == pytest.approx([1])
    assert result.nr_precision == pytest.approx([np.sqrt(2)])


def test_undefined_properties():
    one_value = nr_precision(LINE, np.zeros((6, 1), int))
    assert one_value.r_precision == [1] and np.isnan(one_value.nr_precision)
    all_single = nr_precision(LINE, np.arange(6)[:, None])
    assert np.isnan(all_single.r_precision) and np.isnan(all_single.nr_precision)
    alone = nr_precision(LINE[:1], np.zeros((1, 1), int))
    assert np.isnan(alone.r_precision)


@pytest.mark.parametrize(
    "embeddings, labels, options",
    [
        (LINE, np.zeros((5, 1), int), {}),
        (LINE.ravel(), np.zeros((6, 1), int), {}),
        (np.where(LINE == 2, np.nan, LINE), np.zeros((6, 1), int), {}),
        (LINE, np.zeros((6, 1), int), {"max_neighbors": 0}),
        (LINE[:0], np.zeros((0, 1), int), {}),
    ],
)
def test_bad_input(embeddings, labels, options):
    with pytest.raises(ValueError):
        nr_precision(embeddings, labels, **options)
