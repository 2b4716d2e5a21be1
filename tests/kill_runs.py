"""Kills the scripts of a run at random moments, again and again, and shows that nothing is lost by it.

kill_runs.py [KILLS]: makes a tiny project, runs its scripts once without and twice with kills (SIGKILL, of the whole
process, 20 of them by default), once keeping the saliency maps and once not, and compares all results, up to float32 rounding.
Prints how often it killed what.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import fake_data
from tests.networks import make_trunk

STAGES = ["reality_check/2_train_models.py", "saliency/1_compute_maps.py", "saliency/2_compare_maps.py", "properties/2_embed_cars.py",
          "properties/3_score_properties.py", "reality_check/3_evaluate_models.py", "reality_check/4_measure_gains.py",
          "embedding_space/1_measure_spaces.py"]  # fmt: skip
RECORDS = ("run.json", "files.json", "images.json")  # they hold times
HANGS = 600.0  # seconds after which a script is taken to hang


def run(script, settings, kill_after=None):
    """Whether the script ended by itself, rather than by being killed."""
    process = subprocess.Popen(
        [sys.executable, ROOT / script, "--settings", settings],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = process.communicate(timeout=kill_after or HANGS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    if process.returncode != 0:
        raise RuntimeError(
            f"{script} ended with status {process.returncode}: {errors.decode()[-500:]}"
        )
    return True


def results(folder):
    """name -> bytes of all result files, also of what is left half-written; without records."""
    files = [*(folder / "results").rglob("*"), *(folder / "models").rglob("*")]
    files = [path for path in files if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name not in RECORDS
    }


def interrupted(folder, settings, lasts, kills, seed=0):
    """Runs the scripts (script -> seconds that it lasts), killing them `kills` times in all; returns how often each."""
    draw, killed = random.Random(seed), Counter()
    while killed.total() < kills:
        for path in ("results", "models"):
            shutil.rmtree(folder / path)  # enough kills may need more than one run
        wanted = Counter(draw.choices(list(lasts), k=kills - killed.total()))
        for script, seconds in lasts.items():
            for _ in range(wanted[script]):
                if run(script, settings, draw.uniform(0.3, seconds)):
                    break
                killed[script] += 1
            run(script, settings)
    return killed


def timed(script, settings):
    begin = time.perf_counter()
    run(script, settings)
    return time.perf_counter() - begin


def main(kills, stages=STAGES):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        fake_data.make_cars(folder / "cars", 96)  # as many of each class as a batch takes
        make_trunk(folder)
        settings = fake_data.write_settings(folder)
        lasts = {script: timed(script, settings) for script in stages}
        whole = results(folder)
        killed = interrupted(folder, settings, lasts, kills - kills // 2)
        differing = fake_data.differing(whole, results(folder))
        # No figure shows maps of these cars now, so none is left in the end.
        changes = {"saliency": fake_data.SALIENCY | {"keep_maps": False}, "tables": {2: "SOP"}}
        killed += interrupted(
            folder, fake_data.write_settings(folder, **changes), lasts, kills // 2, seed=1
        )
        differing += fake_data.differing(
            {name: whole[name] for name in whole if "/maps/" not in name or name.endswith(".json")},
            results(folder),
        )
    for script, count in killed.items():
        print(f"{count:4} kills of {script}")
    if differing:
        sys.exit(
            f"error: after {kills} kills these results differ: {', '.join(sorted(set(differing)))}"
        )
    print(f"{kills} kills; all {len(whole)} result files are the same")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
