"""Correlate what 1_measure_spaces.py and properties/3_score_properties.py have measured with performance on test images.

Writes results/<settings>/embedding_space/correlations_<dataset>.csv: Pearson and Spearman, over methods, networks and looks,
each with a 95% interval by the bootstrap over methods; prints those that Roth et al. show, beside theirs,
and how spaces change in the course of the trainings.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from common import run_record
    from embedding_space import correlated

    run_record.record(settings, __file__)
    for dataset in settings.datasets:
        correlated.show(correlated.write(settings, dataset), dataset)
        correlated.show_course(settings, dataset)
        print(f"wrote {correlated.csv_file(settings, dataset)}")
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
