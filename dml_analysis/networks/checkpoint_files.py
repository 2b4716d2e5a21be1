"""Where the checkpoint files of a network are, in the layout of the Metric Learning Reality Check:

<models>/<experiment>/Test50_50_Partitions4_<fold>/saved_models/{trunk_best,embedder_best}.pth

Newer writers of the layout put an epoch in the name (trunk_best120.pth); both spellings are read. What is in the files is
a matter of dml_analysis/networks/checkpoints.py, which takes torch; this does not.
"""

import os
import re

from dml_analysis.checkout import ROOT
from dml_analysis.config import BN_INCEPTION
from dml_analysis.errors import MissingFile
from dml_analysis.methods import is_folder, slug
from dml_analysis.paper import FOLD_FOLDER, experiment_folder

PARTS = ("trunk", "embedder")


def saved_models_folder(settings, model, dataset, fold):
    """The checkpoints of one network: trunk_best.pth and embedder_best.pth."""
    folder = settings.paths["models"] / experiment_folder(model, dataset)
    if is_folder(model.network):  # of an experiment that the settings name
        folder = ROOT / model.network.format(dataset=dataset, fold=fold)
    return folder / FOLD_FOLDER.format(fold=fold) / "saved_models"


def untrained_trunk_file(settings):
    """The trunk of "None": BN-Inception's ImageNet file, or that which 2_train_models.py leaves beside its networks."""
    if settings.trunk == BN_INCEPTION and settings.training is None:
        return settings.paths["imagenet_trunk"]
    return _trunk_file(settings, settings.trunk)


def start_trunk_file(settings, model):
    """Where the trunk is that a model's training begins with: the settings', or one of its own."""
    return _trunk_file(settings, model.name if model.loss and model.network else settings.trunk)


def _trunk_file(settings, name):
    return settings.paths["models"] / f"{slug(name)}_trunk.pth"


def files_of(settings, model, dataset, fold):
    """(trunk file, embedder file) of a network, which need not exist; an untrained embedder has no file and is None."""
    if model.is_none:
        return untrained_trunk_file(settings), None
    folder = saved_models_folder(settings, model, dataset, fold)
    epoch = _best_epoch(folder)
    return tuple(folder / f"{part}_best{epoch}.pth" for part in PARTS)


def _best_epoch(folder):
    """What stands before .pth in the names of both files: nothing, or else the highest epoch that either has."""
    if any((folder / f"{part}_best.pth").is_file() for part in PARTS):
        return ""
    epochs = [
        m[1] for file in folder.glob("*_best*.pth") if (m := re.fullmatch(r"(?:trunk|embedder)_best(\d+)", file.stem))
    ]
    return max(epochs, key=int, default="")


def check_exist(files):
    """Raise MissingFile for the first of these files, some of which may be None, that does not exist."""
    for file in files:
        if file and not file.is_file():
            what = (
                "the Reality Check's experiment folders"
                if file.parent.name == "saved_models"
                else 'the trunk of "None"'
            )
            raise MissingFile(f"{file}: missing; put {what} there (see data/README.md)")


def same_file_key(file):
    """Equal for two names of one file: networks whose trunks are hard links of one file share its computations."""
    status = os.stat(file)
    return status.st_dev, status.st_ino
