"""Several processes that run all scripts at once; see test_store.py for each window between two, and kill_runs.py for kills."""

import shutil
import subprocess
import sys

import pytest

from tests import fake_data, test_causes_and_controls
from tests.conftest import AFTER_TRAINING, ROOT, SCRIPTS, files_in
from tests.test_causes_and_controls import studied  # noqa: F401  (fixture)

pytestmark = pytest.mark.slow
PAUSE = 0.3  # seconds at most, wherever another process may come between


def run_together(count, settings, scripts):
    """Run the scripts one after the other in each of several processes; all have to end with status 0."""
    paused = [sys.executable, str(ROOT / "tests" / "paused_runs.py")]
    processes = [
        subprocess.Popen(
            [*paused, str(seed), str(PAUSE), *scripts, "--", "--settings", settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(count)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * count, errors


def test_processes_at_all_stages(trained, finished, tmp_path):
    """From nothing but cars and a trunk: nothing is lost, doubled, stale or incomplete."""
    shutil.copytree(trained / "cars", tmp_path / "cars")
    shutil.copy(trained / "trunk.pth", tmp_path)
    settings = fake_data.write_settings(tmp_path)
    run_together(3, settings, ["reality_check/2_train_models.py", *AFTER_TRAINING, *SCRIPTS[1:-1]])
    for folder in ("results", "models"):
        ours, theirs = files_in(tmp_path / folder), files_in(finished / folder)
        ends = ("inputs.csv", "compared_with_paper.csv", "all_tables.tex")  # of scripts left out
        wanted = {name: theirs[name] for name in theirs if not name.endswith(ends)}
        assert fake_data.differing(ours, wanted) == []
        assert not list((tmp_path / folder).rglob(".*"))


def test_processes_at_causes_and_controls(studied, tmp_path):  # noqa: F811
    settings = test_causes_and_controls.write_settings(tmp_path)
    run_together(3, settings, test_causes_and_controls.SCRIPTS)
    ours, theirs = (files_in(folder / "results") for folder in (tmp_path, studied.parent))
    assert fake_data.differing(ours, theirs) == [] and len(ours) > 50
    assert not list((tmp_path / "results").rglob(".*"))


def test_processes_that_do_not_keep_maps(small):
    scripts = ("saliency/1_compute_maps.py", "saliency/2_compare_maps.py")
    results = []
    for name, count, keep in (("kept", 1, True), ("deleted", 2, False)):
        settings = small(name, saliency={"images": 4, "noise_samples": 2, "keep_maps": keep})
        run_together(count, settings, scripts)
        file = settings.parent / "results" / name / "paper/saliency/pairs_RenderedCars.csv"
        results.append({"pairs.csv": file.read_bytes()})
    assert fake_data.differing(*results) == []
