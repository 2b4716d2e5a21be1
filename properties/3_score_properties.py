"""Score how each network's embeddings cluster by every property of the rendered cars, and test for differences.

Writes to results/<settings>/properties: nr_precision.csv (one row per loss, fold and property) and mann_whitney.csv
(ranking against classification losses). Networks that are scored already are skipped.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    utils.check_recorded(settings)
    from properties import score_properties

    score_properties.score(settings, __file__)


if __name__ == "__main__":
    utils.run_script(main)
