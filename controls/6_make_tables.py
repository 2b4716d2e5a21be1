"""Tables 2 to 4 with rows and columns of floor and ceiling, and corrected for attenuation, from bounds_<dataset>.csv.

Writes results/<settings>/<protocol>/tables/table<N>_bounds.csv, .md and .tex, and table<N>_corrected.... Cells whose inputs do not
exist are shown as missing, and counted.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from common import run_record, tables
    from controls.tables import entries

    run_record.record(settings, __file__)
    tables.make(settings, entries(settings))


if __name__ == "__main__":
    run_script(main)
