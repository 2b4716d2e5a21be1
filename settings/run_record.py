"""How a number came about: results/<settings>/run.json, what it says and what may be added to it."""

import datetime
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import safe_files
import utils

RECORDED_PACKAGES = ("torch", "torchvision", "pretrainedmodels", "pytorch-metric-learning", "numpy", "scipy", "pandas",
                     "scikit-learn", "matplotlib")  # fmt: skip


def _git(*words):
    command = ["git", "-C", str(utils.ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def git_commit():
    """The commit the code is at, with "+changes" where the working tree differs from it; "unknown" outside git."""
    try:
        return _git("rev-parse", "HEAD") + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _numbers_depend_on(settings):
    """The settings that change a number; which losses, datasets and folds are run, in what batches, does not."""
    saliency, properties = settings.saliency._asdict(), settings.properties._asdict()
    del (
        saliency["batch_size"],
        saliency["keep_maps"],
        properties["batch_size"],
        properties["tsne_images"],
        properties["tsne_loss"],
    )
    kept = {
        "protocol": settings.protocol,
        "seed": settings.seed,
        "trunk": settings.trunk,
        "precision": settings.precision,
        "allow_partial": settings.allow_partial,
    }
    training = settings.training._asdict() if settings.training else None
    return kept | {"saliency": saliency, "properties": properties, "training": training}


def check(settings):
    """What run.json says of results/<settings>, empty if there is none yet.

    Raises InputError if the folder holds results that other settings made: results are never mixed.
    """
    file = settings.results / "run.json"
    now = _numbers_depend_on(settings)
    if not file.exists():
        return {"settings": now, "scripts": {}}
    record = safe_files.read_json(file)
    record["settings"].setdefault("precision", "float32")  # a run.json from before there was a choice
    for key, value in now.items():
        if record["settings"][key] != value:
            raise utils.InputError(
                f"{settings.results} was made with {key} = {record['settings'][key]}, the settings now say {value}; "
                "delete that folder, or give the settings file a new name"
            )
    return record


def note(settings, script, device="cpu"):
    """Note in results/<settings>/run.json what makes the results: settings, commit, versions, device, time."""
    with safe_files.Claims(settings.results).held(0):  # or two scripts at once would lose each other's notes
        record = check(settings)
        record["scripts"][Path(script).resolve().relative_to(utils.ROOT).as_posix()] = {
            "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "git_commit": git_commit(),
            "device": device,
            "losses": [loss.name for loss in settings.losses],
            "datasets": settings.datasets,
            "folds": settings.folds,
            "python": sys.version.split()[0],
            "versions": {name: metadata.version(name) for name in RECORDED_PACKAGES},
        }
        safe_files.write_json(settings.results / "run.json", record)
