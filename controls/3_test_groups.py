"""Do ranking and classification losses differ? Tests of every property on loss means and on all folds, and the paper's claims.

Of the run's own scores, and of the published Table 6.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from common import run_record
    from controls import group_tests

    run_record.record(settings, __file__)
    for file in group_tests.write(settings):
        print(f"wrote {file}")
    group_tests.show(settings)
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
