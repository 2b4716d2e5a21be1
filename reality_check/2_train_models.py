"""Train demo networks: for every loss and fold an embedder, on features of a frozen trunk.

The checkpoints go to the settings' models folder in the layout of the Metric Learning Reality Check, so that everything
after this reads them as it would read the real ones. Needs settings with a `training:` block, such as
settings/demo.yaml; the paper's networks are downloaded, not trained. What is already trained is skipped.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import safe_files
import utils
from settings import run_record
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    if settings.training is None:
        raise utils.InputError(f"settings {settings.name!r} have no `training:` block: their networks are downloaded")
    made_with = check_models_folder(settings)
    trained = [loss for loss in settings.losses if loss.type != "None"]
    todo = [
        (loss, dataset, fold)
        for dataset in settings.datasets
        for fold in settings.folds
        for loss in trained
        if not (utils.saved_models_folder(settings, loss, dataset, fold) / "embedder_best.pth").is_file()
    ]
    if not todo:
        print(f"all {len(trained) * len(settings.datasets) * len(settings.folds)} networks are trained already")
        return
    # Here and in the other scripts the heavy imports come late: --help and a finished run answer at once.
    from reality_check import demo_networks

    run_record.note(settings, __file__)
    safe_files.write_json(made_with, training_settings(settings))
    demo_networks.train(settings, todo)


def training_settings(settings):
    return {"seed": settings.seed, "trunk": settings.trunk, "training": settings.training._asdict()}


def check_models_folder(settings):
    """The file that tells how the folder's networks were trained; InputError if it was otherwise than settings say."""
    file = settings.paths["models"] / "made_with.json"
    if file.is_file() and safe_files.read_json(file) != training_settings(settings):
        raise utils.InputError(
            f"{file}: these networks were trained with other settings; delete the folder to train anew"
        )
    return file


if __name__ == "__main__":
    utils.run_script(main)
