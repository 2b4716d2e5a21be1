"""Measure what training has gained: MAP@R on validation and on test classes, over that of the trunk that all began with.

Each gain has a 95% interval by the bootstrap over classes. Writes results/<settings>/reality_check/classes_<dataset>.csv,
class by class, and gains_<dataset>.csv, and prints the latter. A run that was stopped goes on where it was; several processes may share
the work.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from reality_check import gains
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, gains.stage, then=gains.show)
