"""Several items at once, and numbers that do not hang on how many threads there are."""

import threading
import time

import numpy as np
import pytest
import torch

from common import threads
from common.settings import load_settings
from data import datasets
from reality_check.embedding import embedded
from reality_check.networks import networks_of
from saliency import maps


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order(two_threads):
    """Whoever is ready first; each item's work sees one thread, and outside there are as many as before."""
    seen = []

    def work(number):
        time.sleep(0.02 * (5 - number))
        seen.append((threading.get_ident(), torch.get_num_threads()))
        return number**2

    assert list(threads.in_order(work, range(5))) == [0, 1, 4, 9, 16]
    assert {count for _, count in seen} == {1} and len({thread for thread, _ in seen}) == 2
    assert torch.get_num_threads() == 2


def test_only_so_many_items_are_in_memory(two_threads):
    """No more are taken than are at work, and one."""
    taken = []
    results = threads.in_order(lambda number: number, (taken.append(number) or number for number in range(100)))
    assert next(results) == 0 and len(taken) == 3
    results.close()
    assert len(taken) == 3


def test_what_goes_wrong_comes_out(two_threads):
    done = []

    def work(number):
        if number == 1:
            raise ValueError("one")
        done.append(number)
        return number

    with pytest.raises(ValueError, match="one"):
        list(threads.in_order(work, range(50)))
    assert len(done) < 10


def test_elsewhere_one_after_the_other(two_threads):
    here = threading.get_ident()
    assert list(threads.in_order(lambda _: threading.get_ident(), range(3), "meta")) == [here] * 3


@pytest.mark.parametrize("count", [1, 3])
def test_networks_do_not_hang_on_threads(trained, count):
    """Embeddings and maps are the same, bit by bit, as with two threads."""
    settings = load_settings(trained / "tiny.yaml")
    networks, items = (
        networks_of(settings, "RenderedCars", [0]),
        datasets.load_items(settings, "RenderedCars", "test")[:5],
    )

    def found(number):
        torch.set_num_threads(number)
        make = maps.maker(settings, {"RenderedCars": items}, 1, networks)
        shelves = [maps.shelf_of(networks[0], settings.protocols[0], items)]
        return [*embedded([(each, True) for each in networks], items, 2, lambda ticks: None),
                np.array(make(shelves, 0, lambda ticks: None)[0]["maps"])]  # fmt: skip

    before = torch.get_num_threads()
    try:
        for ours, theirs in zip(found(count), found(2)):
            np.testing.assert_array_equal(ours, theirs)
    finally:
        torch.set_num_threads(before)


def test_images_may_share_batches(trained):
    """The copies of several images go through the network together, where a batch has room for them: the same maps, but for rounding."""
    settings, found, sizes = load_settings(trained / "tiny.yaml"), {}, []
    items = datasets.load_items(settings, "RenderedCars", "test")[:5]
    for batch_size in (2, 5):  # of two copies each: one image, or two
        changed = settings._replace(saliency=settings.saliency._replace(batch_size=batch_size))
        network = networks_of(changed, "RenderedCars", [0])[0]
        make = maps.maker(changed, {"RenderedCars": items}, 1, [network])
        shelf, ticks = maps.shelf_of(network, changed.protocols[0], items), []
        found[batch_size] = np.array(make([shelf], 0, ticks.append)[0]["maps"])
        sizes.append(ticks)
    assert sizes == [[1] * 5, [2, 2, 1]]
    assert np.abs(found[2] - found[5]).mean() < 1e-3 and np.corrcoef(found[2].ravel(), found[5].ravel())[0, 1] > 0.9999
