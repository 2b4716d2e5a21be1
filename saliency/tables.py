"""Tables 2 to 4 and the appendix's: how similar the saliency maps of two models are, in full and by groups of models."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from common import csv_files
from common.models import grouped, groups
from common.settings import Settings
from common.tables import MISSING_CELL, Cell, Entry, Table
from saliency.comparisons import COLUMNS, pairs_file
from saliency.similarity import fisher_mean
from utils import Protocol

SHORT_NAMES = {
    "SNR Contrastive": "SNR Con.",
    "Multi Similarity": "MS",
    "Multi Similarity + Miner": "MS+Miner",
    "Normalized Softmax": "N. Softmax",
}
TITLES = {"correlation": "Correlations", "jsd": "Jensen-Shannon divergences"}


class Similarity(NamedTuple):
    mean: float
    std: float
    n_images: int  # per fold; the smallest number if folds differ


class Subject(NamedTuple):
    """What a table is about."""

    name: str
    settings: Settings
    protocol: Protocol
    dataset: str
    measure: str  # "correlation" or "jsd"


def full(settings, protocol, name, number, measure):
    """All models against all models: Table 2 for measure "correlation"; "jsd" for the divergence."""
    subject = Subject(name, settings, protocol, settings.tables[number], measure)
    models = grouped(settings.models)
    known = similarities(subject)
    pairs = [[known.get((a.name, b.name)) for b in models] for a in models]
    labels = [SHORT_NAMES.get(model.name, model.name) for model in models]
    records = _records(pairs, [model.name for model in models], "loss")
    title = f"{TITLES[measure]} between all loss functions on {subject.dataset}."
    return _table(subject, title, [model.group for model in models], labels, pairs, records)


def condensed(settings, protocol, name, number, measure):
    """Groups against groups, as in Tables 3 and 4: the mean of the full table's entries for each combination.

    A model's entry with itself does not count. A combination that lacks an entry is missing.
    """
    subject = Subject(name, settings, protocol, settings.tables[number], measure)
    known, names = similarities(subject), groups(settings.models)
    pairs = [[_combined(settings.models, known, a, b) for b in names] for a in names]
    title = f"{TITLES[measure]} between the types of loss functions on {subject.dataset}."
    return _table(subject, title, [], names, pairs, _records(pairs, names, "group"))


def _combined(models, known, group_a, group_b):
    first, second = ([model.name for model in models if model.group == group] for group in (group_a, group_b))
    names = [(a, b) for a in first for b in second if a != b or len(first) == 1 == len(second)]
    entries = [known.get(pair) for pair in names]
    if not entries or None in entries:
        return None
    means, stds, numbers = zip(*entries)
    return Similarity(float(np.mean(means)), float(np.mean(stds)), min(numbers))


def similarities(subject):
    """(name, name) -> Similarity from pairs_<dataset>.csv, averaged over the folds that the protocol's tables use.

    Correlations are averaged by Fisher's z, all else plainly. A pair that lacks a fold is left out.
    """
    _, settings, protocol, dataset, measure = subject
    folds = settings.table_folds(protocol)
    table = csv_files.read(pairs_file(settings, protocol, dataset), COLUMNS)
    table = table[table.fold.isin(folds)]
    found = {}
    for (a, b), rows in table.groupby(["loss_a", "loss_b"], sort=False):
        if len(rows) == len(folds):
            means = rows[f"{measure}_mean"]
            mean = fisher_mean(means) if measure == "correlation" else means.mean()
            found[a, b] = found[b, a] = Similarity(
                float(mean), float(rows[f"{measure}_std"].mean()), int(rows.n_images.min())
            )
    return found


def _table(subject, title, row_groups, labels, pairs, records):
    name, settings, protocol, _, measure = subject
    numbers = sorted({entry.n_images for row in pairs for entry in row if entry})
    images = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0]) if numbers else "no"
    folds = ", ".join(map(str, settings.table_folds(protocol)))
    unit = (
        "Values in percent, as mean±std over the images." if measure == "correlation" else "Mean±std over the images."
    )
    base = "" if measure == "correlation" else f"Logarithm to base {'2' if protocol.jsd_base == 2 else 'e'}. "
    caption = f"{title} {unit} {base}Protocol {protocol.name}; {images} images; mean over fold {folds}."
    same = [[row == column for column in range(len(labels))] for row in range(len(labels))]
    cells = [[_cell(entry, subject, s) for entry, s in zip(*rows)] for rows in zip(pairs, same)]
    return Table(name, caption, row_groups, labels, row_groups, labels, cells, records)


def _cell(entry, subject, on_diagonal):
    """mean±std as text; a model's perfect match with itself is left unshaded, so that it does not flatten the scale."""
    if entry is None:
        return MISSING_CELL
    if subject.measure == "jsd":
        text = f"{entry.mean:.3f}±{entry.std:.3f}"
    else:
        percent = int if subject.protocol.truncate_percent else round
        text = f"{percent(100 * entry.mean)}±{percent(100 * entry.std)}"
    perfect = on_diagonal and entry.std == 0
    return Cell(text, None if perfect else entry.mean)


def _records(pairs, names, kind):
    rows = [(a, b, *(entry or (None, None, None))) for a, row in zip(names, pairs) for b, entry in zip(names, row)]
    return pd.DataFrame(rows, columns=[f"{kind}_a", f"{kind}_b", "mean", "std", "n_images"])


# ---------------------------------------------------------------------------------------------------------------------
# All of them.
# ---------------------------------------------------------------------------------------------------------------------
def _entry(name, form, number, measure):
    return Entry(name, partial(form, number=number, measure=measure))


ENTRIES = [
    _entry("table2", full, 2, "correlation"),
    _entry("table3", condensed, 3, "correlation"),
    _entry("table4", condensed, 4, "correlation"),
]


def entries(settings):
    """Tables 2 to 4 and the appendix's; a dataset that two tables are about has its appendix once."""
    first = {dataset: number for number, dataset in sorted(settings.tables.items(), reverse=True)}
    return ENTRIES + [entry for number in sorted(first.values()) for entry in _appendix(number)]


def _appendix(number):
    """The other form of a table, and the divergence in both."""
    other, form = ("condensed", condensed) if number == 2 else ("full", full)
    return [
        _entry(f"table{number}_{other}", form, number, "correlation"),
        _entry(f"table{number}_jsd", full, number, "jsd"),
        _entry(f"table{number}_jsd_condensed", condensed, number, "jsd"),
    ]
