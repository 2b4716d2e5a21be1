"""Tables 2 to 4 and the appendix's: how similar the saliency maps of two losses are, in full and by loss type."""

from typing import NamedTuple

import numpy as np
import pandas as pd

import utils
from report.tables import MISSING_CELL, Cell, Table
from saliency.similarity import fisher_mean

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


def full(settings, name, number, measure):
    """All losses against all losses: Table 2 for measure "correlation"; "jsd" for the divergence."""
    dataset = settings.tables[number]
    losses = utils.grouped(settings.losses)
    known = similarities(settings, dataset, measure)
    pairs = [[known.get((a.name, b.name)) for b in losses] for a in losses]
    labels = [SHORT_NAMES.get(loss.name, loss.name) for loss in losses]
    types = [loss.type for loss in losses]
    records = _records(pairs, [loss.name for loss in losses], "loss")
    title = f"{TITLES[measure]} between all loss functions on {dataset}."
    return _table(settings, name, title, measure, types, labels, pairs, records)


def condensed(settings, name, number, measure):
    """Loss types against loss types, as in Tables 3 and 4: the mean of the full table's entries for each combination.

    A loss's entry with itself does not count. A combination that lacks an entry is missing.
    """
    dataset = settings.tables[number]
    known = similarities(settings, dataset, measure)
    types = [kind for kind in utils.LOSS_TYPES if any(loss.type == kind for loss in settings.losses)]
    pairs = [[_combined(settings.losses, known, a, b) for b in types] for a in types]
    title = f"{TITLES[measure]} between the types of loss functions on {dataset}."
    return _table(settings, name, title, measure, [], types, pairs, _records(pairs, types, "group"))


def _combined(losses, known, type_a, type_b):
    first, second = ([loss.name for loss in losses if loss.type == kind] for kind in (type_a, type_b))
    names = [(a, b) for a in first for b in second if a != b or len(first) == 1 == len(second)]
    entries = [known.get(pair) for pair in names]
    if not entries or None in entries:
        return None
    means, stds, numbers = zip(*entries)
    return Similarity(float(np.mean(means)), float(np.mean(stds)), min(numbers))


def similarities(settings, dataset, measure):
    """(loss, loss) -> Similarity from pairs_<dataset>.csv, averaged over the folds that the protocol's tables use.

    Correlations are averaged by Fisher's z, all else plainly. A pair that lacks a fold is left out.
    """
    file = utils.pairs_file(settings, dataset)
    if not file.is_file():
        return {}
    table = pd.read_csv(file, keep_default_na=False, na_values={f"{measure}_std": ""})
    table = table[table.fold.isin(settings.map_folds)]
    found = {}
    for (a, b), rows in table.groupby(["loss_a", "loss_b"], sort=False):
        if len(rows) == len(settings.map_folds):
            means = rows[f"{measure}_mean"]
            mean = fisher_mean(means) if measure == "correlation" else means.mean()
            found[a, b] = found[b, a] = Similarity(
                float(mean), float(rows[f"{measure}_std"].mean()), int(rows.n_images.min())
            )
    return found


def _table(settings, name, title, measure, groups, labels, pairs, records):
    numbers = sorted({entry.n_images for row in pairs for entry in row if entry})
    images = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0]) if numbers else "no"
    folds = ", ".join(map(str, settings.map_folds))
    unit = (
        "Values in percent, as mean±std over the images." if measure == "correlation" else "Mean±std over the images."
    )
    base = "" if measure == "correlation" else f"Logarithm to base {'2' if settings.rules.jsd_base == 2 else 'e'}. "
    caption = f"{title} {unit} {base}Protocol {settings.protocol}; {images} images; mean over fold {folds}."
    same = [[row == column for column in range(len(labels))] for row in range(len(labels))]
    cells = [[_cell(entry, measure, settings, s) for entry, s in zip(*rows)] for rows in zip(pairs, same)]
    return Table(name, caption, groups, labels, groups, labels, cells, records)


def _cell(entry, measure, settings, on_diagonal):
    """mean±std as text; a loss's perfect match with itself is left unshaded, so that it does not flatten the scale."""
    if entry is None:
        return MISSING_CELL
    if measure == "jsd":
        text = f"{entry.mean:.3f}±{entry.std:.3f}"
    else:
        percent = int if settings.rules.truncate_percent else round
        text = f"{percent(100 * entry.mean)}±{percent(100 * entry.std)}"
    perfect = on_diagonal and entry.std == 0
    return Cell(text, None if perfect else entry.mean)


def _records(pairs, names, kind):
    rows = [(a, b, *(entry or (None, None, None))) for a, row in zip(names, pairs) for b, entry in zip(names, row)]
    return pd.DataFrame(rows, columns=[f"{kind}_a", f"{kind}_b", "mean", "std", "n_images"])
