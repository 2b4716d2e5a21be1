"""What is said before the work begins: how much there is to do, how much disk it takes, and no room for it."""

import re
import shutil

import yaml

from dml_analysis import paper
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.files import atomic_files
from dml_analysis.networks.specifications import LayoutNetwork
from tests import fake_data
from tests.conftest import first_embedder, snapshot

MAPS, EMBED = "saliency/1_compute_maps.py", "properties/2_embed_cars.py"
DELETED = {"images": 4, "noise_samples": 2, "batch_size": 2, "keep_maps": False}


def test_dry_runs(project, run_inside):
    """How much there is to do, in gigabytes too, and nothing is written."""
    settings, before = project / "tiny.yaml", sorted(project.rglob("*"))
    text = run_inside(MAPS, settings, "--dry-run")
    assert "saliency maps: 6 maps to do, in 3 chunks" in text and "GB free" in text
    for script, said in ((EMBED, "embeddings: 96 images to do, in 1 chunks"),
                         ("reality_check/3_evaluate_models.py", "accuracies: 48 images to do, in 1 chunks")):  # fmt: skip
        text = run_inside(script, settings, "--dry-run")
        assert said in text
    assert sorted(project.rglob("*")) == before
    settings = fake_data.write_settings(project, "deleted", saliency=DELETED)
    before = sorted(project.rglob("*"))
    text = run_inside(MAPS, settings, "--dry-run")
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


def test_a_disk_too_small(project, fails, monkeypatch):
    monkeypatch.setattr(atomic_files, "free_space", lambda folder: 1000)
    before = sorted(project.rglob("*"))
    message = fails(MAPS, project / "tiny.yaml")
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
        text = run_inside(MAPS, file, "--dry-run", *options)
        return float(re.search(r"disk: ([\d.]+) GB", text)[1])

    sop = ("--models", paper.MODELS[0].name, "--datasets", "SOP", "--folds", "0")
    assert gigabytes() == 461.0
    assert gigabytes(protocol="released") == 115.3
    assert gigabytes(*sop) == 6.2
    deleted = {"saliency": {"keep_maps": False}}
    assert gigabytes(*sop, **deleted) == 0
    assert 1 < gigabytes(**deleted) < 2


def test_a_narrowed_dry_run_and_a_missing_checkpoint(project, run_inside, fails):
    settings = fake_data.write_settings(project, saliency=DELETED)
    assert "maps to do" in run_inside(MAPS, settings, "--models", "ArcFace", "--dry-run")
    first_embedder(project).unlink()
    assert "embedder_best.pth: missing" in fails(MAPS, settings)
