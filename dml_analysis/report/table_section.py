"""Section "Tables": Tables 1 to 6 and the appendix's, with what each number is."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd

from dml_analysis import tables
from dml_analysis.config import Settings
from dml_analysis.controls import control_tables, noise_ceilings
from dml_analysis.datasets.readers import labels_of
from dml_analysis.files import csv_files
from dml_analysis.number_texts import number
from dml_analysis.paper import Protocol
from dml_analysis.properties import property_scores, property_tables
from dml_analysis.properties.property_tables import SIGNIFICANT
from dml_analysis.report import run_section, table_files
from dml_analysis.report.map_findings import Bounds, bounds_of
from dml_analysis.report.printed import text
from dml_analysis.report.section import rendered
from dml_analysis.saliency import saliency_tables
from dml_analysis.tables import MISSING, Cell, Entry, Table

MAP_TABLES = ("table2", "table3", "table4")
MAIN = tuple(f"table{number}" for number in range(1, 7))
BOUNDED = ("(bounds)", "(corrected)")  # how the numbers of tables with bounds end
SCRIPTS = {  # that make Tables 1, 5 and 6
    "1": "reality_check/1_check_inputs.py",
    "5": "reality_check/1_check_inputs.py",
    "6": "properties/3_score_properties.py",
}


class Number(NamedTuple):
    """A cell as the page shows it."""

    text: str
    shade: int  # per cent of black
    bold: bool
    underline: bool
    what: str = ""  # what its number is of; empty where the cell has none
    full: str = ""  # with three decimals
    more: str = ""  # its spread and its n


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    entries = [
        *saliency_tables.entries(settings),
        *control_tables.entries(settings),
        *property_tables.ENTRIES,
    ]
    shown = [_shown(settings, entry) for entry in sorted(entries, key=lambda entry: entry.name)]
    main = [each for each in shown if each["name"] in MAIN]
    return rendered("tables", main=main, more=[each for each in shown if each not in main])


def _shown(settings: Settings, entry: Entry) -> dict[str, Any]:
    """Return what the template shows of a table: a form for each protocol that matters to it."""
    protocols = settings.protocols
    made = [entry.make(settings, protocol, entry.name) for protocol in protocols]
    made = made if made[0].about_networks else made[:1]
    called = tables.number_of(entry.name)
    script = SCRIPTS.get(called[0], "saliency/2_compare_maps.py")
    return {
        "name": entry.name,
        "number": called,
        "forms": [
            _form(settings, protocol, table, is_only=len(made) == 1)
            for protocol, table in zip(protocols, made)
        ],
        "script": "controls/1_bound_maps.py" if called.endswith(BOUNDED) else script,
    }


def _form(settings: Settings, protocol: Protocol, table: Table, is_only: bool) -> dict[str, Any]:
    """Return what the template shows of a table by a protocol."""
    labels, bounds = labels_of(settings), _bounds(settings, protocol, table.name)
    shades, what = shades_of(table, bounds.limits), about(settings, protocol, table.name)
    address = f"table-{table.name.removeprefix('table')}"
    return {
        "protocol": "" if is_only else protocol.name,
        "id": address if is_only else f"{address}-{protocol.name}",
        "table": table,
        "is_empty": table.missing == sum(map(len, table.cells)),
        "caption": tables.full_caption(table, ""),
        "notes": notes(table, protocol, bounds),
        "groups": row_groups(table),
        "column_groups": column_groups(table),
        "rows": numbers(table, labels, what, shades),
        "files": table_files.read(settings, tables.folder(settings, protocol) / table.name),
    }


def about(settings: Settings, protocol: Protocol, name: str) -> str:
    """Return what all numbers of a table are."""
    if name == "table6":
        file = property_scores.scores_file(settings, protocol)
        n = run_section.count(file, property_scores.COLUMNS)
        folds = ", ".join(map(str, settings.folds))
        return f"NR-Precision; {n} {settings.properties.images_called}; mean over fold {folds}"
    if "jsd" in name:
        return "Jensen-Shannon divergence of saliency maps"
    corrected = ", corrected for attenuation" if name.endswith("_corrected") else ""
    return f"correlation of saliency maps{corrected}"


def _bounds(settings: Settings, protocol: Protocol, name: str) -> Bounds:
    """Return the bounds of a table of correlations, none for another table."""
    which, _, form = name.removeprefix("table").partition("_")
    datasets = {str(key): dataset for key, dataset in settings.tables.items()}
    if which not in datasets or form.startswith("jsd"):
        return Bounds({})
    file = noise_ceilings.csv_file(settings, protocol, datasets[which])
    return bounds_of(csv_files.read(file, noise_ceilings.COLUMNS), settings.models)


def shades_of(table: Table, limits: tuple[float, float] | None) -> list[list[int]]:
    """Return per cent of black behind each cell: by column in Table 6, by limits where given."""
    if table.name != "table6":
        return tables.shades_of(table.cells, limits)
    columns = [tables.shades_of([[cell] for cell in column]) for column in zip(*table.cells)]
    return [[cell for (cell,) in row] for row in zip(*columns)]


def notes(table: Table, protocol: Protocol, bounds: Bounds) -> list[str]:
    """Return what readers need to know of the marks of a table."""
    if table.name == "table6":
        return [text("marks", threshold=SIGNIFICANT)]
    sentences = []
    if table.name.startswith(MAP_TABLES) and "jsd" not in table.name:
        if protocol.truncate_percent:
            sentences.append(text("truncated"))
        if bounds.limits:
            low, high = bounds.limits
            two_random = bounds.mean("two random")
            sentences.append(text("shades", low=low, high=high, two_random=two_random))
    return sentences


def numbers(
    table: Table, labels: dict[str, str], about: str = "", shades: list[list[int]] | None = None
) -> list[list[Number]]:
    """Return the rows of a table.

    labels: of properties. about: what all of its numbers are. shades: as from shades_of.
    """
    rows = zip(table.cells, shades or tables.shades_of(table.cells), records_of(table))
    return [
        [
            Number(
                cell.text,
                shade,
                cell.bold,
                cell.underline,
                *_explained(cell, record, labels, about),
            )
            for cell, shade, record in zip(*row)
        ]
        for row in rows
    ]


def records_of(table: Table) -> list[list[dict[str, Any]]]:
    """Return, row by row, the record that each cell shows; {} if a table's cells are texts.

    Raise ValueError unless there is one record for each cell.
    """
    width, records = len(table.columns), table.records.to_dict("records")
    if not {"mean", "value"} & set(table.records.columns):
        return [[{}] * width for _ in table.rows]
    rows = [records[start : start + width] for start in range(0, len(records), width)]
    labels = [{next(iter(record.values())) for record in row} for row in rows]
    if len(records) != width * len(table.rows) or any(len(names) > 1 for names in labels):
        raise ValueError(
            f"{table.name}: has {len(records)} records for {len(table.rows)} rows of {width} cells"
        )
    return rows


def _explained(
    cell: Cell, record: dict[str, Any], labels: dict[str, str], about: str
) -> tuple[str, ...]:
    """Return the fields of Number from `what` on; none where a cell has no number."""
    value: Any = record.get("mean", record.get("value"))
    if cell.text in ("", MISSING) or pd.isna(value):
        return ()
    full = number(float(value))
    if "mean" not in record:
        return f"{record['loss']}, {labels[record['property']]}", full, about
    a, b, *_ = record.values()
    std = record["std"]
    spread = "" if pd.isna(std) else f"; standard deviation over images {number(std)}"
    return f"{a} and {b}", full, f"{about}{spread}; {int(record['n_images'])} images in each fold"


def row_groups(table: Table) -> list[tuple[str, int]]:
    """Return the groups of adjacent rows, as label and size; one without a label if none has."""
    return _runs(table.row_groups or [""] * len(table.rows))


def column_groups(table: Table) -> list[tuple[str, int]]:
    """Return the groups of adjacent columns, as label and size; [] if no column has a group."""
    return _runs(table.column_groups) if any(table.column_groups) else []


def _runs(labels: Sequence[str]) -> list[tuple[str, int]]:
    return [(label, len(list(run))) for label, run in groupby(labels)]
