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
from dml_analysis.metrics import map_alignment
from dml_analysis.networks.specifications import network_of
from dml_analysis.saliency import map_comparisons, saliency_maps
from tests import fake_data
from tests.conftest import AFTER_TRAINING, SCRIPTS, files_in, run_command, snapshot
from tests.networks import make_trunk

SCORES = "properties/3_score_properties.py"


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


def test_a_map_depends_on_nothing_but_its_purpose(small, run_inside):
    """Maps computed alone, for more images or in other batches are those of the first run."""

    def maps_after(name, *options, **changes):
        settings = small(name, saliency={"noise_samples": 2, "batch_size": 2} | changes)
        run_inside("saliency/1_compute_maps.py", settings, *options)
        return maps_in(maps_store(load_settings(settings)))

    first = maps_after("first", images=2)
    more = maps_after("more", "--models", "Whole", images=3)
    shared = set(first) & set(more)
    assert len(more) == 3 and len(shared) == 2  # evenly spaced images: the first and the last stay
    for image_id in shared:
        np.testing.assert_array_equal(first[image_id], more[image_id])
    for image_id, single in maps_after("batches", images=2, batch_size=1).items():
        np.testing.assert_allclose(first[image_id], single, rtol=0, atol=2e-3)  # float16


def test_a_stopped_run_goes_on_to_the_same_bytes(copy, run_inside):
    """With one network's maps not there yet, and the half-written file that a killed run leaves beside them."""
    settings = load_settings(copy / "tiny.yaml")
    file, others = (maps_store(settings, model).folder / "00000.npz" for model in (1, 0))
    whole, untouched = file.read_bytes(), others.stat().st_mtime_ns
    file.rename(file.with_name(".00000.123.npz"))
    file.with_name(".00000.123.npz").write_bytes(whole[:1000])
    run_inside("saliency/1_compute_maps.py", copy / "tiny.yaml")
    assert file.read_bytes() == whole and others.stat().st_mtime_ns == untouched


STAGES = ["saliency/1_compute_maps.py", "saliency/2_compare_maps.py", "properties/2_embed_cars.py", SCORES]  # fmt: skip


def test_narrowed_runs_add_up(small, run_inside, run_unfinished):
    """Results of models run one by one are those of all at once; until then the missing ones are named."""
    settings = small()
    results = settings.parent / "results"
    for script in STAGES:
        run_inside(script, settings)
    before = snapshot(results)
    shutil.rmtree(results)
    for name in ("Top", "Other", "Whole"):
        for script in STAGES:
            run_inside(script, settings, "--models", name)
            if name == "Other" and script in STAGES[1::2]:
                assert "Whole" in run_unfinished(script, settings)
    assert snapshot(results) == before and len(before) > 12


def test_both_protocols_in_one_run(small, run_inside, monkeypatch):
    """Gradients are computed once, and each protocol's results are those of a run of its own, byte for byte."""
    calls, results, gradients = [], {}, saliency_maps.gradients_of

    def counted(*arguments):
        calls[-1] += 1
        return gradients(*arguments)

    monkeypatch.setattr(saliency_maps, "gradients_of", counted)
    scripts = [*STAGES, "saliency/3_make_tables.py", "properties/4_make_tables.py"]
    for name in ("paper", "released", "both"):
        protocol = ["paper", "released"] if name == "both" else name
        settings = small(name, protocol=protocol)
        calls.append(0)
        for script in scripts:
            run_inside(script, settings)
        results[name] = files_in(settings.parent / "results" / name)
    assert calls == [6, 6, 6]
    apart = results["paper"] | results["released"]
    assert results["both"] == apart and len(apart) > 60
    pairs, scores = (
        [
            pd.read_csv(settings.parent / "results/both" / name / file)
            for name in ("paper", "released")
        ]
        for file in ("saliency/pairs_RenderedCars.csv", "properties/nr_precision.csv")
    )
    others = pairs[0].loss_a != pairs[0].loss_b
    assert (pairs[0].correlation_mean != pairs[1].correlation_mean)[others].all()
    assert set(scores[1].max_neighbors) == {1023}
    assert set(scores[1].distance) == {"Euclidean, raw embeddings"}
    assert (scores[0].nr_precision != scores[1].nr_precision).any()


def test_the_base_of_the_divergence(tmp_path):
    random = np.random.default_rng(0).random((2, 3, 20, 20)).astype(np.float16)
    of_paper, of_released = (
        map_alignment.similarities(list(random), each.jsd_base, [None, None])
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
    assert "to train network Contrastive" in output and "found    rendered cars" in output
    (tmp_path / "trunk.pth").unlink()
    status, output, errors = run_command(
        "reality_check/1_check_inputs.py", fake_data.write_settings(tmp_path, "real", training=None)
    )
    assert (
        status == 1
        and "MISSING  network ArcFace" in output
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
    ("causes/7_explain_images.py", "reality_check/1_check_inputs.py"), NARROWED
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
    """An option that would narrow them is refused; narrowed long scripts leave the files of all models."""
    before = snapshot(copy / "results") | snapshot(copy / "figures")
    with pytest.raises(SystemExit) as stop:
        run_inside("saliency/3_make_tables.py", copy / "tiny.yaml", "--models", "ArcFace")
    assert stop.value.code == 2
    assert "unrecognized arguments: --models ArcFace" in capsys.readouterr().err
    for script in ("properties/5_plot_embeddings.py", SCORES, "reality_check/4_measure_gains.py"):
        run_inside(script, copy / "tiny.yaml", "--models", "ArcFace", "None")
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

    for prop in paper.PROPERTIES[:3]:  # categorical, of angles, ordinal
        assert len({(*color, marker) for color, marker in value_looks(prop, count)}) == count
