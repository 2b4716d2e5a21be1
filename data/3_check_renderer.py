"""Check that each property of the rendered cars changes the picture where it should, and only there.

Reads the pictures that `data/2_render_cars.py --variations` has made: in them one property goes through its
values while the other ten stay the same. Writes results/renderer/variations.csv, what was measured in each picture,
and figures/renderer/properties, a contact sheet with one row per property; exit status 1 if a property misbehaves.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from common.errors import run_script


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = utils.ROOT / "data" / "car_variations"
    parser.add_argument("--folder", type=Path, default=folder, help="of the pictures [%(default)s]")
    arguments = parser.parse_args()
    from data.renderer import check

    check.check(arguments.folder, utils.PATHS["results"] / "renderer", utils.PATHS["figures"] / "renderer")


if __name__ == "__main__":
    run_script(main)
