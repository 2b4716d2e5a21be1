"""Train demo networks: for every model and fold an embedder, on features of a frozen trunk.

The checkpoints go to the settings' models folder in the layout of the Metric Learning Reality Check, so that everything
after this reads them as it would read the real ones. Needs settings with a `training:` block, such as
settings/demo.yaml; the paper's networks are downloaded, not trained. A run that was stopped goes on where it was; several
processes may share the work.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common import shelf
from common.errors import InputError, run_script
from common.settings import options_parser, settings_from


def main():
    options = options_parser(__doc__, long=True).parse_args()
    settings = settings_from(options)
    if settings.training is None:
        raise InputError(f"settings {settings.name!r} have no `training:` block: their networks are downloaded")
    from reality_check import demo_training

    for stage in demo_training.stages(settings):
        shelf.run(stage, settings, options, __file__)


if __name__ == "__main__":
    run_script(main)
