"""Several processes that run the same scripts at once, see also test_causes_and_controls.py.

test_store.py has the moments between two processes one by one, and kill_runs.py kills processes.
"""

import shutil

import pytest

from tests import fake_data
from tests.conftest import AFTER_TRAINING, SCRIPTS, files_in, run_together

pytestmark = pytest.mark.slow


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


def test_processes_that_do_not_keep_maps(small):
    scripts = ("saliency/1_compute_maps.py", "saliency/2_compare_maps.py")
    results = []
    for name, count, keep in (("kept", 1, True), ("deleted", 2, False)):
        settings = small(name, saliency={"images": 4, "noise_samples": 2, "keep_maps": keep})
        run_together(count, settings, scripts)
        file = settings.parent / "results" / name / "paper/saliency/pairs_RenderedCars.csv"
        results.append({"pairs.csv": file.read_bytes()})
    assert fake_data.differing(*results) == []
