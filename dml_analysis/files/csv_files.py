"""CSV files: written whole, and read by what each of their columns has to be.

A column's kind is a function from the text of a cell to its value that raises ValueError; str, int and float stand for any
text, a whole number, and a finite number or nothing (NaN). Standard library alone for the renderer's environment, but for
tables.
"""

import csv
import io
import re

from dml_analysis.errors import refused
from dml_analysis.files import atomic_files
from dml_analysis.paper import as_in_files, as_printed

# The columns that name models and groups of models, where "None" is spelled UNTRAINED.
NAMES = ("loss", "loss_a", "loss_b", "type", "type_a", "type_b", "group", "group_a", "group_b", "row", "column")
# What pandas.read_csv takes for a missing value.
MISSING_WORDS = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
     "NaN", "None", "n/a", "nan", "null"))  # fmt: skip
WHAT, HINT = "what a script has written", "run the script that writes it"
WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


# ---------------------------------------------------------------------------------------------------------------------
# Kinds of columns.
# ---------------------------------------------------------------------------------------------------------------------
def whole(text):
    """A whole number, in ASCII digits."""
    if not WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def number(text):
    """A finite number, in ASCII digits."""
    value = float(text) if NUMBER.fullmatch(text) else float("nan")
    if not abs(value) < float("inf"):
        raise ValueError(f"{text!r} is no number")
    return value


def number_or_nothing(text):
    return number(text) if text else float("nan")


def number_or_infinite(text):
    """The same, or infinity."""
    return float("inf") if text == "inf" else number_or_nothing(text)


def name_of(text):
    """A model or a group, as settings name it."""
    if text in MISSING_WORDS:
        raise ValueError(f"{text!r} reads as a missing value")
    return as_printed(text)


def between(low, high):
    """The kind of a column of numbers in this range, or of nothing."""

    def kind(text):
        value = number_or_nothing(text)
        if value < low or value > high:
            raise ValueError(f"{text} is not between {low} and {high}")
        return value

    return kind


def one_of(values):
    """The kind of a column that has one of these values, texts or numbers, which are compared as what they are."""
    known, words = {value: value for value in values}, ", ".join(map(str, values))
    from_text = str if any(isinstance(value, str) for value in values) else number

    def kind(text):
        try:
            return known[from_text(text)]
        except (KeyError, ValueError):
            raise ValueError(f"{text!r} is none of {words}") from None

    return kind


KINDS = {str: str, int: whole, float: number_or_nothing}


# ---------------------------------------------------------------------------------------------------------------------
# Reading.
# ---------------------------------------------------------------------------------------------------------------------
def read_columns(file, columns, key=(), others=False, delimiter=",", what=WHAT, hint=HINT):
    """Name -> list of values, for the named columns (name -> kind) of a CSV file; texts of NAMES are as `name_of` reads them.

    key: the columns that together tell each row from the others. others: whether the file is somebody else's, which may have
    more columns, in any order, and no end of line in the end. Raises InputError, naming the line and the column, if the file holds anything else; what, hint: as for refused.
    """
    text = atomic_files.read_text(file, what, hint)
    with refused(file, what, hint):
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        (_, header), *rows = [(reader.line_num, row) for row in reader if row] or [(1, [])]
        _check_header(header, columns, others)
        if not others and not text.endswith("\n"):
            raise ValueError("its last line is cut")
        for line, row in rows:
            if len(row) != len(header):
                raise ValueError(f"line {line} has {len(row)} cells, not {len(header)}")
        lines, cells = [line for line, _ in rows], dict(zip(header, zip(*(row for _, row in rows))))
        found = {name: _converted(name, kind, cells.get(name, ()), lines) for name, kind in columns.items()}
        _check_unique(key, list(zip(*(found[name] for name in key))))
        return found


def _check_header(header, columns, others):
    for name in columns:
        if name not in header:
            raise ValueError(f"column {name!r} is missing" if header else "empty")
    if len(set(header)) < len(header):
        raise ValueError("two columns have one name")
    if not others and header != list(columns):
        raise ValueError(f"columns are {','.join(header)}, expected {','.join(columns)}")


def _converted(name, kind, cells, lines):
    """The values of a column; each text is looked at once."""
    convert, values = name_of if name in NAMES and kind is str else KINDS.get(kind, kind), {}
    for line, cell in zip(lines, cells):
        if cell not in values:
            try:
                values[cell] = convert(cell)
            except ValueError as error:
                raise ValueError(f"line {line}, column {name}: {error}") from None
    return [values[cell] for cell in cells]


def _check_unique(key, found):
    if len(set(found)) < len(found):
        seen = set()
        twice = next(row for row in found if row in seen or seen.add(row))
        raise ValueError(f"{', '.join(f'{name} {value}' for name, value in zip(key, twice))} is listed twice")


def read_rows(file, columns, **options):
    """The same as a list of dictionaries, one for each row."""
    found = read_columns(file, columns, **options)
    return [dict(zip(found, row)) for row in zip(*found.values())]


def read(file, columns, key=()):
    """The same as a table (pandas.DataFrame), for a file that a script has written; without rows if it does not exist."""
    import pandas as pd  # not part of the renderer's environment

    return table(file, columns, key) if file.exists() else pd.DataFrame(columns=list(columns))


def table(file, columns, key=(), hint=HINT):
    """The same for a file that has to be there. Raises MissingFile if it is not."""
    import pandas as pd

    return pd.DataFrame(read_columns(file, columns, key, hint=hint), columns=list(columns))


# ---------------------------------------------------------------------------------------------------------------------
# Writing.
# ---------------------------------------------------------------------------------------------------------------------
def write_rows(file, rows):
    """Write rows of texts and numbers, the first of which names the columns."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    atomic_files.write_text(file, text.getvalue())


def write(file, rows, columns):
    """Write rows, a list of tuples, under the names of the columns."""
    import pandas as pd

    write_table(file, pd.DataFrame(rows, columns=list(columns)))


def write_table(file, table):
    """Write a pandas.DataFrame; "None" in columns of NAMES becomes UNTRAINED."""
    spelled = {name: table[name].map(as_in_files) for name in NAMES if name in table}
    atomic_files.write_text(file, table.assign(**spelled).to_csv(index=False))
