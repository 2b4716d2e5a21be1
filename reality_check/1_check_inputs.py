"""Check that every input which the settings ask for is there: checkpoints, the trunk of "None", datasets.

Prints one line per input and ends with exit status 1 if one is missing, so that a run of days does not find out later.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils


def main():
    settings = utils.settings_from_command_line(__doc__)
    from reality_check import inputs

    missing = 0
    for name, error in inputs.checked(settings):
        missing += error is not None
        print(f"found    {name}" if error is None else f"MISSING  {name}: {error}")
    if missing:
        raise utils.InputError(f"{missing} inputs are missing or broken; data/README.md says where they come from")
    print("all inputs are there")


if __name__ == "__main__":
    utils.run_script(main)
