"""What a change of one factor does to a training: the runs of a sweep beside those of its base, with the same seeds.

As in Roth et al.: relative changes of Recall@1 on test images; with them those of two measures of the training images' space.
"""

import numpy as np

from dml_analysis.embedding_space import embedding_spaces
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import ALL
from dml_analysis.metrics.intervals import mean_interval
from dml_analysis.sweeps import BASE
from dml_analysis.training.training_logs import read_log

SHARE = csv_files.between(0, 1)
RUN = ["loss", "type", "dataset", "fold"]
OF_SPACE = ("rho_2", "pi_ratio")  # of training images
COLUMNS = {"factor": str, "value": str, "seed": int, "loss": str, "type": str, "dataset": str, "fold": int, "iteration": int,
           "validation_map_at_r": SHARE, "recall_at_1": SHARE, "map_at_r": SHARE, "best_recall_at_1_on_test": SHARE,
           **dict.fromkeys(OF_SPACE, float)}  # fmt: skip
CHANGES = {"factor": str, "value": str, "loss": str, "type": str, "n_seeds": int, "n_losses": int, "measure": str,
           "change": float, "low": float, "high": float}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Maths.
# ---------------------------------------------------------------------------------------------------------------------
def differences(table):
    """The table of COLUMNS without the base's rows, with what each run differs by from the base's of the same seed:

    recall_at_1 in per cent of the base's, the measures of the space as they are.
    """
    key = ["seed", "loss", "dataset", "fold"]
    base = (
        table[table.factor == BASE].set_index(key)[["recall_at_1", *OF_SPACE]].add_suffix("_base")
    )
    found = table[table.factor != BASE].join(base, on=key)
    found["recall_change"] = 100 * (found.recall_at_1 / found.recall_at_1_base - 1)
    for name in OF_SPACE:
        found[f"{name}_change"] = found[name] - found[f"{name}_base"]
    return found.dropna(subset=["recall_change"])


def changes(table):
    """A row of CHANGES for every value of a factor, loss and measure: means over the seeds, with intervals over these.

    In a row of all losses each loss is one observation, the mean of its seeds.
    """
    for (factor, value), some in differences(table).groupby(["factor", "value"], sort=False):
        for measure in ("recall_change", *(f"{name}_change" for name in OF_SPACE)):
            of_seeds = some.groupby(["loss", "type", "seed"], sort=False)[measure].mean().dropna()
            of_losses = of_seeds.groupby(level=["loss", "type"], sort=False)
            for (loss, kind), values in of_losses:
                yield (factor, value, loss, kind, len(values), 1, measure, *mean_interval(values))
            means = of_losses.mean()
            yield (
                factor,
                value,
                ALL,
                ALL,
                some.seed.nunique(),
                len(means),
                measure,
                *mean_interval(means),
            )


# ---------------------------------------------------------------------------------------------------------------------
# Files.
# ---------------------------------------------------------------------------------------------------------------------
def runs_of_sweep(settings):
    return settings.results / "factors.csv"


def changes_file(settings):
    return settings.results / "factor_changes.csv"


def _of_variant(variant, dataset):
    """A row of COLUMNS for every network of a run of the sweep: at the look with the best validation MAP@R."""
    settings = variant.settings
    log = read_log(settings, dataset)
    log = log[(log.chosen == "yes") & (log.iteration > 0)]
    file = embedding_spaces.file_of_looks(settings, dataset)
    looks = csv_files.read(file, embedding_spaces.LOOKS, key=["loss", "fold", "iteration", "part"])
    looks = looks[looks.part == "train"].set_index(["loss", "fold", "iteration"])
    for _, some in log.groupby(["loss", "fold"], sort=False):
        best = some.loc[some.validation_map_at_r.idxmax()]
        place = (best.loss, best.fold, best.iteration)
        measured = (
            looks.loc[place, list(OF_SPACE)] if place in looks.index else [np.nan] * len(OF_SPACE)
        )
        yield (*variant[:3], *best[RUN], best.iteration, best.validation_map_at_r, best.test_precision_at_1_only_shown,
               best.test_map_at_r_only_shown, some.test_precision_at_1_only_shown.max(), *measured)  # fmt: skip


def write(settings):
    """Write factors.csv, a row for every network of the sweep, and factor_changes.csv; returns the latter as a table.

    Raises InputError if the settings are no sweep, or nothing of it has been trained.
    """
    if not settings.sweep:
        raise InputError(
            f"settings {settings.name!r} have no `sweep` (settings/factors.yaml has one)"
        )
    rows = [
        row
        for variant in settings.sweep
        for dataset in settings.datasets
        for row in _of_variant(variant, dataset)
    ]
    if not any(row[0] == BASE for row in rows):
        raise InputError(
            f"{settings.results}: no training of the sweep's base in it; run reality_check/2_train_models.py"
        )
    csv_files.write(runs_of_sweep(settings), rows, COLUMNS)
    csv_files.write(changes_file(settings), list(changes(read(settings))), CHANGES)
    return read_changes(settings)


def read(settings):
    return csv_files.read(
        runs_of_sweep(settings), COLUMNS, key=["factor", "value", "seed", "loss", "dataset", "fold"]
    )


def read_changes(settings):
    return csv_files.read(
        changes_file(settings), CHANGES, key=["factor", "value", "loss", "measure"]
    )


def show(settings, table):
    """Print the changes of Recall@1 and of rho@2."""
    print(
        f"{'factor':26}{'value':14}{'loss':26}{'seeds':>5}{'Recall@1, relative change in %':>38}{'rho@2, change':>30}"
    )
    for key, some in table.groupby(["factor", "value", "loss"], sort=False):
        some = some.set_index("measure")
        cells = [f"{row.change:{width}.{digits}f} ({row.low:.{digits}f} to {row.high:.{digits}f})"
                 for row, width, digits in ((some.loc["recall_change"], 14, 1), (some.loc["rho_2_change"], 12, 3))]  # fmt: skip
        print(
            f"{key[0]:26}{key[1]:14}{key[2]:26}{some.n_seeds.iloc[0]:5}{cells[0]:>38}{cells[1]:>30}"
        )


def frame(settings):
    """The differences of factors.csv; see differences. Raises InputError if there are none."""
    found = differences(read(settings))
    if found.empty:
        raise InputError(
            f"{runs_of_sweep(settings)}: nothing to compare in it; train more of the sweep"
        )
    return found
