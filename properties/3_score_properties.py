"""Score how each network's embeddings cluster by every property of the rendered cars, and test for differences.

Writes to results/<settings>/<protocol>/properties: nr_precision.csv (one row per model, fold and property) and
mann_whitney.csv (each two groups of models). Networks without embeddings are left out and named, and the exit status is 3.
Several processes may share the work. --dry-run tells how much there is to do and times a part, without writing anything.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from properties import scores
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, scores.stage)
