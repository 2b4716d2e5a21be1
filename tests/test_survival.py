"""Runs that meet, or that find other checkpoints than the last one did; for kills see kill_runs.py."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import utils
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
        "import sys; sys.path.insert(0, sys.argv[1]); import utils; from pathlib import Path\n"
        "claims = utils.Claims(Path(sys.argv[2]))\n"
        "print([claims.take(number) for number in (1, 2)])"
    )
    other = [sys.executable, "-c", code, str(ROOT), str(tmp_path)]
    ours = utils.Claims(tmp_path)
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
        with utils.written_aside(tmp_path / "x.npy") as aside:
            aside.touch()
            np.save(aside, np.zeros(3))

    with pytest.raises(SystemExit, match="x.npy: No space left on device; what is finished is kept"):
        utils.run_script(main)
    assert list(tmp_path.iterdir()) == []
