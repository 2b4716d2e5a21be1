"""Embed the rendered cars with every network trained on the settings' `properties: networks` dataset.

Writes results/<settings>/properties/embeddings/<loss>_fold<k>.npy, (n, 128) float32, not normalised, and the ids of its
images beside it as .txt. Networks that share a trunk file share its forward pass. The features of the untrained trunk
of "None" are kept as untrained_trunk.npy. What is there is skipped.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    utils.check_recorded(settings)
    cells = [(loss, fold) for fold in settings.folds for loss in settings.losses]
    from reality_check.checkpoint_files import check_made_with

    todo = [(loss, fold) for loss, fold in cells if not is_done(settings, loss, fold)]
    for loss, fold in cells:
        file = utils.embeddings_file(settings, fold, loss)
        if file.is_file():
            check_made_with(utils.made_with_file(file), settings, loss, settings.properties.networks, fold)
    if not todo:
        print(f"all embeddings of {len(cells)} networks are there already")
        return
    from properties import embed_cars

    embed_cars.embed(settings, todo, __file__)


def is_done(settings, loss, fold):
    features = utils.trunk_features_file(settings)
    return utils.embeddings_file(settings, fold, loss).is_file() and (loss.type != "None" or features.is_file())


if __name__ == "__main__":
    utils.run_script(main)
