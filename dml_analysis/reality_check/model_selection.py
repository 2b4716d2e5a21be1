"""Model selection on validation or on test classes, and what selection on the test set seems to
add.

The Reality Check selects by validation classes. Roth et al., and most others, report for every
measure the best validation step of each training run on the test classes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import counted, find, grouped, groups
from dml_analysis.tables import Cell, Table
from dml_analysis.training.training_logs import log_file, read_log

MEASURES = {"precision_at_1": "Recall@1", "map_at_r": "MAP@R"}  # Precision@1 is Recall@1
SHARE = csv_files.between(0, 1)
COLUMNS = {
    "loss": str, "type": str, "dataset": str, "measure": csv_files.one_of(MEASURES),
    "n_folds": int, "chosen_on_validation": SHARE, "chosen_on_test": SHARE,
    "gain_by_peeking": float, "rank_on_validation": float, "rank_on_test": float,
    "rank_change": float,
}  # fmt: skip


def csv_file(settings: Settings, dataset: str) -> Path:
    """Return the CSV file that compares the two kinds of selection."""
    return settings.results / "reality_check" / f"choices_{dataset}.csv"


def compared(log: pd.DataFrame, order: Sequence[str]) -> Iterator[tuple]:
    """Yield a row of COLUMNS for every loss and measure of a table of LOG_COLUMNS.

    log: of the chosen runs. order: of the losses. On validation: the measure at the step with the
    best validation MAP@R. On test: its maximum over all steps after the start. Both are means over
    the folds. Rank 1 is the best loss; equal losses share their rank.
    """
    log = log[log.iteration > 0]
    for measure in MEASURES:
        column, key = f"test_{measure}_only_shown", ["loss", "fold"]
        runs = log.groupby(key)
        on_validation = log.loc[runs.validation_map_at_r.idxmax()].set_index(key)[column]
        scores = pd.DataFrame({"validation": on_validation, "test": runs[column].max()}).dropna()
        means, folds = scores.groupby("loss").mean(), scores.groupby("loss").size()
        ranks = means.rank(ascending=False)
        for name in (name for name in order if name in means.index):
            labels, mean, rank = log[log.loss == name].iloc[0], means.loc[name], ranks.loc[name]
            yield (
                name, labels.type, labels.dataset, measure, folds[name],
                mean.validation, mean.test, mean.test - mean.validation,
                rank.validation, rank.test, rank.validation - rank.test,
            )  # fmt: skip


def write(settings: Settings, dataset: str) -> pd.DataFrame:
    """Write choices_<dataset>.csv; return it as a table.

    Raises InputError if the log has no test measures.
    """
    log, order = read_log(settings, dataset), [m.name for m in grouped(settings.whole.models)]
    rows = list(compared(log[log.chosen == "yes"], order))
    if not rows:
        raise InputError(
            f"{log_file(settings, dataset)}: no measures of test images; train with "
            "keep_embeddings: true by reality_check/2_train_models.py"
        )
    csv_files.write(csv_file(settings, dataset), rows, COLUMNS)
    return csv_files.read(csv_file(settings, dataset), COLUMNS, key=["loss", "measure"])


def table(settings: Settings, dataset: str, selections: pd.DataFrame) -> Table:
    """Return the Table of choices_<dataset>.csv, in percent: both values, difference and ranks."""
    models = [find(name, settings.whole.models) for name in dict.fromkeys(selections.loss)]
    rows = [selections[selections.loss == model.name].set_index("measure") for model in models]
    heads = ["by validation", "by test", "difference", "rank"]
    return Table(
        f"choices_{dataset}",
        f"Test measures of {dataset} in percent at the validation step with the best validation "
        "MAP@R, and at each training run's best step on the test classes themselves; means over "
        "the folds. Rank: by validation → by test.",
        [label for label in MEASURES.values() for _ in heads],
        heads * len(MEASURES),
        [model.group for model in models],
        [model.name for model in models],
        [[cell for measure in MEASURES for cell in _cells(row.loc[measure])] for row in rows],
        selections,
    )


def _cells(row: pd.Series) -> list[Cell]:
    values = [row.chosen_on_validation, row.chosen_on_test, row.gain_by_peeking]
    ranks = Cell(
        f"{row.rank_on_validation:g} → {row.rank_on_test:g}", bold=bool(row.rank_change != 0)
    )
    return [*(Cell(f"{100 * value:.1f}") for value in values), ranks]


def show(settings: Settings, selections: pd.DataFrame) -> None:
    """Print how much selection on the test set adds, and how many losses change their rank."""
    for measure, rows in selections.groupby("measure", sort=False):
        label = f"{MEASURES[measure]:10}"
        for group in groups(settings.whole.models):
            names = [model.name for model in counted(settings.whole.models, group)]
            added = 100 * rows[rows.loss.isin(names)].gain_by_peeking
            if len(added):
                points = f"{added.mean():6.2f} points more by selection on the test set"
                print(f"{label}{group:18}{points}, mean of {len(added)}")
        n_changed, maximum = (rows.rank_change != 0).sum(), rows.rank_change.abs().max()
        print(f"{label}{n_changed} of {len(rows)} losses change their rank, by {maximum:g} at most")
