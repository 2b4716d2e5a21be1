"""compared_with_paper.csv: the published tables beside ours, number by number."""

from pathlib import Path

import pandas as pd

from dml_analysis.files import csv_files
from dml_analysis.tables import folder

COLUMNS = "table row column statistic published ours difference note".split()
PUBLISHED = Path(__file__).parents[1] / "published"
PAIRS = {"loss_a": str, "loss_b": str, "mean": float, "std": float, "n_images": float}
GROUPS = {"group_a": str, "group_b": str, "mean": float, "std": float, "n_images": float}
SCORES = {"loss": str, "type": str, "property": str, "value": float}
MEANS = {"type": str, "property": str, "value": float}


def write(settings, protocol):
    """Write the file from the CSV files of Tables 2, 3, 4 and 6; returns it."""
    tables = folder(settings, protocol)
    rows = []
    for number, columns, published in [
        (2, PAIRS, "table2_sop"),
        (3, GROUPS, "table3_cars196"),
        (4, GROUPS, "table4_cub200"),
    ]:
        if number in settings.tables:
            ours = csv_files.read(tables / f"table{number}.csv", columns, key=list(columns)[:2])
            rows += _pair_rows(
                settings, number, ours, _published(published, dict(list(columns.items())[:4]))
            )
    rows += _score_rows(
        settings, csv_files.read(tables / "table6.csv", SCORES, key=["loss", "property"])
    )
    file = settings.results / protocol.name / "compared_with_paper.csv"
    csv_files.write(file, rows, COLUMNS)
    return file


def _published(name, columns):
    return csv_files.read(PUBLISHED / f"{name}.csv", columns)


def _pair_rows(settings, number, ours, published):
    """Both statistics of every pair, in per cent."""
    keys = list(published.columns[:2])
    dataset = {2: "SOP", 3: "Cars196", 4: "CUB200"}[number]
    note = _note(settings, settings.tables[number], dataset)
    joined = published.merge(ours, on=keys, suffixes=("_published", "_ours")).dropna()
    return [
        (f"Table {number}", row[keys[0]], row[keys[1]], s, row[f"{s}_published"], ours := 100 * row[f"{s}_ours"],
         ours - row[f"{s}_published"], note)
        for _, row in joined.iterrows() for s in ("mean", "std")
    ]  # fmt: skip


def _score_rows(settings, ours):
    means = _published("table6_means", MEANS)
    means.insert(0, "loss", means["type"] + " Mean")
    published = pd.concat([_published("table6_nrprec", SCORES), means])
    joined = published.merge(
        ours, on=["loss", "property"], suffixes=("_published", "_ours")
    ).dropna()
    note = _note(settings, settings.properties.networks, "Cars196")
    return [
        ("Table 6", row.loss, row.property, "NR-Precision", row.value_published, row.value_ours,
         row.value_ours - row.value_published, note)
        for row in joined.itertuples()
    ]  # fmt: skip


def _note(settings, dataset, published_dataset):
    """What keeps the two numbers from being comparable; empty where nothing does."""
    parts = [settings.note] if settings.note else []
    if dataset != published_dataset:
        parts.append(f"Ours is for {dataset}, the published number for {published_dataset}.")
    if settings.saliency.images or settings.properties.images:
        parts.append("Ours uses a part of the images.")
    return " ".join(parts)
