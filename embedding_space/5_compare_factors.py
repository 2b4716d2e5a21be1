"""Compare the trainings of a sweep: what each value of a factor changes, with the same seed.

Reads: what reality_check/2_train_models.py and 1_measure_spaces.py have written for settings with a
`sweep`.
Writes: results/<settings>/factors.csv, a row per network, factor_changes.csv, with intervals over
seeds, and figures/<settings>/factors.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__, sweeps=True).parse_args())
    from dml_analysis import provenance
    from dml_analysis.embedding_space import embedding_space_figures, training_factors

    changes = training_factors.write(settings)
    provenance.record(settings, __file__)
    training_factors.show(changes)
    files = training_factors.networks_file(settings), training_factors.changes_file(settings)
    print("wrote {} and {}".format(*files))
    embedding_space_figures.draw_factors(settings)


if __name__ == "__main__":
    run_script(main)
