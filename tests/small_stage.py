"""A stage of squares, and a process that runs it: for tests of dml_analysis/stages.py without anything long to compute.

small_stage.py FOLDER [OPTION ...]: runs the stage on FOLDER. With --slow SECONDS each part takes so long; with --die NUMBER
the process ends in the middle of that part, as if it were killed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dml_analysis import checkout
from dml_analysis.config import Settings
from dml_analysis.errors import run_script
from dml_analysis.files.array_files import Array
from dml_analysis.stages import Job, Stage, run
from dml_analysis.store import ResultStore
from dml_analysis.views import View

PARTS = [["0", "1", "2"], ["3", "4"], ["5"]]
COLUMNS = {"power": str, "number": str, "value": float}


def settings_of(folder):
    paths = checkout.PATHS | {"results": folder}
    return Settings(name="small", paths=paths)


def store_of(settings, power, parts=PARTS, **changes):
    provenance = {"power": power, "numbers": [row for part in parts for row in part]} | changes
    arrays = {"value": Array("f8"), "digits": Array("i8", (2,))}
    return ResultStore(
        settings.results / f"power{power}", provenance, parts, arrays, power, {"power": power}
    )


def make(stores, number, tick):
    found = []
    for store in stores:
        values = [float(row) ** store.subject for row in store.chunks[number]]
        found.append({"value": values, "digits": [(value // 10, value % 10) for value in values]})
    tick(len(stores[0].chunks[number]))
    return found


def stage(settings, powers=(2, 3), make=make, **provenance):
    stores = [store_of(settings, power, **provenance) for power in (2, 3)]
    jobs = [Job([store for store in stores if store.subject in powers], make)]
    return Stage(
        "squares", "number", jobs, [View(settings.results / "powers.csv", COLUMNS, stores)]
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slow", type=float, default=0)
    parser.add_argument("--die", type=int, default=-1)
    parser.add_argument("--powers", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--no-wait", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--executor", default="local")
    options = parser.parse_args()

    def make_slowly(stores, number, tick):
        print(f"making {number}", flush=True)
        time.sleep(options.slow)
        if number == options.die:
            os._exit(9)
        return make(stores, number, tick)

    settings = settings_of(options.folder)
    run(
        stage(settings, options.powers, make_slowly),
        settings,
        options,
        ROOT / "tests" / "small_stage.py",
    )


if __name__ == "__main__":
    run_script(main)
