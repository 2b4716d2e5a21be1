"""A script that computes squares and cubes in todo()'s loop: for tests without anything long to do.

small_script.py FOLDER [OPTION ...]: saves results below FOLDER. With --slow SECONDS each chunk takes
so long; with --die NUMBER the process ends in the middle of that chunk, as if it were killed.
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
from dml_analysis.scripts import Run
from dml_analysis.store import ResultStore
from dml_analysis.todo import todo
from dml_analysis.views import View

CHUNKS = [["0", "1", "2"], ["3", "4"], ["5"]]
COLUMNS = {"power": str, "number": str, "value": float}
OPTIONS = argparse.Namespace(dry_run=False, no_wait=False, executor="local")


def settings_of(folder):
    paths = checkout.PATHS | {"results": folder}
    return Settings(name="small", paths=paths)


def store_of(settings, power, **changes):
    provenance = {"power": power, "numbers": [row for chunk in CHUNKS for row in chunk]} | changes
    arrays = {"value": Array("f8"), "digits": Array("i8", (2,))}
    return ResultStore(
        settings.results / f"power{power}", provenance, CHUNKS, arrays, power, {"power": power}
    )


def views(settings, **changes):
    stores = [store_of(settings, power, **changes) for power in (2, 3)]
    return [View(settings.results / "powers.csv", COLUMNS, stores)]


def powers(store, number):
    """The arrays of a chunk."""
    values = [float(row) ** store.subject for row in store.chunks[number]]
    return {"value": values, "digits": [(value // 10, value % 10) for value in values]}


def compute(
    settings, exponents=(2, 3), options=OPTIONS, make=powers, files=None, begin=lambda chunk: None
):
    """Run the loop; begin(chunk) is called before each chunk is made."""
    work = [("powers", [store_of(settings, power) for power in exponents])]
    files = views(settings) if files is None else files
    run = Run(settings, options, __file__)
    for _, chunk in todo(work, "powers", run, files, unit="number"):
        begin(chunk)
        chunk.save(*(make(store, chunk.number) for store in chunk.stores))


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

    def begin(chunk):
        print(f"making {chunk.number}", flush=True)
        time.sleep(options.slow)
        if chunk.number == options.die:
            os._exit(9)

    compute(settings_of(options.folder), options.powers, options, begin=begin)


if __name__ == "__main__":
    run_script(main)
