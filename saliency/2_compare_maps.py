"""Compare the saliency maps of all pairs of models on the same images, by correlation and Jensen-Shannon divergence.

Keeps the values of every image in results/<settings>/<protocol>/saliency/comparisons, and writes their means to
pairs_<dataset>.csv. Models whose maps are not whole are left out and named, and the exit status is 3. A run that was
stopped goes on where it was; several processes may share the work. --dry-run tells how much there is to do and times a
part, without writing anything.
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
    from saliency import comparisons

    shelf.run(comparisons.stage(settings), settings, options, __file__)


if __name__ == "__main__":
    run_script(main)
