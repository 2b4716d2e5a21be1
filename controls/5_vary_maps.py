"""Which conclusions survive another sigma, number of samples, base image or attribution?"""

from dml_analysis.controls import map_ablations
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, map_ablations.stage)
