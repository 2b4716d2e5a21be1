"""Train networks: for every model, dataset and fold of the settings, by the protocol of the Metric Learning Reality Check.

Needs settings with a `training:` block: settings/reality_check.yaml trains the paper's networks anew, settings/study.yaml and
settings/demo.yaml smaller ones. The checkpoints go to the settings' models folder in the Reality Check's layout, so that
everything after this reads them as it would read the downloaded ones. Writes
results/<settings>/reality_check/training_<dataset>.csv, a row per training, and training_log_<dataset>.csv, a row per look at its
validation classes. A run that was stopped goes on where it
was; several processes may share the work.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from reality_check import trained_networks
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stages = trained_networks.features_stage, trained_networks.trials_stage, trained_networks.networks_stage
    stage_script(__doc__, __file__, *stages)
