"""Measuring, correlating and plotting embedding spaces, through the scripts."""

import json
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

from dml_analysis import checkout
from dml_analysis.config import Settings, load_settings
from dml_analysis.embedding_space import embedding_spaces, measure_correlations, training_factors
from dml_analysis.errors import InputError, Unmeasured
from dml_analysis.files.array_files import Array
from dml_analysis.metrics import embedding_measures
from dml_analysis.networks import specifications
from dml_analysis.networks.embedding import embedded
from dml_analysis.scripts import Run
from dml_analysis.store import ResultStore
from dml_analysis.todo import todo
from tests import fake_data
from tests.conftest import run_all

TRAIN = "reality_check/2_train_models.py"
MEASURE, CORRELATE, PLOT = (
    f"embedding_space/{name}.py"
    for name in ("1_measure_spaces", "2_correlate_measures", "3_plot_spaces")
)
COMPARE = "embedding_space/5_compare_factors.py"


@pytest.fixture(scope="module")
def measured(tiles, tmp_path_factory):
    """A folder with four networks of classes of tiles, trained and measured."""
    folder = tmp_path_factory.mktemp("measured")
    models = ["Contrastive", "Triplet", "NTXent", "ArcFace", "None"]
    settings = fake_data.write_tiles_settings(tiles, folder, models=models)
    run_all(settings, [TRAIN, MEASURE, CORRELATE])
    return settings


def rows_of(settings, name):
    return fake_data.read_rows(settings.parent / "results/tiles/embedding_space" / f"{name}.csv")


def test_every_network_is_measured_on_both_parts(measured):
    rows = rows_of(measured, "embedding_space")
    assert list(rows[0]) == list(embedding_spaces.SPACES)
    assert {(row["loss"], row["part"]) for row in rows} == {
        (loss, part) for loss in ("Contrastive", "Triplet", "NTXent", "ArcFace", "Untrained") for part in ("train", "test")}  # fmt: skip
    assert {(row["part"], row["n_images"], row["n_classes"]) for row in rows} == {
        ("test", "48", "8"),
        ("train", "36", "6"),
    }


def test_the_numbers_are_those_of_the_network(measured):
    settings = load_settings(measured)
    (network,) = (
        each
        for each in specifications.networks_of(settings, "Tiles", [0])
        if each.model.name == "Triplet"
    )
    for part, items, _ in embedding_spaces.spaces_of(settings, "Tiles"):
        (array,) = embedded(
            [(network, True)], items, settings.properties.batch_size, lambda ticks: None
        )
        expected = embedding_measures.measured(array, np.array([item.label for item in items]), 0)
        (row,) = (
            row
            for row in rows_of(measured, "embedding_space")
            if (row["loss"], row["part"]) == ("Triplet", part)
        )
        for name in (
            "recall_at_1",
            "map_at_r",
            "mean_ap",
            "pi_intra",
            "pi_ratio",
            "rho_2",
            "reverse_rho_10",
        ):
            assert float(row[name]) == pytest.approx(expected[name], rel=1e-5)
        first, other = (embedding_spaces.store_of(network, part, items, seed) for seed in (0, 7))
        assert first.digest != other.digest  # NMI and F1 depend on the seed


def test_every_validation_step_is_measured_by_its_saved_embeddings(measured):
    steps = rows_of(measured, "looks_Tiles")
    log = fake_data.read_rows(
        measured.parent / "results/tiles/reality_check/training_log_Tiles.csv"
    )
    assert len(steps) == 3 * len(log) and list(steps[0]) == list(embedding_spaces.STEPS)
    for store in embedding_spaces.step_stores(load_settings(measured), "Tiles"):
        run, iteration, saved = store.subject
        for number, (part, items) in enumerate(run.splits.items()):
            expected = embedding_measures.measured(
                saved.load(number)["embeddings"], np.array([item.label for item in items]), 0
            )
            wanted = {"loss": run.network.model.name, "iteration": str(iteration), "part": part}
            (row,) = (row for row in steps if wanted.items() <= row.items())
            for name in ("map_at_r", "pi_inter", "rho_1"):
                assert float(row[name]) == pytest.approx(expected[name], rel=1e-6)


def test_correlations_are_over_trained_models(measured):
    rows = rows_of(measured, "correlations_Tiles")
    assert {row["points"] for row in rows} == {"methods", "networks", "looks"}
    assert {row["n_methods"] for row in rows} == {"4"} and max(
        int(row["n_points"]) for row in rows
    ) == 12
    found = {
        (row["points"], row["kind"], row["measure"], row["of"], row["performance"]): float(
            row["correlation"] or "nan"
        )
        for row in rows
    }
    table = [row for row in rows_of(measured, "embedding_space") if row["loss"] != "Untrained"]
    x = [float(row["rho_2"]) for row in table if row["part"] == "train"]
    y = [float(row["recall_at_1"]) for row in table if row["part"] == "test"]
    assert found["methods", "pearson", "rho_2", "train", "recall_at_1"] == pytest.approx(
        np.corrcoef(x, y)[0, 1], abs=1e-4
    )
    assert found["methods", "pearson", "map_at_r", "test", "map_at_r"] == pytest.approx(1)


def test_the_figures(measured, run_inside):
    run_inside(PLOT, measured)
    for name in ("correlations_Tiles", "spaces_Tiles"):
        with Image.open(measured.parent / f"figures/tiles/{name}.png") as image:
            assert (
                image.width > 1000 and json.loads(image.info["Description"])["settings"] == "tiles"
            )


def test_without_measures(tiles, tmp_path, fails):
    settings = fake_data.write_tiles_settings(tiles, tmp_path)
    assert "run embedding_space/1_measure_spaces.py first" in fails(CORRELATE, settings)
    assert "run embedding_space/2_correlate_measures.py first" in fails(PLOT, settings)


def test_a_failure_in_one_loop_does_not_stop_the_next(tmp_path, capsys):
    settings = Settings(name="small", paths=checkout.PATHS | {"results": tmp_path})
    options = Namespace(dry_run=False, no_wait=False, executor="local")
    run = Run(settings, options, __file__, {})
    first, second = (
        ResultStore(tmp_path / name, {}, [["row"]], {"value": Array("f8")}) for name in ("a", "b")
    )
    for _, chunk in todo([("a", [first])], "first", run, last=False):
        chunk.save(InputError("a: is zero; check it"))
    with pytest.raises(Unmeasured, match="second: 1 could not be measured"):
        for _, chunk in todo([("b", [second])], "second", run):
            chunk.save({"value": [1.0]})
    assert second.is_complete() and not first.is_complete()
    assert "not measured: a: is zero; check it" in capsys.readouterr().err


def test_properties_stand_in_the_matrix(finished, run_inside):
    """With the tiny project of rendered cars, whose networks embed the cars as well."""
    settings = finished / "tiny.yaml"
    run_all(settings, [MEASURE, CORRELATE])
    rows = fake_data.read_rows(
        measure_correlations.csv_file(load_settings(settings), "RenderedCars")
    )
    assert {row["measure"] for row in rows if row["of"] == "cars, paper"} == {"model", "rotation_z", "color_hue", "color_sat", "color_val",
        "bg_color_hue", "bg_color_sat", "bg_color_val", "camera_loc_z", "sun_elevation", "sun_rotation"}  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Sweeps.
# --------------------------------------------------------------------------------------------------
def test_a_sweep(tiles, tmp_path, run_inside, fails):
    """One command each makes all its variants; again, it makes nothing; each is the same as alone."""
    sweep = {"seeds": [0, 1], "factors": {"batch": {"8": {}, "16": {"training": {"batch_size": 16}}},
                                          "rho": {"swap": {"training": {"rho": 0.5}}}}}  # fmt: skip
    models = ["Contrastive", "Triplet"]
    settings = fake_data.write_tiles_settings(
        tiles,
        tmp_path,
        "swept",
        models=models,
        training=fake_data.TILES_TRAINING
        | {"batch_size": 8, "images_per_class": 2, "iterations": 2},
        sweep=sweep,
    )
    assert "is a sweep" in fails("reality_check/5_plot_training.py", settings)
    run_inside(TRAIN, settings)
    run_inside(MEASURE, settings)
    output = run_inside(COMPARE, settings)
    rows = fake_data.read_rows(tmp_path / "results/swept/factors.csv")
    assert len(rows) == 12 and {(row["factor"], row["value"]) for row in rows} == {
        ("base", "base"),
        ("batch", "16"),
        ("rho", "swap"),
    }
    assert all(row["rho_2"] and row["recall_at_1"] for row in rows) and "swap" in output
    spaces_of = {
        (row["value"], row["seed"]): row["pi_ratio"] for row in rows if row["loss"] == "Triplet"
    }
    assert len(set(spaces_of.values())) == 6
    assert "all networks exist" in run_inside(TRAIN, settings)
    assert (tmp_path / "figures/swept/factors.png").stat().st_size > 5000
    alone = fake_data.write_tiles_settings(tiles, tmp_path, "alone", models=models, seed=1,
                         training=fake_data.TILES_TRAINING | {"batch_size": 16, "images_per_class": 2, "iterations": 2},
                         paths={"Tiles": str(tiles / "tiles")} | {name: str(tmp_path / f"alone_{name}") for name in ("models", "results", "figures")})  # fmt: skip
    run_inside(TRAIN, alone)
    logs = [tmp_path / "results/swept/batch_16/seed1", tmp_path / "alone_results/alone"]
    first, second = (
        fake_data.rows_of_log((log / "reality_check/training_log_Tiles.csv").read_bytes())
        for log in logs
    )
    assert first == second


def test_nothing_to_compare(tiles, tmp_path, fails):
    assert "have no `sweep`" in fails(COMPARE, fake_data.write_tiles_settings(tiles, tmp_path))
    settings = fake_data.write_tiles_settings(tiles, tmp_path, "swept", sweep={"seeds": [0]})
    assert "no training of the sweep's base" in fails(COMPARE, settings)
    assert training_factors.BASE == "base"
