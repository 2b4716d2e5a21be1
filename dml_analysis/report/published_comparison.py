"""compared_with_paper.csv, the published tables alongside ours, and the section that shows it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.controls.published_maps import PAIRS
from dml_analysis.files import csv_files
from dml_analysis.number_texts import number
from dml_analysis.paper import MODELS as PAPERS
from dml_analysis.paper import PROPERTIES, PUBLISHED, Model, Protocol
from dml_analysis.report import table_files
from dml_analysis.report.section import rendered, run_first
from dml_analysis.tables import Cell, Table, folder

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
OTHER_DATASET = "Ours is for "  # begins a note on numbers for two datasets
MIN_ORDERED = 5  # numbers whose order is compared


def file_of(results: Path, protocol: Protocol) -> Path:
    """Return the path of the file below a results folder."""
    return results / protocol.name / "compared_with_paper.csv"


def write(settings: Settings, protocol: Protocol) -> Path:
    """Write the file from the CSV files of Tables 2, 3, 4 and 6, and return its path."""
    tables, rows = folder(settings, protocol), []
    for which, (columns, name, dataset) in MAP_TABLES.items():
        if which in settings.tables:
            ours_columns = columns | {"n_images": float}
            ours = csv_files.read(tables / f"table{which}.csv", ours_columns, list(columns)[:2])
            ours[["mean", "std"]] *= 100
            published = csv_files.read(PUBLISHED / f"{name}.csv", columns)
            note = _note(settings, settings.tables[which], dataset)
            rows.append(_compared(f"Table {which}", published, ours, note))
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
        sentences.append(f"{OTHER_DATASET}{dataset}, the published number for {published_dataset}.")
    if settings.saliency.images or settings.properties.images:
        sentences.append("Ours uses a part of the images.")
    return " ".join(sentences)


# --------------------------------------------------------------------------------------------------
# The section, which compares like with like.
# --------------------------------------------------------------------------------------------------
def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    shown = {}
    for protocol in settings.protocols:
        rows = read(settings, protocol)
        if not rows.empty:
            rows = like_with_like(rows, settings.models)
            table = _printed(rows, f"{settings.name}, protocol {protocol.name}")
            files = table_files.write(settings, f"{protocol.name}/report", table)
            shown[protocol.name] = {
                "rows": rows.to_dict("records"),
                "files": files,
                "orders": orders(rows, settings.models),
                "notes": {
                    table: note.removeprefix(settings.note).strip()
                    for table, note in zip(rows.table, rows.note)
                },
            }
    if not shown:
        raise run_first("Comparisons with the published numbers", "report/1_list_results.py")
    names = sorted({row["table"] for each in shown.values() for row in each["rows"]})
    return rendered("published", shown=shown, names=names, settings=settings, labels=LABELS)


def read(settings: Settings, protocol: Protocol) -> pd.DataFrame:
    """Return the rows of the file."""
    return csv_files.read(file_of(settings.results, protocol), COLUMNS, key=KEY)


def like_with_like(rows: pd.DataFrame, models: Sequence[Model]) -> pd.DataFrame:
    """Return the means that are comparable, each pair of methods once.

    Means over a group are, if the run has all of the paper's methods of it. Differences of numbers
    for two datasets are NaN.
    """
    names = {model.name for model in models}
    incomplete = {model.group for model in PAPERS if model.name not in names}
    groups = incomplete | {f"{group} Mean" for group in incomplete}
    rows = rows[(rows.statistic != "std") & ~rows.row.isin(groups) & ~rows.column.isin(groups)]
    pairs = pd.Series([frozenset(pair) for pair in zip(rows.row, rows.column)], rows.index)
    with_itself = (rows.table == "Table 2") & (rows.row == rows.column)
    again = pd.DataFrame({"table": rows.table, "pair": pairs}).duplicated()
    rows = rows[~with_itself & ~again]
    other_dataset = rows.note.str.contains(OTHER_DATASET, regex=False)
    return rows.assign(difference=rows.difference.mask(other_dataset))


def orders(rows: pd.DataFrame, models: Sequence[Model]) -> list[dict[str, Any]]:
    """Return how the order of numbers agrees with the published one, for each table with enough.

    Of Table 2 the pairs of trained methods, of Table 6 the properties' means over these.
    """
    trained = [model.name for model in models if model.trained]
    pairs = rows[(rows.table == "Table 2") & rows.row.isin(trained) & rows.column.isin(trained)]
    scores = rows[(rows.table == "Table 6") & rows.row.isin(trained)]
    means = scores.groupby("column")[["published", "ours"]].mean()
    of_what = f"means of properties over {scores.row.nunique()} methods"
    return [
        {"table": table, "n": len(values), "what": what, "rank_correlation": rank_correlation}
        for table, values, what in (("Table 2", pairs, "pairs of methods"), ("Table 6", means, of_what))
        if len(values) >= MIN_ORDERED
        and np.isfinite(rank_correlation := values.published.corr(values.ours, method="spearman"))
    ]  # fmt: skip


def _printed(rows: pd.DataFrame, name: str) -> Table:
    """Return the comparable numbers as a table for its files."""
    columns = ["table", "column", "statistic", "published", "ours", "difference"]
    texts = rows[["published", "ours", "difference"]].map(lambda value: number(value, 2))
    cells = [
        [Cell(text) for text in (row.table, LABELS.get(row.column, row.column), row.statistic, *numbers)]
        for row, numbers in zip(rows.itertuples(), texts.to_numpy().tolist())
    ]  # fmt: skip
    caption = f"Published numbers alongside those of {name}."
    records = rows[KEY + columns[-3:]]
    headings = [column.capitalize() for column in columns]
    return Table("published", caption, [], headings, [], list(rows.row), cells, records)
