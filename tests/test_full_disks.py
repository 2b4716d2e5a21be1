"""Disks that are full or read-only: real ones, small and in memory, which only root may put in place."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from dml_analysis import errors
from dml_analysis.files import atomic_files
from tests.conftest import ROOT, snapshot
from tests.test_bad_input import PLOT_EMBEDDINGS, SCORE, TABLES, TRAIN


def mounts(*options):
    return subprocess.run(["mount", *options], capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path_factory):
    """A function that puts a disk of so many bytes in the place of a folder, with what fits of what is in it."""
    put = []

    def small(folder, size):
        kept = shutil.move(folder, tmp_path_factory.mktemp("kept")) if folder.exists() else None
        folder.mkdir()
        if (
            os.name != "posix"
            or os.geteuid()
            or not mounts("-t", "tmpfs", "-o", f"size={size}", "none", str(folder))
        ):
            pytest.skip("takes root, who may mount a disk")
        put.append(folder)
        if kept:
            shutil.copytree(kept, folder, dirs_exist_ok=True)
        return folder

    yield small
    for folder in put:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder, leave):
    """Fill the disk that a folder is on, but for so many bytes."""
    status = os.statvfs(folder)
    (folder / "filling").write_bytes(bytes(max(status.f_bavail * status.f_bsize - leave, 0)))


@pytest.fixture
def unaware(monkeypatch):
    """Scripts do not see beforehand that the disk is too small, as if it were filled while they are at work."""
    monkeypatch.setattr(atomic_files, "free_space", lambda folder: 10**15)


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


REPEATED = {  # script -> what it has to make again
    SCORE: "paper/properties/scores", PLOT_EMBEDDINGS: "properties/tsne", TABLES: "paper/tables",
}  # fmt: skip


@pytest.mark.parametrize("leave", [0, 8192])
@pytest.mark.parametrize("script", REPEATED)
def test_results_on_a_full_disk(copy, disk, unaware, fails, run_inside, script, leave):
    """One line; what was there stays whole; with room again, the same command gives what there was before."""
    before = snapshot(copy / "results")
    shutil.rmtree(copy / "results/tiny" / REPEATED[script])
    kept = snapshot(copy / "results")
    disk(copy / "results", 10**8)
    fill(copy / "results", leave)
    line = fails(script, copy / "tiny.yaml")
    assert (
        "No space left on device; finished work is saved" in line and str(copy / "results") in line
    )
    (copy / "results/filling").unlink()
    now = snapshot(copy / "results")
    assert set(kept.items()) <= set(now.items()) and set(now.items()) <= set(before.items())
    run_inside(script, copy / "tiny.yaml")
    assert set(snapshot(copy / "results").items()) >= set(kept.items())


def test_figures_on_a_full_disk(copy, disk, fails):
    shutil.rmtree(copy / "figures")
    fill(disk(copy / "figures", 10**7), 40_000)
    line = fails(PLOT_EMBEDDINGS, copy / "tiny.yaml")
    assert "No space left on device" in line and str(copy / "figures") in line


@pytest.mark.parametrize("beside_the_trunk", [-(4 * 10**7), -(10**6), 10**6])
def test_networks_on_a_full_disk(copy, disk, fails, beside_the_trunk):
    """At the trunk, at its features, at the checkpoints."""
    shutil.rmtree(copy / "models")
    disk(copy / "models", (copy / "trunk.pth").stat().st_size + beside_the_trunk)
    line = fails(TRAIN, copy / "tiny.yaml")
    assert "No space left on device" in line and str(copy / "models") in line


@pytest.mark.parametrize("script", [SCORE, TABLES])
def test_read_only_disk(copy, disk, fails, script):
    """Where results and figures may not be written: one line that names the place."""
    shutil.rmtree(copy / "results/tiny" / REPEATED[script])
    for name in ("results", "figures"):
        disk(copy / name, 10**8)
        assert mounts("-o", "remount,ro", str(copy / name))
    line = fails(script, copy / "tiny.yaml")
    assert "Read-only file system" in line and str(copy) in line


@pytest.mark.slow
def test_read_only_checkout(tmp_path, disk):
    """Where there is no place for compiled code beside it, it is kept in the home folder."""
    checkout = disk(tmp_path / "checkout", 10**8)
    shutil.copytree(
        ROOT / "dml_analysis",
        checkout / "dml_analysis",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(ROOT / "utils.py", checkout)
    assert mounts("-o", "remount,ro", str(checkout))
    code = (
        "import numpy as np; from dml_analysis.metrics.nr_precision import nr_precision\n"
        "print(nr_precision(np.array([[0.0], [1], [5], [6]]), np.array([[0], [0], [1], [1]])).r_precision)"
    )
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=checkout, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.array(done.stdout.strip("[]\n").split(), float), [1])
    assert list(tmp_path.rglob(".cache/**/*.nbi"))
