"""Time the long computations against other ways to do the same, on this machine.

Reads: nothing. `make bench` installs benchmarks/requirements.txt first.
Writes: benchmarks/results.csv, a row for each comparison, and prints it. Times are medians of runs
that take turns.
Runtime: half an hour, during which nothing else should run.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from dml_analysis import checkout
from dml_analysis.errors import InputError, run_script
from dml_analysis.files import csv_files
from dml_analysis.memory import keep_freed_memory


def main():
    keep_freed_memory()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    try:
        from benchmarks import map_pairs, neighbors, saliency_maps, training_steps
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; run pip install -r benchmarks/requirements.txt"
        ) from None

    rows = []
    for compare in (
        saliency_maps.rows,
        map_pairs.rows,
        neighbors.against_metric_learning,
        neighbors.against_product,
        neighbors.null_against_calls,
        training_steps.rows,
    ):
        for row in compare():
            print(
                f"{row.what}, against {row.against}: {row.ratio:.3g} times (at least "
                f"{row.target:g}); {row.ours:.3g} vs. {row.theirs:.3g} {row.unit}",
                flush=True,
            )
            rows.append(row._asdict() | {"ratio": row.ratio})
    csv_files.write_table(checkout.ROOT / "benchmarks" / "results.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    run_script(main)
