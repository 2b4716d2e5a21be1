"""How a number came about: results/<settings>/run.json says with which settings, code and versions each script ran.

It is a record for people. What results may stand beside each other is a matter of what they are made of (store.py).
"""

import datetime
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from dml_analysis import checkout, leases
from dml_analysis.files import atomic_files

PACKAGES = ("torch", "torchvision", "pretrainedmodels", "pytorch-metric-learning", "numpy", "scipy", "pandas",
            "scikit-learn", "matplotlib", "timm")  # fmt: skip


def _git(*words):
    command = ["git", "-C", str(checkout.ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def git_commit():
    """The commit the code is at, with "+changes" where it differs from that, results and figures apart; "unknown" outside git."""
    try:
        changed = _git(
            "status", "--porcelain", "--untracked-files=no", "--", ".", ":!results", ":!figures"
        )
        return _git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _threads():
    """How many threads torch computes with, on which the rounding of networks depends; None where it is not at work."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def record(settings, script, device="cpu"):
    """Write to run.json that the script makes results now: with which settings, commit, versions and device.

    Raises InputError if run.json is not readable.
    """
    file = settings.results / "run.json"
    with leases.locked(file):  # or two scripts at once would lose each other's records
        known = atomic_files.read_record(file)
        scripts = known.get("scripts")
        run = {
            "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "git_commit": git_commit(),
            "device": device,
            "threads": _threads(),
            "models": [model.name for model in settings.models],
            "datasets": settings.datasets,
            "folds": settings.folds,
            "python": sys.version.split()[0],
            "versions": {name: metadata.version(name) for name in PACKAGES},
        }
        networks = (
            settings.results / "networks.json"
        )  # what of an image they see, through which transform
        name = Path(script).resolve().relative_to(checkout.ROOT).as_posix()
        scripts = (scripts if isinstance(scripts, dict) else {}) | {name: run}
        described = atomic_files.read_record(networks)
        record = {
            "settings": settings.whole.recorded(),
            "networks": list(described.values()),
            "scripts": scripts,
        }
        atomic_files.write_json(file, record)
