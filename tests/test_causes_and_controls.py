"""Causes and controls through their scripts, on shipped pictures, by tiny networks of which one sees the backdrop alone."""

import shutil

import numpy as np
import pandas as pd
import pytest

from dml_analysis import checkout, figures, paper
from dml_analysis.causes import cause_figures
from dml_analysis.controls import compared_representations
from tests import fake_data
from tests.conftest import built_once, files_in, run_all, run_together

SCRIPTS = [
    "saliency/1_compute_maps.py",
    "saliency/2_compare_maps.py",
    "properties/2_embed_cars.py",
    "properties/3_score_properties.py",
    "causes/1_locate_maps.py",
    "causes/2_shift_embeddings.py",
    "causes/3_explain_errors.py",
    "causes/4_explain_pairs.py",
    "causes/5_randomise_weights.py",
    "causes/6_plot_causes.py",
    "controls/1_bound_maps.py",
    "controls/2_bound_scores.py",
    "controls/3_test_groups.py",
    "controls/4_compare_groupings.py",
    "controls/5_vary_maps.py",
    "controls/6_make_tables.py",
    "controls/7_plot_controls.py",
]
LONG = [
    script
    for script in SCRIPTS
    if " in todo(" in (checkout.ROOT / script).read_text(encoding="utf-8")
]
MODELS = [
    {"name": name, "group": group, "distance": distance, "network": f"tests.networks:{network}"}
    for name, group, distance, network in [
        ("Whole", "Ranking", "Euclidean Distance", "tiny"),
        ("Backdrop", "Ranking", "Cosine Similarity", "top_rows"),
        ("Third", "Classification", "SNR Distance", "tiny_trunk"),
        ("Fourth", "Classification", "Euclidean Distance", "tiny_too"),
    ]
]


def write_settings(folder):
    """A settings file for these networks on the shipped pictures, whose results are in the folder."""
    return fake_data.write_studied_settings(
        folder, models=MODELS,
        saliency={"images": 12, "noise_samples": 8, "noise_sigma": 0.15, "batch_size": 8},
        properties={"networks": "SyntheticCars", "images": 120, "tsne_images": 40},
    )  # fmt: skip


@pytest.fixture(scope="session")
def studied(tmp_path_factory):
    """The settings file of a run of all of these scripts; tests leave it as it is."""

    def build(folder):
        run_all(write_settings(folder), SCRIPTS)

    return built_once(tmp_path_factory, "studied", build) / "tiny.yaml"


@pytest.mark.slow
def test_several_processes_at_once(tmp_path):
    """Nothing is lost, doubled or incomplete, and no script ends before all that it makes exists."""
    folders = [tmp_path / name for name in ("alone", "together")]
    for folder in folders:
        folder.mkdir()
    (alone,) = run_together(1, write_settings(folders[0]), LONG, pause=0)
    for chunks in run_together(3, write_settings(folders[1]), LONG):
        missing = {script: alone[script] - chunks[script] for script in LONG}
        assert not any(missing.values()), missing
    first, second = (files_in(folder / "results") for folder in folders)
    assert fake_data.differing(first, second) == [] and len(first) > 40 and len(LONG) == 11
    assert not list((folders[1] / "results").rglob(".*"))


def test_similarities_of_embeddings_add_up(
    studied, tmp_path, run_inside, run_unfinished, monkeypatch
):
    """Those of some models are saved, the CSV files wait for all, and nothing is computed twice."""
    script, settings = "controls/4_compare_groupings.py", write_settings(tmp_path)
    shutil.copytree(studied.parent / "results", tmp_path / "results")
    saved = tmp_path / "results/tiny/controls/representations"
    csv_files = tmp_path / "results/tiny/paper/controls"
    before = {file: file.read_bytes() for file in csv_files.glob("*.csv")}
    shutil.rmtree(saved)
    (csv_files / "representation_similarities.csv").unlink()
    assert "run it without --models" in run_unfinished(
        script, settings, "--models", "Whole", "Fourth"
    )
    assert {file.parent.name for file in saved.rglob("provenance.json")} == {"fourth"}
    run_inside(script, settings)
    assert {file: file.read_bytes() for file in csv_files.glob("*.csv")} == before
    monkeypatch.setattr(compared_representations.Comparer, "similarities", None)
    run_inside(script, settings)


def test_csv_files_are_read_as_they_are_meant(studied):
    found = fake_data.check_csv_files(studied.parent / "results")
    names = [model["name"] for model in MODELS]
    bounds = found["tiny/paper/controls/bounds_SyntheticCars.csv"]
    assert (
        set(bounds.loss_a)
        == set(bounds.loss_b)
        == set(bounds.type_b) - {"Ranking", "Classification"} | set(names)
    )
    assert set(bounds.fold_b[bounds.loss_b == "random weights"]) == {-1} and set(
        bounds.fold_b[bounds.loss_b == "Third"]
    ) == {-1}
    assert found["tiny/paper/causes/wrong_neighbors.csv"].loss.unique().tolist() == [*names, "all"]


def rows_of(settings, name):
    return fake_data.read_rows(settings.parent / "results/tiny/paper" / f"{name}.csv")


def test_a_network_that_looks_at_the_backdrop_alone_is_found_out(studied):
    rows = {
        (row["loss"], row["region"]): row
        for row in rows_of(studied, "causes/regions_SyntheticCars")
    }
    # From the greatest height even the first row is ground, in two of twelve pictures.
    assert (
        float(rows["Backdrop", "backdrop"]["mass"])
        > 0.8
        > 2 * float(rows["Whole", "backdrop"]["mass"])
    )
    assert float(rows["Backdrop", "car"]["mass"]) < 0.03 < float(rows["Whole", "car"]["mass"])
    for name in ("Whole", "Backdrop"):
        assert sum(
            float(rows[name, region]["pixels"]) for region in ("car", "ground", "backdrop")
        ) == pytest.approx(1)
        assert sum(
            float(rows[name, region]["mass"]) for region in ("car", "ground", "backdrop")
        ) == pytest.approx(1)


def test_tests_of_regions_are_of_both_units(studied):
    rows = rows_of(studied, "causes/region_tests_SyntheticCars")
    assert {(row["unit"], row["measure"], row["region"]) for row in rows} == {
        (unit, measure, region) for unit in ("images", "models") for measure in ("mass", "highest")
        for region in ("car", "ground", "backdrop")}  # fmt: skip
    assert {row["n_a"] for row in rows if row["unit"] == "images"} == {"12"} and {
        row["n_b"] for row in rows if row["unit"] == "models"
    } == {"2"}


def test_it_does_not_move_with_the_car(studied):
    rows = rows_of(studied, "causes/embedding_shifts")
    shifts = {(row["loss"], row["property"]): float(row["shift"]) for row in rows}
    assert len(shifts) == 4 * (11 + 1)
    for prop in ("color_hue", "color_sat", "color_val"):
        assert shifts["Backdrop", prop] < 0.02 < shifts["Whole", prop]
    assert shifts["Backdrop", "bg_color_val"] > 0.1
    carried = {row["property"]: row for row in rows if row["loss"] == "Backdrop"}
    assert carried["model"]["n_mapped"] == "2" and float(carried["model"]["changed_mass"]) < float(
        carried["model"]["changed_pixels"]
    )


def test_the_floor_is_below_what_the_network_sees(studied):
    rows = {
        row["property"]: row
        for row in rows_of(studied, "causes/embedding_shifts")
        if row["loss"] == "Whole"
    }
    floor = rows["render noise"]
    assert 0 < float(floor["low"]) <= float(floor["shift"]) <= float(floor["high"])
    assert float(floor["high"]) < float(rows["bg_color_val"]["low"])
    assert floor["n_mapped"] == "2"
    assert float(floor["changed_pixels"]) < 0.1 < float(rows["bg_color_val"]["changed_pixels"])


def test_the_floor_is_a_dashed_line_for_each_group():
    models = [
        paper.Model(name, 2020, group, "Euclidean Distance") for name, group in zip("abc", "GGH")
    ]
    shifts = {"a": (0.5, 0.1), "b": (0.7, 0.3), "c": (0.4, 0.05)}
    table = pd.DataFrame(
        [
            {"loss": name, "property": prop, "shift": shift}
            for name, both in shifts.items()
            for prop, shift in zip(("model", "render noise"), both)
        ]
    )
    figure = cause_figures.shifts_figure(models, table)
    (axes,) = figure.axes
    dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([0.2, 0.05])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Car model"]
    figures.plt.close(figure)


def test_ranks_are_of_all_models_and_groups(studied):
    """And of the properties alone: the floor has no NR-Precision."""
    rows = rows_of(studied, "causes/shift_ranks")
    assert [(row["unit"], row["loss"], row["type"]) for row in rows] == [
        *(("model", model["name"], model["group"]) for model in MODELS), ("group", "all", "Ranking"), ("group", "all", "Classification")]  # fmt: skip
    assert all(-1 <= float(row["spearman"]) <= 1 and row["n_properties"] == "11" for row in rows)


def test_wrong_neighbors_share_what_the_network_sees(studied):
    rows = {
        (row["loss"], row["property"]): row
        for row in rows_of(studied, "causes/wrong_neighbors")
        if row["unit"] == "model"
    }
    assert float(rows["Backdrop", "bg_color_val"]["low"]) > 0
    assert (
        float(rows["Backdrop", "rotation_z"]["low"])
        < 0
        < float(rows["Backdrop", "rotation_z"]["high"])
    )
    for row in rows.values():
        assert float(row["excess"]) == pytest.approx(
            float(row["shared"]) - float(row["expected"]), abs=1e-9
        )


def test_any_two_images_are_explained(studied, tmp_path, run_inside, fails):
    """As the stage explains a pair, under the models that are named; into the figures folder of the settings."""
    file = tmp_path / studied.name
    file.write_text(
        studied.read_text().replace(f"figures: {studied.parent}", f"figures: {tmp_path}")
    )
    images, script = (
        [str(checkout.ROOT / f"data/sample_cars/images/{n}.jpg") for n in (1, 2)],
        "causes/7_explain_images.py",
    )
    run_inside(script, file, *images, "--models", "Whole", "Third")
    folder = tmp_path / "figures/tiny/paper"
    assert {path.name for path in folder.iterdir()} == {
        f"pair_1-2.{ending}" for ending in ("png", "pdf", "txt")
    }
    assert (folder / "pair_1-2.txt").read_text().startswith("What makes 1.jpg and 2.jpg alike")
    assert "files of one name" in fails(script, file, images[0], images[0])
    assert "no.png" in fails(script, file, images[0], "no.png")


def test_random_weights_lose_the_map(studied):
    rows = rows_of(studied, "causes/randomization_SyntheticCars")
    assert {row["random_share"] for row in rows} == {"0.01", "0.25", "0.5", "0.75", "1.0"} and len(
        {row["loss"] for row in rows}
    ) == 2
    ceiling = {row["loss_a"]: float(row["correlation_mean"]) for row in rows_of(studied, "controls/bounds_SyntheticCars")
               if row["kind"] == "other noise"}  # fmt: skip
    for row in rows:
        assert float(row["correlation_mean"]) < ceiling[row["loss"]]


def test_bounds_have_all_kinds_of_one_fold(studied):
    rows = rows_of(studied, "controls/bounds_SyntheticCars")
    kinds = [row["kind"] for row in rows]
    assert kinds.count("other noise") == 4 and kinds.count("other loss, same fold") == 6
    assert kinds.count("random weights") == 8 and kinds.count("two random") == 1
    for row in rows:
        if row["kind"] == "other noise":
            assert float(row["corrected"]) == pytest.approx(1, abs=1e-9)
    assert (
        rows_of(studied, "controls/folds_against_losses_SyntheticCars") == []
    )  # there is one fold


def test_nulls_and_intervals(studied):
    nulls = rows_of(studied, "controls/nulls")
    assert len(nulls) == 44 and {row["permutations"] for row in nulls} == {"50"}
    scores = {
        (row["loss"], row["property"]): row for row in rows_of(studied, "properties/nr_precision")
    }
    for row in nulls:
        assert float(row["nr_precision"]) == float(
            scores[row["loss"], row["property"]]["nr_precision"]
        )
        assert (
            abs(float(row["null_mean"])) < 4 * float(row["null_std"])
            and 1 / 51 - 1e-9 <= float(row["p_value"]) <= 1
        )
    background = next(
        row for row in nulls if row["loss"] == "Backdrop" and row["property"] == "bg_color_val"
    )
    assert float(background["p_value"]) == pytest.approx(1 / 51)
    for row in rows_of(studied, "controls/intervals"):
        assert (
            float(row["low"]) <= float(row["nr_precision"]) <= float(row["high"])
            and row["low_folds"] == ""
        )
        assert float(row["nr_precision"]) == pytest.approx(
            float(scores[row["loss"], row["property"]]["nr_precision"]), abs=1e-6
        )


def test_differences_shrink_with_queries(studied):
    rows = [
        row
        for row in rows_of(studied, "controls/differences")
        if row["property"] == "model" and row["folds"] == "1"
    ]
    assert [row["queries"] for row in rows] == ["100", "120"]
    assert float(rows[0]["least"]) == pytest.approx(float(rows[1]["least"]) * np.sqrt(1.2))


def test_ablations(studied):
    rows = rows_of(studied, "controls/variations_SyntheticCars")
    found = [
        (row["variation"], row["sigma"], row["samples"], row["base"], row["attribution"])
        for row in rows
    ]
    assert (
        found[0] == ("own", "0.15", "8", "black", "SmoothGrad")
        and len(set(found)) == len(found) == 9
    )
    assert {row[4] for row in found} == {"SmoothGrad", "integrated gradients"}
    assert float(rows[0]["with_own"]) == pytest.approx(1) and all(
        row["n_models"] == "4" for row in rows
    )
    needed = rows_of(studied, "controls/needed_images_SyntheticCars")
    assert {row["samples"] for row in needed} == {"8", "4", "2"}
    by_samples = [float(row["told_apart"]) for row in needed if row["samples"] == "8"]
    assert by_samples == sorted(by_samples)


def test_figures_have_captions(studied):
    folder = studied.parent / "figures/tiny/paper"
    names = {path.stem for path in folder.glob("*.png")}
    assert names >= {"regions_SyntheticCars", "embedding_shifts", "rankings", "wrong_neighbors", "pairs", "randomization_SyntheticCars",
                     "bounds_SyntheticCars", "nulls", "representations", "trees", "variations_SyntheticCars", "needed_SyntheticCars",
                     "orders"}  # fmt: skip
    for name in names:
        assert (folder / f"{name}.txt").read_text().strip() and (folder / f"{name}.pdf").is_file()


@pytest.mark.parametrize(
    "script, removed, message",
    [
        (
            "causes/2_shift_embeddings.py",
            "results/tiny/paper/properties/nr_precision.csv",
            "nr_precision.csv: missing; run properties/3_score_properties.py",
        ),
        (
            "controls/1_bound_maps.py",
            "results/tiny/paper/saliency/maps",
            "the maps of Whole, Backdrop, Third, Fourth are not complete",
        ),
    ],
)
def test_missing_inputs_are_named(studied, tmp_path, fails, script, removed, message):
    shutil.copytree(studied.parent, tmp_path, dirs_exist_ok=True)
    file = tmp_path / studied.name
    file.write_text(studied.read_text().replace(str(studied.parent), str(tmp_path)))
    path = tmp_path / removed
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert message in fails(script, file)
