"""The best hyperparameters that the Reality Check found for each loss and dataset."""

from common import safe_files
from utils import DATASETS, ROOT


def hyperparameters(model, dataset):
    """A model's hyperparameters for a dataset: name -> float; one that does not apply ("N/A") is left out."""
    rows = safe_files.read_rows(ROOT / "reality_check" / "hyperparameters.csv")
    chosen = [r for r in rows if r["loss"] == model.name and r["dataset"] == DATASETS[dataset].hyperparameters]
    return {row["parameter"]: float(row["value"]) for row in chosen if row["value"] != "N/A"}
