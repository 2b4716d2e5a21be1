"""Every numbered script through its command line, at a tiny scale; resuming, and joining by id."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import utils
from saliency.compare_maps import read_compared, write_compared
from saliency.map_files import block_file, block_numbers, read_block
from settings.reader import load_settings
from tests import fake_data
from tests.conftest import SCRIPTS, run_command, snapshot


def test_results(finished):
    results = finished / "results" / "tiny"
    pairs = pd.read_csv(results / "saliency" / "pairs_RenderedCars.csv", keep_default_na=False)
    assert (
        list(pairs.columns)
        == "dataset fold loss_a loss_b n_images correlation_mean correlation_std jsd_mean jsd_std".split()
    )
    assert len(pairs) == 6 and set(pairs.n_images) == {2}
    own = pairs.loss_a == pairs.loss_b
    assert (pairs.correlation_mean[own] == 1).all() and (pairs.jsd_mean[own] == 0).all()
    assert pairs.correlation_mean[~own].between(0.05, 0.95).all() and pairs.jsd_mean[~own].between(0.001, 0.5).all()
    scores = pd.read_csv(results / "properties" / "nr_precision.csv", keep_default_na=False)
    assert (
        list(scores.columns)
        == "loss type fold property distance max_neighbors n_images r_precision nr_precision embeddings".split()
    )
    assert len(scores) == 3 * 11 and set(scores.n_images) == {96} and set(scores.max_neighbors) == {"all"}
    probes = pd.read_csv(results / "properties" / "linear_probe.csv")
    assert list(probes.property) == [prop.name for prop in utils.PROPERTIES] and set(probes.images) == {96}
    assert probes.percent.between(0, 100).all() and (probes.percent - probes.chance).max() > 20  # colours are easy
    tests = pd.read_csv(results / "properties" / "mann_whitney.csv")
    assert len(tests) == 11 * 2 * 2 and set(tests.unit) == {"loss_mean", "loss_fold"}
    record = json.loads((results / "run.json").read_text())
    assert set(record["scripts"]) >= {"saliency/1_compute_maps.py", "properties/3_score_properties.py"}
    assert record["settings"]["seed"] == 0 and record["settings"]["saliency"]["noise_samples"] == 2
    for name in ("figure2", "figure2_more", "figure3", "figure4"):
        with Image.open(finished / "figures" / "tiny" / f"{name}.png") as image:
            assert min(image.size) > 300 and len(image.convert("L").resize((64, 64)).getcolors()) > 10
        assert (finished / "figures" / "tiny" / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def maps_in(folder):
    return {i: each for n in block_numbers(folder) for i, each in read_block(block_file(folder, n)).items()}


def test_maps_are_kept_with_their_ids(finished):
    settings = load_settings(finished / "tiny.yaml")
    maps = maps_in(utils.maps_folder(settings, "RenderedCars", 0, settings.losses[0]))
    assert len(maps) == 2
    for each in maps.values():
        assert each.dtype == np.float16 and each.shape == (227, 227)
        assert each.min() == 0 and each.max() == 1


def test_a_second_run_changes_nothing(copy, run_inside):
    before = snapshot(copy / "results")
    for script in ("saliency/1_compute_maps.py", "properties/2_embed_cars.py", "properties/3_score_properties.py",
                   "saliency/2_compare_maps.py", "saliency/3_make_tables.py", "properties/4_make_tables.py"):  # fmt: skip
        run_inside(script, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


def test_a_map_depends_on_nothing_but_its_purpose(copy, run_inside):
    """Maps computed alone, resumed, for more images or in other batches are those of the first run."""
    settings = load_settings(copy / "tiny.yaml")
    folder = utils.maps_folder(settings, "RenderedCars", 0, settings.losses[1])

    def maps_after(**options):
        shutil.rmtree(settings.results)
        fake_data.write_settings(copy, saliency={"noise_samples": 2, "batch_size": 2} | options)
        run_inside("saliency/1_compute_maps.py", copy / "tiny.yaml", "--losses", "ArcFace")
        assert [path.name for path in folder.parent.iterdir()] == ["arcface"]
        return maps_in(folder)

    first = maps_in(folder)
    more = maps_after(images=3)
    shared = set(first) & set(more)
    assert len(more) == 3 and len(shared) == 2  # evenly spaced images: the first and the last stay
    for image_id in shared:
        np.testing.assert_array_equal(first[image_id], more[image_id])
    for image_id, single in maps_after(images=2, batch_size=1).items():
        # Convolutions round differently in other batches, and where that tips a ReLU a pixel moves a little.
        assert np.abs(first[image_id].astype(float) - single).mean() < 5e-4
        assert np.corrcoef(first[image_id].ravel().astype(float), single.ravel())[0, 1] > 0.9999


def test_a_stopped_run_goes_on_to_the_same_bytes(copy, run_inside):
    """With one network's maps not there yet, and the half-written file that a killed run leaves beside them."""
    settings = load_settings(copy / "tiny.yaml")
    file = utils.maps_folder(settings, "RenderedCars", 0, settings.losses[1]) / "block_00000.npz"
    others = utils.maps_folder(settings, "RenderedCars", 0, settings.losses[0]) / "block_00000.npz"
    whole, untouched = file.read_bytes(), others.stat().st_mtime_ns
    file.rename(file.with_name(".block_00000.123.npz"))
    file.with_name(".block_00000.123.npz").write_bytes(whole[:1000])
    run_inside("saliency/1_compute_maps.py", copy / "tiny.yaml")
    assert file.read_bytes() == whole and others.stat().st_mtime_ns == untouched
    assert len(maps_in(file.parent)) == 2


def test_narrowed_runs_add_up(copy, run_inside):
    """Embeddings and scores of losses run one by one are those of all at once."""
    expected = pd.read_csv(copy / "results/tiny/properties/nr_precision.csv", keep_default_na=False)
    shutil.rmtree(copy / "results" / "tiny" / "properties")
    for loss in ("None", "ArcFace", "Contrastive"):
        for script in ("properties/2_embed_cars.py", "properties/3_score_properties.py"):
            run_inside(script, copy / "tiny.yaml", "--losses", loss)
    again = pd.read_csv(copy / "results/tiny/properties/nr_precision.csv", keep_default_na=False)
    key = ["loss", "property"]
    pd.testing.assert_frame_equal(*(t.sort_values(key, ignore_index=True) for t in (expected, again)), atol=1e-9)


def test_maps_are_joined_by_image_id(tmp_path):
    a, b, c = np.random.default_rng(0).random((3, 20, 20)).astype(np.float16)
    maps = {"a": {"x": a, "y": b, "z": c}, "b": {"z": c, "y": b, "x": a}, "c": {"y": a}}
    write_compared(tmp_path / "block.npz", maps, dict.fromkeys("abc", "tested"), 2)
    block = read_compared(tmp_path / "block.npz")
    assert block.image_ids == ["x", "y", "z"] and block.losses == ["a", "b", "c"]
    np.testing.assert_array_equal(block.correlation[:, 0, 1], 1)
    assert np.isnan(block.correlation[[0, 2], 0, 2]).all()
    assert block.correlation[1, 0, 2] == pytest.approx(
        np.corrcoef(a.ravel().astype(float), b.ravel().astype(float))[0, 1], abs=1e-12
    )


def test_protocol_released_differs(copy, run_inside):
    """From the same maps and embeddings: natural logarithm, R at most 1023, raw Euclidean distance."""
    tables = {}
    for protocol in ("paper", "released"):
        fake_data.write_settings(copy, protocol, protocol=protocol)
        for part in ("saliency/maps", "properties/embeddings"):
            shutil.copytree(copy / "results/tiny" / part, copy / "results" / protocol / part)
        for script in ("saliency/2_compare_maps.py", "properties/3_score_properties.py"):
            run_inside(script, copy / f"{protocol}.yaml")
        folder = copy / "results" / protocol
        names = ("saliency/pairs_RenderedCars.csv", "properties/nr_precision.csv")
        tables[protocol] = [pd.read_csv(folder / name, keep_default_na=False) for name in names]
    (pairs, scores), (released_pairs, released_scores) = tables["paper"], tables["released"]
    np.testing.assert_allclose(released_pairs.jsd_mean, pairs.jsd_mean * np.log(2), rtol=1e-9)
    np.testing.assert_array_equal(released_pairs.correlation_mean, pairs.correlation_mean)
    assert set(released_scores.max_neighbors) == {1023} and set(released_scores.distance) == {
        "Euclidean, raw embeddings"
    }
    assert (released_scores.nr_precision != scores.nr_precision).any()


def test_missing_inputs_are_named_before_anything_is_trained(tmp_path, run_inside):
    fake_data.make_cars(tmp_path / "cars", 48)
    settings = fake_data.write_settings(tmp_path)
    output = run_inside("reality_check/1_check_inputs.py", settings)
    assert "to train network Contrastive" in output and "found    rendered cars" in output
    status, output, errors = run_command(
        "reality_check/1_check_inputs.py", fake_data.write_settings(tmp_path, "real", training=None)
    )
    assert status == 1 and "MISSING  network ArcFace" in output and errors.startswith("error: 3 inputs")


@pytest.mark.parametrize("script", [*SCRIPTS, "reality_check/2_train_models.py"])
def test_help(script, run_script, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(script, "--help")
    text = capsys.readouterr().out
    assert stop.value.code == 0 and "--settings" in text and "--losses" in text
