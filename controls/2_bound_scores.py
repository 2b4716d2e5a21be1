"""What NR-Precision is by chance, how sure it is, and how small a difference of two models these images can tell."""

from dml_analysis.controls import score_controls
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, score_controls.stage)
