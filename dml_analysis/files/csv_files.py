"""Readers and writers of CSV files, which check every column by its kind.

The kind of a column is a function from a cell's text to its value that raises ValueError. As kinds,
str stands for any text, int for a whole number, float for a finite number or an empty cell (NaN).
All but the functions on tables need the standard library alone, for the renderer's environment.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dml_analysis.errors import refused
from dml_analysis.files import atomic_files
from dml_analysis.paper import as_in_files, as_printed

if TYPE_CHECKING:
    import pandas as pd

# The columns that name methods and their groups, where "None" is spelled UNTRAINED.
NAMES = (
    "loss", "loss_a", "loss_b", "type", "type_a", "type_b", "group", "group_a", "group_b", "row",
    "column",
)  # fmt: skip
# The texts that pandas.read_csv reads as missing values.
MISSING_WORDS = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
     "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
)  # fmt: skip
WHAT, HINT = "the output of a script", "run the script that writes it"
WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


# --------------------------------------------------------------------------------------------------
# Kinds of columns.
# --------------------------------------------------------------------------------------------------
def whole(text: str) -> int:
    """Return a whole number. Raise ValueError for other texts, also for non-ASCII digits."""
    if not WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def number(text: str) -> float:
    """Return a finite number. Raise ValueError for other texts, also for non-ASCII digits."""
    value = float(text) if NUMBER.fullmatch(text) else float("nan")
    if not abs(value) < float("inf"):
        raise ValueError(f"{text!r} is not a number")
    return value


def number_or_nothing(text: str) -> float:
    """Return a finite number, or NaN for an empty cell. Raise ValueError for other texts."""
    return number(text) if text else float("nan")


def number_or_infinite(text: str) -> float:
    """Return a number, infinity for "inf", or NaN for an empty cell. Raise ValueError otherwise."""
    return float("inf") if text == "inf" else number_or_nothing(text)


def name_of(text: str) -> str:
    """Return the name of a method or a group as settings spell it.

    Raise ValueError for a text that pandas.read_csv reads as a missing value.
    """
    if text in MISSING_WORDS:
        raise ValueError(f"{text!r} reads as a missing value")
    return as_printed(text)


def between(low: float, high: float) -> Callable[[str], float]:
    """Return the kind of a column of numbers from `low` to `high`, or empty cells."""

    def kind(text: str) -> float:
        value = number_or_nothing(text)
        if value < low or value > high:
            raise ValueError(f"{text} is not between {low} and {high}")
        return value

    return kind


def one_of(values: Iterable[Any]) -> Callable[[str], Any]:
    """Return the kind of a column with one of these values.

    If any of them is a text, all are compared as texts, else as numbers.
    """
    value_of = {value: value for value in values}
    allowed = ", ".join(map(str, value_of))
    from_text: Callable[[str], Any]
    from_text = str if any(isinstance(value, str) for value in value_of) else number

    def kind(text: str) -> Any:
        try:
            return value_of[from_text(text)]
        except (KeyError, ValueError):
            raise ValueError(f"{text!r} is not one of {allowed}") from None

    return kind


KINDS: dict[Any, Callable[[str], Any]] = {str: str, int: whole, float: number_or_nothing}


# --------------------------------------------------------------------------------------------------
# Reading.
# --------------------------------------------------------------------------------------------------
def read_columns(
    file: Path,
    columns: Mapping[str, Any],
    key: Sequence[str] = (),
    others: bool = False,
    optional: Sequence[str] = (),
    delimiter: str = ",",
    what: str = WHAT,
    hint: str = HINT,
) -> dict[str, list]:
    """Return the values of each column of a CSV file; names are spelled as in `name_of`.

    columns: name -> kind. key: the columns whose values must differ between rows. others: whether
    the file comes from elsewhere: it may have more columns, in any order, and need not end with a
    line break. optional: columns that such a file may lack, as if all their cells were empty; if
    there are any, the file may have no unknown column, which could be one of them misspelt. what, hint: as for errors.refused. Raise InputError, naming line and column, if the
    file is missing or anything else.
    """
    text = atomic_files.read_text(file, what, hint)
    with refused(file, what, hint):
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        numbered_rows: list[tuple[int, list[str]]]
        numbered_rows = [(reader.line_num, row) for row in reader if row] or [(1, [])]
        (_, header), *numbered_rows = numbered_rows
        _check_header(header, columns, others, optional)
        if not others and not text.endswith("\n"):
            raise ValueError("its last line is incomplete")
        for line, row in numbered_rows:
            if len(row) != len(header):
                raise ValueError(f"line {line} has {len(row)} cells, not {len(header)}")
        lines = [line for line, _ in numbered_rows]
        cells = dict(zip(header, zip(*(row for _, row in numbered_rows))))
        cells = {name: ("",) * len(lines) for name in optional} | cells
        values = {
            name: _converted(name, kind, cells.get(name, ()), lines)
            for name, kind in columns.items()
        }
        _check_unique(key, list(zip(*(values[name] for name in key))))
        return values


def _check_header(
    header: list[str], columns: Mapping[str, Any], others: bool, optional: Sequence[str]
) -> None:
    """Raise ValueError for missing, repeated or unknown columns."""
    for name in columns:
        if name not in header and name not in optional:
            raise ValueError(f"column {name!r} is missing" if header else "empty")
    if len(set(header)) < len(header):
        raise ValueError("two columns have the same name")
    if optional and (unknown := [name for name in header if name not in columns]):
        raise ValueError(f"column {unknown[0]!r} is none of {', '.join(columns)}")
    if not others and header != list(columns):
        raise ValueError(f"columns are {','.join(header)}, expected {','.join(columns)}")


def _converted(name: str, kind: Any, cells: Sequence[str], lines: list[int]) -> list:
    """Return the values of a column. Each distinct text is converted once."""
    convert = name_of if name in NAMES and kind is str else KINDS.get(kind, kind)
    values: dict[str, Any] = {}
    for line, cell in zip(lines, cells):
        if cell not in values:
            try:
                values[cell] = convert(cell)
            except ValueError as error:
                raise ValueError(f"line {line}, column {name}: {error}") from None
    return [values[cell] for cell in cells]


def _check_unique(key: Sequence[str], rows: list[tuple]) -> None:
    """Raise ValueError if two rows have the same values of `key`."""
    seen: set[tuple] = set()
    for row in rows:
        if row in seen:
            values = ", ".join(f"{name} {value}" for name, value in zip(key, row))
            raise ValueError(f"{values} is listed twice")
        seen.add(row)


def read_rows(file: Path, columns: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Return read_columns as a list with one dictionary per row."""
    values = read_columns(file, columns, **options)
    return [dict(zip(values, row)) for row in zip(*values.values())]


def read(file: Path, columns: Mapping[str, Any], key: Sequence[str] = ()) -> "pd.DataFrame":
    """Return a script's output as a table, which is empty if the file does not exist.

    Raise InputError as read_columns does.
    """
    import pandas as pd  # not part of the renderer's environment

    return table(file, columns, key) if file.exists() else pd.DataFrame(columns=list(columns))


def table(
    file: Path, columns: Mapping[str, Any], key: Sequence[str] = (), hint: str = HINT
) -> "pd.DataFrame":
    """Return a script's output as a table. Raise MissingFile if the file does not exist.

    Raise InputError as read_columns does.
    """
    import pandas as pd

    return pd.DataFrame(read_columns(file, columns, key, hint=hint), columns=list(columns))


# --------------------------------------------------------------------------------------------------
# Writing.
# --------------------------------------------------------------------------------------------------
def write_rows(file: Path, rows: Iterable[Sequence]) -> None:
    """Write rows of texts and numbers, the first of which is the header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    atomic_files.write_text(file, text.getvalue())


def write(file: Path, rows: Sequence[Sequence], columns: Iterable[str]) -> None:
    """Write rows of values under a header of these columns."""
    import pandas as pd

    write_table(file, pd.DataFrame(rows, columns=list(columns)))


def write_table(file: Path, table: "pd.DataFrame") -> None:
    """Write a table; "None" in columns of NAMES becomes UNTRAINED."""
    spelled = {name: table[name].map(as_in_files) for name in NAMES if name in table}
    atomic_files.write_text(file, table.assign(**spelled).to_csv(index=False))
