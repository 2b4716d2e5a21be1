"""Runs that meet, are stopped, or find other inputs than the last one did; for kills see kill_runs.py."""

import itertools
import re
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
import yaml

from dml_analysis import checkout, errors, paper
from dml_analysis.config import (
    PropertySettings,
    Settings,
    TrainingSettings,
    load_settings,
    narrowed,
)
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.files import atomic_files
from dml_analysis.files.array_files import Array
from dml_analysis.networks import bn_inception
from dml_analysis.networks.bn_inception import network_input
from dml_analysis.networks.specifications import LayoutNetwork, network_of
from dml_analysis.properties import car_embeddings
from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.saliency.map_comparisons import Comparison
from dml_analysis.store import ResultStore
from tests import fake_data
from tests.conftest import AFTER_TRAINING, ROOT, SCRIPTS, first_embedder, snapshot
from tests.networks import make_trunk


def files_in(folder):
    """Path in the folder -> content of what is there for good."""
    return {
        path.relative_to(folder).as_posix(): content for path, content in snapshot(folder).items()
    }


# ---------------------------------------------------------------------------------------------------------------------
# Several processes at once. The windows between two processes are tried one by one in test_store.py.
# ---------------------------------------------------------------------------------------------------------------------
def started_together(count, settings, scripts):
    """Processes that run the scripts one after the other, with pauses wherever another may come between."""
    paused = [sys.executable, str(ROOT / "tests" / "paused_runs.py")]
    return [
        subprocess.Popen([*paused, str(seed), "0.3", *scripts, "--", "--settings", settings], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
        for seed in range(count)
    ]  # fmt: skip


@pytest.mark.slow
def test_processes_at_all_stages_at_once(trained, finished, tmp_path):
    """From nothing but the cars and a trunk. Each has status 0 throughout, and nothing is lost, doubled, stale or half."""
    shutil.copytree(trained / "cars", tmp_path / "cars")
    shutil.copy(trained / "trunk.pth", tmp_path)
    settings = fake_data.write_settings(tmp_path)
    runs = started_together(
        3, settings, ["reality_check/2_train_models.py", *AFTER_TRAINING, *SCRIPTS[1:-1]]
    )
    errors_of = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], errors_of
    for folder in ("results", "models"):
        ours, theirs = files_in(tmp_path / folder), files_in(finished / folder)
        ours.pop("tiny/inputs.csv", None), theirs.pop("tiny/inputs.csv", None)
        ends = ("compared_with_paper.csv", "all_tables.tex")  # the last script's, which was not run
        wanted = {name: content for name, content in theirs.items() if not name.endswith(ends)}
        assert fake_data.differing(ours, wanted) == []
        assert not list((tmp_path / folder).rglob(".*"))


def test_processes_that_do_not_keep_maps(project, finished):
    settings = fake_data.write_settings(project, saliency=fake_data.SALIENCY | {"keep_maps": False})
    runs = started_together(2, settings, SALIENCY)
    errors_of = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors_of
    pairs = "tiny/paper/saliency/pairs_RenderedCars.csv"
    assert files_in(project / "results")[pairs] == files_in(finished / "results")[pairs]


def test_full_disk_in_one_line(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)

    def main():
        with atomic_files.written_aside(tmp_path / "x.npy") as aside:
            aside.touch()
            np.save(aside, np.zeros(3))

    with pytest.raises(SystemExit, match="x.npy: No space left on device; finished work is saved"):
        errors.run_script(main)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------------------------------
# Other inputs or settings than those that results were made with.
# ---------------------------------------------------------------------------------------------------------------------
MAKERS = [
    "saliency/1_compute_maps.py",
    "properties/2_embed_cars.py",
    "reality_check/3_evaluate_models.py",
]
LATER = ["saliency/2_compare_maps.py", "saliency/3_make_tables.py", "saliency/4_plot_maps.py",
         "properties/3_score_properties.py", "properties/4_make_tables.py", "properties/5_plot_embeddings.py"]  # fmt: skip


@pytest.mark.parametrize("script", MAKERS + LATER)
def test_another_checkpoint_behind_the_results(copy, fails, run_inside, script):
    file = first_embedder(copy)
    old = file.read_bytes()
    state = torch.load(file, weights_only=True)
    state["net.0.bias"] += 1
    state["last_linear.bias"] = state["net.0.bias"]
    torch.save(state, file)
    before = snapshot(copy / "results")
    message = fails(script, copy / "tiny.yaml")
    assert re.search("was made with (embedder|embeddings) = [0-9a-f]{16}, but now", message)
    assert snapshot(copy / "results") == before
    file.write_bytes(old)  # the same again, but for its time
    run_inside(script, copy / "tiny.yaml")


@pytest.mark.parametrize("script", MAKERS + LATER)
def test_finished_results_do_not_need_their_checkpoints(copy, run_inside, script):
    first_embedder(copy).unlink()
    before = snapshot(copy / "results")
    run_inside(script, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("script", MAKERS)
def test_a_checkpoint_that_is_gone_does_not_keep_others_from_being_made(copy, run_inside, script):
    before = snapshot(copy / "results")
    first_embedder(copy).unlink()
    for path in list((copy / "results").rglob("fold0/arcface")):
        shutil.rmtree(path)
    run_inside(script, copy / "tiny.yaml")
    after = snapshot(copy / "results")
    assert any("arcface" in path.parts for path in after) and set(after.items()) <= set(
        before.items()
    )


@pytest.mark.parametrize("script, name", [("saliency/3_make_tables.py", "saliency/pairs_RenderedCars.csv"),
                                          ("properties/4_make_tables.py", "properties/nr_precision.csv")])  # fmt: skip
def test_a_csv_file_that_was_brought_alone(copy, run_inside, script, name):
    """It is not overwritten by what stores do not have."""
    file = copy / "results/tiny/paper" / name
    content = file.read_bytes()
    for folder in ("paper/saliency/maps", "paper/saliency/comparisons", "paper/properties/scores"):
        shutil.rmtree(copy / "results/tiny" / folder)
    run_inside(script, copy / "tiny.yaml")
    assert file.read_bytes() == content


@pytest.mark.parametrize("script", ["saliency/3_make_tables.py", "properties/4_make_tables.py"])
def test_tables_can_be_made_where_the_inputs_are_not(copy, run_inside, script):
    shutil.rmtree(copy / "models")
    shutil.rmtree(copy / "cars")
    before = snapshot(copy / "results")
    run_inside(script, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize(
    "script, name",
    [
        ("saliency/3_make_tables.py", "saliency/pairs_RenderedCars"),
        ("properties/4_make_tables.py", "properties/nr_precision"),
    ],
)
@pytest.mark.parametrize("lines", [slice(0, -1), slice(0, 1), [0, 1, 1]])
def test_tables_are_made_from_what_is_on_stores(copy, run_inside, script, name, lines):
    """Not from a CSV file that has lost a row, or got one twice."""
    before, file = snapshot(copy / "results"), copy / f"results/tiny/paper/{name}.csv"
    rows = file.read_text().splitlines(keepends=True)
    file.write_text(
        "".join(rows[lines] if isinstance(lines, slice) else [rows[i] for i in lines] + rows[2:])
    )
    run_inside(script, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("script", MAKERS)
def test_other_images_behind_the_results(copy, fails, script):
    """One network's results are to be made, the others' exist; the images have changed in between."""
    frames = (copy / "cars/samples.csv").read_text().splitlines()
    (copy / "cars/samples.csv").write_text("\n".join(frames[:-1]) + "\n")
    (copy / "cars/images/96.png").unlink()
    for path in list((copy / "results").rglob("none")):
        shutil.rmtree(path)
    before = snapshot(copy / "results")
    assert "was made with images = " in fails(script, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("script", MAKERS + LATER)
def test_other_pictures_under_the_names_of_old_ones(copy, fails, run_inside, script):
    """All that was made of an image is made of what was in it. The same pictures again, but for their times, are the same."""
    images = copy / "cars/images"
    names = sorted(images.iterdir())
    old = {file: file.read_bytes() for file in names}
    for file, other in zip(names, [*names[1:], names[0]]):
        file.write_bytes(old[other])
    for path in list((copy / "results").rglob("fold0/none")):
        shutil.rmtree(path)
    before = snapshot(copy / "results")
    assert re.search("was made with (images|embeddings) = ", fails(script, copy / "tiny.yaml"))
    assert snapshot(copy / "results") == before
    for file, content in old.items():
        file.write_bytes(content)
    run_inside("properties/2_embed_cars.py", copy / "tiny.yaml")


def test_other_properties_of_the_same_images(copy, fails):
    """The embeddings stay what they are; the scores were made of other labels."""
    lines = (copy / "cars/samples.csv").read_text().splitlines()
    lines[1], lines[2] = (
        f"{number},{line.split(',', 1)[1]}" for number, line in ((1, lines[2]), (2, lines[1]))
    )
    (copy / "cars/samples.csv").write_text("\n".join(lines) + "\n")
    assert "was made with properties = " in fails(
        "properties/3_score_properties.py", copy / "tiny.yaml"
    )


@pytest.mark.parametrize(
    "changes, script, message",
    [({"saliency": {"images": 2, "noise_samples": 3}}, "saliency/1_compute_maps.py", "noise_samples = 2, but now noise_samples = 3"),
     ({"saliency": {"images": 2, "noise_samples": 3}}, "saliency/3_make_tables.py", "noise_samples = 2, but now"),
     ({"saliency": {"images": 1, "noise_samples": 2}}, "saliency/4_plot_maps.py", "images = 2"),
     ({"seed": 1}, "saliency/2_compare_maps.py", "but now seed = 1"),
     ({"seed": 1}, "properties/5_plot_embeddings.py", "but now seed = 1"),
     ({"precision": "bf16"}, "properties/2_embed_cars.py", "precision = float32, but now precision = bf16"),
     ({"properties": {"networks": "RenderedCars", "images": 50}}, "properties/4_make_tables.py", "was made with embeddings = "),
     ({"properties": {"networks": "RenderedCars", "tsne_images": 30}}, "properties/5_plot_embeddings.py", "images = 40"),
     ({"training": fake_data.TRAINING | {"iterations": 11}}, "reality_check/2_train_models.py",
      "iterations = 10, but now iterations = 11"),
     ({"trunk": "tests.networks:tiny"}, "reality_check/2_train_models.py", "was made with trunk = ")],
)  # fmt: skip
def test_other_settings_behind_the_results(copy, fails, changes, script, message):
    settings, before = fake_data.write_settings(copy, **changes), snapshot(copy / "results")
    assert message in fails(script, settings)
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("changes", [{"saliency": fake_data.SALIENCY | {"batch_size": 1}}, {"folds": [0, 1]},
                                     {"models": ["ArcFace", "None", "Contrastive"]}])  # fmt: skip
def test_settings_that_change_no_number(copy, run_inside, changes):
    before = files_in(copy / "results")
    settings = fake_data.write_settings(copy, **changes)
    run_inside("saliency/1_compute_maps.py", settings, "--folds", "0")
    run_inside("saliency/2_compare_maps.py", settings, "--folds", "0")
    after = files_in(copy / "results")
    assert {name: after[name] for name in before if name.endswith(".npz")} == {
        name: content for name, content in before.items() if name.endswith(".npz")
    }


@pytest.mark.parametrize("script", MAKERS + LATER)
def test_conflicted_copies_beside_results(copy, run_inside, script):
    """As programs that synchronise folders leave them: nothing is read from them."""
    before = snapshot(copy / "results")
    copies = []
    for file in [*(copy / "results").rglob("*"), *(copy / "models").rglob("*.pth")]:
        if file.is_file() and file.suffix in (".npz", ".json", ".csv", ".pth"):
            copies.append(file.with_stem(f"{file.stem} (conflicted copy)"))
            copies[-1].write_bytes(b"something else")
    run_inside(script, copy / "tiny.yaml")
    after = snapshot(copy / "results")
    assert {path: content for path, content in after.items() if path not in copies} == before


def test_a_file_of_the_same_size_and_time_is_not_read_again(copy, run_inside, monkeypatch):
    from dml_analysis import checksums

    read = []
    monkeypatch.setattr(checksums, "sha256", lambda file, *_: read.append(file))
    run_inside("saliency/1_compute_maps.py", copy / "tiny.yaml")
    assert read == []


# ---------------------------------------------------------------------------------------------------------------------
# Maps that are not kept.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def small_parts(monkeypatch):
    """One image a part, and figures that show one image only."""
    monkeypatch.setattr(saliency_maps, "MAPS_PER_CHUNK", 1)
    monkeypatch.setattr(saliency_maps, "SHOWN_IMAGES", 1)


SALIENCY = ("saliency/1_compute_maps.py", "saliency/2_compare_maps.py")
FOUR_IMAGES = {"images": 4, "noise_samples": 2, "batch_size": 2}


def parts_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.npz"))


def saliency_of(project, name):
    return project / "results" / name / "paper/saliency"


def test_maps_need_not_be_kept(project, run_inside, small_parts):
    """Both ways the same comparisons and the same CSV, byte for byte; only the maps of the shown image are left."""
    for name, keep in (("kept", True), ("deleted", False)):
        settings = fake_data.write_settings(
            project, name, saliency=FOUR_IMAGES | {"keep_maps": keep}
        )
        for script in SALIENCY:
            run_inside(script, settings)
    kept, deleted = (saliency_of(project, name) for name in ("kept", "deleted"))
    assert (kept / "pairs_RenderedCars.csv").read_bytes() == (
        deleted / "pairs_RenderedCars.csv"
    ).read_bytes()
    assert (
        files_in(kept / "comparisons") == files_in(deleted / "comparisons")
        and len(parts_in(kept / "comparisons")) == 4
    )
    assert len(parts_in(kept / "maps")) == 3 * 4
    assert parts_in(deleted / "maps") == [
        f"RenderedCars/fold0/{name}/00000.npz" for name in ("arcface", "contrastive", "none")
    ]
    assert "all compared saliency maps exist" in run_inside(SALIENCY[0], settings)
    run_inside("saliency/4_plot_maps.py", settings)


@pytest.mark.parametrize("stopped_in", ["compared", "discard"])
def test_a_stopped_run_without_kept_maps_goes_on(
    project, run_inside, small_parts, monkeypatch, stopped_in
):
    """Stopped in the middle of a part, and before all of its maps are deleted."""
    settings = fake_data.write_settings(
        project, "deleted", saliency=FOUR_IMAGES | {"keep_maps": False}
    )
    saliency, owner = (
        saliency_of(project, "deleted"),
        {"compared": map_comparisons, "discard": ResultStore}[stopped_in],
    )
    with monkeypatch.context() as patch:
        patch.setattr(owner, stopped_in, stop_at_call(2, getattr(owner, stopped_in)))
        with pytest.raises(SystemExit, match="stopped"):
            run_inside(SALIENCY[0], settings)
    assert len(parts_in(saliency / "maps")) > 3
    run_inside(SALIENCY[0], settings)
    assert len(parts_in(saliency / "maps")) == 3 and len(parts_in(saliency / "comparisons")) == 4


def stop_at_call(number, function):
    """The function, but its call of that number stops the run."""
    calls = itertools.count(1)

    def stopping(*arguments, **keywords):
        if next(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments, **keywords)

    return stopping


def test_models_that_come_later(project, run_inside, small_parts):
    """Whatever has been compared stays; of maps that are gone those are made again that new pairs need."""
    settings = fake_data.write_settings(
        project, saliency=FOUR_IMAGES | {"images": 2, "keep_maps": False}
    )
    file = saliency_of(project, "tiny") / "pairs_RenderedCars.csv"
    pairs = []
    for names in (["ArcFace", "None"], ["None"], ["Contrastive"], ["Contrastive", "None"], []):
        run_inside(SALIENCY[0], settings, *(["--models", *names] if names else []))
        pairs.append({(row["loss_a"][0], row["loss_b"][0]) for row in fake_data.read_rows(file)})
    assert pairs[0] == pairs[1] == {("A", "A"), ("A", "U"), ("U", "U")}
    assert pairs[2] == pairs[0] | {("C", "C")} and pairs[3] == pairs[2] | {("C", "U")}
    assert pairs[4] == pairs[3] | {("C", "A")}
    whole = files_in(saliency_of(project, "tiny"))
    shutil.rmtree(project / "results")
    run_inside(SALIENCY[0], settings)
    assert files_in(saliency_of(project, "tiny")) == whole


def test_pairs_of_models_that_the_settings_leave_out_for_a_while(copy, run_inside):
    before = files_in(saliency_of(copy, "tiny") / "comparisons")
    part = saliency_of(copy, "tiny") / "comparisons/RenderedCars/fold0/00000.npz"
    part.unlink()
    few = {"models": ["ArcFace", "None"]}
    run_inside(SALIENCY[1], fake_data.write_settings(copy, **few))
    run_inside(SALIENCY[1], fake_data.write_settings(copy))
    assert files_in(saliency_of(copy, "tiny") / "comparisons") == before
    with np.load(part) as arrays:
        some = {name: arrays[name] for name in arrays.files if "none" not in name}
    np.savez(part, **some)
    run_inside(
        SALIENCY[1], fake_data.write_settings(copy, **few)
    )  # adds the pairs of None, and keeps that of Contrastive and ArcFace
    with np.load(part) as arrays:
        assert set(some) < set(arrays.files) and len(arrays.files) == 1 + 5


def test_pairs_whose_maps_are_gone(copy, run_inside, run_unfinished):
    """They stay in the CSV; a pair that cannot be compared any more is not passed over in silence."""
    settings, saliency = copy / "tiny.yaml", saliency_of(copy, "tiny")
    before = files_in(saliency)
    shutil.rmtree(saliency / "maps/RenderedCars/fold0/arcface")
    run_inside(SALIENCY[1], settings)
    assert files_in(saliency)["pairs_RenderedCars.csv"] == before["pairs_RenderedCars.csv"]
    shutil.rmtree(saliency / "comparisons")
    assert "the maps of ArcFace are not complete" in run_unfinished(SALIENCY[1], settings)
    assert len(fake_data.read_rows(saliency / "pairs_RenderedCars.csv")) == 3


def test_a_narrowed_dry_run_and_a_missing_checkpoint(project, run_inside, fails):
    settings = fake_data.write_settings(project, saliency=FOUR_IMAGES | {"keep_maps": False})
    assert "maps to do" in run_inside(SALIENCY[0], settings, "--models", "ArcFace", "--dry-run")
    first_embedder(project).unlink()
    assert "embedder_best.pth: missing" in fails(SALIENCY[0], settings)


def test_a_trunk_of_other_making(project, fails):
    """Its features were deleted, as the refusal says; the trunk itself is still the old one."""
    make_trunk(project, seed=1)
    shutil.rmtree(project / "models/training/features")
    shutil.rmtree(project / "models/training/runs")
    assert "training/trunk/bn_inception_trunk: was made with trunk = " in fails(
        "reality_check/2_train_models.py", project / "tiny.yaml"
    )


def test_a_trunk_that_is_gone_is_made_again(project, run_inside):
    file = project / "models/bn_inception_trunk.pth"
    content = file.read_bytes()
    file.unlink()
    run_inside("reality_check/2_train_models.py", project / "tiny.yaml")
    assert file.read_bytes() == content


def test_a_trunk_that_is_another_file(project, fails):
    (project / "models/bn_inception_trunk.pth").write_bytes(b"another")
    shutil.rmtree(project / "models/training/features")
    assert "bn_inception_trunk.pth: not the file that was made" in fails(
        "reality_check/2_train_models.py", project / "tiny.yaml"
    )


def test_datasets_share_one_trunk(monkeypatch, tmp_path):
    """It is the same whichever of them is trained on first, or alone."""
    monkeypatch.setattr(image_digests, "described", lambda settings, items: str(len(items)))
    from dml_analysis.networks.specifications import trunk_source
    from dml_analysis.training import trunk_features
    from dml_analysis.training.training_runs import training_samples

    def items(settings, dataset, part, fold):
        return [Sample(f"{dataset} {part} {i}", tmp_path, i) for i in range(9)]

    monkeypatch.setattr(readers, "load_samples", items)
    settings = Settings(
        name="test",
        datasets=["SOP", "CUB200"],
        trunk="tests.networks:tiny",
        training=TrainingSettings(),
        properties=PropertySettings(networks="SOP"),
    )
    alone = narrowed(settings, datasets=["CUB200"])
    provenance = [
        trunk_features.trunk_provenance(each, trunk_source(each)) for each in (settings, alone)
    ]
    assert provenance[0] == provenance[1]
    stores = [trunk_features.features_store(each, "CUB200", paper.MODELS[0], training_samples(each, "CUB200"), "training")
               for each in (settings, alone)]  # fmt: skip
    assert stores[0].provenance == stores[1].provenance and stores[0].folder == stores[1].folder


# ---------------------------------------------------------------------------------------------------------------------
# Embeddings, memory.
# ---------------------------------------------------------------------------------------------------------------------
def test_stopped_embeddings_go_on(project, run_inside, monkeypatch):
    """In parts of 40 images: what existed when the run was stopped is not computed again."""
    monkeypatch.setattr(car_embeddings, "IMAGES_PER_CHUNK", 40)
    folder = project / "results/tiny/properties"
    run_inside("properties/2_embed_cars.py", project / "tiny.yaml", "--models", "None")
    whole = files_in(folder)
    assert len(parts_in(folder)) == 2 * 3
    shutil.rmtree(folder)
    with monkeypatch.context() as patch:
        patch.setattr(ResultStore, "save", stop_at_call(4, ResultStore.save))
        with pytest.raises(SystemExit, match="stopped"):
            run_inside("properties/2_embed_cars.py", project / "tiny.yaml", "--models", "None")
    assert len(parts_in(folder)) == 3
    seen = []
    monkeypatch.setattr(
        bn_inception, "network_input", lambda image: seen.append(1) or network_input(image)
    )
    run_inside("properties/2_embed_cars.py", project / "tiny.yaml", "--models", "None")
    assert len(seen) == 56
    assert files_in(folder) == whole


def test_networks_that_share_a_trunk_are_embedded_in_one_pass(project, run_inside, monkeypatch):
    seen = []
    monkeypatch.setattr(
        bn_inception, "network_input", lambda image: seen.append(1) or network_input(image)
    )
    run_inside("properties/2_embed_cars.py", project / "tiny.yaml")
    assert len(seen) == 96
    settings = load_settings(project / "tiny.yaml")
    items = readers.chosen_cars(settings)[0]
    found = [
        car_embeddings.read(car_embeddings.store_of(each, items))
        for each in car_embeddings.embedding_networks(settings)
    ]
    features = car_embeddings.read(car_embeddings.features_store(settings, items))
    for network, embedded in zip(car_embeddings.embedding_networks(settings), found):
        layer = network.embedder().net[0]
        expected = features @ layer.weight.numpy().T + layer.bias.numpy()
        np.testing.assert_allclose(embedded, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_memory_of_comparison_does_not_grow_with_the_images(tmp_path, monkeypatch):
    """Ten times the images take less than 1 kB of memory more for each."""
    monkeypatch.setattr(image_digests, "described", lambda settings, items: str(len(items)))
    monkeypatch.setattr(LayoutNetwork, "provenance", lambda network: {"trunk": network.model.name})

    def peak(parts):
        settings = Settings(
            name="test",
            models=paper.MODELS[:3],
            paths=checkout.PATHS | {"results": tmp_path / str(parts)},
        )
        items = [Sample(str(i), tmp_path, 0) for i in range(parts * saliency_maps.MAPS_PER_CHUNK)]
        networks = [network_of(settings, model, "SOP", 0) for model in settings.models]
        stores = [
            saliency_maps.store_of(settings, network, settings.protocols[0], items)._replace(
                arrays={"maps": Array("f2", (20, 20))}
            )
            for network in networks
        ]
        size = saliency_maps.MAPS_PER_CHUNK
        for store, number in itertools.product(stores, range(parts)):
            store.save(number, maps=np.random.default_rng(number).random((size, 20, 20)))
        names = [model.name for model in settings.models]
        maps_of = dict(zip(names, stores))
        comparison = Comparison(
            tmp_path / f"{parts}", settings.protocols[0], "SOP", 0, items, {}, maps_of, True
        )
        store = comparison.store_of(names)
        tracemalloc.start()
        for number in range(parts):
            maps = [each.load(number)["maps"] for each in stores]
            rows = slice(number * size, (number + 1) * size)
            store.save(number, **map_comparisons.compared(comparison, names, maps, rows))
        rows = list(map_comparisons.rows_of(comparison))
        assert {row[4] for row in rows} == {parts * size} and len(rows) == 6
        return tracemalloc.get_traced_memory()[1]

    try:
        few, many = peak(2), peak(20)
    finally:
        tracemalloc.stop()
    assert many - few < 1000 * 18 * saliency_maps.MAPS_PER_CHUNK


# ---------------------------------------------------------------------------------------------------------------------
# What is said before the work begins.
# ---------------------------------------------------------------------------------------------------------------------
def test_dry_runs(project, run_inside):
    """How much there is to do, in gigabytes too, and nothing is written."""
    settings, before = project / "tiny.yaml", sorted(project.rglob("*"))
    text = run_inside("saliency/1_compute_maps.py", settings, "--dry-run")
    assert "saliency maps: 6 maps to do, in 3 chunks" in text and "GB free" in text
    for script, said in (("properties/2_embed_cars.py", "embeddings: 96 images to do, in 1 chunks"),
                         ("reality_check/3_evaluate_models.py", "accuracies: 48 images to do, in 1 chunks")):  # fmt: skip
        text = run_inside(script, settings, "--dry-run")
        assert said in text
    assert sorted(project.rglob("*")) == before
    settings = fake_data.write_settings(
        project, "deleted", saliency=FOUR_IMAGES | {"keep_maps": False}
    )
    before = sorted(project.rglob("*"))
    text = run_inside("saliency/1_compute_maps.py", settings, "--dry-run")
    assert "compared saliency maps: 12 maps to do, in 1 chunks" in text
    assert sorted(project.rglob("*")) == before


def test_a_dry_run_from_nothing_but_images(trained, tmp_path, run_inside):
    shutil.copytree(trained / "cars", tmp_path / "cars")
    shutil.copy(trained / "trunk.pth", tmp_path)
    before = sorted(tmp_path.rglob("*"))
    text = run_inside(
        "reality_check/2_train_models.py", fake_data.write_settings(tmp_path), "--dry-run"
    )
    assert (
        "trunk features: 48 images to do" in text
        and "networks: 20 iterations to do, in 2 chunks" in text
    )
    assert {path for path in set(tmp_path.rglob("*")) - set(before) if path.is_file()} == {
        tmp_path / "tiny.yaml"
    }


def test_dry_runs_of_what_needs_results(copy, run_inside):
    settings, results = copy / "tiny.yaml", copy / "results/tiny/paper"
    shutil.rmtree(results / "saliency/comparisons")
    shutil.rmtree(results / "properties/scores")
    before = snapshot(copy / "results")
    text = run_inside("saliency/2_compare_maps.py", settings, "--dry-run")
    assert "comparisons: 2 images to do, in 1 chunks" in text
    text = run_inside("properties/3_score_properties.py", settings, "--dry-run")
    assert "scores: 33 scores to do, in 3 chunks" in text
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("script", ["saliency/1_compute_maps.py", "properties/2_embed_cars.py"])
def test_a_disk_too_small(project, fails, script, monkeypatch):
    monkeypatch.setattr(atomic_files, "free_space", lambda folder: 1000)
    before = sorted(project.rglob("*"))
    message = fails(script, project / "tiny.yaml")
    assert (
        "results/tiny: the" in message
        and "to come take 0.0 GB, but only 0.0 GB are free there" in message
    )
    assert sorted(project.rglob("*")) == before


def test_storage_of_the_paper(tmp_path, monkeypatch, run_inside):
    """461 GB and 115 GB, and 6.2 GB for SOP per model and fold; next to nothing if maps are deleted."""
    monkeypatch.setattr(LayoutNetwork, "provenance", lambda network: {"trunk": network.name})
    sizes = {"SOP": 60_502, "Cars196": 8_131, "CUB200": 5_924}
    items = {
        name: [Sample(f"{name}{i}", tmp_path, 0) for i in range(size)]
        for name, size in sizes.items()
    }
    monkeypatch.setattr(
        readers, "load_samples", lambda settings, dataset, split, fold: items[dataset]
    )
    monkeypatch.setattr(image_digests, "described", lambda settings, items: str(len(items)))
    monkeypatch.setattr(readers, "check_images", lambda items: None)

    def gigabytes(*options, **changes):
        file = tmp_path / "paper.yaml"
        paths = {"results": str(tmp_path / "results")}
        file.write_text(yaml.safe_dump({"protocol": "paper", "paths": paths} | changes))
        text = run_inside(SALIENCY[0], file, "--dry-run", *options)
        return float(re.search(r"disk: ([\d.]+) GB", text)[1])

    sop = ("--models", paper.MODELS[0].name, "--datasets", "SOP", "--folds", "0")
    assert gigabytes() == 461.0
    assert gigabytes(protocol="released") == 115.3
    assert gigabytes(*sop) == 6.2
    deleted = {"saliency": {"keep_maps": False}}
    assert gigabytes(*sop, **deleted) == 0
    assert 1 < gigabytes(**deleted) < 2
