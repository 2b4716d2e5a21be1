"""The root of the checkout that scripts run in, and the paths that its utils.py sets."""

import runpy
from pathlib import Path


def _root() -> Path:
    """Return the checkout that contains this package.

    For a package that was copied on installation, return the current folder.
    """
    folder = Path(__file__).resolve().parents[1]
    return folder if (folder / "utils.py").is_file() else Path.cwd()


def _paths() -> dict[str, Path]:
    """Return PATHS of utils.py, or {} if there is no such file.

    The file is run by its path, as another package may have a module of that name.
    """
    file = ROOT / "utils.py"
    return runpy.run_path(str(file))["PATHS"] if file.is_file() else {}


ROOT = _root()
PATHS = _paths()
