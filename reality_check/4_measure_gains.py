"""Measure what training has gained: MAP@R on validation and on test classes, over that of the trunk that all began with.

Each gain has a 95% interval by the bootstrap over classes. Writes results/<settings>/reality_check/classes_<dataset>.csv,
class by class, and gains_<dataset>.csv, and prints the latter. A run that was stopped goes on where it was; several processes may share
the work.
"""

from dml_analysis.reality_check import improvements
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, improvements.stage, then=improvements.show)
