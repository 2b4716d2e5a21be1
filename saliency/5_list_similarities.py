"""Write the similarity of every pair of networks' maps on every image, for statistics of one's own.

One file for each protocol and dataset, results/<settings>/<protocol>/saliency/per_image_<dataset>.npz, with the arrays loss_a,
loss_b and fold of the pairs, image_ids, and for each pair (rows) and image (columns) correlation and jsd.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args()).whole
    from saliency import per_image

    for file in per_image.files(settings):
        print(f"wrote {file}")


if __name__ == "__main__":
    run_script(main)
