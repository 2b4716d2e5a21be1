"""CSV files of training runs: a row for each run, and a row for each of their validation steps."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dml_analysis.config import Settings
from dml_analysis.files import csv_files
from dml_analysis.store import ResultStore
from dml_analysis.training.training_runs import SHARE, STEP_COLUMNS, all_stores, chosen_rates
from dml_analysis.views import View

if TYPE_CHECKING:
    import pandas as pd

LABELS = {"loss": str, "type": str, "dataset": str, "fold": int, "learning_rate": float}
CHOSEN = csv_files.one_of(["yes", "no"])
RUN_COLUMNS = {**LABELS, "iteration": int, "validation_map_at_r": SHARE, "chosen": CHOSEN}
LOG_COLUMNS = LABELS | STEP_COLUMNS
RUN_KEY = ["loss", "fold", "learning_rate"]
LOG_KEY = [*RUN_KEY, "iteration"]


def runs_file(settings: Settings, dataset: str) -> Path:
    """Return the CSV file of a dataset's runs."""
    return settings.results / "reality_check" / f"training_{dataset}.csv"


def log_file(settings: Settings, dataset: str) -> Path:
    """Return the CSV file of the validation steps of a dataset's runs."""
    return settings.results / "reality_check" / f"training_log_{dataset}.csv"


def read_log(settings: Settings, dataset: str) -> "pd.DataFrame":
    """Return the validation steps of a dataset's runs.

    The column `chosen` says whether the run's learning rate is the network's.
    """
    runs = csv_files.read(runs_file(settings, dataset), RUN_COLUMNS, RUN_KEY)
    log = csv_files.read(log_file(settings, dataset), LOG_COLUMNS, LOG_KEY)
    return log.merge(runs[[*RUN_KEY, "chosen"]])


def views(settings: Settings) -> list[View]:
    """Return training_<dataset>.csv and training_log_<dataset>.csv of the settings' datasets.

    They are of all models and folds, also where the settings are narrowed to some.
    """
    files = []
    for dataset in settings.datasets:
        whole = settings.whole.model_copy(update={"datasets": [dataset]})
        stores, rows = all_stores(whole), partial(_run_rows, whole)
        files.append(View(runs_file(settings, dataset), RUN_COLUMNS, stores, rows))
        files.append(View(log_file(settings, dataset), LOG_COLUMNS, stores, _log_rows))
    return files


def _run_rows(
    settings: Settings, stores: Sequence[ResultStore], columns: dict[str, Any]
) -> Iterator[list[Any]]:
    rates = chosen_rates(settings)
    for store in stores:
        rate = rates.get((store.labels["loss"], store.labels["dataset"]))
        values = store.labels | {name: array[0] for name, array in store.read().items()}
        is_chosen = store.subject.rate == rate and store.labels["fold"] in settings.folds
        values["chosen"] = "yes" if is_chosen else "no"
        yield [values[column] for column in columns]


def _log_rows(stores: Sequence[ResultStore], columns: dict[str, Any]) -> Iterator[list[Any]]:
    for store in stores:
        for row in csv_files.read_rows(store.folder / "log.csv", STEP_COLUMNS):
            yield [(store.labels | row)[column] for column in columns]
