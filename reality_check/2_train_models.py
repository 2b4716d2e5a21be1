"""Train demo networks: for every model and fold an embedder, on features of a frozen trunk.

The checkpoints go to the settings' models folder in the layout of the Metric Learning Reality Check, so that everything
after this reads them as it would read the real ones. Needs settings with a `training:` block, such as
settings/demo.yaml; the paper's networks are downloaded, not trained. A run that was stopped goes on where it was; several
processes may share the work.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.shelf import stage_script
from reality_check import demo_training

if __name__ == "__main__":
    stage_script(__doc__, __file__, demo_training.features_stage, demo_training.networks_stage)
