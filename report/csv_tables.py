"""CSV files of results that several scripts add to."""

import pandas as pd

import safe_files
import utils
from utils import InputError


def read(file, columns, numbers, **types):
    """A table of these columns, empty if the file is not there; `numbers` are columns that may have open cells.

    Raises InputError if the columns are others.
    """
    if not file.is_file():
        return pd.DataFrame(columns=columns)
    table = pd.read_csv(file, keep_default_na=False, na_values=dict.fromkeys(numbers, ""), dtype=types)
    if list(table.columns) != columns:
        raise InputError(f"{file}: columns are {','.join(table.columns)}, expected {','.join(columns)}; delete it")
    return table


def write(file, table):
    with safe_files.written_aside(file) as aside:
        table.to_csv(aside, index=False)


def ordered(table, columns):
    """The rows by these columns; losses in the order of utils.LOSSES."""
    place = {loss.name: number for number, loss in enumerate(utils.LOSSES)}
    return table.sort_values(columns, key=lambda c: c.map(place) if c.name == "loss" else c, kind="stable")
