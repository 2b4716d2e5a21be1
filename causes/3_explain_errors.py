"""Why was the wrong car retrieved? Which properties it shares with the query more often than by chance, at rank 1."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from causes import errors_at_rank_1
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, errors_at_rank_1.stage)
