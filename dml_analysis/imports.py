"""What settings name by `module:function`: its import, and the file of its code."""

import importlib
import importlib.util
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import Any

from dml_analysis.checkout import ROOT
from dml_analysis.errors import InputError, MissingFile, one_line

NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
SEARCHED = (
    "modules are searched on PYTHONPATH, in the current folder and the repository's top folder"
)


def is_name(text: str) -> bool:
    """Return whether a text has the form module:function."""
    return bool(NAME.fullmatch(text))


def imported(name: str) -> Any:
    """Return the function, or other object, that module:function names.

    Raise InputError if it cannot be imported.
    """
    module, function = name.split(":")
    _extend_path()
    try:
        with quietly():
            return getattr(importlib.import_module(module), function)
    except Exception as error:  # anything that the user's code raises
        raise InputError(f"{name}: cannot be imported ({one_line(error)}); {SEARCHED}") from None


def code_file(name: str) -> Path:
    """Return the file of the module of module:function. Raise MissingFile if there is none."""
    module = name.split(":")[0]
    _extend_path()
    try:
        with quietly():  # a package is imported if the module is in it
            spec = importlib.util.find_spec(module)
    except Exception as error:
        raise MissingFile(f"{name}: cannot be imported ({one_line(error)}); {SEARCHED}") from None
    if spec is None or not spec.has_location or spec.origin is None:
        raise MissingFile(f"{name}: there is no module {module}; {SEARCHED}")
    return Path(spec.origin)


@contextmanager
def quietly() -> Iterator[None]:
    """Run code of the user's, which may call sys.exit as argparse does after printing its usage.

    Raises RuntimeError if it does; what it has printed to stderr by then is left out.
    """
    errors = io.StringIO()
    try:
        with redirect_stderr(errors):
            yield
    except SystemExit as stop:
        raise RuntimeError(
            f"it calls sys.exit({stop.code}); parse options under `if __name__ == '__main__'`"
        ) from None
    sys.stderr.write(errors.getvalue())


def _extend_path() -> None:
    """Let Python search modules in the current folder and the repository's top folder, too."""
    with suppress(FileNotFoundError):  # the current folder does not exist any more
        for folder in (os.getcwd(), str(ROOT)):
            if folder not in sys.path:
                sys.path.append(folder)
