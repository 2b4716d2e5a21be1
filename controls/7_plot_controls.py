"""Draw what the other scripts of this folder have found: one figure for each control and protocol."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from controls import figures

    figures.draw(settings)


if __name__ == "__main__":
    run_script(main)
