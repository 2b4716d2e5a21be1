"""Make Tables 2 to 4 and the appendix's from pairs_<dataset>.csv: how alike the losses' saliency maps are.

Writes results/<settings>/tables/table<N>....csv, .md and .tex, and brings compared_with_paper.csv up to date. Cells
whose inputs are not there are shown as missing, and counted.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings import run_record
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    run_record.check(settings)
    from report import contents

    run_record.note(settings, __file__)
    contents.make_tables(settings, contents.saliency_tables(settings))


if __name__ == "__main__":
    utils.run_script(main)
