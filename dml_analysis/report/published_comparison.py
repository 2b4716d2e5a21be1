"""compared_with_paper.csv, the published tables alongside ours, and the section that shows it."""

from pathlib import Path
from typing import Any

import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.controls.published_maps import PAIRS
from dml_analysis.files import csv_files
from dml_analysis.paper import PROPERTIES, PUBLISHED, Protocol
from dml_analysis.report.section import rendered, run_first
from dml_analysis.tables import folder

KEY = ["table", "row", "column", "statistic"]
COLUMNS = {
    **dict.fromkeys(KEY, str), "published": float, "ours": float, "difference": float, "note": str
}  # fmt: skip
GROUPS = {"group_a": str, "group_b": str, "mean": float, "std": float}
MEANS = {"type": str, "property": str, "value": float}
SCORES = {"loss": str} | MEANS
MAP_TABLES = {  # number -> its columns, the file of the published one, and its dataset
    2: (PAIRS, "table2_sop", "SOP"),
    3: (GROUPS, "table3_cars196", "Cars196"),
    4: (GROUPS, "table4_cub200", "CUB200"),
}
LABELS = {prop.name: prop.label for prop in PROPERTIES}


def file_of(results: Path, protocol: Protocol) -> Path:
    """Return the path of the file below a results folder."""
    return results / protocol.name / "compared_with_paper.csv"


def write(settings: Settings, protocol: Protocol) -> Path:
    """Write the file from the CSV files of Tables 2, 3, 4 and 6, and return its path."""
    tables, rows = folder(settings, protocol), []
    for number, (columns, name, dataset) in MAP_TABLES.items():
        if number in settings.tables:
            ours_columns = columns | {"n_images": float}
            ours = csv_files.read(tables / f"table{number}.csv", ours_columns, list(columns)[:2])
            ours[["mean", "std"]] *= 100
            published = csv_files.read(PUBLISHED / f"{name}.csv", columns)
            note = _note(settings, settings.tables[number], dataset)
            rows.append(_compared(f"Table {number}", published, ours, note))
    if settings.properties.of_cars:
        rows.append(_table_6(settings, tables / "table6.csv"))
    file = file_of(settings.results, protocol)
    csv_files.write_table(file, pd.concat(rows)[list(COLUMNS)])
    return file


def _table_6(settings: Settings, file: Path) -> pd.DataFrame:
    """Return rows of COLUMNS for Table 6, which is about the paper's properties; file: ours."""
    means = csv_files.read(PUBLISHED / "table6_means.csv", MEANS)
    means.insert(0, "loss", means["type"] + " Mean")
    published = pd.concat([csv_files.read(PUBLISHED / "table6_nrprec.csv", SCORES), means])
    published, ours = (
        table[["loss", "property", "value"]].rename(columns={"value": "NR-Precision"})
        for table in (published, csv_files.read(file, SCORES, ["loss", "property"]))
    )
    note = _note(settings, settings.properties.networks, "Cars196")
    return _compared("Table 6", published, ours, note)


def _compared(table: str, published: pd.DataFrame, ours: pd.DataFrame, note: str) -> pd.DataFrame:
    """Return rows of COLUMNS for the numbers that both tables have.

    Two columns of `published` name a number's row and column, the others are its statistics.
    """
    key, statistics = list(published.columns[:2]), published.columns[2:]
    both = published.merge(ours, on=key, suffixes=("_published", "_ours")).dropna()
    frames = []
    for statistic in statistics:
        frame = both[[*key, f"{statistic}_published", f"{statistic}_ours"]]
        frame = frame.set_axis(["row", "column", "published", "ours"], axis=1)
        frames.append(frame.assign(table=table, statistic=statistic, note=note))
    rows = pd.concat(frames).sort_index(kind="stable")  # the statistics of a number in sequence
    return rows.assign(difference=rows.ours - rows.published)


def _note(settings: Settings, dataset: str, published_dataset: str) -> str:
    """Return why the two numbers are not comparable; empty if they are."""
    sentences = [settings.note] if settings.note else []
    if dataset != published_dataset:
        sentences.append(f"Ours is for {dataset}, the published number for {published_dataset}.")
    if settings.saliency.images or settings.properties.images:
        sentences.append("Ours uses a part of the images.")
    return " ".join(sentences)


# --------------------------------------------------------------------------------------------------
# The section.
# --------------------------------------------------------------------------------------------------
def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    rows = {protocol.name: rows_of(settings, protocol) for protocol in settings.protocols}
    if not any(rows.values()):
        raise run_first("Comparisons with the published numbers", "report/1_list_results.py")
    all_rows = [row for of_protocol in rows.values() for row in of_protocol]
    return rendered(
        "published",
        rows=rows,
        names=sorted({row["table"] for row in all_rows}),
        settings=settings,
        labels=LABELS,
        notes={name: notes_of(of_protocol) for name, of_protocol in rows.items()},
    )


def rows_of(settings: Settings, protocol: Protocol) -> list[dict[str, Any]]:
    """Return the rows of the file."""
    return _read(file_of(settings.results, protocol))


def _read(file: Path) -> list[dict[str, Any]]:
    return csv_files.read(file, COLUMNS, key=KEY).to_dict("records")


def notes_of(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return, by table, why its numbers are not comparable."""
    return {row["table"]: row["note"] for row in rows if row["note"]}
