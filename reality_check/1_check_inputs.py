"""Check that every input which the settings ask for exists: checkpoints, the trunk of "None", datasets.

Prints one line per input, writes the same to results/<settings>/inputs.csv, and ends with exit status 1 if one is
missing or broken, so that a run of days does not find out later. --deep also reads every checkpoint and every image.
With --models, --datasets or --folds it only prints. Networks that the settings have trained by 2_train_models.py may still be
missing.
"""

from dml_analysis.config import NARROWING, options_parser, settings_from
from dml_analysis.errors import InputError, run_script


def main():
    parser = options_parser(__doc__, narrowing=NARROWING)
    parser.add_argument("--deep", action="store_true", help="read every checkpoint and every image")
    options = parser.parse_args()
    settings = settings_from(options)
    from dml_analysis.reality_check import input_checks

    rows = []
    for row in input_checks.checked(settings, options.deep):
        rows.append(row)
        print(f"{row.state:9}{row.kind} {row.name}{': ' if row.why else ''}{row.why}", flush=True)
    if not any(getattr(options, name) for name in NARROWING):
        input_checks.write(settings, rows)
    wrong = [row for row in rows if row.state in input_checks.PROBLEMS]
    if wrong:
        raise InputError(
            f"{len(wrong)} inputs are missing or broken (see data/README.md), the first: {wrong[0].why}"
        )
    to_train = sum(row.state == input_checks.TO_TRAIN for row in rows)
    print(
        f"{to_train} networks are left to reality_check/2_train_models.py"
        if to_train
        else "all inputs exist"
    )


if __name__ == "__main__":
    run_script(main)
