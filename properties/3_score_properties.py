"""Score how each network's embeddings cluster by every property of the rendered cars, and test for differences.

Writes to results/<settings>/<protocol>/properties: nr_precision.csv (one row per model, fold and property) and
mann_whitney.csv (each two groups of models). Networks without embeddings are left out and named, and the exit status is 3.
Several processes may share the work.
"""

from dml_analysis.properties import property_scores
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, property_scores.stage)
