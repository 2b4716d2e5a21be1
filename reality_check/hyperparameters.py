"""The best hyperparameters that the Reality Check found for each loss and dataset."""

from common import csv_files
from common.errors import InputError
from utils import DATASETS, ROOT

FILE = ROOT / "reality_check" / "hyperparameters.csv"
NOT_APPLICABLE = "N/A"


def _value(text):
    return None if text == NOT_APPLICABLE else csv_files.number(text)


COLUMNS = {"loss": str, "dataset": str, "parameter": str, "value": _value}


def hyperparameters(model, dataset):
    """A model's hyperparameters for a dataset: name -> float; one that does not apply ("N/A") is left out."""
    rows = csv_files.read_rows(FILE, COLUMNS, key=["dataset", "loss", "parameter"], hint="take the repository's")
    chosen = [r for r in rows if r["loss"] == model.name and r["dataset"] == DATASETS[dataset].hyperparameters]
    if not chosen:
        raise InputError(f"{FILE}: has nothing of {model.name} for {DATASETS[dataset].hyperparameters}")
    return {row["parameter"]: row["value"] for row in chosen if row["value"] is not None}
