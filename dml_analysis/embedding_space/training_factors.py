"""What a change of one factor does to a training: the runs of a sweep and those of its base.

Runs with the same seed are compared, as in Roth et al., by relative changes of Recall@1 on test
images, and by two measures of the training images' space.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dml_analysis.embedding_space import embedding_spaces
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import ALL
from dml_analysis.metrics.intervals import mean_interval
from dml_analysis.sweeps import BASE, Variant
from dml_analysis.training.training_logs import read_log

if TYPE_CHECKING:
    from dml_analysis.config import Settings

SHARE = csv_files.between(0, 1)
NETWORK = ["loss", "type", "dataset", "fold"]
OF_SPACE = ("rho_2", "pi_ratio")  # of training images
MEASURES = ("recall_change", *(f"{name}_change" for name in OF_SPACE))
COLUMNS = {"factor": str, "value": str, "seed": int, "loss": str, "type": str, "dataset": str, "fold": int, "iteration": int,
           "validation_map_at_r": SHARE, "recall_at_1": SHARE, "map_at_r": SHARE, "best_recall_at_1_on_test": SHARE,
           **dict.fromkeys(OF_SPACE, float)}  # fmt: skip
CHANGES = {"factor": str, "value": str, "loss": str, "type": str, "n_seeds": int, "n_losses": int, "measure": str,
           "change": float, "low": float, "high": float}  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Maths.
# --------------------------------------------------------------------------------------------------
def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows other than the base's, with differences from its row of the same seed.

    table: of COLUMNS. The columns of MEASURES are added: recall_at_1 in per cent of the base's, the
    measures of the space as they are.
    """
    key = ["seed", "loss", "dataset", "fold"]
    base = table[table.factor == BASE].set_index(key)[["recall_at_1", *OF_SPACE]]
    table = table[table.factor != BASE].join(base.add_suffix("_base"), on=key)
    table["recall_change"] = 100 * (table.recall_at_1 / table.recall_at_1_base - 1)
    for name in OF_SPACE:
        table[f"{name}_change"] = table[name] - table[f"{name}_base"]
    return table.dropna(subset=["recall_change"])


def changes(table: pd.DataFrame) -> Iterator[tuple]:
    """Yield a row of CHANGES for every value of a factor, loss and measure; table: of COLUMNS.

    Changes are means over the seeds, with intervals over these. In a row of all losses each loss is
    one observation, the mean of its seeds.
    """
    for (factor, value), group in differences(table).groupby(["factor", "value"], sort=False):
        for measure in MEASURES:
            seeds = group.groupby(["loss", "type", "seed"], sort=False)[measure].mean().dropna()
            losses = seeds.groupby(level=["loss", "type"], sort=False)
            for (loss, kind), values in losses:
                yield (factor, value, loss, kind, len(values), 1, measure, *mean_interval(values))
            sizes = group.seed.nunique(), losses.ngroups
            yield (factor, value, ALL, ALL, *sizes, measure, *mean_interval(losses.mean()))


# --------------------------------------------------------------------------------------------------
# Files.
# --------------------------------------------------------------------------------------------------
def networks_file(settings: "Settings") -> Path:
    """Return the path of factors.csv."""
    return settings.results / "factors.csv"


def changes_file(settings: "Settings") -> Path:
    """Return the path of factor_changes.csv."""
    return settings.results / "factor_changes.csv"


def _variant_rows(variant: Variant, dataset: str) -> Iterator[tuple[Any, ...]]:
    """Yield a row of COLUMNS for every network, at the step with the best validation MAP@R."""
    settings = variant.settings
    log = read_log(settings, dataset)
    log = log[(log.chosen == "yes") & (log.iteration > 0)]
    file, key = embedding_spaces.steps_file(settings, dataset), ["loss", "fold", "iteration"]
    steps = csv_files.read(file, embedding_spaces.STEPS, key=[*key, "part"])
    steps = steps[steps.part == "train"].set_index(key)
    for _, rows in log.groupby(["loss", "fold"], sort=False):
        best, recall = rows.loc[rows.validation_map_at_r.idxmax()], "test_precision_at_1_only_shown"
        place = tuple(best[key])
        measures = steps.loc[place, list(OF_SPACE)] if place in steps.index else [np.nan] * 2
        scores = best.validation_map_at_r, best[recall], best.test_map_at_r_only_shown
        yield (*variant[:3], *best[NETWORK], best.iteration, *scores, rows[recall].max(), *measures)


def write(settings: "Settings") -> pd.DataFrame:
    """Write factors.csv and factor_changes.csv; return the latter.

    Raises InputError if the settings are no sweep, or its base has not been trained.
    """
    if not settings.sweep:
        raise InputError(
            f"settings {settings.name!r} have no `sweep` (settings/factors.yaml has one)"
        )
    rows = [
        row
        for variant in settings.sweep
        for dataset in settings.datasets
        for row in _variant_rows(variant, dataset)
    ]
    if not any(row[0] == BASE for row in rows):
        raise InputError(
            f"{settings.results}: no training of the sweep's base in it; "
            "run reality_check/2_train_models.py"
        )
    csv_files.write(networks_file(settings), rows, COLUMNS)
    csv_files.write(changes_file(settings), list(changes(read(settings))), CHANGES)
    key = ["factor", "value", "loss", "measure"]
    return csv_files.read(changes_file(settings), CHANGES, key=key)


def read(settings: "Settings") -> pd.DataFrame:
    """Return factors.csv."""
    key = ["factor", "value", "seed", "loss", "dataset", "fold"]
    return csv_files.read(networks_file(settings), COLUMNS, key=key)


def read_differences(settings: "Settings") -> pd.DataFrame:
    """Return the differences of factors.csv. Raises InputError if there are none."""
    table = differences(read(settings))
    if table.empty:
        raise InputError(
            f"{networks_file(settings)}: nothing to compare in it; train more of the sweep"
        )
    return table


def show(table: pd.DataFrame) -> None:
    """Print the changes of Recall@1 and of rho@2; table: of CHANGES."""
    head = f"{'Recall@1, relative change in %':>38}{'rho@2, change':>30}"
    print(f"{'factor':26}{'value':14}{'loss':26}{'seeds':>5}{head}")
    for (factor, value, loss), rows in table.groupby(["factor", "value", "loss"], sort=False):
        rows = rows.set_index("measure")
        recall, rho = rows.loc["recall_change"], rows.loc["rho_2_change"]
        cells = (
            f"{recall.change:14.1f} ({recall.low:.1f} to {recall.high:.1f})",
            f"{rho.change:12.3f} ({rho.low:.3f} to {rho.high:.3f})",
        )
        n_seeds = rows.n_seeds.iloc[0]
        print(f"{factor:26}{value:14}{loss:26}{n_seeds:5}{cells[0]:>38}{cells[1]:>30}")
