"""Where do networks look? The share of each saliency map that lies on the car, the ground and the backdrop."""

from dml_analysis.causes import map_regions
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, map_regions.stage)
