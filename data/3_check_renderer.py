"""Check that each property of the rendered cars changes the picture where it should, and only
there.

Reads the pictures that `data/2_render_cars.py --variations` has made: in them one property goes
through its values while the other ten stay the same. Writes results/renderer/variations.csv, what
was measured in each picture, and figures/renderer/properties, a contact sheet with one row per
property; exit status 1 if a property misbehaves.
"""

import argparse
from pathlib import Path

from dml_analysis import checkout
from dml_analysis.errors import run_script


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    folder = checkout.ROOT / "data" / "car_variations"
    parser.add_argument("--folder", type=Path, default=folder, help="of the pictures [%(default)s]")
    arguments = parser.parse_args()
    from dml_analysis.datasets import renderer_check

    renderer_check.check(
        arguments.folder,
        checkout.PATHS["results"] / "renderer",
        checkout.PATHS["figures"] / "renderer",
    )


if __name__ == "__main__":
    run_script(main)
