"""Time the long computations against other ways to do the same, in the same run on this machine.

Reads: nothing; the peers are in benchmarks/requirements.txt, which `make bench` installs.
Writes: benchmarks/results.csv, a row per contest, and prints it. Contestants take turns; times are
medians.
Runtime: half an hour, during which nothing else should run.
"""

import argparse
import platform
import sys
from pathlib import Path

import pandas as pd

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from dml_analysis import checkout
from dml_analysis.errors import InputError, run_script
from dml_analysis.files import csv_files
from dml_analysis.memory import keep_freed_memory

PARTS = ("maps", "pairs", "neighbors", "training")


def main():
    keep_freed_memory()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        metavar="PART",
        help=f"run only these of {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=checkout.ROOT / "benchmarks",
        metavar="FOLDER",
        help="write results.csv to this folder [%(default)s]",
    )
    options = parser.parse_args()
    rows = []
    for contest in contests(options.only):
        for row in contest():
            print(row.in_words(), flush=True)
            rows.append(
                {
                    "processor": processor(),
                    **row._asdict(),
                    "ratio": row.ratio,
                    "reached": row.reached,
                }
            )
    csv_files.write_table(options.output / "results.csv", pd.DataFrame(rows))


def contests(parts):
    """The contests of these parts, each a function that yields Rows."""
    try:
        from benchmarks import map_pairs, neighbors, saliency_maps, training_steps
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; run pip install -r benchmarks/requirements.txt"
        ) from None
    all_contests = {
        "maps": [saliency_maps.cpu_rows],
        "pairs": [map_pairs.rows],
        "neighbors": [
            neighbors.against_metric_learning,
            neighbors.against_the_product,
            neighbors.null_against_calls,
        ],
        "training": [training_steps.rows],
    }
    return [contest for part in parts for contest in all_contests[part]]


def processor():
    """The processor's name."""
    info = Path("/proc/cpuinfo")  # Linux has it
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    run_script(main)
