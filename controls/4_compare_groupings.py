"""Do maps, embeddings and properties group the losses alike? Tests within and between groups, and Mantel tests."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from common import run_record
    from controls import compared_groupings

    run_record.record(settings, __file__)
    for protocol in settings.protocols:
        compared_groupings.write(settings, protocol)
        compared_groupings.show(settings, protocol)
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
