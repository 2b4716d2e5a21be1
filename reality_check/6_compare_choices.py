"""Compare networks chosen by their validation classes with those that peeking at the test classes would choose.

Reads the log of 2_train_models.py; writes results/<settings>/reality_check/choices_<dataset>.csv, .md and .tex: both test
measures of every loss, the difference and the change in rank: the price of peeking.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from common import run_record, tables
    from reality_check import choices

    run_record.record(settings, __file__)
    for dataset in settings.datasets:
        found = choices.write(settings, dataset)
        table = choices.table(settings, dataset, found)
        tables.write(table, settings.results / "reality_check" / table.name, settings.note)
        choices.show(settings, found)
        print(f"wrote {choices.csv_file(settings, dataset)}, .md and .tex")
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
