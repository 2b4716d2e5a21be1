"""Tables 2 to 4 and the appendix's: how similar the saliency maps of two models are, in full and by groups of models."""

from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.files import csv_files
from dml_analysis.methods import about_own, counted, grouped, groups
from dml_analysis.metrics.map_similarity import fisher_mean
from dml_analysis.networks.specifications import ALL_FOLDS, networks_of
from dml_analysis.paper import Protocol
from dml_analysis.saliency.map_comparisons import COLUMNS, KEY, pairs_file
from dml_analysis.tables import MISSING_CELL, Cell, Entry, Table

SHORT_NAMES = {
    "SNR Contrastive": "SNR Con.",
    "Multi Similarity": "MS",
    "Multi Similarity + Miner": "MS+Miner",
    "Normalized Softmax": "N. Softmax",
}
NO_MAPS = "no maps"  # in the cell of a model that is given by embeddings
UNDEFINED = (
    "undefined"  # where maps are constant, or two are the same, whose correlations have no spread
)
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
    pairs = [[_combined(known, [a], [b]) for b in models] for a in models]
    labels = [SHORT_NAMES.get(model.name, model.name) for model in models]
    records = records_of(pairs, [model.name for model in models], "loss")
    title = f"{TITLES[measure]} between all loss functions on {subject.dataset}."
    return _table(subject, title, [model.group for model in models], labels, pairs, records)


def condensed(settings, protocol, name, number, measure):
    """Groups against groups, as in Tables 3 and 4: the mean of the full table's entries for each combination.

    A model's entry with itself does not count. A combination that lacks an entry is missing.
    """
    subject = Subject(name, settings, protocol, settings.tables[number], measure)
    known, names = similarities(subject), groups(settings.models)
    pairs = [
        [_combined(known, *(counted(settings.models, each) for each in (a, b))) for b in names]
        for a in names
    ]
    title = f"{TITLES[measure]} between the types of loss functions on {subject.dataset}."
    return _table(subject, title, [], names, pairs, records_of(pairs, names, "group"))


def _combined(known, first, second):
    """The mean Similarity between two lists of models; None if a pair lacks one, NO_MAPS if none of them can have one."""
    first, second = (
        [model.name for model in models if not model.embeddings] for models in (first, second)
    )
    names = [(a, b) for a in first for b in second if a != b or len(first) == 1 == len(second)]
    entries = [known.get(pair) for pair in names]
    if not entries or None in entries:
        return None if first and second else NO_MAPS
    means, stds, numbers = zip(*entries)
    return Similarity(float(np.mean(means)), float(np.mean(stds)), min(numbers))


def similarities(subject):
    """(name, name) -> Similarity from pairs_<dataset>.csv, averaged over the folds that the protocol's tables use.

    Correlations are averaged by Fisher's z, all else plainly. A pair that lacks a fold is left out; one of two models with
    one network each for all folds has a single value. NaN where a fold has no number, as maps of all images are constant.
    """
    measure, folds = subject.measure, subject.settings.table_folds(subject.protocol)
    table, found = _rows_of(subject), {}
    for (a, b), rows in table.groupby(["loss_a", "loss_b"], sort=False):
        if len(rows) == len(folds) or ALL_FOLDS in set(rows.fold):
            means = rows[f"{measure}_mean"]
            mean = fisher_mean(means) if measure == "correlation" else means.mean()
            mean, std = (
                (np.nan, np.nan) if means.isna().any() else (mean, rows[f"{measure}_std"].mean())
            )
            found[a, b] = found[b, a] = Similarity(
                float(mean), float(std), int(rows.n_images.min())
            )
    return found


def _rows_of(subject):
    """The rows of pairs_<dataset>.csv that a table is made of."""
    _, settings, protocol, dataset, _ = subject
    table = csv_files.read(pairs_file(settings, protocol, dataset), COLUMNS, KEY)
    return table[table.fold.isin([*settings.table_folds(protocol), ALL_FOLDS])]


def defined(known):
    """The Similarities, of those that `similarities` gives, that are numbers; a network with constant maps alone has none."""
    return {pair: found for pair, found in known.items() if np.isfinite(found.mean)}


def _table(subject, title, row_groups, labels, pairs, records):
    name, settings, protocol, _, measure = subject
    numbers = sorted({entry.n_images for row in pairs for entry in row
                      if isinstance(entry, Similarity) and np.isfinite(entry.mean)})  # fmt: skip
    images = (
        f"{numbers[0]} to {numbers[-1]}"
        if len(numbers) > 1
        else str(numbers[0])
        if numbers
        else "no"
    )
    folds = ", ".join(map(str, settings.table_folds(protocol)))
    unit = (
        "Values in percent, as mean±std over the images."
        if measure == "correlation"
        else "Mean±std over the images."
    )
    base = (
        ""
        if measure == "correlation"
        else f"Logarithm to base {'2' if protocol.jsd_base == 2 else 'e'}. "
    )
    caption = (
        f"{title} {unit} {base}Protocol {protocol.name}; {images} images; mean over fold {folds}."
    )
    caption += about_own(settings.models, "have no gradients, hence no maps") + _about_grids(
        settings, subject.dataset
    )
    caption += _about_constant(subject)
    same = [[row == column for column in range(len(labels))] for row in range(len(labels))]
    cells = [[_cell(entry, subject, s) for entry, s in zip(*rows)] for rows in zip(pairs, same)]
    return Table(name, caption, row_groups, labels, row_groups, labels, cells, records)


def _about_grids(settings, dataset):
    """What a caption has to say of maps that are brought to one grid."""
    crops = {each.model.name: each.crop for each in networks_of(settings, dataset, settings.folds)
             if each.has_maps and each.is_known()}  # fmt: skip
    usual = Counter(crops.values()).most_common(1)
    others = ", ".join(name for name, crop in crops.items() if crop != usual[0][0])
    if not others:
        return ""
    return f" Of other size, and so compared on a coarser grid, whose averages are more alike: {others}."


def _about_constant(subject):
    """What a caption has to say of constant maps, network by network, its folds together."""
    rows, known = _rows_of(subject), [model.name for model in subject.settings.models]
    of_networks = rows[(rows.loss_a == rows.loss_b) & rows.loss_a.isin(known)]
    counts = of_networks.groupby("loss_a", sort=False)[["n_undefined", "n_images"]].sum()
    counts = counts[counts.n_undefined > 0]
    named = ", ".join(
        f"{row.Index} ({row.n_undefined} of {row.n_undefined + row.n_images})"
        for row in counts.itertuples()
    )
    return (
        f" Constant maps, which have no correlation or divergence and are left out: {named}."
        if named
        else ""
    )


def _cell(entry, subject, on_diagonal):
    """mean±std as text; a model's perfect match with itself is left unshaded, so that it does not flatten the scale."""
    if not isinstance(entry, Similarity):
        return Cell(entry) if entry else MISSING_CELL
    if not np.isfinite([entry.mean, entry.std]).all():
        return Cell(UNDEFINED)
    if subject.measure == "jsd":
        text = f"{entry.mean:.3f}±{entry.std:.3f}"
    else:
        percent = percent_of(subject.protocol)
        text = f"{percent(100 * entry.mean)}±{percent(100 * entry.std)}"
    perfect = on_diagonal and entry.std == 0
    return Cell(text, None if perfect else entry.mean)


def percent_of(protocol):
    """How a protocol makes whole percent of a number."""
    return int if protocol.truncate_percent else round


def records_of(pairs, names, kind):
    """A row for each cell of a table, row by row: what kind of things (names) it compares, and its Similarity (pairs)."""
    nothing = (None,) * len(Similarity._fields)
    rows = [(a, b, *(entry if isinstance(entry, Similarity) else nothing))
            for a, row in zip(names, pairs) for b, entry in zip(names, row)]  # fmt: skip
    return pd.DataFrame(rows, columns=[f"{kind}_a", f"{kind}_b", "mean", "std", "n_images"])


# ---------------------------------------------------------------------------------------------------------------------
# All of them.
# ---------------------------------------------------------------------------------------------------------------------
FORMS = {2: full, 3: condensed, 4: condensed}  # of the paper's tables


def entries(settings):
    """Tables 2 to 4, as far as the settings name a dataset for them, and the appendix's of each of their datasets."""
    tables = [
        _entry(f"table{number}", FORMS[number], number, "correlation")
        for number in sorted(settings.tables)
    ]
    first = {dataset: number for number, dataset in sorted(settings.tables.items(), reverse=True)}
    return tables + [
        entry for number in sorted(first.values()) for entry in _appendix(settings, number)
    ]


def _appendix(settings, number):
    """The form of a table that its dataset has not got by another table, and the divergence in both."""
    other = condensed if FORMS[number] is full else full
    known = [
        FORMS[each]
        for each, dataset in settings.tables.items()
        if dataset == settings.tables[number]
    ]
    found = (
        []
        if other in known
        else [_entry(f"table{number}_{other.__name__}", other, number, "correlation")]
    )
    return [
        *found,
        _entry(f"table{number}_jsd", full, number, "jsd"),
        _entry(f"table{number}_jsd_condensed", condensed, number, "jsd"),
    ]


def _entry(name, form, number, measure):
    return Entry(name, partial(form, number=number, measure=measure))
