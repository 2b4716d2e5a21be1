"""Compute the saliency maps of every network on its dataset's test images.

Writes results/<settings>/saliency/maps/<dataset>/fold<k>/<loss>/block_<number>.npz. A run that was stopped goes on
where it was; several processes may compute the maps of a run together. Protocol "released" needs fold 0 only, so only
its maps are computed.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    settings.check_map_folds()
    from reality_check import checkpoint_files, datasets
    from saliency import map_files

    cells = [
        (loss, dataset, fold)
        for dataset in settings.datasets
        for fold in settings.map_folds
        for loss in settings.losses
    ]
    items = {dataset: datasets.mapped_items(settings, dataset) for dataset in settings.datasets}
    for some in items.values():
        datasets.check_images(some)
    todo = []
    for loss, dataset, fold in cells:
        folder = utils.maps_folder(settings, dataset, fold, loss)
        if map_files.has_maps(folder):
            checkpoint_files.check_made_with(map_files.note_file(folder), settings, loss, dataset, fold)
        missing = [
            (number, block)
            for number, block in map_files.blocks(items[dataset])
            if not map_files.block_file(folder, number).is_file()
        ]
        if missing:
            todo.append((loss, dataset, fold, missing))
    utils.check_recorded(settings)
    if not todo:
        print(f"all maps of {len(cells)} networks are there already")
        return
    from saliency import compute_maps

    compute_maps.compute(settings, todo, __file__)


if __name__ == "__main__":
    utils.run_script(main)
