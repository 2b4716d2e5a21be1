"""Embeddings of the rendered cars: made in chunks that a stopped run goes on from, and in one pass for networks of one trunk."""

import shutil

import numpy as np
import pytest

from dml_analysis.config import load_settings
from dml_analysis.datasets import readers
from dml_analysis.networks import bn_inception
from dml_analysis.networks.bn_inception import network_input
from dml_analysis.properties import car_embeddings
from dml_analysis.store import ResultStore
from tests import fake_data
from tests.conftest import files_in, stop_at_call

EMBED = "properties/2_embed_cars.py"


def test_stopped_embeddings_go_on(small, run_inside, monkeypatch):
    """In chunks of 40 of 96 images: those that exist are not made again."""
    monkeypatch.setattr(car_embeddings, "IMAGES_PER_CHUNK", 40)
    settings = small()
    folder = settings.parent / "results/small/properties"
    run_inside(EMBED, settings)
    whole = files_in(folder)
    shutil.rmtree(folder)
    with monkeypatch.context() as patch:
        patch.setattr(ResultStore, "save", stop_at_call(5, ResultStore.save))
        with pytest.raises(SystemExit, match="stopped"):
            run_inside(EMBED, settings)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")}
    assert len(times) == 4
    run_inside(EMBED, settings)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert files_in(folder) == whole and len(list(folder.rglob("*.npz"))) == 3 * 3


def test_networks_that_share_a_trunk_are_embedded_in_one_pass(project, run_inside, monkeypatch):
    seen = []
    monkeypatch.setattr(
        bn_inception, "network_input", lambda image: seen.append(1) or network_input(image)
    )
    properties = {"networks": "RenderedCars", "images": 20, "tsne_images": 20}
    file = fake_data.write_settings(project, properties=properties)
    run_inside(EMBED, file)
    assert len(seen) == 20
    settings = load_settings(file)
    cars = readers.property_images(settings)[0]
    features = car_embeddings.read(car_embeddings.features_store(settings, cars))
    for network in car_embeddings.embedding_networks(settings):
        layer = network.embedder().net[0]
        expected = features @ layer.weight.numpy().T + layer.bias.numpy()
        found = car_embeddings.read(car_embeddings.store_of(network, cars))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
