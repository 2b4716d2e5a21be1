"""Plot Figure 2: the saliency maps of one image under every loss, and a page of more images.

Writes figures/<settings>/figure2.png and .pdf, and figure2_more.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings import run_record
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    settings.check_map_folds()
    run_record.check(settings)
    from report import contents

    contents.make_figures(settings, contents.SALIENCY_FIGURES)
    run_record.note(settings, __file__)


if __name__ == "__main__":
    utils.run_script(main)
