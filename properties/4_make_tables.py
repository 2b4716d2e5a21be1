"""Make Table 1, the models; Table 5, the properties; and Table 6, the NR-Precisions, from nr_precision.csv.

Writes results/<settings>/<protocol>/tables/table<N>.csv, .md and .tex. Cells whose inputs do not exist are shown as
missing, and counted.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from common import run_record, stages, tables
    from properties import scores
    from properties.tables import ENTRIES

    stages.refresh(scores.views, settings)
    run_record.record(settings, __file__)
    tables.make(settings, ENTRIES)


if __name__ == "__main__":
    run_script(main)
