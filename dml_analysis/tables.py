"""Tables as data, and their files: .csv in full precision, .md and .tex as in the paper."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from dml_analysis.files import atomic_files, csv_files
from dml_analysis.paper import Protocol

if TYPE_CHECKING:
    from dml_analysis.config import Settings

MISSING = "missing"
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%#_${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "°": r"$^\circ$", "−": "$-$"}
    | {"π": r"$\pi$", "ρ": r"$\rho$", "σ": r"$\sigma$"}
)
DARKEST = 40  # per cent of black behind the largest value


class Cell(NamedTuple):
    """A cell of a table."""

    text: str
    value: float | None = None  # determines the shade; None for no shade
    bold: bool = False
    underline: bool = False


MISSING_CELL = Cell(MISSING)


class Table(NamedTuple):
    """A table: headings, cells, and the records of its .csv file."""

    name: str  # of its files, without the ending
    caption: str
    column_groups: list[str]  # one per column, printed once for adjacent equal ones; [] for none
    columns: list[str]
    row_groups: list[str]  # one per row, printed once for adjacent equal ones; [] for none
    rows: list[str]
    cells: list[list[Cell]]  # the cells of each row
    records: pd.DataFrame  # the content of the .csv file
    about_networks: bool = True  # whether the caption has the settings' note on the networks

    @property
    def missing(self) -> int:
        """Return the number of missing cells."""
        return sum(cell.text == MISSING for row in self.cells for cell in row)


class Entry(NamedTuple):
    """A table of the paper, in the list of an analysis."""

    name: str  # of its files, without the ending
    make: Callable[["Settings", Protocol, str], Table]  # make(settings, protocol, name)


def folder(settings: "Settings", protocol: Protocol) -> Path:
    """Return the folder of a protocol's tables."""
    return settings.results / protocol.name / "tables"


def make(settings: "Settings", entries: Iterable[Entry]) -> None:
    """Make and write the tables of the entries, for every protocol of the settings."""
    for protocol in settings.protocols:
        for entry in entries:
            table = entry.make(settings, protocol, entry.name)
            stem = folder(settings, protocol) / entry.name
            write(table, stem, settings.note)
            n_cells = sum(map(len, table.cells))
            missing = f", {table.missing} of {n_cells} cells missing" if table.missing else ""
            print(f"wrote {stem}.md, .tex, .csv{missing}")


def write(table: Table, stem: Path, note: str) -> None:
    """Write the table to <stem>.csv, .md and .tex. note: on the networks, for the caption.

    Raises ValueError as check_shape.
    """
    check_shape(table)
    caption = full_caption(table, note)
    csv_files.write_table(stem.with_suffix(".csv"), table.records)
    atomic_files.write_text(stem.with_suffix(".md"), markdown(table, caption))
    atomic_files.write_text(stem.with_suffix(".tex"), latex(table, caption))


def check_shape(table: Table) -> None:
    """Raise ValueError unless every row and column has a heading and, if there are any, a group."""
    n_rows, n_columns = len(table.rows), len(table.columns)
    if (
        len(table.cells) != n_rows
        or any(len(row) != n_columns for row in table.cells)
        or len(table.row_groups) not in (0, n_rows)
        or len(table.column_groups) not in (0, n_columns)
    ):
        sizes = [len(row) for row in table.cells]
        raise ValueError(
            f"{table.name}: headings of {n_rows} rows and {n_columns} columns do not match "
            f"its cells, {sizes} per row, or its groups"
        )


def full_caption(table: Table, note: str) -> str:
    """Return the caption, the number of missing cells, and the note on the networks."""
    sentences = [table.caption]
    if table.missing:
        n_cells = sum(map(len, table.cells))
        sentences.append(
            f"{table.missing} of {n_cells} cells are missing: their inputs do not exist."
        )
    if table.about_networks:
        sentences.append(note)
    return " ".join(sentence for sentence in sentences if sentence)


def markdown(table: Table, caption: str) -> str:
    """Return the table in GitHub markdown, which has bold and underlined text but no shades."""
    previous_groups = [None, *table.row_groups]
    groups = [
        group if group != previous else ""
        for group, previous in zip(table.row_groups, previous_groups)
    ]
    headings = [""] * (1 + bool(groups)) + [
        label if not group or group == label else f"{group}: {label}"
        for group, label in zip(table.column_groups or [""] * len(table.columns), table.columns)
    ]
    lines = [f"**Table {number_of(table.name)}.** {caption}", ""]
    lines += [_markdown_row(headings), _markdown_row(["---"] * len(headings))]
    for i, (label, cells) in enumerate(zip(table.rows, table.cells)):
        row = [*groups[i : i + 1], label, *(_markdown_cell(cell) for cell in cells)]
        lines.append(_markdown_row(row))
    return "\n".join(lines) + "\n"


def _markdown_row(fields: Iterable[str]) -> str:
    """Return a row of a markdown table."""
    return "| " + " | ".join(field.replace("|", "\\|") for field in fields) + " |"


def _markdown_cell(cell: Cell) -> str:
    """Return a cell's text in markdown."""
    text = f"<u>{cell.text}</u>" if cell.underline else cell.text
    return f"**{text}**" if cell.bold else text


def latex(table: Table, caption: str) -> str:
    """Return the table as a LaTeX float.

    It needs the packages booktabs, graphicx and xcolor (option `table`).
    """
    n_labels = 1 + bool(table.row_groups)  # columns before those of the cells
    layout = "l" * n_labels + "c" * len(table.columns)
    lines = [
        r"\begin{table*}",
        r"\centering",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
    ]
    if table.column_groups:
        lines += _latex_column_groups(table.column_groups, n_labels)
    headings = [""] * n_labels + [_escaped(column) for column in table.columns]
    lines += [" & ".join(headings) + r" \\", r"\midrule"]
    shades = shades_of(table.cells)
    previous = table.row_groups[0] if table.row_groups else None
    for i, (label, cells) in enumerate(zip(table.rows, table.cells)):
        fields = [_escaped(label)]
        fields += [_latex_cell(cell, shade) for cell, shade in zip(cells, shades[i])]
        if table.row_groups:
            group = table.row_groups[i]
            if i and group != previous:
                lines.append(r"\midrule")
            fields.insert(0, _escaped(group) if not i or group != previous else "")
            previous = group
        lines.append(" & ".join(fields) + r" \\")
    lines += [
        r"\bottomrule",
        r"\end{tabular}}",
        rf"\caption{{{_escaped(caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _latex_column_groups(groups: Sequence[str], n_labels: int) -> list[str]:
    """Return the lines of the column groups' headings and of the rules below them."""
    headings, rules, first = [""] * n_labels, [], n_labels + 1
    for group, members in groupby(groups):
        size = len(list(members))
        headings.append(rf"\multicolumn{{{size}}}{{c}}{{{_escaped(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{first}-{first + size - 1}}}")
        first += size
    return [" & ".join(headings) + r" \\", "".join(rules)]


def shades_of(
    cells: list[list[Cell]], limits: tuple[float, float] | None = None
) -> list[list[int]]:
    """Return per cent of black for every cell, from 0 to DARKEST.

    limits: the values with the lightest and the darkest shade, by default the table's extremes.
    """
    values = [
        cell.value
        for row in cells
        for cell in row
        if cell.value is not None and math.isfinite(cell.value)
    ]
    low, high = limits or ((min(values), max(values)) if values else (0.0, 0.0))
    span = high - low

    def shade(cell: Cell) -> int:
        """Return per cent of black for a cell."""
        if cell.value is None or not math.isfinite(cell.value) or not span:
            return 0
        return round(DARKEST * min(max((cell.value - low) / span, 0), 1))

    return [[shade(cell) for cell in row] for row in cells]


def _latex_cell(cell: Cell, shade: int) -> str:
    """Return a cell in LaTeX. shade: per cent of black behind it."""
    text = _escaped(cell.text)
    text = rf"\underline{{{text}}}" if cell.underline else text
    text = rf"\textbf{{{text}}}" if cell.bold else text
    return rf"\cellcolor{{black!{shade}}}{text}" if shade else text


def _escaped(text: str) -> str:
    """Return text with the special characters of LaTeX escaped."""
    return text.translate(LATEX)


def write_document(names: Iterable[str], folder: Path) -> None:
    """Write all_tables.tex, a LaTeX document of the named tables that exist in the folder."""
    available = [name for name in names if (folder / f"{name}.tex").is_file()]
    inputs = "\n".join(
        rf"\renewcommand{{\thetable}}{{{number_of(name)}}}\input{{{name}}}\clearpage"
        for name in available
    )
    document = (
        "\\documentclass{article}\n\\usepackage[landscape,margin=1.5cm]{geometry}\n"
        "\\usepackage{booktabs,graphicx}\n\\usepackage[table]{xcolor}\n"
        f"\\begin{{document}}\n{inputs}\n\\end{{document}}\n"
    )
    atomic_files.write_text(folder / "all_tables.tex", document)


def number_of(name: str) -> str:
    """Return a table's number as text prints it: "2 (jsd)" for the name "table2_jsd"."""
    number, *suffix = name.removeprefix("table").split("_")
    return f"{number} ({' '.join(suffix)})" if suffix else number
