"""Learning rates of each method, chosen among the trials of a sweep by their validation classes."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dml_analysis.files import csv_files
from dml_analysis.training import training_logs, training_runs

if TYPE_CHECKING:
    from dml_analysis.config import Settings

YES_NO = csv_files.one_of(["yes", "no"])
COLUMNS = {
    "loss": str, "type": str, "learning_rate": float, "loss_rate_factor": float,
    "validation_map_at_r": csv_files.between(0, 1), "iteration": int, "trials": int,
    "at_edge": YES_NO,
}  # fmt: skip
RATES = ["learning_rate", "loss_rate_factor"]


def rates_file(settings: "Settings") -> Path:
    """Return the path of chosen_rates.csv."""
    return settings.results / "chosen_rates.csv"


def trials_of(settings: "Settings") -> pd.DataFrame:
    """Return the trials of all variants: the columns of a run's CSV file, and loss_rate_factor.

    Raises MissingFile if the trials of a variant are missing, InputError if it trains nothing.
    """
    parts = []
    for variant in settings.variants:
        factor = float(training_runs.options_of(variant).loss_rate_factor)
        for dataset in variant.datasets:
            file = training_logs.runs_file(variant, dataset)
            table = csv_files.table(
                file, training_logs.RUN_COLUMNS, hint="run reality_check/2_train_models.py first"
            )
            parts.append(table.assign(loss_rate_factor=factor))
    return pd.concat(parts, ignore_index=True)


def chosen(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the best trial of each method by its validation MAP@R, as a table of COLUMNS.

    trials: with the columns of trials_of. Of equally good trials the first one is taken. at_edge:
    whether the best learning rate of the trunk is the lowest or the highest that was tried for the
    method, so that a better one may lie beyond.
    """
    rows = []
    for loss, of_loss in trials.groupby("loss", sort=False):
        best = of_loss.loc[of_loss.validation_map_at_r.idxmax()]
        edges = of_loss.learning_rate.min(), of_loss.learning_rate.max()
        rows.append(
            {
                "loss": loss,
                **best[["type", *RATES, "validation_map_at_r", "iteration"]],
                "trials": len(of_loss),
                "at_edge": "yes" if best.learning_rate in edges else "no",
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def as_settings(table: pd.DataFrame) -> str:
    """Return chosen rates as the lines of `by_method` in a settings file."""
    lines = [
        f"    {row.loss}: {{learning_rate: {row.learning_rate:.1e}, "
        f"loss_rate_factor: {row.loss_rate_factor:g}}}"
        for row in table.itertuples()
    ]
    return "\n".join(["  by_method:", *lines])
