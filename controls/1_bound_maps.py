"""Floor and ceiling of the similarity of maps, and whether two losses are less alike than two folds of one loss."""

from dml_analysis.controls import noise_ceilings
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, noise_ceilings.stage)
