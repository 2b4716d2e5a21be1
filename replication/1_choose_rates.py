"""Choose the learning rates of every method among the trials of a sweep, by validation classes.

Reads: what reality_check/2_train_models.py has written for settings/replication_rates.yaml.
Writes: results/<settings>/chosen_rates.csv; prints the lines for `training` in other settings.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.files import csv_files
from dml_analysis.replication import learning_rates
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__, sweeps=True).parse_args())
    table = learning_rates.chosen(learning_rates.trials_of(settings))
    file = learning_rates.rates_file(settings)
    csv_files.write_table(file, table)
    print(learning_rates.as_settings(table))
    for loss in table.loss[table.at_edge == "yes"]:
        print(f"{loss}: the best learning rate is the lowest or the highest tried")
    print(f"wrote {file}")


if __name__ == "__main__":
    run_script(main)
