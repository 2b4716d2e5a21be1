"""Name the tables and figures of a run, for a person to open; exit status 1 if one is not there."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    from report import contents

    files = [utils.table_file(settings, f"{entry.name}.md") for entry in contents.all_tables(settings)]
    files += [
        settings.results / "inputs.csv",
        utils.accuracy_file(settings),
        utils.properties_file(settings, "linear_probe.csv"),
        settings.results / "compared_with_paper.csv",
        settings.results / "run.json",
    ]
    files += [settings.figures / f"{entry.name}.png" for entry in contents.SALIENCY_FIGURES + contents.PROPERTY_FIGURES]
    for file in files:
        print(f"{'' if file.is_file() else 'MISSING '}{file}")
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise utils.InputError(
            f"{len(missing)} results are missing, the first is {missing[0]}; run the numbered scripts"
        )
    if settings.note:
        print(f"\n{settings.note} Their numbers are no results of the paper.")


if __name__ == "__main__":
    utils.run_script(main)
