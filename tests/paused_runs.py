"""Run by tests: numbered scripts one after the other in a process, with pauses wherever another process may come between.

paused_runs.py SEED LONGEST SCRIPT ... -- OPTION ...: LONGEST is the longest pause in seconds; the process of seed 0 is
ten times as slow to save, so that the others have to wait for it. Prints which chunks exist when
a script has ended. Ends with the first exit status that is not 0, as `&&` in a shell does.
"""

import random
import runpy
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dml_analysis import leases, todo
from dml_analysis.files import csv_files
from dml_analysis.store import ResultStore


def pause_everywhere(draw, longest, longest_to_save):
    """Put pauses before a chunk is looked at, after it is leased, before it is saved, and before a CSV file is written."""

    def pause(seconds=longest):
        time.sleep(draw.uniform(0, seconds))

    def before(function, seconds=longest):
        def paused(*arguments, **keywords):
            pause(seconds)
            return function(*arguments, **keywords)

        return paused

    leased = leases.leased

    @contextmanager
    def leased_and_paused(*arguments):
        with leased(*arguments) as ours:
            pause()
            yield ours

    todo.Missing.in_stores = before(todo.Missing.in_stores)
    csv_files.write = before(csv_files.write)
    ResultStore.save = before(ResultStore.save, longest_to_save)
    leases.leased = leased_and_paused


def main(seed, longest, *words):
    scripts, options = words[: words.index("--")], words[words.index("--") + 1 :]
    longest = float(longest)
    pause_everywhere(random.Random(seed), longest, longest * (10 if seed == "0" else 1))
    for script in scripts:
        sys.argv = [script, *options]
        runpy.run_path(str(ROOT / script), run_name="__main__")
        folder = Path(options[options.index("--settings") + 1]).parent
        chunks = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("[0-9]*.npz"))
        print("\nexist", script, *chunks)


if __name__ == "__main__":
    main(*sys.argv[1:])
