"""Where do networks look? The share of each saliency map that lies on the car, the ground and the backdrop."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from causes import locate
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, locate.stage)
