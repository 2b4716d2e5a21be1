"""Section "Claims": what the papers claim, what this replication finds, and a verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.files import csv_files
from dml_analysis.methods import slug
from dml_analysis.number_texts import number, p
from dml_analysis.replication import claims
from dml_analysis.report import table_files
from dml_analysis.report.printed import several
from dml_analysis.report.section import rendered
from dml_analysis.tables import Cell, Table

COLUMNS = ["Published", "Here", "Verdict", "Why", "Protocol"]
COUNTED = {  # verdicts of several claims
    claims.HOLDS: "hold",
    claims.CONTRADICTED: "are contradicted",
    claims.CANNOT_SAY: "cannot be said either way",
    claims.NOT_TESTABLE: "are not testable here",
}


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    table = read(settings)
    tables = [of_paper(paper, table[table.paper == paper]) for paper in claims.PAPERS]
    tables = [each for each in tables if each.rows]
    files = [table_files.write(settings, "report", each) for each in tables]
    return rendered("claims", tables=list(zip(tables, files)))


def _file(settings: Settings) -> Path:
    """Return the path of claims.csv, which the runs of a sweep share."""
    return settings.paths["results"] / settings.name.split("/")[0] / "claims.csv"


def read(settings: Settings) -> pd.DataFrame:
    """Return the claims of a replication, an empty table if none has been tested."""
    return csv_files.read(_file(settings), claims.COLUMNS, ["id", "protocol"])


def counts(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return in words, for each paper, how many of its claims have each verdict."""
    return {
        paper: [
            f"{(rows.verdict == verdict).sum()} {words}"
            for verdict, words in COUNTED.items()
            if verdict in set(rows.verdict)
        ]
        for paper, rows in table.groupby("paper", sort=False)
    }


def of_paper(paper: str, rows: pd.DataFrame) -> Table:
    """Return the table of a paper's claims. rows: of claims.COLUMNS."""
    records: Sequence[Any] = [*rows.itertuples()]
    cells = [
        [
            Cell(f"{row.published} ({row.section})" if row.published else row.section),
            Cell(here(row)),
            Cell(row.verdict, bold=True),
            Cell(row.reason),
            Cell(row.protocol or "–"),
        ]
        for row in records
    ]
    caption = f"Claims of {paper}: {several(len(records), 'test')}."
    labels = [row.claim for row in records]
    return Table(f"claims_{slug(paper)}", caption, [], COLUMNS, [], labels, cells, rows)


def here(row: Any) -> str:
    """Return what was found: the estimate with its interval and unit, p and n."""
    if pd.isna(row.estimate):
        return "–"
    parts = [f"{row.measure}: {number(row.estimate)}"]
    if pd.notna(row.low) and pd.notna(row.high):
        parts[0] += f" [{number(row.low)}, {number(row.high)}]"
    parts[0] += f", {row.unit}" if row.unit else ""
    if pd.notna(row.p_value):
        parts.append(f"p\u00a0=\u00a0{p(row.p_value)}")
    return "; ".join([*parts, f"{row.n} {row.unit_of_n}"])
