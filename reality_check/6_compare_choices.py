"""Compare networks chosen by their validation classes with those that peeking at the test classes would choose.

Reads the log of 2_train_models.py; writes results/<settings>/reality_check/choices_<dataset>.csv, .md and .tex: both test
measures of every loss, the difference and the change in rank: the price of peeking.
"""

from dml_analysis.config import options_parser, settings_from
from dml_analysis.errors import run_script


def main():
    settings = settings_from(options_parser(__doc__, narrowing=["datasets"]).parse_args())
    from dml_analysis import provenance, tables
    from dml_analysis.reality_check import model_selection

    provenance.record(settings, __file__)
    for dataset in settings.datasets:
        found = model_selection.write(settings, dataset)
        table = model_selection.table(settings, dataset, found)
        tables.write(table, settings.results / "reality_check" / table.name, settings.note)
        model_selection.show(settings, found)
        print(f"wrote {model_selection.csv_file(settings, dataset)}, .md and .tex")
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
