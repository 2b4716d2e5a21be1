"""CSV files of results: written whole, and read by what their columns should be."""

import io

import pandas as pd

from common import safe_files
from common.errors import InputError


def read(file, columns):
    """A table of these columns (name -> str, int or float); empty cells of a float column are NaN.

    Without rows if the file does not exist. Raises InputError if the file holds anything else.
    """
    if not file.exists():
        return pd.DataFrame(columns=list(columns))
    try:
        text = file.read_text(encoding="utf-8")
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
        if list(table.columns) != list(columns):
            raise ValueError(f"columns are {','.join(table.columns)}, expected {','.join(columns)}")
        if not text.endswith("\n") or table.isna().any(axis=None):
            raise ValueError("a row is cut")
        for name, kind in columns.items():
            table[name] = [kind(cell) if cell or kind is not float else float("nan") for cell in table[name]]
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file}: not what a script has written ({reason}); run the script that writes it") from None
    return table


def write(file, rows, columns):
    """Write rows, a list of tuples, under the names of the columns."""
    with safe_files.written_aside(file) as aside:
        pd.DataFrame(rows, columns=list(columns)).to_csv(aside, index=False)
