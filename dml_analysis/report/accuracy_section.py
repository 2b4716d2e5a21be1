"""Section "Accuracy": retrieval on test classes, improvements, and how each training ended."""

from typing import Any

import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.files import csv_files
from dml_analysis.methods import grouped
from dml_analysis.number_texts import number, percent, signed
from dml_analysis.paper import Model
from dml_analysis.reality_check import accuracy, improvements
from dml_analysis.report import table_files
from dml_analysis.report.printed import several, text
from dml_analysis.report.section import rendered, run_first
from dml_analysis.tables import MISSING_CELL, Cell, Table
from dml_analysis.training import training_logs

MEASURES = {
    "precision_at_1": "Recall@1", "r_precision": "R-Precision",
    "mean_average_precision_at_r": "MAP@R",
}  # fmt: skip
ENDS = {"loss": str, "fold": int, "best": int, "last": int, "limit": int}


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    tables = [table for name in settings.datasets if (table := of_dataset(settings, name))]
    if not tables:
        raise run_first("Accuracies", "reality_check/3_evaluate_models.py")
    files = [table_files.write(settings, "report", table) for table in tables]
    return rendered("accuracy", tables=list(zip(tables, files)))


def of_dataset(settings: Settings, dataset: str) -> Table | None:
    """Return the table of a dataset, None if no network of it has been measured."""
    file = accuracy.csv_file(settings)
    measured = csv_files.read(file, accuracy.COLUMNS, ["loss", "dataset", "fold"])
    measured = measured[measured.dataset == dataset]
    if measured.empty:
        return None
    gains = csv_files.read(improvements.csv_file(settings, dataset), improvements.COLUMNS)
    gains, ends = gains[gains.part == "test"], ends_of(settings, dataset)
    models = [model for model in grouped(settings.models) if model.name in set(measured.loss)]
    columns = [*MEASURES.values()]
    columns += ["Improvement [95% interval]"] * (not gains.empty)
    columns += ["Training"] * (not ends.empty)
    rows = [_row(model, measured, gains, ends) for model in models]
    names = [*MEASURES.values(), "improvement", "low", "high", "training"]
    records = pd.DataFrame([values for _, values in rows], columns=["loss", "type", *names])
    return Table(
        f"accuracy_{dataset}",
        text("accuracy", dataset=dataset, table=measured, gains=gains, ends=ends),
        [],
        columns,
        [model.group for model in models],
        [model.name for model in models],
        [cells for cells, _ in rows],
        records,
    )


def _row(
    model: Model, measured: pd.DataFrame, gains: pd.DataFrame, ends: pd.DataFrame
) -> tuple[list[Cell], list[Any]]:
    """Return the cells of a model, and its record in full precision."""
    means = measured[measured.loss == model.name][list(MEASURES)].mean()
    cells, record = [Cell(percent(mean)) for mean in means], [model.name, model.group, *means]
    gain, end = gains[gains.loss == model.name], how_it_ended(ends[ends.loss == model.name])
    if not gains.empty:
        cells += [Cell(_interval(row)) for row in gain.itertuples()] or [_empty(model)]
    if not ends.empty:
        cells.append(Cell(end) if end else _empty(model))
    numbers = gain[["gain", "low", "high"]].to_numpy().ravel().tolist() or [None] * 3
    return cells, [*record, *numbers, end]


def _interval(row: Any) -> str:
    low, high = (number(100 * bound, 1) for bound in (row.low, row.high))
    return f"{signed(100 * row.gain, 1)} [{low}, {high}]"


def _empty(model: Model) -> Cell:
    return MISSING_CELL if model.trained and not model.network else Cell("")


def ends_of(settings: Settings, dataset: str) -> pd.DataFrame:
    """Return, of each training whose network is used, its best, last and largest possible step.

    A table of ENDS, empty if nothing was trained here.
    """
    training, file = settings.training, training_logs.runs_file(settings, dataset)
    if training is None or not file.is_file():
        return pd.DataFrame(columns=list(ENDS))
    log = training_logs.read_log(settings, dataset)
    last = log[log.chosen == "yes"].groupby(["loss", "fold"]).iteration.max().rename("last")
    runs = csv_files.read(file, training_logs.RUN_COLUMNS, training_logs.RUN_KEY)
    runs = runs[runs.chosen == "yes"][["loss", "fold", "iteration"]]
    ends = runs.rename(columns={"iteration": "best"}).join(last, on=["loss", "fold"])
    return ends.assign(limit=training.iterations)


def how_it_ended(ends: pd.DataFrame) -> str:
    """Return in words how the trainings of a model ended; ends: its rows of ENDS."""
    if ends.empty:
        return ""
    stopped, limit = ends[ends["last"] < ends.limit], ends.limit.max()
    best = "best step " + ", ".join(f"{step:,}" for step in ends.best)
    if stopped.empty:
        return f"at the limit of {limit:,}; {best}"
    last = ", ".join(f"{step:,}" for step in stopped["last"])
    which = (
        "" if len(stopped) == len(ends) else f" in {len(stopped)} of {several(len(ends), 'fold')}"
    )
    return f"stopped early{which} at {last} of {limit:,}; {best}"
