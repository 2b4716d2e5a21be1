"""Which conclusions survive another sigma, number of samples, base image or attribution?"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from controls import variations
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, variations.stage)
