"""Plot Figure 2: the saliency maps of one image under every model, and a page of more images.

Writes figures/<settings>/<protocol>/figure2.png and .pdf, and figure2_more.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from common import run_record
    from saliency import figures

    figures.draw(settings)
    run_record.record(settings, __file__)


if __name__ == "__main__":
    run_script(main)
