"""The files of the page's tables, whose texts its buttons copy."""

from pathlib import Path
from typing import NamedTuple

from dml_analysis import tables
from dml_analysis.config import Settings
from dml_analysis.files import atomic_files, csv_files
from dml_analysis.tables import Table


class TableFiles(NamedTuple):
    """The files of a table."""

    name: str  # of the CSV file, from the folder of all results on
    csv: str  # the texts of the files
    tex: str


def read(settings: Settings, stem: Path) -> TableFiles | None:
    """Return the files <stem>.csv and .tex, or None if one of them does not exist."""
    files = stem.with_suffix(".csv"), stem.with_suffix(".tex")
    if not all(file.is_file() for file in files):
        return None
    csv, tex = (atomic_files.read_text(file, "a table", "make it again") for file in files)
    name = files[0].relative_to(settings.paths["results"].parent).as_posix()
    return TableFiles(name, csv, tex)


def write(settings: Settings, folder: str, table: Table) -> TableFiles:
    """Write a table that the page alone has, to results/<settings>/<folder>/; return its files."""
    tables.check_shape(table)
    stem = settings.results / folder / table.name
    csv_files.write_table(stem.with_suffix(".csv"), table.records)
    atomic_files.write_text(stem.with_suffix(".tex"), tables.latex(table, table.caption))
    files = read(settings, stem)
    assert files
    return files
