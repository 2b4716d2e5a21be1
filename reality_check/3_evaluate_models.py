"""Evaluate every network on its test set: Precision@1, R-Precision and MAP@R, as pytorch-metric-learning defines them.

Not needed for any table of the paper; it shows that checkpoints and images were read rightly, and that the losses perform
about alike. Writes results/<settings>/reality_check/accuracy.csv and prints it. A run that was stopped goes on where it
was; several processes may share the work.
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
    from common import csv_files
    from reality_check import accuracy

    shelf.run(accuracy.stage(settings), settings, options, __file__)
    if not options.dry_run:
        print(accuracy.summary(csv_files.read(accuracy.csv_file(settings), accuracy.COLUMNS)))
        if settings.note:
            print(settings.note)


if __name__ == "__main__":
    run_script(main)
