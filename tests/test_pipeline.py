"""Every numbered script through its command line, at a tiny scale; resuming, and joining by id."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dml_analysis import checkout, paper
from dml_analysis.config import load_settings
from dml_analysis.files import csv_files
from dml_analysis.networks.specifications import network_of
from dml_analysis.saliency import map_comparisons, saliency_maps
from tests import fake_data
from tests.conftest import AFTER_TRAINING, SCRIPTS, run_command, snapshot
from tests.networks import make_trunk


def test_results(finished):
    results = finished / "results" / "tiny"
    pairs = pd.read_csv(results / "paper/saliency/pairs_RenderedCars.csv")
    assert list(pairs.columns) == list(map_comparisons.COLUMNS)
    assert len(pairs) == 6 and set(pairs.n_images) == {2}
    own = pairs.loss_a == pairs.loss_b
    assert (pairs.correlation_mean[own] == 1).all() and (pairs.jsd_mean[own] == 0).all()
    assert (
        pairs.correlation_mean[~own].between(0.05, 0.95).all()
        and pairs.jsd_mean[~own].between(0.001, 0.5).all()
    )
    scores = pd.read_csv(results / "paper/properties/nr_precision.csv")
    columns = "loss type fold property distance max_neighbors n_images r_precision nr_precision"
    assert list(scores.columns) == columns.split()
    assert (
        len(scores) == 3 * 11
        and set(scores.n_images) == {96}
        and set(scores.max_neighbors) == {"all"}
    )
    probes = pd.read_csv(results / "properties" / "linear_probe.csv")
    assert list(probes.property) == [prop.name for prop in paper.PROPERTIES] and set(
        probes.images
    ) == {96}
    assert (
        probes.percent.between(0, 100).all() and (probes.percent - probes.chance).max() > 20
    )  # colours are easy
    tests = pd.read_csv(results / "paper/properties/mann_whitney.csv")
    assert len(tests) == 11 * 2 * 2 and set(tests.unit) == {"loss_mean", "loss_fold"}
    assert set(tests.group_a) == {"Ranking"} and set(tests.group_b) == {"Classification"}
    record = json.loads((results / "run.json").read_text())
    assert set(record["scripts"]) >= {
        "saliency/1_compute_maps.py",
        "properties/3_score_properties.py",
    }
    assert record["settings"]["seed"] == 0 and record["settings"]["saliency"]["noise_samples"] == 2
    files = json.loads((results / "files.json").read_text())
    assert len(files) == 3 + 2 and all(len(entry["sha256"]) == 64 for entry in files.values())
    for name in ("paper/figure2", "paper/figure2_more", "figure3", "figure4"):
        with Image.open(finished / "figures" / "tiny" / f"{name}.png") as image:
            assert (
                min(image.size) > 300 and len(image.convert("L").resize((64, 64)).getcolors()) > 10
            )
        assert (finished / "figures" / "tiny" / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_csv_files_are_read_as_they_are_meant(finished):
    """By plain pandas.read_csv: the untrained network is in none of them a missing value."""
    found = {
        name.removeprefix("tiny/"): table
        for name, table in fake_data.check_csv_files(finished / "results").items()
    }
    models = {"Contrastive", "ArcFace", "Untrained"}
    means = {"Ranking Mean", "Classification Mean"}
    for name in ("reality_check/accuracy.csv", "embedding_space/embedding_space.csv", "paper/properties/nr_precision.csv",
                 "paper/tables/table1.csv"):  # fmt: skip
        assert set(found[name].loss) == models, name
    for name in ("paper/saliency/pairs_RenderedCars.csv", "paper/tables/table2.csv"):
        assert set(found[name].loss_a) | set(found[name].loss_b) == models, name
    assert set(found["paper/tables/table3.csv"].group_a) == {
        "Ranking",
        "Classification",
        "Untrained",
    }
    assert set(found["paper/tables/table6.csv"].loss) == models | means
    assert set(found["paper/properties/nr_precision.csv"].type) == {
        "Ranking",
        "Classification",
        "Untrained",
    }
    compared = found["paper/compared_with_paper.csv"]
    assert set(compared.row) == models | means | {"Ranking", "Classification"}
    assert len(found) > 20
    for name in ("table2", "table3", "table6"):  # as the paper prints it
        assert "None" in (finished / "results/tiny/paper/tables" / f"{name}.md").read_text()
        assert (
            "Untrained" not in (finished / "results/tiny/paper/tables" / f"{name}.tex").read_text()
        )


def maps_store(settings, model=0):
    """The store of the maps by the settings' first protocol."""
    network = network_of(settings, settings.models[model], "RenderedCars", settings.folds[0])
    samples = saliency_maps.mapped_samples(settings, "RenderedCars")
    return saliency_maps.store_of(settings, network, settings.protocols[0], samples)


def maps_in(store):
    return dict(zip(store.rows, store.read()["maps"]))


def test_maps_are_kept_with_their_ids(finished):
    found = maps_in(maps_store(load_settings(finished / "tiny.yaml")))
    assert len(found) == 2
    for each in found.values():
        assert each.dtype == np.float16 and each.shape == (227, 227)
        assert each.min() == 0 and each.max() == 1


def test_similarities_of_every_image_are_what_the_means_are_provenance(copy, run_inside):
    from dml_analysis.metrics.map_similarity import fisher_mean

    run_inside("saliency/5_list_similarities.py", copy / "tiny.yaml")
    folder = copy / "results/tiny/paper/saliency"
    with np.load(folder / "per_image_RenderedCars.npz", allow_pickle=False) as file:
        found = dict(file)
    items = maps_store(load_settings(copy / "tiny.yaml")).rows
    assert found["image_ids"].tolist() == items and found["correlation"].dtype == np.float32
    rows = zip(found["fold"], found["loss_a"], found["loss_b"], found["correlation"], found["jsd"])
    of_pair = {(fold, a, b): (r, jsd) for fold, a, b, r, jsd in rows}
    pairs = fake_data.read_rows(folder / "pairs_RenderedCars.csv")
    assert len(of_pair) == len(pairs) == 6
    for row in pairs:
        r, jsd = of_pair[int(row["fold"]), row["loss_a"], row["loss_b"]]
        assert fisher_mean(r.astype(float)) == pytest.approx(
            float(row["correlation_mean"]), abs=1e-5
        )
        assert jsd.mean() == pytest.approx(float(row["jsd_mean"]), abs=1e-6)


def test_similarities_of_maps_that_are_not_compared_yet(copy, fails):
    shutil.rmtree(copy / "results/tiny/paper/saliency/comparisons")
    message = fails("saliency/5_list_similarities.py", copy / "tiny.yaml")
    assert "not all maps are compared; run saliency/2_compare_maps.py first" in message


def test_a_second_run_changes_nothing(copy, run_inside):
    before = snapshot(copy / "results") | snapshot(copy / "models")
    for script in [
        "reality_check/2_train_models.py",
        *AFTER_TRAINING,
        *SCRIPTS[1:],
    ]:  # inputs.csv has paths of its own
        run_inside(script, copy / "tiny.yaml")
    assert snapshot(copy / "results") | snapshot(copy / "models") == before


def test_a_map_depends_on_nothing_but_its_purpose(copy, run_inside):
    """Maps computed alone, resumed, for more images or in other batches are those of the first run."""

    def maps_after(**options):
        shutil.rmtree(copy / "results")
        settings = fake_data.write_settings(
            copy, saliency={"noise_samples": 2, "batch_size": 2} | options
        )
        run_inside("saliency/1_compute_maps.py", settings, "--models", "ArcFace")
        store = maps_store(load_settings(settings), 1)
        assert [path.name for path in store.folder.parent.iterdir()] == ["arcface"]
        return maps_in(store)

    first = maps_in(maps_store(load_settings(copy / "tiny.yaml"), 1))
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
    file, others = (maps_store(settings, model).folder / "00000.npz" for model in (1, 0))
    whole, untouched = file.read_bytes(), others.stat().st_mtime_ns
    file.rename(file.with_name(".00000.123.npz"))
    file.with_name(".00000.123.npz").write_bytes(whole[:1000])
    run_inside("saliency/1_compute_maps.py", copy / "tiny.yaml")
    assert file.read_bytes() == whole and others.stat().st_mtime_ns == untouched


@pytest.mark.parametrize("stage", ["properties/2_embed_cars.py properties/3_score_properties.py",
                                   "saliency/1_compute_maps.py saliency/2_compare_maps.py"])  # fmt: skip
def test_narrowed_runs_add_up(copy, run_inside, run_unfinished, stage):
    """Results of models run one by one are those of all at once; until then those that lack something say so."""
    before = snapshot(copy / "results")
    first, second = stage.split()
    shutil.rmtree(copy / "results/tiny/properties")
    shutil.rmtree(copy / "results/tiny/paper")
    for name in ("None", "ArcFace", "Contrastive"):
        run_inside(first, copy / "tiny.yaml", "--models", name)
        run_inside(second, copy / "tiny.yaml", "--models", name)
        if name == "ArcFace":
            assert "Contrastive" in run_unfinished(second, copy / "tiny.yaml")
    after = snapshot(copy / "results")
    assert len(after) > 12 and set(after.items()) <= set(before.items())


def test_both_protocols_in_one_run(copy, run_inside):
    """Gradients are computed once, and each protocol's results are those of a run of its own, byte for byte."""
    calls, results = {}, {}
    gradients = saliency_maps.gradients_of
    for protocol in ("paper", "released", ["paper", "released"]):
        name = "both" if isinstance(protocol, list) else protocol
        settings = fake_data.write_settings(
            copy, name, protocol=protocol, models=["Contrastive", "ArcFace"]
        )
        shutil.copytree(copy / "results/tiny/properties", copy / "results" / name / "properties")
        with pytest.MonkeyPatch.context() as patch:
            counted = calls.setdefault(name, [])
            patch.setattr(
                saliency_maps,
                "gradients_of",
                lambda *arguments, counted=counted: counted.append(1) or gradients(*arguments),
            )
            for script in (*(script for script in SCRIPTS if script.startswith("saliency")),
                           "properties/3_score_properties.py", "properties/4_make_tables.py"):  # fmt: skip
                run_inside(script, settings)
        folder = copy / "results" / name
        results[name] = {
            path.relative_to(folder).as_posix(): each for path, each in snapshot(folder).items()
        }
    assert len(calls["both"]) == len(calls["paper"]) == 4
    apart = {name: each for key in ("paper", "released") for name, each in results[key].items()}
    assert results["both"] == apart and len(apart) > 60
    (pairs, released_pairs), (scores, released_scores) = [
        [csv_files.read(copy / "results/both" / name / file, columns) for name in ("paper", "released")]
        for file, columns in (("saliency/pairs_RenderedCars.csv", map_comparisons.COLUMNS),
                              ("properties/nr_precision.csv", dict.fromkeys("loss type fold property distance max_neighbors "
                               "n_images r_precision nr_precision".split(), str)))
    ]  # fmt: skip
    assert (released_pairs.correlation_mean != pairs.correlation_mean)[
        pairs.loss_a != pairs.loss_b
    ].all()
    assert set(released_scores.max_neighbors) == {"1023"} and set(released_scores.distance) == {
        "Euclidean, raw embeddings"
    }
    assert (released_scores.nr_precision != scores.nr_precision).any()
    assert (copy / "figures/both/released/figure2.png").is_file()


def test_the_base_of_the_divergence(tmp_path):
    random = np.random.default_rng(0).random((2, 3, 20, 20)).astype(np.float16)
    of_paper, of_released = (
        map_comparisons.similarities(list(random), each.jsd_base, [None, None])
        for each in paper.PROTOCOLS.values()
    )
    (correlation, jsd), (released_correlation, released_jsd) = of_paper, of_released
    np.testing.assert_allclose(released_jsd, jsd * np.log(2), rtol=1e-9)
    np.testing.assert_array_equal(released_correlation, correlation)
    expected = np.corrcoef(*random[:, 1].reshape(2, -1).astype(float))[0, 1]
    assert correlation[1, 0, 1] == pytest.approx(expected, abs=1e-12)


def test_missing_inputs_are_named_before_anything_is_trained(tmp_path, run_inside):
    fake_data.make_cars(tmp_path / "cars", 48)
    make_trunk(tmp_path)
    settings = fake_data.write_settings(tmp_path)
    output = run_inside("reality_check/1_check_inputs.py", settings)
    assert "to train 2 networks of RenderedCars" in output and "found    rendered cars" in output
    (tmp_path / "trunk.pth").unlink()
    status, output, errors = run_command(
        "reality_check/1_check_inputs.py", fake_data.write_settings(tmp_path, "real", training=None)
    )
    assert (
        status == 1
        and "MISSING  2 networks of RenderedCars" in output
        and errors.startswith("error: 3 inputs")
    )


LONG = re.compile(r"= start\(")  # in scripts with a loop over chunks
NUMBERED = sorted(
    file.relative_to(checkout.ROOT).as_posix()
    for folder in (
        "benchmarks",
        "causes",
        "controls",
        "data",
        "embedding_space",
        "properties",
        "reality_check",
        "report",
        "saliency",
    )
    for file in (checkout.ROOT / folder).glob("[0-9]_*.py")
    if "options_parser(" in file.read_text() or LONG.search(file.read_text())
)
NARROWED = ("--models", "--datasets", "--folds")
# Of scripts that make no results of a run, or files of their own for each dataset.
NARROWED_BY = dict.fromkeys(
    (
        "causes/7_explain_images.py",
        "benchmarks/3_measure_precision.py",
        "reality_check/1_check_inputs.py",
    ),
    NARROWED,
)
NARROWED_BY |= dict.fromkeys(("data/4_list_images.py", "embedding_space/2_correlate_measures.py", "embedding_space/3_plot_spaces.py",
                              "reality_check/5_plot_training.py", "reality_check/6_compare_choices.py"), ("--datasets",))  # fmt: skip


@pytest.mark.parametrize("script", NUMBERED)
def test_help(script, run_script, capsys):
    """Scripts that make tables, figures or statistics are about the whole settings: no option makes them of a part."""
    with pytest.raises(SystemExit) as stop:
        run_script(script, "--help")
    text = capsys.readouterr().out
    assert stop.value.code == 0 and "--settings" in text
    is_long = LONG.search((checkout.ROOT / script).read_text())
    expected = NARROWED if is_long else NARROWED_BY.get(script, ())
    assert tuple(option for option in NARROWED if f"[{option} " in text) == expected


def test_tables_and_figures_are_of_the_whole_settings(copy, run_inside, capsys):
    """An option that would narrow them is refused before anything is written; that of a long script narrows them not."""
    before = snapshot(copy / "results") | snapshot(copy / "figures")
    for script in (
        "saliency/3_make_tables.py",
        "saliency/4_plot_maps.py",
        "properties/4_make_tables.py",
        "report/1_list_results.py",
    ):
        for option in (["--models", "ArcFace"], ["--folds", "0"], ["--datasets", "RenderedCars"]):
            with pytest.raises(SystemExit) as stop:
                run_inside(script, copy / "tiny.yaml", *option)
            assert (
                stop.value.code == 2
                and f"unrecognized arguments: {' '.join(option)}" in capsys.readouterr().err
            )
    for script in ("properties/5_plot_embeddings.py", "properties/3_score_properties.py", "saliency/2_compare_maps.py",
                   "reality_check/4_measure_gains.py", "embedding_space/1_measure_spaces.py"):  # fmt: skip
        run_inside(script, copy / "tiny.yaml", "--models", "ArcFace", "None")
    run_inside("reality_check/1_check_inputs.py", copy / "tiny.yaml", "--models", "ArcFace")
    assert snapshot(copy / "results") | snapshot(copy / "figures") == before


def test_figure_3_is_the_same_from_fresh_and_from_kept_coordinates(copy, run_inside):
    figures = [copy / f"figures/tiny/figure3.{ending}" for ending in ("png", "pdf")]
    before = [file.read_bytes() for file in figures]
    for kept in (True, False):
        if not kept:
            shutil.rmtree(copy / "results/tiny/properties/tsne")
        run_inside("properties/5_plot_embeddings.py", copy / "tiny.yaml")
        assert [file.read_bytes() for file in figures] == before


@pytest.mark.parametrize("count", [1, 6, 10, 11, 40])
def test_every_value_has_a_colour_of_its_own(count):
    from dml_analysis.properties.property_figures import value_looks

    for name in ("model", "rotation_z"):
        assert len({(*color, marker) for color, marker in value_looks(name, count)}) == count
