"""Probe the features that the untrained trunk gives: how well does a linear classifier read each property off them?

What such a probe cannot read, no embedder trained on the frozen trunk can use; the demo's networks are such. Each image
is judged by a classifier that has not seen it (cross-validation). Reads the features that 2_embed_cars.py has written with
"None"; writes results/<settings>/properties/linear_probe.csv and prints it.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common import run_record, safe_files
from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    file = settings.results / "properties" / "linear_probe.csv"
    if not file.is_file():
        from properties import probe

        probe.write(settings, file)
        run_record.note(settings, __file__)
    for row in safe_files.read_rows(file):
        print(f"{row['label']:28} {row['percent']:>5} % right (± {row['standard_error']}); by chance {row['chance']} %")


if __name__ == "__main__":
    run_script(main)
