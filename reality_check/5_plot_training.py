"""Plot what 2_train_models.py has trained networks on, how that went, and what it gained by 4_measure_gains.py.

Writes figures/<settings>/classes_<dataset>, training_<dataset> and gains_<dataset> as .png and .pdf. Measures of test classes
are drawn to be seen; nothing is chosen by them.
"""

from dml_analysis.config import options_parser, settings_from
from dml_analysis.errors import run_script
from dml_analysis.reality_check import improvements
from dml_analysis.training import training_stages
from dml_analysis.views import refresh


def main():
    settings = settings_from(options_parser(__doc__, narrowing=["datasets"]).parse_args())
    if settings.training is not None:
        refresh(training_stages.csv_views, settings)
        refresh(improvements.views, settings)
    from dml_analysis.reality_check import training_figures  # matplotlib takes a second to load

    training_figures.draw(settings)


if __name__ == "__main__":
    run_script(main)
