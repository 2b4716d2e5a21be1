"""The best hyperparameters that the Reality Check found for each loss and dataset."""

from pathlib import Path

from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.paper import Model, dataset_of

FILE = Path(__file__).with_suffix(".csv")
NOT_APPLICABLE = "N/A"


def _value(text: str) -> float | None:
    """Return the number of a cell, None if the parameter does not apply."""
    return None if text == NOT_APPLICABLE else csv_files.number(text)


COLUMNS = {"loss": str, "dataset": str, "parameter": str, "value": _value}
KEY = ["dataset", "loss", "parameter"]


def hyperparameters(model: Model, dataset: str) -> dict[str, float]:
    """Return a model's hyperparameters for a dataset, name -> value.

    One that does not apply is left out. A dataset that the Reality Check has not searched has those
    of the dataset that paper.DATASETS names. Raises InputError if the file lacks one of them.
    """
    rows = csv_files.read_rows(FILE, COLUMNS, key=KEY, hint="take the repository's")
    rows = [row for row in rows if row["loss"] == model.name]
    searched = dataset_of(dataset).trained_as
    values = {row["parameter"]: row["value"] for row in rows if row["dataset"] == searched}
    missing = {row["parameter"] for row in rows} - values.keys()
    if missing or not values:
        names = ", ".join(sorted(missing)) or "parameters"
        raise InputError(
            f"{FILE}: {model.name} lacks {names} for {dataset}; "
            f"write {NOT_APPLICABLE} for one that does not apply"
        )
    return {name: value for name, value in values.items() if value is not None}
