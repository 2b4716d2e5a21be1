"""The benchmarks at a small scale: both sides compute the same, and times and memory are right."""

import sys

import numpy as np
import pytest

from benchmarks import measure


def test_functions_take_turns(monkeypatch):
    turns, clock = [], iter([0, 1, 1, 3, 3, 8, 8, 10, 10, 12, 12, 14])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    functions = {"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}
    assert measure.medians(functions, 3) == {"a": 2, "b": 2}
    assert turns == ["a", "b"] * 3


def allocates(megabytes):
    """Use as much before the measurement as in it."""
    before = np.ones(megabytes * 2**17)
    return lambda: before + 1


def allocates_again(megabytes):
    """Use the memory in small pieces before the measurement; all but the last are freed."""

    def pieces():
        return [np.ones(2**13) for _ in range(16 * megabytes)]

    last = pieces()[-1]
    return lambda: (last, pieces())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak")
@pytest.mark.parametrize("prepare", [allocates, allocates_again])
def test_memory_beyond_what_was_in_use(prepare):
    assert measure.peak_memory(prepare, 200) == pytest.approx(0.2 * 1.048576, rel=0.05)


def test_pairs_of_maps_agree():
    from benchmarks import map_pairs

    maps = map_pairs.random_maps(4, 2, side=20)
    theirs = [map_pairs.compared_pair_by_pair(maps[:, image]) for image in range(2)]
    np.testing.assert_allclose(map_pairs.ours(maps), theirs, atol=1e-12)


def test_neighbors_agree():
    pytest.importorskip("faiss")
    from benchmarks import neighbors

    ours, theirs = neighbors.ours(700)().r_precision, neighbors.metric_learning(700)()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_maps_agree(monkeypatch):
    pytest.importorskip("captum")
    from benchmarks import saliency_maps

    monkeypatch.setattr(saliency_maps, "SAMPLES", 4)
    monkeypatch.setattr(saliency_maps, "IMAGES", saliency_maps.IMAGES[:4])
    assert saliency_maps.difference() < 1e-12
    # captum samples other noise; without noise the maps are the same up to float32 rounding
    theirs = saliency_maps.captum_map(*saliency_maps.inputs(), 4, sigma=0)
    ours = saliency_maps.our_map(*saliency_maps.inputs(as_ours=True), "paper", sigma=0)
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.999
