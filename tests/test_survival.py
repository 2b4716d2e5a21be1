"""Runs that meet, or that find other checkpoints than the last one did; for kills see kill_runs.py."""

import itertools
import re
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch

import safe_files
import utils
from properties import embed_cars, embedding_files
from reality_check import transforms
from reality_check.transforms import network_input
from report import workload
from saliency import compare_maps, compute_maps, map_files, map_plan
from settings.reader import Settings
from tests import fake_data
from tests.conftest import ROOT, first_embedder, snapshot


def test_two_processes_on_the_same_cells(project, finished):
    command = [sys.executable, ROOT / "saliency/1_compute_maps.py", "--settings", project / "tiny.yaml"]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [run.communicate() and run.returncode for run in runs] == [0, 0]
    ours, theirs = (
        {path.relative_to(root): path.read_bytes() for path in (root / "results/tiny/saliency/maps").rglob("*.npz")}
        for root in (project, finished)
    )
    assert ours == theirs and len(ours) == 3
    assert not [path for path in (project / "results").rglob(".*") if path.name != ".lock"]


SCRIPTS = ["saliency/1_compute_maps.py", "properties/2_embed_cars.py", "reality_check/3_evaluate_models.py"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_another_checkpoint_behind_the_results(copy, fails, run_inside, script):
    file = first_embedder(copy)
    old = file.read_bytes()
    state = torch.load(file, weights_only=True)
    state["net.0.bias"] += 1
    state["last_linear.bias"] = state["net.0.bias"]
    torch.save(state, file)
    before = snapshot(copy / "results")
    message = fails(script, copy / "tiny.yaml")
    assert "embedder_best.pth: not the file that the results in" in message
    assert snapshot(copy / "results") == before
    file.write_bytes(old)  # the same again, but for its time
    run_inside(script, copy / "tiny.yaml")


@pytest.mark.parametrize("script", SCRIPTS)
def test_finished_results_do_not_need_their_checkpoints(copy, run_inside, script):
    first_embedder(copy).unlink()
    run_inside(script, copy / "tiny.yaml")


def test_claims(tmp_path):
    """What one process has claimed, another does not get, until the first gives it or ends."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import safe_files; from pathlib import Path\n"
        "claims = safe_files.Claims(Path(sys.argv[2]))\n"
        "print([claims.take(number) for number in (1, 2)])"
    )
    other = [sys.executable, "-c", code, str(ROOT), str(tmp_path)]
    ours = safe_files.Claims(tmp_path)
    assert ours.take(1)
    assert subprocess.run(other, capture_output=True, text=True).stdout.strip() == "[False, True]"
    ours.give(1)
    assert subprocess.run(other, capture_output=True, text=True).stdout.strip() == "[True, True]"
    assert ours.take(2)  # the other has ended


def test_full_disk_in_one_line(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)

    def main():
        with safe_files.written_aside(tmp_path / "x.npy") as aside:
            aside.touch()
            np.save(aside, np.zeros(3))

    with pytest.raises(SystemExit, match="x.npy: No space left on device; what is finished is kept"):
        utils.run_script(main)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------------------------------
# Maps that are not kept, and maps of other images.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def small_blocks(monkeypatch):
    """One image a block, and figures that show one image only."""
    monkeypatch.setattr(map_files, "MAPS_PER_BLOCK", 1)
    monkeypatch.setattr(map_files, "SHOWN_IMAGES", 1)


SALIENCY = ("saliency/1_compute_maps.py", "saliency/2_compare_maps.py")
FOUR_IMAGES = {"images": 4, "noise_samples": 2, "batch_size": 2}


def blocks_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("block_*.npz"))


def test_maps_need_not_be_kept(project, run_inside, small_blocks):
    """Both ways the same comparisons and the same CSV, byte for byte; only the maps of the shown image are left."""
    for name, keep in (("kept", True), ("deleted", False)):
        settings = fake_data.write_settings(project, name, saliency=FOUR_IMAGES | {"keep_maps": keep})
        for script in SALIENCY:
            run_inside(script, settings)
    kept, deleted = (project / "results" / name / "saliency" for name in ("kept", "deleted"))
    assert (kept / "pairs_RenderedCars.csv").read_bytes() == (deleted / "pairs_RenderedCars.csv").read_bytes()
    assert blocks_in(kept / "per_image") == [f"RenderedCars_fold0/block_0000{i}.npz" for i in range(4)]
    for block in blocks_in(kept / "per_image"):
        assert (kept / "per_image" / block).read_bytes() == (deleted / "per_image" / block).read_bytes()
    assert len(blocks_in(kept / "maps")) == 3 * 4
    assert blocks_in(deleted / "maps") == [
        f"RenderedCars/fold0/{loss}/block_00000.npz" for loss in ("arcface", "contrastive", "none")
    ]
    assert "all maps have been compared already" in run_inside(SALIENCY[0], settings)
    run_inside("saliency/4_plot_maps.py", settings)


def test_a_stopped_run_without_kept_maps_goes_on(project, run_inside, small_blocks, monkeypatch):
    """Stopped in the middle of a block, and again after a comparison whose maps are not deleted yet."""
    settings = fake_data.write_settings(project, "deleted", saliency=FOUR_IMAGES | {"keep_maps": False})
    saliency = project / "results/deleted/saliency"
    for module, name in ((compare_maps, "compare_block"), (map_plan, "discard")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop_at_call(2, getattr(module, name)))
            with pytest.raises(SystemExit, match="stopped"):
                run_inside(SALIENCY[0], settings)
    assert len(blocks_in(saliency / "maps")) > 3  # some that have been compared are still there
    run_inside(SALIENCY[0], settings)
    assert len(blocks_in(saliency / "maps")) == 3 and len(blocks_in(saliency / "per_image")) == 4


def test_blocks_that_another_run_finishes_first(project, run_inside, small_blocks, monkeypatch):
    """A run that has listed its blocks, and then finds them done and their maps deleted, does not begin again."""
    settings = fake_data.write_settings(project, "deleted", saliency=FOUR_IMAGES | {"keep_maps": False})
    begin, image_map, made = compute_maps.compute_and_compare, compute_maps.image_map, []

    def overtaken(*arguments):
        monkeypatch.setattr(compute_maps, "compute_and_compare", begin)
        run_inside(SALIENCY[0], settings)  # the other run
        begin(*arguments)

    monkeypatch.setattr(compute_maps, "compute_and_compare", overtaken)
    monkeypatch.setattr(compute_maps, "image_map", lambda *arguments: made.append(1) or image_map(*arguments))
    run_inside(SALIENCY[0], settings)
    assert len(made) == 4 * 3


def stop_at_call(number, function):
    """The function, but its call of that number stops the run."""
    calls = itertools.count(1)

    def stopping(*arguments):
        if next(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments)

    return stopping


def test_losses_whose_maps_are_gone(project, run_inside, fails, small_blocks):
    settings = fake_data.write_settings(project, saliency=FOUR_IMAGES | {"images": 2, "keep_maps": False})
    run_inside(SALIENCY[0], settings, "--losses", "ArcFace", "None")
    before = snapshot(project / "results")
    message = fails(SALIENCY[0], settings, "--losses", "Contrastive")
    assert "block_00001.npz: the maps of ArcFace, None were deleted once compared" in message
    assert snapshot(project / "results") == before
    run_inside(SALIENCY[0], settings)
    losses = compare_maps.read_compared(
        project / "results/tiny/saliency/per_image/RenderedCars_fold0/block_00001.npz"
    ).losses
    assert losses == ["Contrastive", "ArcFace", "None"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_other_images_behind_the_results(copy, fails, script):
    """One network's results are to be made, the others' are there; the images have changed in between."""
    frames = (copy / "cars/samples.csv").read_text().splitlines()
    (copy / "cars/samples.csv").write_text("\n".join(frames[:-1]) + "\n")
    (copy / "cars/images/96.png").unlink()
    for name in ("saliency/maps/RenderedCars/fold0/none", "properties/embeddings/none_fold0.npy",
                 "reality_check/accuracy.csv"):  # fmt: skip
        path = copy / "results/tiny" / name
        if path.name == "accuracy.csv":
            path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("None")))
        else:
            path.rename(copy / path.name)
    before = snapshot(copy / "results")
    assert "are now others; put the old ones back" in fails(script, copy / "tiny.yaml")
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("stopped_in", ["write_part", "join_parts"])
def test_stopped_embeddings_go_on(project, run_inside, monkeypatch, stopped_in):
    """In parts of 40 images: what was there when the run was stopped is not computed again."""
    monkeypatch.setattr(embedding_files, "IMAGES_PER_PART", 40)
    folder = project / "results/tiny/properties/embeddings"
    run_inside("properties/2_embed_cars.py", project / "tiny.yaml", "--losses", "None")
    whole = {path.name: path.read_bytes() for path in folder.glob("*.npy")}
    assert len(np.load(folder / "none_fold0.npy")) == 96
    shutil.rmtree(folder)
    stop = (4 if stopped_in == "write_part" else 2), getattr(embed_cars, stopped_in)
    with monkeypatch.context() as patch:
        patch.setattr(embed_cars, stopped_in, stop_at_call(*stop))
        with pytest.raises(SystemExit, match="stopped"):
            run_inside("properties/2_embed_cars.py", project / "tiny.yaml", "--losses", "None")
    assert len(list(folder.rglob("part_*.npy"))) == 3
    seen = []
    monkeypatch.setattr(transforms, "network_input", lambda image: seen.append(1) or network_input(image))
    run_inside("properties/2_embed_cars.py", project / "tiny.yaml", "--losses", "None")
    assert len(seen) == {"write_part": 56, "join_parts": 0}[stopped_in]
    assert {path.name: path.read_bytes() for path in folder.glob("*.npy")} == whole
    assert not list(folder.glob("*.parts"))


def test_memory_of_comparison_does_not_grow_with_the_images(tmp_path):
    """Ten times the images take less than 1 kB of memory more for each."""

    def peak(blocks):
        settings = Settings("test", paths=utils.PATHS | {"results": tmp_path / str(blocks)})
        for loss in utils.LOSSES[:3]:
            folder = utils.maps_folder(settings, "SOP", 0, loss)
            for number in range(blocks):
                ids = [f"{number}-{i}" for i in range(map_files.MAPS_PER_BLOCK)]
                maps = np.random.default_rng(number).random((len(ids), 20, 20))
                map_files.write_block(map_files.block_file(folder, number), maps, ids)
        tracemalloc.start()
        compare_maps.compare_blocks(settings, "SOP", 0, range(blocks))
        compared = utils.similarity_folder(settings, "SOP", 0)
        table = compare_maps.averaged([map_files.block_file(compared, n) for n in range(blocks)], "SOP", 0)
        assert set(table.n_images) == {blocks * map_files.MAPS_PER_BLOCK}
        return tracemalloc.get_traced_memory()[1]

    try:
        few, many = peak(2), peak(20)
    finally:
        tracemalloc.stop()
    assert many - few < 1000 * 18 * map_files.MAPS_PER_BLOCK


# ---------------------------------------------------------------------------------------------------------------------
# What is said before the work begins.
# ---------------------------------------------------------------------------------------------------------------------
def test_dry_runs(project, run_inside):
    """Cells, images, gigabytes and hours, and nothing is written."""
    settings, before = project / "tiny.yaml", sorted(project.rglob("*"))
    text = run_inside("saliency/1_compute_maps.py", settings, "--dry-run")
    assert "saliency maps: 3 networks, 2 images, 6 maps to do" in text and "GB free" in text
    assert re.search(r"time: \d+\.\d\d hours, at [\d.]+ s a map \(timed just now, cpu\)", text)
    assert "embeddings: 3 networks, 96 images, 288 images to do" in run_inside(
        "properties/2_embed_cars.py", settings, "--dry-run"
    )
    assert sorted(project.rglob("*")) == before


def test_dry_runs_of_what_needs_results(copy, run_inside):
    settings = copy / "tiny.yaml"
    for name in ("saliency/per_image", "properties/nr_precision.csv"):
        (copy / "results/tiny" / name).rename(copy / name.split("/")[1])
    before = snapshot(copy / "results")
    text = run_inside("saliency/2_compare_maps.py", settings, "--dry-run")
    assert "comparisons: 3 networks, 2 images, 1 blocks to do" in text and "s a block" in text
    text = run_inside("properties/3_score_properties.py", settings, "--dry-run")
    assert "scores: 3 networks, 96 images, 3 networks to do" in text and "s a network" in text
    assert snapshot(copy / "results") == before


@pytest.mark.parametrize("script", ["saliency/1_compute_maps.py", "properties/2_embed_cars.py"])
def test_a_disk_too_small(project, fails, script, monkeypatch):
    monkeypatch.setattr(workload, "free_space", lambda folder: 1000)
    before = sorted(project.rglob("*"))
    message = fails(script, project / "tiny.yaml")
    assert "results/tiny: the" in message and "to come take 0.0 GB, but only 0.0 GB are free there" in message
    assert sorted(project.rglob("*")) == before


def test_storage_of_the_paper(tmp_path):
    """The 461 GB and 115 GB of the README, and 6.2 GB for SOP per loss and fold."""
    items = {"SOP": range(60_502), "Cars196": range(8_131), "CUB200": range(5_924)}
    for protocol, gigabytes in (("paper", 461.0), ("released", 115.3)):
        settings = Settings("test", protocol=protocol, paths=utils.PATHS | {"results": tmp_path})
        work = map_plan.workload(settings, map_plan.missing(settings, items))
        assert work.disk / 1e9 == pytest.approx(gigabytes, abs=0.05)
    sop = Settings("test", losses=utils.LOSSES[:1], datasets=["SOP"], folds=[0], paths=settings.paths)
    assert map_plan.workload(sop, map_plan.missing(sop, items)).disk / 1e9 == pytest.approx(6.2, abs=0.05)
    sop = sop._replace(saliency=sop.saliency._replace(keep_maps=False))
    assert map_plan.workload(sop, map_plan.missing(sop, items)).disk / 1e9 < 0.05
