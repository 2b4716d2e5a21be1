"""Paths of checkpoint files, in the layout of the Metric Learning Reality Check.

<models>/<experiment>/Test50_50_Partitions4_<fold>/saved_models/{trunk_best,embedder_best}.pth

Newer versions of its code put an epoch in the name (trunk_best120.pth); both forms are read.
Trainings with `training.reached` save trunk_reached.pth and embedder_reached.pth next to them, or
never_reached.txt.
checkpoints.py reads the files themselves, which needs torch; this module does not.
"""

import os
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from dml_analysis.checkout import ROOT
from dml_analysis.config import BN_INCEPTION, Settings
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.methods import is_folder, slug
from dml_analysis.paper import FOLD_FOLDER, Model, experiment_folder
from dml_analysis.seeds import digest

PARTS = ("trunk", "embedder")
NEVER_REACHED = "never_reached.txt"


def saved_models_folder(settings: Settings, model: Model, dataset: str, fold: int) -> Path:
    """Return the folder of a network's checkpoints, trunk_best.pth and embedder_best.pth."""
    if is_folder(model.network):  # an experiment that the settings name
        folder = ROOT / model.network.format(dataset=dataset, fold=fold)
    else:
        folder = settings.paths["models"] / experiment_folder(model, dataset)
    return folder / FOLD_FOLDER.format(fold=fold) / "saved_models"


def untrained_trunk_file(settings: Settings) -> Path:
    """Return the file of the trunk of "None".

    It is BN-Inception's ImageNet file, or the one that 2_train_models.py writes for its networks.
    """
    if settings.trunk == BN_INCEPTION and settings.training is None:
        return settings.paths["imagenet_trunk"]
    return _trunk_file(settings, settings.trunk)


def start_trunk_file(settings: Settings, model: Model) -> Path:
    """Return the file of the trunk that a model's training starts from.

    It is the settings' trunk, unless the model names a loss and a network of its own. Models that
    start from the same weights share the file, and so its features.
    """
    if not (model.loss and model.network):
        return _trunk_file(settings, settings.trunk)
    content = digest([model.network, model.checkpoint, model.crop])
    return _trunk_file(settings, f"{model.network} {content}")


def _trunk_file(settings: Settings, name: str) -> Path:
    """Return the file of a trunk, by its name."""
    return settings.paths["models"] / f"{slug(name)}_trunk.pth"


def files_of(settings: Settings, model: Model, dataset: str, fold: int) -> tuple[Path, Path | None]:
    """Return (trunk file, embedder file) of a network, which need not exist.

    An untrained embedder has no file: None.
    """
    if model.is_none:
        return untrained_trunk_file(settings), None
    folder = saved_models_folder(settings, model, dataset, fold)
    if settings.checkpoint != "best" and not is_folder(model.network):
        return checkpoints_in(folder, settings.checkpoint)
    return checkpoints_in(folder, f"best{_best_epoch(folder)}")


def has_network(settings: Settings, model: Model, dataset: str, fold: int) -> bool:
    """Return whether a model has a network: not with `checkpoint: reached`, if it never did."""
    if settings.checkpoint != "reached" or model.is_none or is_folder(model.network):
        return True
    folder = saved_models_folder(settings, model, dataset, fold)
    return not (folder / NEVER_REACHED).is_file()


def checkpoints_in(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the files of trunk and embedder in a folder of checkpoints. name: such as "best"."""
    trunk, embedder = (folder / f"{part}_{name}.pth" for part in PARTS)
    return trunk, embedder


def _best_epoch(folder: Path) -> str:
    """Return the epoch in the names of both files: "", or the highest that either has."""
    if any((folder / f"{part}_best.pth").is_file() for part in PARTS):
        return ""
    names = (file.stem for file in folder.glob("*_best*.pth"))
    matches = (re.fullmatch(r"(?:trunk|embedder)_best(\d+)", name) for name in names)
    return max((match[1] for match in matches if match), key=int, default="")


def check_exist(files: Iterable[Path | None], trained_here: bool = False) -> None:
    """Raise MissingFile for the first of these files that does not exist; None is skipped.

    trained_here: whether 2_train_models.py writes them.
    """
    for file in files:
        if file and not file.is_file():
            in_layout = file.parent.name == "saved_models"
            what = "the Reality Check's experiment folders" if in_layout else 'the trunk of "None"'
            fix = f"put {what} there (see docs/inputs.md)"
            if trained_here:
                fix = "run reality_check/2_train_models.py"
            raise MissingFile(f"{file}: missing; {fix}")


def check_ends(file: Path) -> None:
    """Raise InputError if torch cannot have written a file, by its first and last bytes alone."""
    with open(file, "rb") as stream:
        start = stream.read(64).lstrip().lower()
    problem = "neither a zip file nor a pickle" if not start.startswith((b"pk", b"\x80")) else ""
    if start.startswith(b"<"):
        problem = "a web page"
    elif start.startswith(b"pk") and not zipfile.is_zipfile(file):
        problem = "its end is missing"
    if problem:
        problem = problem if start else "empty"
        raise InputError(f"{file}: not a readable checkpoint ({problem}); fetch it again")


def same_file_key(file: Path) -> tuple[int, int]:
    """Return a key that is equal for two names (hard links) of one file."""
    status = os.stat(file)
    return status.st_dev, status.st_ino
