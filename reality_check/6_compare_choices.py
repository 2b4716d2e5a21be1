"""Compare networks that validation classes select with those that selection on the test set would
take.

Reads: the log of 2_train_models.py.
Writes: results/<settings>/reality_check/choices_<dataset>.csv, .md and .tex: both test measures of
every loss, their difference, and the change in rank.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__, narrowing=["datasets"]).parse_args())
    from dml_analysis import provenance, tables
    from dml_analysis.reality_check import model_selection

    provenance.record(settings, __file__)
    for dataset in settings.datasets:
        selections = model_selection.write(settings, dataset)
        table = model_selection.table(settings, dataset, selections)
        tables.write(table, settings.results / "reality_check" / table.name, settings.note)
        model_selection.show(settings, selections)
        print(f"wrote {model_selection.csv_file(settings, dataset)}, .md and .tex")
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
