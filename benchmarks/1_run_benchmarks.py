"""Time the long parts beside other ways to do the same, in the same run on the same machine.

Writes benchmarks/results.csv, a row per contest, and prints it. Contestants take turns; times are medians. What needs a GPU
stands as not measured where there is none. The peers are in
benchmarks/requirements.txt; `make bench` installs them. Nothing else should run on the machine meanwhile. --only names
some of the parts; the others' rows are then left out.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from dml_analysis import checkout
from dml_analysis.errors import InputError, run_script
from dml_analysis.memory import keep_freed_memory

PARTS = ("maps", "pairs", "neighbors", "training")


def main():
    keep_freed_memory()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=checkout.ROOT / "benchmarks",
        metavar="FOLDER",
        help="[%(default)s]",
    )
    options = parser.parse_args()
    try:
        from benchmarks import run
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; run pip install -r benchmarks/requirements.txt"
        ) from None

    run.run(options.only, options.output)


if __name__ == "__main__":
    run_script(main)
