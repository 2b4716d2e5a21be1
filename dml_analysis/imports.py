"""What settings name by `module:function`: found, imported, and told apart by its code."""

import importlib
import importlib.util
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from dml_analysis.checkout import ROOT
from dml_analysis.errors import InputError, MissingFile, one_line

NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_name(text):
    """Whether a text has the form module:function."""
    return bool(NAME.fullmatch(text))


def imported(name):
    """The function, or whatever else it is, that module:function names.

    Modules are searched where Python searches, in the repository's top folder and in the current folder.
    Raises InputError if it cannot be imported.
    """
    module, function = name.split(":")
    _search_here()
    try:
        return getattr(importlib.import_module(module), function)
    except (Exception, SystemExit) as error:  # whatever somebody else's code does
        raise InputError(
            f"{name}: cannot be imported ({one_line(error)}); {_where_modules_are_searched()}"
        ) from None


def code_file(name):
    """The file of the module of module:function. Raises MissingFile if there is none."""
    module = name.split(":")[0]
    _search_here()
    try:
        found = importlib.util.find_spec(module)
    except (Exception, SystemExit) as error:
        raise MissingFile(
            f"{name}: cannot be imported ({one_line(error)}); {_where_modules_are_searched()}"
        ) from None
    if found is None or not found.has_location:
        raise MissingFile(f"{name}: there is no module {module}; {_where_modules_are_searched()}")
    return Path(found.origin)


def _search_here():
    with suppress(FileNotFoundError):  # the current folder is gone
        for folder in (str(ROOT), os.getcwd()):
            if folder not in sys.path:
                sys.path.append(folder)


def _where_modules_are_searched():
    return "modules are searched in the repository's top folder, the current folder and PYTHONPATH"
