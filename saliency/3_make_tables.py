"""Make Tables 2 to 4 and the appendix's from pairs_<dataset>.csv: how alike the models' saliency maps are.

Writes results/<settings>/<protocol>/tables/table<N>....csv, .md and .tex. Cells whose inputs do not exist are shown as
missing, and counted.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import narrowed, options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from common import run_record, stages, tables
    from saliency import comparisons
    from saliency.tables import entries

    for dataset in settings.datasets:  # of which some may be gone
        stages.refresh(comparisons.views, narrowed(settings, datasets=[dataset]))
    run_record.record(settings, __file__)
    tables.make(settings, entries(settings))


if __name__ == "__main__":
    run_script(main)
