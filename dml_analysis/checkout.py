"""The checkout that scripts are run in, and the paths at the top of its utils.py."""

import runpy
from pathlib import Path


def _root() -> Path:
    """Return the checkout that this package lies in; for a package that was copied on installing, the current folder."""
    above = Path(__file__).resolve().parents[1]
    return above if (above / "utils.py").is_file() else Path.cwd()


def _paths() -> dict[str, Path]:
    """Return PATHS of utils.py, which is run by its place, as a module of that name may be somebody else's; {} without one."""
    file = ROOT / "utils.py"
    return runpy.run_path(str(file))["PATHS"] if file.is_file() else {}


ROOT = _root()
PATHS = _paths()
