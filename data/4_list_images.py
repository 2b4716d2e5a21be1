"""List the images of the settings' datasets and of the rendered cars, for those who bring embeddings of their own.

Writes results/<settings>/images_<dataset>.csv: image id, path, class, for each fold whether the image is for training,
validation or testing, and whether a file of embeddings (README, "Your own model") needs it. Images of test classes are
tested in every fold; a network of a fold must not have seen them, nor chosen anything by them. --sha256 reads every file and
adds its checksum, by which others can tell whether they have the same images.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    parser = options_parser(__doc__)
    parser.add_argument("--sha256", action="store_true", help="add the checksum of every file")
    options = parser.parse_args()
    settings = settings_from(options)
    from data import datasets, image_lists

    for dataset in dict.fromkeys([*settings.datasets, datasets.CARS]):
        print(f"wrote {image_lists.write(settings, dataset, options.sha256)}")


if __name__ == "__main__":
    run_script(main)
