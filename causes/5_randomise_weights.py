"""Do saliency maps depend on what was learned? Maps after weights are made random, layer by layer from the last one on."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from causes import randomization
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, randomization.stage)
