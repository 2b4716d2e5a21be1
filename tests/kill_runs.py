"""Kills the scripts of a run at random moments, again and again, and shows that nothing is lost by it.

kill_runs.py [KILLS]: makes a tiny project, runs its scripts once without and once with kills (SIGKILL, of the whole
process, 20 of them by default), and compares all results byte for byte. Prints how often it killed what.
"""

import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import fake_data  # noqa: E402

STAGES = ["saliency/1_compute_maps.py", "saliency/2_compare_maps.py", "properties/2_embed_cars.py",
          "properties/3_score_properties.py", "reality_check/3_evaluate_models.py"]  # fmt: skip
SLOWEST = 25.0  # seconds that a stage takes at most, more or less; after ten times that it hangs


def run(script, settings, kill_after=None):
    """Whether the script ended by itself, rather than by being killed."""
    process = subprocess.Popen(
        [sys.executable, ROOT / script, "--settings", settings], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, errors = process.communicate(timeout=kill_after or 10 * SLOWEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    if process.returncode != 0:
        raise RuntimeError(f"{script} ended with status {process.returncode}: {errors.decode()[-500:]}")
    return True


def results(folder):
    """name -> bytes of all result files, without run.json, which holds the time, and what a kill left half-written."""
    files = [path for path in (folder / "results").rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != "run.json"}


def interrupted(folder, settings, stages, kills, seed=0):
    """Runs the stages, killing them `kills` times in all; returns how often each was killed."""
    draw, killed = random.Random(seed), Counter()
    while sum(killed.values()) < kills:
        for path in (folder / "results").glob("*"):
            shutil.rmtree(path)  # enough kills may need more than one run
        for script in stages:
            while sum(killed.values()) < kills and not run(script, settings, draw.uniform(0.3, SLOWEST / 2)):
                killed[script] += 1
            run(script, settings)
    return killed


def main(kills, stages=STAGES):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        fake_data.make_cars(folder / "cars", 60)
        settings = fake_data.write_settings(folder)
        run("reality_check/2_train_models.py", settings)
        for script in stages:
            run(script, settings)
        whole = results(folder)
        killed = interrupted(folder, settings, stages, kills)
        again = results(folder)
        differing = {name for name in whole.keys() | again.keys() if whole.get(name) != again.get(name)}
    for script, count in killed.items():
        print(f"{count:4} kills of {script}")
    if differing:
        sys.exit(f"error: after {kills} kills these results differ: {', '.join(sorted(differing))}")
    print(f"{kills} kills; all {len(whole)} result files are the same, byte for byte")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
