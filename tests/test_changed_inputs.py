"""Inputs or settings other than those that results were made with: the scripts refuse to mix them."""

import re
import shutil

import pytest
import torch

from dml_analysis import checksums, paper
from dml_analysis.config import PropertySettings, Settings, TrainingSettings
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.networks.specifications import trunk_source
from dml_analysis.scripts import narrowed
from dml_analysis.training import trunk_features
from dml_analysis.training.training_runs import training_samples
from tests import fake_data
from tests.conftest import files_in, first_embedder, snapshot
from tests.networks import make_trunk

MAPS, SCORES = "saliency/1_compute_maps.py", "properties/3_score_properties.py"
TABLES = "saliency/3_make_tables.py"
TRAIN = "reality_check/2_train_models.py"


@pytest.mark.parametrize("script", [MAPS, SCORES, TABLES])
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


@pytest.mark.parametrize("script", [MAPS, SCORES])
def test_finished_results_do_not_need_their_checkpoints(copy, run_inside, script):
    first_embedder(copy).unlink()
    before = snapshot(copy / "results")
    run_inside(script, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


def test_a_checkpoint_that_is_gone_does_not_keep_others_from_being_made(copy, run_inside):
    before = snapshot(copy / "results")
    first_embedder(copy).unlink()
    for path in list((copy / "results").rglob("fold0/arcface")):
        shutil.rmtree(path)
    run_inside(MAPS, copy / "tiny.yaml")
    after = snapshot(copy / "results")
    assert any("arcface" in path.parts for path in after) and set(after.items()) <= set(
        before.items()
    )


def test_a_csv_file_that_was_brought_alone(copy, run_inside):
    """It is not overwritten by what stores do not have."""
    file = copy / "results/tiny/paper/saliency/pairs_RenderedCars.csv"
    content = file.read_bytes()
    for folder in ("maps", "comparisons"):
        shutil.rmtree(file.parent / folder)
    run_inside(TABLES, copy / "tiny.yaml")
    assert file.read_bytes() == content


def test_tables_can_be_made_where_the_inputs_are_not(copy, run_inside):
    shutil.rmtree(copy / "models")
    shutil.rmtree(copy / "cars")
    before = snapshot(copy / "results")
    run_inside(TABLES, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("lines", [[0], [0, 1, 1]])
def test_tables_are_made_from_stores(copy, run_inside, lines):
    """Not from a CSV file that has lost rows, or has one twice."""
    before = snapshot(copy / "results")
    file = copy / "results/tiny/paper/saliency/pairs_RenderedCars.csv"
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join(rows[line] for line in lines))
    run_inside(TABLES, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


def test_other_images_behind_the_results(copy, fails):
    """One network's results are to be made, the others' exist; the images have changed in between."""
    frames = (copy / "cars/samples.csv").read_text().splitlines()
    (copy / "cars/samples.csv").write_text("\n".join(frames[:-1]) + "\n")
    (copy / "cars/images/96.png").unlink()
    for path in list((copy / "results").rglob("none")):
        shutil.rmtree(path)
    before = snapshot(copy / "results")
    assert "was made with images = " in fails(MAPS, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("script", [MAPS, SCORES])
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
    assert "was made with properties = " in fails(SCORES, copy / "tiny.yaml")


@pytest.mark.parametrize(
    "changes, script, message",
    [({"saliency": {"images": 2, "noise_samples": 3}}, TABLES, "noise_samples = 2, but now noise_samples = 3"),
     ({"seed": 1}, "properties/5_plot_embeddings.py", "but now seed = 1"),
     ({"properties": {"networks": "RenderedCars", "images": 50}}, SCORES, "was made with images = "),
     ({"training": fake_data.TRAINING | {"iterations": 11}}, TRAIN, "iterations = 10, but now iterations = 11"),
     ({"trunk": "tests.networks:tiny"}, TRAIN, "was made with trunk = ")],
)  # fmt: skip
def test_other_settings_behind_the_results(copy, fails, changes, script, message):
    settings, before = fake_data.write_settings(copy, **changes), snapshot(copy / "results")
    assert message in fails(script, settings)
    assert snapshot(copy / "results") == before


def test_settings_that_change_no_number(copy, run_inside):
    """The size of batches, the order of models and a fold more leave all that exists as it is."""
    before = files_in(copy / "results")
    settings = fake_data.write_settings(
        copy,
        saliency=fake_data.SALIENCY | {"batch_size": 1},
        folds=[0, 1],
        models=["ArcFace", "None", "Contrastive"],
    )
    for script in (MAPS, "saliency/2_compare_maps.py"):
        run_inside(script, settings, "--folds", "0")
    after = files_in(copy / "results")
    names = [name for name in before if name.endswith(".npz")]
    assert all(after[name] == before[name] for name in names) and names


@pytest.mark.parametrize("script", [MAPS, SCORES])
def test_conflicted_copies_alongside_results(copy, run_inside, script):
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
    read = []
    monkeypatch.setattr(checksums, "sha256", lambda file, *_: read.append(file))
    run_inside(MAPS, copy / "tiny.yaml")
    assert read == []


def test_a_trunk_of_other_making(project, fails):
    """Its features were deleted, as the refusal says; the trunk itself is still the old one."""
    make_trunk(project, seed=1)
    shutil.rmtree(project / "models/training/features")
    shutil.rmtree(project / "models/training/runs")
    assert "training/trunk/bn_inception_trunk: was made with trunk = " in fails(
        TRAIN, project / "tiny.yaml"
    )


def test_a_trunk_that_is_gone_is_made_again(project, run_inside):
    file = project / "models/bn_inception_trunk.pth"
    content = file.read_bytes()
    file.unlink()
    run_inside(TRAIN, project / "tiny.yaml")
    assert file.read_bytes() == content


def test_a_trunk_that_is_another_file(project, fails):
    (project / "models/bn_inception_trunk.pth").write_bytes(b"another")
    shutil.rmtree(project / "models/training/features")
    assert "bn_inception_trunk.pth: not the file that was made" in fails(
        TRAIN, project / "tiny.yaml"
    )


def test_datasets_share_one_trunk(monkeypatch, tmp_path):
    """It is the same whichever of them is trained on first, or alone."""
    monkeypatch.setattr(image_digests, "described", lambda settings, items: str(len(items)))

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
