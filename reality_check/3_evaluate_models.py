"""Evaluate every network on its test set: Precision@1, R-Precision and MAP@R, as pytorch-metric-learning defines them.

Not needed for any table of the paper; it shows that checkpoints and images were read rightly, and that the losses perform
about alike. Writes results/<settings>/reality_check/accuracy.csv and prints it. What is there is skipped.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings import run_record
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    run_record.check(settings)
    from reality_check import accuracy_file

    file = utils.accuracy_file(settings)
    accuracy_file.check_rows(settings, file)
    todo = accuracy_file.todo(settings, file)
    if todo:
        from reality_check import evaluate

        evaluate.evaluate(settings, todo, file, __file__)
    print(accuracy_file.summary(accuracy_file.read(file)))
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    utils.run_script(main)
