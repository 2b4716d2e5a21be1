"""Plot what 2_train_models.py has trained networks on, how that went, and what it gained by 4_measure_gains.py.

Writes figures/<settings>/classes_<dataset>, training_<dataset> and gains_<dataset> as .png and .pdf. Measures of test classes
are drawn to be seen; nothing is chosen by them.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from
from common.stages import refresh
from reality_check import gains, trained_networks


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    settings = settings.whole._replace(datasets=settings.datasets)
    if settings.training is not None:
        refresh(trained_networks.csv_views, settings)
        refresh(gains.views, settings)
    from reality_check import training_figures  # matplotlib takes a second to load

    training_figures.draw(settings)


if __name__ == "__main__":
    run_script(main)
