"""The benchmarks at a small scale: that contestants do the same work, and what is reported of it."""

import sys

import numpy as np
import pytest

from benchmarks import measure
from benchmarks.measure import Row


def test_ratios():
    row = Row("what", "them", "cpu", "s", 2.0, ours=1.5, theirs=3.0)
    assert row.ratio == 2 and row.reached == "yes"
    assert row._replace(theirs=2.9).reached == "no"
    assert row.in_words().endswith("2 times (at least 2: yes); 1.5 vs. 3 s")
    assert Row("what", "them", "cuda", "s", 2.0).reached == "not measured"


def test_contestants_take_turns(monkeypatch):
    turns, clock = [], iter([0, 1, 1, 3, 3, 8, 8, 10, 10, 12, 12, 14])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    assert measure.medians({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 3) == {
        "a": 2,
        "b": 2,
    }
    assert turns == ["a", "b"] * 3


def allocates(megabytes):
    """Keeps so much before it is measured, and again while it is."""
    before = np.ones(megabytes * 2**17)
    return lambda: before + 1


def allocates_again(megabytes):
    """Has had so much before it is measured, in small pieces, which the process kept but for the last of them."""

    def pieces():
        return [np.ones(2**13) for _ in range(16 * megabytes)]

    last = pieces()[-1]
    return lambda: (last, pieces())


@pytest.mark.parametrize("prepare", [allocates, allocates_again])
def test_memory_beyond_what_was_there(prepare):
    seconds, memory = measure.time_and_memory(prepare, 200)
    assert seconds > 0
    if sys.platform == "linux":
        assert memory == pytest.approx(200 * 2**20, rel=0.05)


def test_pairs_of_maps_agree():
    from benchmarks import map_pairs

    maps = map_pairs.random_maps(4, 2, side=20)
    for image, (correlation, jsd) in enumerate(zip(*map_pairs.all_pairs(maps, 2))):
        theirs, upper = map_pairs.compared_pair_by_pair(maps[:, image]), np.triu_indices(4, 1)
        np.testing.assert_allclose(
            (correlation[upper], jsd[upper]), [each[upper] for each in theirs], atol=1e-12
        )


def test_neighbours_agree():
    pytest.importorskip("faiss")
    from benchmarks import neighbors

    ours, theirs = neighbors.ours(700)().r_precision, neighbors.metric_learning(700)()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    time_row, memory_row = neighbors.against_the_product(n=3000, rounds=1)
    assert time_row.reached in ("yes", "no") and memory_row.unit == "GB"
    (null_row,) = neighbors.null_against_calls(n=300, permutations=10, calls=2, rounds=1)
    assert null_row.reached in ("yes", "no") and "scaled" in null_row.against


def test_maps_agree(monkeypatch):
    pytest.importorskip("captum")
    from benchmarks import saliency_maps

    monkeypatch.setattr(saliency_maps, "SAMPLES", 4)
    monkeypatch.setattr(saliency_maps, "IMAGES", saliency_maps.IMAGES[:4])

    plain, ours, image, base = saliency_maps.contestants("cpu")
    difference, their_rounding, our_rounding = saliency_maps.exactness()
    assert difference < 1e-12 and our_rounding < 2 * their_rounding < 0.05
    # captum draws other noise; without any, the maps are the same but for what float32 rounds
    theirs = saliency_maps.captum_map(plain, image, base, 4, sigma=0)
    by_paper = saliency_maps.our_map(ours, image, base, 4, "paper", sigma=0)
    assert np.corrcoef(theirs.ravel(), by_paper.ravel())[0, 1] > 0.999
