"""What makes two cars alike? Maps of the distance between a query and its wrong nearest neighbour, for both pictures."""

from dml_analysis.causes import explained_pairs
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, explained_pairs.stage)
