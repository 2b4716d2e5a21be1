"""Draw what 1_run_benchmarks.py has measured: benchmarks/ratios and benchmarks/growth, .png and .pdf.

growth shows time and memory against the number of images, networks and embeddings, with the exponent that fits best.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from dml_analysis import checkout
from dml_analysis.errors import run_script


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=checkout.ROOT / "benchmarks", help="of the CSVs [%(default)s]")
    folder = parser.parse_args().folder
    from benchmarks import plot

    plot.plot(folder)


if __name__ == "__main__":
    run_script(main)
