"""Plot the images that 2_train_models.py trains on, the course of training, and the improvements by
4_measure_gains.py.

Measures of test classes are only shown; they select nothing.

Reads: training_log_<dataset>.csv, classes_<dataset>.csv, the images of the datasets.
Writes: figures/<settings>/classes_<dataset>, training_<dataset> and gains_<dataset> as .png and
.pdf.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.reality_check import improvements
from dml_analysis.scripts import options_parser, settings_from
from dml_analysis.training import training_logs
from dml_analysis.views import refresh


def main():
    settings = settings_from(options_parser(__doc__, narrowing=["datasets"]).parse_args())
    if settings.training is not None:
        refresh(training_logs.views, settings)
        refresh(improvements.views, settings)
    from dml_analysis.reality_check import training_figures  # matplotlib takes a second to load

    training_figures.plot(settings)


if __name__ == "__main__":
    run_script(main)
