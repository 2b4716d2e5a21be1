"""Probe the features that the untrained trunk gives: how well does a linear classifier read each property off them?

What such a probe cannot read, no embedder trained on the frozen trunk can use; the demo's networks are such. Each image
is judged by a classifier that has not seen it (cross-validation). Reads the features that 2_embed_cars.py has kept with
"None"; writes results/<settings>/properties/linear_probe.csv and prints it.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common import shelf
from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    options = options_parser(__doc__, long=True).parse_args()
    settings = settings_from(options)
    from common import safe_files
    from properties import probe

    shelf.run(probe.stage(settings), settings, options, __file__)
    for row in safe_files.read_rows(probe.csv_file(settings)) if not options.dry_run else ():
        print(f"{row['label']:28} {row['percent']:>5} % right (± {row['standard_error']}); by chance {row['chance']} %")


if __name__ == "__main__":
    run_script(main)
