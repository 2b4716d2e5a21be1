"""Section "Tables": Tables 1 to 6 and the appendix's, as they are printed, with each number in full behind it."""

from typing import NamedTuple

from dml_analysis import tables
from dml_analysis.controls import control_tables
from dml_analysis.properties import property_scores, property_tables
from dml_analysis.report import run_section
from dml_analysis.report.section import rendered
from dml_analysis.saliency import saliency_tables
from dml_analysis.tables import MISSING

BOUNDED = ("(bounds)", "(corrected)")
MAIN = tuple(f"table{number}" for number in range(1, 7))
MADE_BY = {"1": "reality_check/1_check_inputs.py", "5": "reality_check/1_check_inputs.py",
           "6": "properties/3_score_properties.py"}  # fmt: skip
COMPARED_BY, BOUNDED_BY = "saliency/2_compare_maps.py", "controls/1_bound_maps.py"


class Number(NamedTuple):
    """A cell as the page shows it."""

    text: str
    shade: int  # per cent of gray
    bold: bool
    underline: bool
    what: str  # what its number is of; empty where the cell has none
    full: str  # in full precision
    more: str  # its spread and its n


def section(settings):
    entries = [
        *saliency_tables.entries(settings),
        *control_tables.entries(settings),
        *property_tables.ENTRIES,
    ]
    entries.sort(key=lambda entry: entry.name)
    shown = [_shown(settings, entry) for entry in entries]
    return rendered("tables", main=[each for each in shown if each["name"] in MAIN],
                    more=[each for each in shown if each["name"] not in MAIN])  # fmt: skip


def _shown(settings, entry):
    """What the template shows of an entry: its forms by each protocol, or one where protocols do not matter."""
    made = [
        (protocol, entry.make(settings, protocol, entry.name)) for protocol in settings.protocols
    ]
    made = made if made[0][1].about_networks else made[:1]
    forms = [
        {
            "protocol": protocol.name if len(made) > 1 else "",
            "table": table,
            "is_empty": is_empty(table),
            "caption": tables.full_caption(table, settings.note),
            "groups": row_groups(table),
            "column_groups": column_groups(table),
            "rows": numbers(table, about(settings, protocol, entry.name)),
        }
        for protocol, table in made
    ]
    number = tables.number_of(entry.name)
    script = BOUNDED_BY if number.endswith(BOUNDED) else MADE_BY.get(number[0], COMPARED_BY)
    return {"name": entry.name, "number": number, "forms": forms, "script": script}


def about(settings, protocol, name):
    """What the numbers of a table are, for those that have no n of their own with it."""
    if name != "table6":
        corrected = ", corrected for attenuation" if name.endswith("_corrected") else ""
        return (
            "Jensen-Shannon divergence of saliency maps"
            if "jsd" in name
            else f"correlation of saliency maps{corrected}"
        )
    cars = run_section.count(
        property_scores.scores_file(settings, protocol), property_scores.COLUMNS
    )
    return (
        f"NR-Precision; {cars} rendered cars; mean over fold {', '.join(map(str, settings.folds))}"
    )


def is_empty(table):
    """Whether nothing of what the table is about exists yet."""
    return table.missing == sum(map(len, table.cells))


def numbers(table, about=""):
    """The rows of a table, lists of Number; about: what all of its numbers are."""
    records = records_of(table)
    shades = tables.shades_of(table.cells)
    return [
        [Number(cell.text, shade, cell.bold, cell.underline, *_explained(cell, record, about)) for cell, shade, record in zip(*row)]
        for row in zip(table.cells, shades, records)
    ]  # fmt: skip


def records_of(table):
    """For each row of cells the records (dict) that they are made from; {} where a table's cells are texts.

    Raises ValueError if there is not one record for each cell, row by row.
    """
    width, records = len(table.columns), table.records.to_dict("records")
    if not {"mean", "value"} & set(table.records.columns):
        return [[{}] * width for _ in table.rows]
    rows = [records[start : start + width] for start in range(0, len(records), width)]
    firsts = [{next(iter(record.values())) for record in row} for row in rows]
    if len(records) != width * len(table.rows) or any(len(names) > 1 for names in firsts):
        raise ValueError(
            f"{table.name}: has {len(records)} records for {len(table.rows)} rows of {width} cells"
        )
    return rows


def _explained(cell, record, about):
    """(what a number is of, it in full, its spread and n) of a cell; empty texts where it has no number."""
    if not record or cell.text in ("", MISSING):
        return "", "", ""
    if "mean" in record:
        (_, a), (_, b), *_ = record.items()
        if record["mean"] is None or record["mean"] != record["mean"]:
            return "", "", ""
        n = f"{int(record['n_images'])} images in each fold"
        spread = (
            f"; standard deviation over images {record['std']!r}"
            if record["std"] == record["std"]
            else ""
        )
        more = f"{about}{spread}; {n}"
        return f"{a} and {b}", repr(float(record["mean"])), more
    if record["value"] is None or record["value"] != record["value"]:
        return "", "", ""
    return f"{record['loss']}, {LABELS[record['property']]}", repr(float(record["value"])), about


LABELS = {prop.name: prop.label for prop in property_tables.PROPERTIES}


def row_groups(table):
    """[label, how many rows] of neighbouring rows of one group; one without a label where the table has none."""
    return _runs(table.row_groups or [""] * len(table.rows))


def column_groups(table):
    """The same of columns; [] where no column has a group."""
    return _runs(table.column_groups) if any(table.column_groups) else []


def _runs(labels):
    runs = []
    for label in labels:
        if runs and runs[-1][0] == label:
            runs[-1][1] += 1
        else:
            runs.append([label, 1])
    return runs
