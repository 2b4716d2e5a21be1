"""Check that every input which the settings need exists: checkpoints, the trunk of "None",
datasets.

Networks that 2_train_models.py is to train for the settings may still be missing. The exit status
is 1 if an input is missing or broken, so that a run of days does not find out later.

Reads: embedders, and the existence of all else; with --deep every checkpoint and every image.
Writes: one line per input, or for all missing networks of a dataset; every input to
results/<settings>/inputs.csv, unless --models, --datasets or --folds are given.
Runtime: seconds; with --deep minutes.
"""

from itertools import groupby

from dml_analysis.errors import InputError, run_script
from dml_analysis.scripts import NARROWING, options_parser, settings_from


def main():
    parser = options_parser(__doc__, narrowing=NARROWING)
    parser.add_argument("--deep", action="store_true", help="read every checkpoint and every image")
    options = parser.parse_args()
    settings = settings_from(options)
    from dml_analysis.reality_check import input_checks

    rows = []
    for _, group in groupby(input_checks.checked(settings, options.deep), input_checks.group_of):
        alike = list(group)
        print(input_checks.line(alike), flush=True)
        rows += alike
    if not any(getattr(options, name) for name in NARROWING):
        input_checks.write(settings, rows)
    problems = [row for row in rows if row.state in input_checks.PROBLEMS]
    if problems:
        raise InputError(
            f"{len(problems)} inputs are missing or broken (see docs/inputs.md), "
            f"the first: {problems[0].why}"
        )
    to_train = sum(row.state == input_checks.TO_TRAIN for row in rows)
    print(
        f"{to_train} networks are missing; train them by reality_check/2_train_models.py"
        if to_train
        else "all inputs exist"
    )


if __name__ == "__main__":
    run_script(main)
