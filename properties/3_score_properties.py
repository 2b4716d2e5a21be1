"""Score how each network's embeddings cluster by every property of the rendered cars, and test for differences.

Writes to results/<settings>/<protocol>/properties: nr_precision.csv (one row per model, fold and property) and
mann_whitney.csv (each two groups of models). Networks without embeddings are left out and named, and the exit status is 3.
Several processes may share the work. --dry-run tells how much there is to do and times a part, without writing anything.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common import shelf
from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    options = options_parser(__doc__, long=True).parse_args()
    settings = settings_from(options)
    from properties import scores

    shelf.run(scores.stage(settings), settings, options, __file__)


if __name__ == "__main__":
    run_script(main)
