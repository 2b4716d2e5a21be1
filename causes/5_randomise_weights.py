"""Do saliency maps depend on what was learned? Maps after weights are made random, layer by layer from the last one on."""

from dml_analysis.causes import weight_randomization
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, weight_randomization.stage)
