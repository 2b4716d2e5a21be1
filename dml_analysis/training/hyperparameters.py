"""The best hyperparameters that the Reality Check found for each loss and dataset."""

from pathlib import Path

from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.paper import dataset_of

FILE = Path(__file__).with_suffix(".csv")
NOT_APPLICABLE = "N/A"


def _value(text):
    return None if text == NOT_APPLICABLE else csv_files.number(text)


COLUMNS = {"loss": str, "dataset": str, "parameter": str, "value": _value}


def hyperparameters(model, dataset):
    """A model's hyperparameters for a dataset: name -> float; one that does not apply ("N/A") is left out.

    A dataset that the Reality Check has not searched takes those of the one that paper.DATASETS names.
    """
    rows = csv_files.read_rows(
        FILE, COLUMNS, key=["dataset", "loss", "parameter"], hint="take the repository's"
    )
    chosen = [
        r
        for r in rows
        if r["loss"] == model.name and r["dataset"] == dataset_of(dataset).trained_as
    ]
    of_loss, of_both = (
        {row["parameter"] for row in some if row["loss"] == model.name} for some in (rows, chosen)
    )
    if not of_both or of_loss != of_both:
        differing = ", ".join(sorted(of_loss - of_both)) or "parameters"
        raise InputError(
            f"{FILE}: {model.name} lacks {differing} for {dataset}; write {NOT_APPLICABLE} for one that it has not"
        )
    return {row["parameter"]: row["value"] for row in chosen if row["value"] is not None}
