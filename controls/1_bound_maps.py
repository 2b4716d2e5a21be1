"""Floor and ceiling of the similarity of maps, and whether two losses are less alike than two folds of one loss."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from controls import bounds
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, bounds.stage)
