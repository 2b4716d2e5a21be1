"""Where the checkpoint files of a network are, in the layout of the Metric Learning Reality Check:

<models>/<experiment>/Test50_50_Partitions4_<fold>/saved_models/{trunk_best,embedder_best}.pth

Newer writers of the layout put an epoch in the name (trunk_best120.pth); both spellings are read. What is in the files is
a matter of checkpoints.py, which takes torch; this does not.
"""

import hashlib
import json
import os
import re

import safe_files
import utils
from utils import InputError, MissingFile


def untrained_trunk_file(settings):
    """The trunk of "None": the ImageNet file, or the seeded trunk that 2_train_models.py leaves with the models."""
    if settings.trunk == "imagenet":
        return settings.paths["imagenet_trunk"]
    return settings.paths["models"] / "seeded_trunk.pth"


def files_of(settings, loss, dataset, fold):
    """(trunk file, embedder file) of a network; the embedder of "None" has no file and is None.

    Raises InputError naming the file that is missing.
    """
    if loss.type == "None":
        file = untrained_trunk_file(settings)
        if not file.is_file():
            raise MissingFile(f'{file}: missing; the trunk of "None" comes from it (see data/README.md)')
        return file, None
    folder = utils.saved_models_folder(settings, loss, dataset, fold)
    return _best_file(folder, "trunk"), _best_file(folder, "embedder")


def _best_file(folder, part):
    """trunk_best.pth, or else the trunk_best<epoch>.pth of the highest epoch."""
    plain = folder / f"{part}_best.pth"
    if plain.is_file():
        return plain
    epochs = {
        int(m[1]): file for file in folder.glob(f"{part}_best*.pth") if (m := re.search(r"_best(\d+)$", file.stem))
    }
    if not epochs:
        raise MissingFile(f"{plain}: missing; put the Reality Check's experiment folders there (see data/README.md)")
    return epochs[max(epochs)]


def same_file_key(file):
    """Equal for two names of one file: networks whose trunks are hard links of one file share its computations."""
    status = os.stat(file)
    return status.st_dev, status.st_ino


# ---------------------------------------------------------------------------------------------------------------------
# Which files and images results were made with.
# ---------------------------------------------------------------------------------------------------------------------
def check_made_with(note, settings, loss, dataset, fold, items=None):
    """Raise InputError if the file `note` beside a network's results says that they came of other checkpoint files, or
    of other images than `items`.

    Checkpoints that are gone, once the results are there, are no offence.
    """
    noted = _noted(note)
    if items is not None and "images" in noted and noted["images"] != _listed(items):
        raise InputError(
            f"{note}: results of {noted['images']['count']} images, but the {len(items)} images of {dataset} are now "
            "others; put the old ones back, or delete these results"
        )
    try:
        parts = _parts(settings, loss, dataset, fold)
    except MissingFile:
        return
    for part, file in parts.items() if noted else ():
        if not _is_same(file, noted[part]):
            raise InputError(
                f"{file}: not the file that the results in {note.parent} were made with (see {note.name} there); put the "
                f"old one back, or delete these results"
            )


def note_made_with(note, settings, loss, dataset, fold, items):
    """Write `note`, before the first results of a network on the items."""
    parts = {part: _described(file) for part, file in _parts(settings, loss, dataset, fold).items()}
    safe_files.write_json(note, parts | {"images": _listed(items)})


def source(note):
    """A short text that tells results of one network from those of another: a digest of what `note` says."""
    noted = _noted(note)
    content = [part.get("sha256") if isinstance(part, dict) else part for part in noted.values()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16] if noted else "unknown"


def _noted(note):
    return safe_files.read_json(note) if note.is_file() else {}


def _listed(items):
    """What tells one list of images from another."""
    ids = "\n".join(item.image_id for item in items)
    return {"count": len(items), "sha256": hashlib.sha256(ids.encode()).hexdigest()}


def _parts(settings, loss, dataset, fold):
    """The files of a network; in the place of an embedder of "None", its seed."""
    trunk, embedder = files_of(settings, loss, dataset, fold)
    return {"trunk": trunk, "embedder": embedder or f"seed {settings.seed}"}


def _described(file):
    if isinstance(file, str):
        return file
    status = file.stat()
    return {"bytes": status.st_size, "modified": status.st_mtime_ns, "sha256": sha256(file)}


def _is_same(file, noted):
    if isinstance(file, str):
        return file == noted
    status = file.stat()
    if (status.st_size, status.st_mtime_ns) == (noted["bytes"], noted["modified"]):
        return True  # spares reading it
    return status.st_size == noted["bytes"] and sha256(file) == noted["sha256"]


def sha256(file):
    """Hexadecimal digits, without reading the file into memory at once."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
