"""accuracy.csv: Precision@1, R-Precision and MAP@R of the networks, a row each."""

import pandas as pd

import utils
from reality_check.checkpoint_files import check_made_with
from utils import InputError

MEASURES = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
KEY = ["loss", "dataset", "fold"]
COLUMNS = [*KEY, "type", "n_images", "n_classes", *MEASURES]


def todo(settings, file):
    """The settings' cells (loss, dataset, fold) that have no row in accuracy.csv."""
    known = set(read(file)[KEY].itertuples(index=False, name=None))
    cells = [(loss, dataset, fold) for dataset in settings.datasets for loss in settings.losses
             for fold in settings.folds]  # fmt: skip
    return [cell for cell in cells if (cell[0].name, *cell[1:]) not in known]


def check_rows(settings, file, items=None):
    """Raise InputError if a row was made with another checkpoint than there is now, or, if the items of datasets are
    given (name -> list), on other images.
    """
    left = todo(settings, file)
    for dataset in settings.datasets:
        for loss in settings.losses:
            for fold in settings.folds:
                if (loss, dataset, fold) not in left:
                    note = utils.accuracy_note(settings, loss, dataset, fold)
                    check_made_with(note, settings, loss, dataset, fold, (items or {}).get(dataset))


def read(file):
    """accuracy.csv, without rows if it is not there yet."""
    if not file.is_file():
        return pd.DataFrame(columns=COLUMNS)
    table = pd.read_csv(file, keep_default_na=False, na_values=dict.fromkeys(MEASURES, ""))
    if list(table.columns) != COLUMNS:
        raise InputError(f"{file}: columns are {','.join(table.columns)}, expected {','.join(COLUMNS)}; delete it")
    return table


def add(file, rows):
    """Add rows to accuracy.csv, sorted by dataset, loss (in the order of utils.LOSSES) and fold."""
    table = pd.DataFrame([*read(file).to_dict("records"), *rows], columns=COLUMNS)
    place = {loss.name: number for number, loss in enumerate(utils.LOSSES)}
    table = table.sort_values(["dataset", "loss", "fold"], key=lambda c: c.map(place) if c.name == "loss" else c)
    with utils.written_aside(file) as aside:
        table.to_csv(aside, index=False)


def summary(table):
    """One line per dataset and loss: the measures in percent, as mean over the folds."""
    lines = [f"{'dataset':14}{'loss':26}{'folds':>6}{'P@1':>8}{'RP':>8}{'MAP@R':>8}"]
    for (dataset, loss), rows in table.groupby(["dataset", "loss"], sort=False):
        means = "".join(f"{100 * rows[measure].mean():8.2f}" for measure in MEASURES)
        lines.append(f"{dataset:14}{loss:26}{len(rows):6}{means}")
    return "\n".join(lines)
