"""Chosen on validation or on test classes: what a look that was picked by its own test measure claims, and the price of it.

The Reality Check chooses by validation classes. Roth et al., and most others, report for every measure its best look on the
test classes, each training by itself.
"""

import pandas as pd

from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import counted, find, grouped, groups
from dml_analysis.tables import Cell, Table
from dml_analysis.training.training_stages import looks_file, read_looks

MEASURES = {
    "precision_at_1": "Recall@1",
    "map_at_r": "MAP@R",
}  # of the log; Precision@1 is another word for Recall@1
SHARE = csv_files.between(0, 1)
COLUMNS = {"loss": str, "type": str, "dataset": str, "measure": csv_files.one_of(MEASURES), "n_folds": int,
           "chosen_on_validation": SHARE, "chosen_on_test": SHARE, "gain_by_peeking": float,
           "rank_on_validation": float, "rank_on_test": float, "rank_change": float}  # fmt: skip


def csv_file(settings, dataset):
    return settings.results / "reality_check" / f"choices_{dataset}.csv"


def compared(log, order):
    """A row of COLUMNS for every loss and measure of the looks (a table of LOG) of the runs that were taken.

    order: the losses in the order of the rows. On validation: the measure at the look with the best validation MAP@R; on test:
    its best over all looks after the start. Both are means over the folds; rank 1 is the best loss, equal ones share theirs.
    """
    log = log[log.iteration > 0]
    for measure in MEASURES:
        column, key = f"test_{measure}_only_shown", ["loss", "fold"]
        fair = log.loc[log.groupby(key).validation_map_at_r.idxmax()].set_index(key)[column]
        means = (
            pd.DataFrame({"fair": fair, "peeked": log.groupby(key)[column].max()})
            .dropna()
            .groupby("loss")
        )
        found, folds = means.mean(), means.size()
        found, ranks = (
            found.loc[[name for name in order if name in found.index]],
            found.rank(ascending=False),
        )
        for name, row in found.iterrows():
            kind, rank = log[log.loss == name].iloc[0], ranks.loc[name]
            yield (name, kind.type, kind.dataset, measure, folds[name], row.fair, row.peeked, row.peeked - row.fair,
                   rank.fair, rank.peeked, rank.fair - rank.peeked)  # fmt: skip


def write(settings, dataset):
    """Write choices_<dataset>.csv; returns it as a table. Raises InputError if the log has no test measures."""
    looks = read_looks(settings, dataset)
    rows = list(
        compared(
            looks[looks.chosen == "yes"], [model.name for model in grouped(settings.whole.models)]
        )
    )
    if not rows:
        raise InputError(
            f"{looks_file(settings, dataset)}: no measures of test images; train with keep_embeddings: true by "
            "reality_check/2_train_models.py"
        )
    csv_files.write(csv_file(settings, dataset), rows, COLUMNS)
    return csv_files.read(csv_file(settings, dataset), COLUMNS, key=["loss", "measure"])


def table(settings, dataset, choices):
    """The Table of choices_<dataset>.csv: in per cent, by validation, by test, the difference, and the change in rank."""
    models = [find(name, settings.whole.models) for name in dict.fromkeys(choices.loss)]
    rows = [choices[choices.loss == model.name].set_index("measure") for model in models]
    heads = ["by validation", "by test", "difference", "rank"]
    return Table(
        f"choices_{dataset}",
        f"Test measures of {dataset} in per cent at the look with the best validation MAP@R, and at each training's best look "
        "on the test classes themselves; means over the folds. Rank: by validation → by test.",
        [label for label in MEASURES.values() for _ in heads],
        heads * len(MEASURES),
        [model.group for model in models],
        [model.name for model in models],
        [[cell for measure in MEASURES for cell in _cells(row.loc[measure])] for row in rows],
        choices,
    )


def _cells(row):
    values = [row.chosen_on_validation, row.chosen_on_test, row.gain_by_peeking]
    ranks = f"{row.rank_on_validation:g} → {row.rank_on_test:g}"
    return [
        *(Cell(f"{100 * value:.1f}") for value in values),
        Cell(ranks, bold=row.rank_change != 0),
    ]


def show(settings, choices):
    """Lines that sum it up: the mean price of peeking, and how many losses change their rank by it."""
    for measure, some in choices.groupby("measure", sort=False):
        for group in groups(settings.whole.models):
            names = [model.name for model in counted(settings.whole.models, group)]
            gain = some[some.loss.isin(names)].gain_by_peeking
            if len(gain):
                print(
                    f"{MEASURES[measure]:10}{group:18}{100 * gain.mean():6.2f} points more by peeking, mean of {len(gain)}"
                )
        moved = (some.rank_change != 0).sum()
        print(
            f"{MEASURES[measure]:10}{moved} of {len(some)} losses change their rank, by {some.rank_change.abs().max():g} at most"
        )
