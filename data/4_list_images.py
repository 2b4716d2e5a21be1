"""List the images of the settings' datasets and of `properties: dataset`, for those who bring embeddings
of their own.

Writes results/<settings>/images_<dataset>.csv: image id, path, class, for each fold whether the
image is for training, validation or testing, and whether a file of embeddings (docs/own_models.md) needs it. Images of test classes are tested in every fold; a network of a fold must not have
seen them, nor chosen anything by them. --sha256 reads every file and adds its checksum, by which
others can tell whether they have the same images.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    parser = options_parser(__doc__, narrowing=["datasets"])
    parser.add_argument("--sha256", action="store_true", help="add the checksum of every file")
    options = parser.parse_args()
    settings = settings_from(options)
    from dml_analysis.datasets import image_lists

    for dataset in dict.fromkeys([*settings.datasets, settings.properties.dataset]):
        print(f"wrote {image_lists.write(settings, dataset, options.sha256)}")


if __name__ == "__main__":
    run_script(main)
