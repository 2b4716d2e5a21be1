"""Why was the wrong car retrieved? Which properties it shares with the query more often than by chance, at rank 1."""

from dml_analysis.causes import rank_1_errors
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, rank_1_errors.stage)
