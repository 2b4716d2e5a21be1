"""The record of a run for people: results/<settings>/run.json has settings, code and versions.

Which results may be combined is decided by the provenance of stores instead (store.py).
"""

import datetime
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from dml_analysis import checkout, leases
from dml_analysis.files import atomic_files

PACKAGES = (
    "torch", "torchvision", "pretrainedmodels", "pytorch-metric-learning", "numpy", "scipy", "pandas",
    "scikit-learn", "matplotlib", "timm",
)  # fmt: skip


def _git(*words: str) -> str:
    command = ["git", "-C", str(checkout.ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def git_commit() -> str:
    """Return the commit of the code, "unknown" outside git.

    "+changes" follows if tracked files other than results and figures differ from it.
    """
    status = ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!results", ":!figures"]
    try:
        return _git("rev-parse", "HEAD") + "+changes" * bool(_git(*status))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def record(settings: Any, script: str | Path, device: str = "cpu") -> None:
    """Write to run.json that a script makes results now.

    Raise InputError if run.json is not readable.
    """
    torch = sys.modules.get("torch")
    run = {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "device": device,
        "threads": torch.get_num_threads() if torch else None,  # networks' rounding depends on it
        "models": [model.name for model in settings.models],
        "datasets": settings.datasets,
        "folds": settings.folds,
        "python": sys.version.split()[0],
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }
    name = Path(script).resolve().relative_to(checkout.ROOT).as_posix()
    networks = atomic_files.read_record(settings.results / "networks.json")
    file = settings.results / "run.json"
    with leases.locked(file):  # so that two scripts at once do not lose each other's records
        scripts = atomic_files.read_record(file).get("scripts")
        content = {
            "settings": settings.whole.recorded(),
            "networks": list(networks.values()),
            "scripts": (scripts if isinstance(scripts, dict) else {}) | {name: run},
        }
        atomic_files.write_json(file, content)
