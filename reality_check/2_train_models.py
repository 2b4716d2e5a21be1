"""Train networks: for every model, dataset and fold of the settings, by the protocol of the Metric Learning Reality Check.

Needs settings with a `training:` block: settings/reality_check.yaml trains the paper's networks anew, settings/study.yaml and
settings/demo.yaml smaller ones. The checkpoints go to the settings' models folder in the Reality Check's layout, so that
everything after this reads them as it would read the downloaded ones. Writes
results/<settings>/reality_check/training_<dataset>.csv, a row per training, and training_log_<dataset>.csv, a row per look at its
validation classes. A run that was stopped goes on where it
was; several processes may share the work.
"""

from dml_analysis.scripts import stage_script
from dml_analysis.training import training_stages

if __name__ == "__main__":
    stages = (
        training_stages.features_stage,
        training_stages.trials_stage,
        training_stages.networks_stage,
    )
    stage_script(__doc__, __file__, *stages)
