"""Evaluate every network on its test set: Precision@1, R-Precision and MAP@R, by the distance of its model.

Not needed for any table of the paper; it shows that checkpoints and images were read rightly, and that the losses perform
about alike. Images that tie count by the expectation over their orders. Writes results/<settings>/reality_check/accuracy.csv
and prints it. A run that was stopped goes on where it was; several processes may share the work.
"""

from dml_analysis.reality_check import accuracy
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, accuracy.stage, then=accuracy.show)
