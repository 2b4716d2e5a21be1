"""Every numbered script through its command line, at a tiny scale; resuming, joining by id, and bad input."""

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
from tests.conftest import SCRIPTS, first_embedder, run_command, snapshot


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
    a, b, c = np.random.default_rng(0).random((3, 20, 20))
    maps = {"a": {"x": a, "y": b, "z": c}, "b": {"z": c, "y": b, "x": a}, "c": {"y": a}}
    write_compared(tmp_path / "block.npz", maps, dict.fromkeys("abc", "tested"), 2)
    block = read_compared(tmp_path / "block.npz")
    assert block.image_ids == ["x", "y", "z"] and block.losses == ["a", "b", "c"]
    np.testing.assert_array_equal(block.correlation[:, 0, 1], 1)
    assert np.isnan(block.correlation[[0, 2], 0, 2]).all()
    assert block.correlation[1, 0, 2] == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-12)


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


# Bad input: one line that names the file or the setting, and earlier results as they were.


@pytest.mark.parametrize("script", ["saliency/1_compute_maps.py", "properties/2_embed_cars.py"])
def test_truncated_checkpoint(project, fails, script, capsys):
    file = first_embedder(project)
    file.write_bytes(file.read_bytes()[:1000])
    message = fails(script, project / "tiny.yaml")
    assert "embedder_best.pth" in message + capsys.readouterr().out
    begun = {path.name for path in (project / "results" / "tiny").iterdir()} - {"run.json", ".lock"}
    assert not begun


def test_missing_checkpoint(project, fails):
    first_embedder(project).unlink()
    assert "embedder_best.pth: missing" in fails("saliency/1_compute_maps.py", project / "tiny.yaml")


def test_missing_inputs_are_named_before_anything_is_trained(tmp_path, run_inside):
    fake_data.make_cars(tmp_path / "cars", 48)
    settings = fake_data.write_settings(tmp_path)
    output = run_inside("reality_check/1_check_inputs.py", settings)
    assert "to train network Contrastive" in output and "found    rendered cars" in output
    status, output, errors = run_command(
        "reality_check/1_check_inputs.py", fake_data.write_settings(tmp_path, "real", training=None)
    )
    assert status == 1 and "MISSING  network ArcFace" in output and errors.startswith("error: 3 inputs")


def test_unreadable_image(project, fails):
    (project / "cars/images/5.png").write_bytes(b"\x89PNG, but no more than that")
    assert "5.png: not a readable image" in fails("properties/2_embed_cars.py", project / "tiny.yaml")


def test_missing_image(copy, fails):
    before = snapshot(copy / "results")
    (copy / "cars/images/7.png").unlink()
    (copy / "results/tiny/saliency/maps/RenderedCars/fold0/none/block_00000.npz").rename(copy / "moved.npz")
    assert "7.png: image is missing" in fails("saliency/1_compute_maps.py", copy / "tiny.yaml")
    shutil.move(copy / "moved.npz", copy / "results/tiny/saliency/maps/RenderedCars/fold0/none/block_00000.npz")
    assert snapshot(copy / "results") == before


def test_samples_without_a_column(copy, fails):
    before = snapshot(copy / "results")
    table = pd.read_csv(copy / "cars/samples.csv").drop(columns="camera_loc_z")
    table.to_csv(copy / "cars/samples.csv", index=False)
    assert "samples.csv: column 'camera_loc_z' is missing" in fails(
        "properties/5_plot_embeddings.py", copy / "tiny.yaml"
    )
    assert snapshot(copy / "results") == before


def test_nan_embeddings(copy, fails):
    scores = (copy / "results/tiny/properties/nr_precision.csv").read_bytes()
    file = copy / "results/tiny/properties/embeddings/arcface_fold0.npy"
    embeddings = np.load(file)
    embeddings[3, 5] = np.nan
    np.save(file, embeddings)
    assert "arcface_fold0.npy: contains NaN" in fails("properties/3_score_properties.py", copy / "tiny.yaml")
    assert (copy / "results/tiny/properties/nr_precision.csv").read_bytes() == scores


def test_embeddings_of_other_images(copy, fails):
    file = copy / "results/tiny/properties/embeddings/arcface_fold0.txt"
    file.write_text(file.read_text().replace("17\n", "9017\n", 1))
    file.with_suffix(".npy").touch()
    assert "arcface_fold0.npy: embeds other images" in fails("properties/3_score_properties.py", copy / "tiny.yaml")


def test_broken_maps(copy, fails):
    shutil.rmtree(copy / "results/tiny/saliency/per_image")
    (copy / "results/tiny/saliency/maps/RenderedCars/fold0/arcface/block_00000.npz").write_bytes(b"PK half a file")
    assert "arcface/block_00000.npz: not a readable block" in fails("saliency/2_compare_maps.py", copy / "tiny.yaml")


@pytest.mark.parametrize(
    "script, options, message",
    [("saliency/1_compute_maps.py", ["--losses", "Contrastiv"], "unknown loss 'Contrastiv'; known: Contrastive"),
     ("saliency/1_compute_maps.py", ["--datasets", "SOP"], "unknown dataset 'SOP'"),
     ("properties/2_embed_cars.py", ["--folds", "3"], "unknown fold '3'"),
     ("saliency/2_compare_maps.py", [], "no saliency maps; run saliency/1_compute_maps.py"),
     ("saliency/4_plot_maps.py", [], "no saliency maps"),
     ("properties/3_score_properties.py", [], "no embeddings; run properties/2_embed_cars.py"),
     ("properties/5_plot_embeddings.py", [], "run properties/2_embed_cars.py"),
     ("properties/6_probe_features.py", [], "untrained_trunk.npy: missing; run properties/2_embed_cars.py"),
     ("report/1_list_results.py", [], "results are missing")],
)  # fmt: skip
def test_unknown_names_and_missing_stages(project, fails, script, options, message):
    assert message in fails(script, project / "tiny.yaml", *options)


def test_networks_trained_otherwise_are_not_taken_for_these(project, fails):
    settings = fake_data.write_settings(
        project, training={"iterations": 11, "check_every": 5, "calibration_images": 20}
    )
    assert "made_with.json: these networks were trained with other settings" in fails(
        "reality_check/2_train_models.py", settings
    )


def test_released_has_no_maps_of_later_folds(project, fails):
    settings = fake_data.write_settings(project, protocol="released", folds=[0, 2])
    assert "compares saliency maps of fold 0 only" in fails("saliency/1_compute_maps.py", settings, "--folds", "2")


def test_training_settings_are_needed_to_train(project, fails):
    settings = fake_data.write_settings(project, "real", training=None)
    assert "no `training:` block" in fails("reality_check/2_train_models.py", settings)


def test_changed_settings_are_refused(copy, fails):
    before = snapshot(copy / "results")
    settings = fake_data.write_settings(copy, saliency={"images": 2, "noise_samples": 3})
    for script in ("saliency/1_compute_maps.py", "saliency/3_make_tables.py", "properties/3_score_properties.py"):
        assert "noise_samples': 2" in fails(script, settings)
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("script", [*SCRIPTS, "reality_check/2_train_models.py"])
def test_help(script, run_script, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(script, "--help")
    text = capsys.readouterr().out
    assert stop.value.code == 0 and "--settings" in text and "--losses" in text
