"""Compare the trainings of a sweep: what each value of a factor changes, beside the base's with the same seed.

Reads what reality_check/2_train_models.py and 1_measure_spaces.py have made of settings with a `sweep`. Writes
results/<settings>/factors.csv, a row per network, factor_changes.csv, with intervals over seeds, and figures/<settings>/factors.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__, sweeps=True).parse_args())
    from common import run_record
    from embedding_space import factors, figures

    table = factors.write(settings)
    run_record.record(settings, __file__)
    factors.show(settings, table)
    print(f"wrote {factors.runs_of_sweep(settings)} and {factors.changes_file(settings)}")
    figures.draw_factors(settings)


if __name__ == "__main__":
    run_script(main)
