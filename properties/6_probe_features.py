"""Probe the features that the untrained trunk gives: how well does a linear classifier read each property off them?

What such a probe cannot read, no embedder trained on the frozen trunk can use; the demo's networks are such. Each image
is judged by a classifier that has not seen it (cross-validation). Reads the features that 2_embed_cars.py has written with
"None"; writes results/<settings>/properties/linear_probe.csv and prints it.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import safe_files
import utils
from settings import run_record
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    run_record.check(settings)
    file = utils.properties_file(settings, "linear_probe.csv")
    if not safe_files.is_newer(file, utils.trunk_features_file(settings)):
        from properties import probe_features

        probe_features.write(settings, file)
        run_record.note(settings, __file__)
    for row in safe_files.read_rows(file):
        print(f"{row['label']:28} {row['percent']:>5} % right (± {row['standard_error']}); by chance {row['chance']} %")


if __name__ == "__main__":
    utils.run_script(main)
