"""What makes two cars alike? Maps of the distance between a query and its wrong nearest neighbour, for both pictures."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from causes import pairs
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, pairs.stage)
