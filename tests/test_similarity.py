"""Map similarity and Fisher averages against values worked out by hand."""

import itertools
import tracemalloc

import numpy as np
import pytest

from dml_analysis import checkout, paper
from dml_analysis.config import Settings
from dml_analysis.datasets import image_digests
from dml_analysis.datasets.readers import Sample
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.map_similarity import (
    all_pairs,
    fisher_mean,
    fisher_std,
    jensen_shannon,
    pearson,
)
from dml_analysis.networks.specifications import LayoutNetwork, network_of
from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.saliency.map_comparisons import Comparison


def test_pearson_by_hand():
    # deviations (-1.5, -.5, .5, 1.5) and (-1, 1, -1, 1): 2 / sqrt(5 * 4)
    assert pearson([[1, 2], [3, 4]], [[0, 2], [0, 2]]) == pytest.approx(2 / np.sqrt(20))


def test_pearson_of_scaled_and_mirrored_maps():
    a = np.arange(6.0).reshape(2, 3)
    assert pearson(a, a) == 1
    assert pearson(a, 3 * a + 7) == pytest.approx(1)
    assert pearson(a, -a) == -1


def test_pearson_of_constant_map_is_undefined():
    noise = np.random.default_rng(0).random((5, 7))
    assert np.isnan(
        pearson(np.full((5, 7), 0.1), noise)
    )  # 0.1 has rounding of its own when its mean is taken off
    assert np.isnan(pearson(np.zeros((5, 7)), np.zeros((5, 7))))


def test_leading_axes_broadcast():
    maps = np.random.default_rng(1).random((3, 4, 5))
    table = pearson(maps[:, None], maps[None])
    assert table.shape == (3, 3)
    assert table[0, 2] == pearson(maps[0], maps[2])
    assert jensen_shannon(maps[:, None], maps[None], 2).shape == (3, 3)


def test_jensen_shannon_by_hand():
    # p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4): H(m) - H(q) / 2 = 0.8112781 - 0.5 bits
    assert jensen_shannon([[1, 0]], [[3, 3]], 2) == pytest.approx(0.8112781244591328 - 0.5)
    assert jensen_shannon([[1, 0]], [[3, 3]], np.e) == pytest.approx(
        (0.8112781244591328 - 0.5) * np.log(2)
    )


def test_jensen_shannon_bounds():
    assert jensen_shannon([[1, 0]], [[0, 5]], 2) == pytest.approx(1)  # nothing in common
    assert jensen_shannon([[1, 2]], [[10, 20]], 2) == 0  # the same distribution
    assert np.isnan(jensen_shannon([[0, 0]], [[1, 2]], 2))
    with pytest.raises(ValueError, match="negative"):
        jensen_shannon([[-1, 2]], [[1, 2]], 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 3), (32, 32), (33, 31), (227, 227)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("base", [2, np.e])
def test_all_pairs_are_each_pair(shape, kind, base):
    """All pairs at once against the definitions, with maps that are sparse, alike, constant, zero or missing."""
    rng = np.random.default_rng(0)
    maps = rng.random((7, 3, *shape)) ** 4
    maps[1] = maps[0]
    maps[2] = np.where(maps[2] < 0.1, 0, maps[2])
    maps[3, 0], maps[4, 1], maps[5, 2] = 0.1, 0, np.nan
    maps[6] *= 1e-5
    maps = maps.astype(kind).astype(np.float32 if kind == np.float16 else kind)
    correlation, jsd = all_pairs(maps, base)
    table = maps.swapaxes(0, 1)
    expected = (
        pearson(table[:, :, None], table[:, None]),
        jensen_shannon(table[:, :, None], table[:, None], base),
    )
    np.testing.assert_allclose(correlation, expected[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(jsd, expected[1], rtol=0, atol=1e-13)
    known = correlation[~np.isnan(correlation[:, 0, 0]), 0, :2], jsd[~np.isnan(jsd[:, 0, 0]), 0, :2]
    assert (known[0] == 1).all() and (known[1] == 0).all()  # exactly, also of two networks
    with pytest.raises(ValueError, match="negative"):
        all_pairs(-maps, base)


def test_fisher_mean_and_std_by_hand():
    # arctanh(0.6) = ln 2 and arctanh(0) = 0: tanh(ln(2) / 2) = 1/3 is both the mean and the spread
    assert fisher_mean([0.6, 0.0]) == pytest.approx(1 / 3)
    assert fisher_std([0.6, 0.0]) == pytest.approx(1 / 3)
    assert fisher_mean([0.6, -0.6]) == pytest.approx(0)
    assert fisher_std([0.6, -0.6]) == pytest.approx(0.6)


def test_fisher_at_the_edges():
    assert fisher_mean([1.0, 1.0]) == 1 and fisher_std([1.0, 1.0]) == 0
    assert fisher_mean([1.0, 0.5]) == 1 and np.isnan(fisher_std([1.0, 0.5]))
    assert np.isnan(fisher_mean([1.0, -1.0]))
    assert fisher_mean([0.3]) == pytest.approx(0.3) and fisher_std([0.3]) == 0
    assert (
        np.isnan(fisher_mean([]))
        and np.isnan(fisher_std([]))
        and np.isnan(fisher_std(np.zeros((2, 0)))).all()
    )
    assert fisher_mean([0.6, np.nan, 0.0]) == pytest.approx(1 / 3)
    assert np.isnan(fisher_mean([np.nan]))
    np.testing.assert_allclose(fisher_mean([[0.6, 0.0], [0.2, 0.2]]), [1 / 3, 0.2])


def test_memory_of_comparison_does_not_grow_with_the_images(tmp_path, monkeypatch):
    """Ten times the images take less than 1 kB of memory more for each."""
    monkeypatch.setattr(image_digests, "described", lambda settings, items: str(len(items)))
    monkeypatch.setattr(LayoutNetwork, "provenance", lambda network: {"trunk": network.model.name})

    def peak(parts):
        settings = Settings(
            name="test",
            models=paper.MODELS[:3],
            paths=checkout.PATHS | {"results": tmp_path / str(parts)},
        )
        items = [Sample(str(i), tmp_path, 0) for i in range(parts * saliency_maps.MAPS_PER_CHUNK)]
        networks = [network_of(settings, model, "SOP", 0) for model in settings.models]
        stores = [
            saliency_maps.store_of(settings, network, settings.protocols[0], items)._replace(
                arrays={"maps": Array("f2", (20, 20))}
            )
            for network in networks
        ]
        size = saliency_maps.MAPS_PER_CHUNK
        for store, number in itertools.product(stores, range(parts)):
            store.save(number, maps=np.random.default_rng(number).random((size, 20, 20)))
        names = [model.name for model in settings.models]
        maps_of = dict(zip(names, stores))
        comparison = Comparison(
            tmp_path / f"{parts}", settings.protocols[0], "SOP", 0, items, {}, maps_of, True
        )
        store = comparison.store_of(names)
        tracemalloc.start()
        for number in range(parts):
            maps = [each.load(number)["maps"] for each in stores]
            rows = slice(number * size, (number + 1) * size)
            store.save(number, **map_comparisons.compared(comparison, names, maps, rows))
        rows = list(map_comparisons.rows_of(comparison))
        assert {row[4] for row in rows} == {parts * size} and len(rows) == 6
        return tracemalloc.get_traced_memory()[1]

    try:
        few, many = peak(2), peak(20)
    finally:
        tracemalloc.stop()
    assert many - few < 1000 * 18 * saliency_maps.MAPS_PER_CHUNK
