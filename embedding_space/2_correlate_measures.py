"""Correlate what 1_measure_spaces.py and properties/3_score_properties.py have measured with performance on test images.

Writes results/<settings>/embedding_space/correlations_<dataset>.csv: Pearson and Spearman, over methods, networks and looks,
each with a 95% interval by the bootstrap over methods; prints those that Roth et al. show, beside theirs,
and how spaces change in the course of the trainings.
"""

from dml_analysis.config import options_parser, settings_from
from dml_analysis.errors import run_script


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
