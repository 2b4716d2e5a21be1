"""Score how each network's embeddings cluster by every property of the rendered cars, and test for differences.

Writes to results/<settings>/properties: nr_precision.csv (one row per loss, fold and property) and mann_whitney.csv
(ranking against classification losses). Networks that are scored already are skipped; several processes may share the
work. --dry-run tells how much there is to do and times a part, without writing anything.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings import run_record
from settings.reader import options_parser, settings_from


def main():
    options = options_parser(__doc__, dry_run=True).parse_args()
    settings = settings_from(options)
    run_record.check(settings)
    from properties import score_properties
    from report import workload

    todo = score_properties.unscored(settings)
    if options.dry_run:
        seconds = score_properties.timed(settings) if todo else ()
        print(workload.describe(score_properties.workload(settings, todo), settings.results, *seconds))
    else:
        score_properties.score(settings, todo, __file__)


if __name__ == "__main__":
    utils.run_script(main)
