"""What NR-Precision is by chance, how sure it is, and how small a difference of two models these images can tell."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from controls import score_controls
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, score_controls.stage)
