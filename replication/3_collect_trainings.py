"""Collect what the trainings of all folds and seeds achieve, one row for each.

Reads: what the scripts of reality_check/, properties/ and embedding_space/ have written for every
seed, and the maps of 2_compute_maps.py.
Writes: results/<settings>/trainings.csv, properties.csv, maps.csv, map_pairs.csv and, if validation
steps were saved, validation_steps.csv.
Runtime: a minute.
"""

from dml_analysis.embedding_space.embedding_spaces import saves_steps
from dml_analysis.errors import run_script
from dml_analysis.files import csv_files
from dml_analysis.replication import map_measures, trainings
from dml_analysis.scripts import options_parser, settings_from


def main():
    parser = options_parser(__doc__, sweeps=True)
    parser.add_argument("--only-properties", action="store_true", help="write properties.csv alone")
    options = parser.parse_args()
    settings = settings_from(options)
    tables = {trainings.scores_file(settings): (trainings.scores_of, trainings.SCORES)}
    if not options.only_properties:
        tables[trainings.csv_file(settings)] = trainings.trainings_of, trainings.COLUMNS
        if settings.checkpoint == "best" and saves_steps(settings):
            tables[trainings.steps_file(settings)] = trainings.steps_of, trainings.STEPS
    collected = {
        file: trainings.over_seeds(settings, table_of)[list(columns)]
        for file, (table_of, columns) in tables.items()
    }
    files = [] if options.only_properties else map_measures.write(settings)
    for file, table in collected.items():
        csv_files.write_table(file, table)
    for file in (*files, *collected):
        print(f"wrote {file}")


if __name__ == "__main__":
    run_script(main)
