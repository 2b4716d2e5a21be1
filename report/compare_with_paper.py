"""compared_with_paper.csv: the published tables beside ours, number by number."""

import pandas as pd

import safe_files
import utils

COLUMNS = "table row column statistic published ours difference note".split()
PUBLISHED = utils.ROOT / "data" / "published"


def write(settings, tables):
    """Write the file from Tables 2, 3, 4 and 6, given by name, if they cover any published number."""
    rows = _score_rows(settings, tables["table6"].records)
    for number, published in [(4, "table4_cub200"), (3, "table3_cars196"), (2, "table2_sop")]:
        rows = _pair_rows(settings, number, tables[f"table{number}"].records, _read(published)) + rows
    if rows:
        with safe_files.written_aside(settings.results / "compared_with_paper.csv") as aside:
            pd.DataFrame(rows, columns=COLUMNS).to_csv(aside, index=False)


def _read(name):
    return pd.read_csv(PUBLISHED / f"{name}.csv", keep_default_na=False, na_values={"value": ""})


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
    means = _read("table6_means")
    means.insert(0, "loss", means["type"] + " Mean")
    published = pd.concat([_read("table6_nrprec"), means])
    joined = published.merge(ours, on=["loss", "property"], suffixes=("_published", "_ours")).dropna()
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
