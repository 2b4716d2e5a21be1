"""A table as data, and its three files: .csv in full precision, .md and .tex as the paper prints it."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from dml_analysis.files import atomic_files, csv_files

MISSING = "missing"
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%#_${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "°": r"$^\circ$", "−": "$-$"}
)
DARKEST = 40  # per cent of gray behind the largest value


class Cell(NamedTuple):
    text: str
    value: float | None = None  # decides the shade; None: no shade
    bold: bool = False
    underline: bool = False


MISSING_CELL = Cell(MISSING)


class Entry(NamedTuple):
    """A table of the paper, in the list of an analysis."""

    name: str  # of its files, without the ending
    make: Callable  # make(settings, protocol, name) returns the Table


class Table(NamedTuple):
    name: str  # of its files, without the ending
    caption: str
    column_groups: list  # one label per column, equal neighbours are printed as one heading; [] for none
    columns: list
    row_groups: list  # one label per row, printed at the first of its rows; [] for none
    rows: list
    cells: list  # of rows of Cell
    records: pd.DataFrame  # what goes into the .csv
    about_networks: bool = True  # whether the reader has to know what networks they are

    @property
    def missing(self):
        return sum(cell.text == MISSING for row in self.cells for cell in row)


def folder(settings, protocol):
    """Where the tables of a run by a protocol are."""
    return settings.results / protocol.name / "tables"


def make(settings, entries):
    """Make and write the tables of the entries, for every protocol of the settings."""
    for protocol in settings.protocols:
        for entry in entries:
            table = entry.make(settings, protocol, entry.name)
            stem = folder(settings, protocol) / entry.name
            write(table, stem, settings.note)
            missing = f", {table.missing} of {sum(map(len, table.cells))} cells missing" if table.missing else ""
            print(f"wrote {stem}.md, .tex, .csv{missing}")


def write(table, stem, note):
    """Write the table to <stem>.csv, .md and .tex; note: what there is to know about the networks."""
    check_shape(table)
    caption = full_caption(table, note)
    csv_files.write_table(stem.with_suffix(".csv"), table.records)
    atomic_files.write_text(stem.with_suffix(".md"), markdown(table, caption))
    atomic_files.write_text(stem.with_suffix(".tex"), latex(table, caption))


def check_shape(table):
    """Raise ValueError unless every row and column of cells has its head, and where there are groups, its group."""
    n_rows, n_columns = len(table.rows), len(table.columns)
    if (
        len(table.cells) != n_rows
        or any(len(row) != n_columns for row in table.cells)
        or len(table.row_groups) not in (0, n_rows)
        or len(table.column_groups) not in (0, n_columns)
    ):
        raise ValueError(
            f"{table.name}: its heads do not fit its cells, {[len(row) for row in table.cells]} in its rows"
        )


def full_caption(table, note):
    """The caption, the number of missing cells, and what there is to know about the networks."""
    parts = [table.caption, note if table.about_networks else ""]
    if table.missing:
        parts.insert(
            1, f"{table.missing} of {sum(map(len, table.cells))} cells are missing: their inputs do not exist."
        )
    return " ".join(part for part in parts if part)


def markdown(table, caption):
    """GitHub markdown; shades do not exist there, so bold and underline alone are kept."""
    groups = [
        group if group != previous else "" for group, previous in zip(table.row_groups, [None, *table.row_groups])
    ]
    heads = (
        [""] * bool(groups)
        + [""]
        + [
            label if not group or group == label else f"{group}: {label}"
            for group, label in zip(table.column_groups or [""] * len(table.columns), table.columns)
        ]
    )
    lines = [f"**Table {number_of(table.name)}.** {caption}", ""]
    lines += [_markdown_row(heads), _markdown_row(["---"] * len(heads))]
    for i, (label, cells) in enumerate(zip(table.rows, table.cells)):
        lines.append(_markdown_row(groups[i : i + 1] + [label] + [_markdown_cell(cell) for cell in cells]))
    return "\n".join(lines) + "\n"


def _markdown_row(fields):
    return "| " + " | ".join(field.replace("|", "\\|") for field in fields) + " |"


def _markdown_cell(cell):
    text = f"<u>{cell.text}</u>" if cell.underline else cell.text
    return f"**{text}**" if cell.bold else text


def latex(table, caption):
    """A float for a document with the packages booktabs, graphicx and xcolor (option `table`)."""
    before = 1 + bool(table.row_groups)
    layout = "l" * before + "c" * len(table.columns)
    lines = [r"\begin{table*}", r"\centering", r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"]
    lines += [rf"\begin{{tabular}}{{{layout}}}", r"\toprule"]
    if table.column_groups:
        lines += _latex_column_groups(table.column_groups, before)
    lines += [" & ".join([""] * (before - 1) + [""] + [_escaped(c) for c in table.columns]) + r" \\", r"\midrule"]
    shades = shades_of(table.cells)
    previous = table.row_groups[0] if table.row_groups else None
    for i, (label, cells) in enumerate(zip(table.rows, table.cells)):
        fields = [_escaped(label)] + [_latex_cell(cell, shade) for cell, shade in zip(cells, shades[i])]
        if table.row_groups:
            group = table.row_groups[i]
            if i and group != previous:
                lines.append(r"\midrule")
            fields.insert(0, _escaped(group) if not i or group != previous else "")
            previous = group
        lines.append(" & ".join(fields) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}", rf"\caption{{{_escaped(caption)}}}", rf"\label{{tab:{table.name}}}"]
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def _latex_column_groups(groups, before):
    """The headings over the columns, each with a rule under it."""
    runs = [[groups[0], 0, 0]]
    for i, group in enumerate(groups):
        if group != runs[-1][0]:
            runs.append([group, i, i])
        runs[-1][2] = i
    heads = [rf"\multicolumn{{{last - first + 1}}}{{c}}{{{_escaped(group)}}}" for group, first, last in runs]
    rules = [rf"\cmidrule(lr){{{first + before + 1}-{last + before + 1}}}" for group, first, last in runs if group]
    return [" & ".join([""] * (before - 1) + [""] + heads) + r" \\", "".join(rules)]


def shades_of(cells):
    """Per cent of gray for every cell: from white for the smallest shaded value of the table to DARKEST."""
    values = [c.value for row in cells for c in row if c.value is not None and math.isfinite(c.value)]
    low, span = (min(values), max(values) - min(values)) if values else (0, 0)

    def shade(cell):
        if cell.value is None or not math.isfinite(cell.value) or not span:
            return 0
        return round(DARKEST * (cell.value - low) / span)

    return [[shade(cell) for cell in row] for row in cells]


def _latex_cell(cell, shade):
    text = _escaped(cell.text)
    text = rf"\underline{{{text}}}" if cell.underline else text
    text = rf"\textbf{{{text}}}" if cell.bold else text
    return rf"\cellcolor{{black!{shade}}}{text}" if shade else text


def _escaped(text):
    return text.translate(LATEX)


def write_document(names, folder):
    """all_tables.tex: a document that can be compiled, with those of the named tables that exist."""
    existing = [name for name in names if (folder / f"{name}.tex").is_file()]
    inputs = "\n".join(
        rf"\renewcommand{{\thetable}}{{{number_of(name)}}}\input{{{name}}}\clearpage" for name in existing
    )
    document = (
        "\\documentclass{article}\n\\usepackage[landscape,margin=1.5cm]{geometry}\n"
        "\\usepackage{booktabs,graphicx}\n\\usepackage[table]{xcolor}\n"
        f"\\begin{{document}}\n{inputs}\n\\end{{document}}\n"
    )
    atomic_files.write_text(folder / "all_tables.tex", document)


def number_of(name):
    """ "table2_jsd" -> "2 (jsd)", as tables are called in text."""
    number, *suffix = name.removeprefix("table").split("_")
    return f"{number} ({' '.join(suffix)})" if suffix else number
