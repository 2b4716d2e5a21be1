"""Compare the saliency maps of all pairs of losses on the same images, by correlation and Jensen-Shannon divergence.

Writes results/<settings>/saliency/per_image/<dataset>_fold<k>.npz with the values of every image, and
pairs_<dataset>.csv with their means. Networks without maps are left out and named.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    settings.check_map_folds()
    utils.check_recorded(settings)
    from saliency import compare_maps

    compare_maps.compare(settings, __file__)


if __name__ == "__main__":
    utils.run_script(main)
