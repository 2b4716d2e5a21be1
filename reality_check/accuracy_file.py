"""accuracy.csv: Precision@1, R-Precision and MAP@R of the networks, a row each."""

import itertools

import pandas as pd

import utils
from reality_check.checkpoint_files import check_made_with
from report import csv_tables

MEASURES = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
KEY = ["loss", "dataset", "fold"]
COLUMNS = [*KEY, "type", "n_images", "n_classes", *MEASURES]


def todo(settings, file):
    """The settings' cells (loss, dataset, fold) that have no row in accuracy.csv."""
    known = _known(file)
    return [cell for cell in _cells(settings) if (cell[0].name, *cell[1:]) not in known]


def check_rows(settings, file, items=None):
    """Raise InputError if a row was made with another checkpoint than there is now, or, if the items of datasets are
    given (name -> list), on other images.
    """
    known = _known(file)
    for loss, dataset, fold in _cells(settings):
        if (loss.name, dataset, fold) in known:
            note = utils.accuracy_note(settings, loss, dataset, fold)
            check_made_with(note, settings, loss, dataset, fold, (items or {}).get(dataset))


def _cells(settings):
    return list(itertools.product(settings.losses, settings.datasets, settings.folds))


def _known(file):
    return set(read(file)[KEY].itertuples(index=False, name=None))


def read(file):
    """accuracy.csv, without rows if it is not there yet."""
    return csv_tables.read(file, COLUMNS, MEASURES)


def add(file, rows):
    """Add rows to accuracy.csv, sorted by dataset, loss (in the order of utils.LOSSES) and fold."""
    table = pd.DataFrame([*read(file).to_dict("records"), *rows], columns=COLUMNS)
    csv_tables.write(file, csv_tables.ordered(table, ["dataset", "loss", "fold"]))


def summary(table):
    """One line per dataset and loss: the measures in percent, as mean over the folds."""
    lines = [f"{'dataset':14}{'loss':26}{'folds':>6}{'P@1':>8}{'RP':>8}{'MAP@R':>8}"]
    for (dataset, loss), rows in table.groupby(["dataset", "loss"], sort=False):
        means = "".join(f"{100 * rows[measure].mean():8.2f}" for measure in MEASURES)
        lines.append(f"{dataset:14}{loss:26}{len(rows):6}{means}")
    return "\n".join(lines)
