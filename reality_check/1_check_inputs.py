"""Check that every input which the settings ask for is there: checkpoints, the trunk of "None", datasets.

Prints one line per input and ends with exit status 1 if one is missing or broken, so that a run of days does not find
out later. Networks that the settings have trained by 2_train_models.py may still be missing.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    from reality_check import inputs

    states = []
    for state, name, error in inputs.checked(settings):
        states.append(state)
        print(f"{state:9}{name}{': ' if error else ''}{error}")
    if inputs.MISSING in states:
        missing = states.count(inputs.MISSING)
        raise utils.InputError(f"{missing} inputs are missing or broken; data/README.md says where they come from")
    to_train = states.count(inputs.TO_TRAIN)
    print(f"{to_train} networks are left to reality_check/2_train_models.py" if to_train else "all inputs are there")


if __name__ == "__main__":
    utils.run_script(main)
