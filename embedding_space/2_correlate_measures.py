"""Correlate measures of embedding spaces with performance on test images.

Prints the correlations that Roth et al. show, alongside theirs, and how spaces change in training.

Reads: what 1_measure_spaces.py and properties/3_score_properties.py have written.
Writes: results/<settings>/embedding_space/correlations_<dataset>.csv: Pearson and Spearman, over
methods, networks and validation steps, each with a 95% interval by the bootstrap over methods.
Runtime: the bootstrap.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__, narrowing=["datasets"]).parse_args())
    from dml_analysis import provenance
    from dml_analysis.embedding_space import measure_correlations

    provenance.record(settings, __file__)
    for dataset in settings.datasets:
        measure_correlations.show(measure_correlations.write(settings, dataset), dataset)
        measure_correlations.show_course(settings, dataset)
        print(f"wrote {measure_correlations.csv_file(settings, dataset)}")
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
