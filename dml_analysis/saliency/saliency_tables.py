"""Tables 2 to 4 and the appendix's: how similar two models' saliency maps are, and by groups."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.files import csv_files
from dml_analysis.methods import about_own, counted, grouped, groups
from dml_analysis.metrics.map_similarity import fisher_mean
from dml_analysis.networks.specifications import ALL_FOLDS, networks_of
from dml_analysis.paper import Model, Protocol
from dml_analysis.saliency.map_comparisons import COLUMNS, KEY, pairs_file
from dml_analysis.tables import MISSING_CELL, Cell, Entry, Table

SHORT_NAMES = {
    "SNR Contrastive": "SNR Con.",
    "Multi Similarity": "MS",
    "Multi Similarity + Miner": "MS+Miner",
    "Normalized Softmax": "N. Softmax",
}
NO_MAPS = "no maps"  # in the cell of a model that is given by embeddings
UNDEFINED = "undefined"  # where maps are constant, or two are equal, so that r has no spread
Number = Literal[2, 3, 4]  # of the paper's tables
TITLES = {"correlation": "Correlations", "jsd": "Jensen-Shannon divergences"}


class Similarity(NamedTuple):
    """How similar the maps of two models are."""

    mean: float
    std: float
    n_images: int  # per fold; the smallest number if folds differ


Known = dict[tuple[str, str], Similarity]  # (model, model) -> their similarity
Entries = list[list[Similarity | str | None]]  # of a table: a text where there is no number


class Subject(NamedTuple):
    """The subject of a table."""

    name: str
    settings: Settings
    protocol: Protocol
    dataset: str
    measure: str  # "correlation" or "jsd"


def full(settings: Settings, protocol: Protocol, name: str, number: Number, measure: str) -> Table:
    """Return all models against all models: Table 2; measure: "correlation" or "jsd"."""
    subject = Subject(name, settings, protocol, settings.tables[number], measure)
    models, known = grouped(settings.models), similarities(subject)
    entries = [[_combined(known, [a], [b]) for b in models] for a in models]
    labels = [SHORT_NAMES.get(model.name, model.name) for model in models]
    records = records_of(entries, [model.name for model in models], "loss")
    title = f"{TITLES[measure]} between all loss functions on {subject.dataset}."
    return _table(subject, title, [model.group for model in models], labels, entries, records)


def condensed(
    settings: Settings, protocol: Protocol, name: str, number: Number, measure: str
) -> Table:
    """Return groups against groups, as in Tables 3 and 4: means of the full table's entries.

    A model's entry with itself does not count. A combination with a missing entry is missing.
    """
    subject = Subject(name, settings, protocol, settings.tables[number], measure)
    known, names = similarities(subject), groups(settings.models)
    models = {group: counted(settings.models, group) for group in names}
    entries = [[_combined(known, models[a], models[b]) for b in names] for a in names]
    title = f"{TITLES[measure]} between the types of loss functions on {subject.dataset}."
    return _table(subject, title, [], names, entries, records_of(entries, names, "group"))


def _combined(
    known: Known, first: Sequence[Model], second: Sequence[Model]
) -> Similarity | str | None:
    """Return the mean similarity between two lists of models.

    None if that of a pair is missing, NO_MAPS if no pair can have one.
    """
    a_names, b_names = (
        [model.name for model in models if not model.embeddings] for models in (first, second)
    )
    if not a_names or not b_names:
        return NO_MAPS
    with_itself = len(a_names) == len(b_names) == 1
    pairs = [(a, b) for a in a_names for b in b_names if a != b or with_itself]
    entries = [known[pair] for pair in pairs if pair in known]
    if not entries or len(entries) < len(pairs):
        return None
    means, stds, numbers = zip(*entries)
    return Similarity(float(np.mean(means)), float(np.mean(stds)), min(numbers))


def similarities(subject: Subject) -> Known:
    """Return each pair's similarity, averaged over the folds that the protocol's tables use.

    Correlations are averaged by Fisher's z, all else plainly. A pair without all folds is left
    out; one of two models with one network each for all folds has a single value. NaN where a
    fold has no number, as the maps of all images are constant.
    """
    measure, folds = subject.measure, subject.settings.table_folds(subject.protocol)
    known: Known = {}
    for (a, b), rows in _rows_of(subject).groupby(["loss_a", "loss_b"], sort=False):
        if len(rows) == len(folds) or ALL_FOLDS in set(rows.fold):
            means, stds = rows[f"{measure}_mean"], rows[f"{measure}_std"]
            mean = fisher_mean(means) if measure == "correlation" else means.mean()
            mean, std = (mean, stds.mean()) if means.notna().all() else (np.nan, np.nan)
            similarity = Similarity(float(mean), float(std), int(rows.n_images.min()))
            known[a, b] = known[b, a] = similarity
    return known


def _rows_of(subject: Subject) -> pd.DataFrame:
    """Return the rows of pairs_<dataset>.csv that a table is made of."""
    _, settings, protocol, dataset, _ = subject
    table = csv_files.read(pairs_file(settings, protocol, dataset), COLUMNS, KEY)
    return table[table.fold.isin([*settings.table_folds(protocol), ALL_FOLDS])]


def defined(known: Known) -> Known:
    """Return the similarities that are numbers; a network with constant maps alone has none."""
    return {pair: entry for pair, entry in known.items() if np.isfinite(entry.mean)}


def _table(
    subject: Subject,
    title: str,
    row_groups: list[str],
    labels: list[str],
    entries: Entries,
    records: pd.DataFrame,
) -> Table:
    """Return a table of the same models or groups in rows and columns."""
    cells = [
        [_cell(entry, subject, row == column) for column, entry in enumerate(of_row)]
        for row, of_row in enumerate(entries)
    ]
    caption = _caption(subject, title, entries)
    return Table(subject.name, caption, row_groups, labels, row_groups, labels, cells, records)


def _caption(subject: Subject, title: str, entries: Entries) -> str:
    """Return a table's caption."""
    _, settings, protocol, dataset, measure = subject
    numbers = sorted(
        {
            entry.n_images
            for row in entries
            for entry in row
            if isinstance(entry, Similarity) and np.isfinite(entry.mean)
        }
    )
    images = " to ".join(map(str, dict.fromkeys([*numbers[:1], *numbers[-1:]]))) or "no"
    folds = ", ".join(map(str, settings.table_folds(protocol)))
    unit = "Values in percent, as mean±std over the images."
    if measure == "jsd":
        base = "2" if protocol.jsd_base == 2 else "e"
        unit = f"Mean±std over the images. Logarithm to base {base}."
    return (
        f"{title} {unit} Protocol {protocol.name}; {images} images; mean over fold {folds}."
        f"{about_own(settings.models, 'have no gradients, hence no maps')}"
        f"{_about_grids(settings, dataset)}{_about_constant(subject)}"
    )


def _about_grids(settings: Settings, dataset: str) -> str:
    """Return what a caption says of maps that are brought to one grid."""
    networks = networks_of(settings, dataset, settings.folds)
    crops = {
        network.model.name: network.crop
        for network in networks
        if network.has_maps and network.is_known()
    }
    usual = Counter(crops.values()).most_common(1)
    others = ", ".join(name for name, crop in crops.items() if crop != usual[0][0])
    if not others:
        return ""
    return (
        " Of other size, and so compared on a coarser grid, whose averages are more alike: "
        f"{others}."
    )


def _about_constant(subject: Subject) -> str:
    """Return what a caption says of constant maps, network by network, its folds together."""
    rows, names = _rows_of(subject), [model.name for model in subject.settings.models]
    of_networks = rows[(rows.loss_a == rows.loss_b) & rows.loss_a.isin(names)]
    counts = of_networks.groupby("loss_a", sort=False)[["n_undefined", "n_images"]].sum()
    named = ", ".join(
        f"{row.Index} ({row.n_undefined} of {row.n_undefined + row.n_images})"
        for row in counts[counts.n_undefined > 0].itertuples()
    )
    if not named:
        return ""
    return f" Constant maps, which have no correlation or divergence and are left out: {named}."


def _cell(entry: Similarity | str | None, subject: Subject, on_diagonal: bool) -> Cell:
    """Return mean±std; a perfect match with itself has no shade, so that others differ in theirs."""
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


def percent_of(protocol: Protocol) -> Callable[[float], int]:
    """Return the function by which a protocol makes whole percent of a number."""
    return int if protocol.truncate_percent else round


def records_of(entries: Entries, names: Sequence[str], kind: str) -> pd.DataFrame:
    """Return a row for each cell; kind: "loss" or "group", which the names are of."""
    missing = (None,) * len(Similarity._fields)
    rows = [
        (a, b, *(entry if isinstance(entry, Similarity) else missing))
        for a, of_row in zip(names, entries)
        for b, entry in zip(names, of_row)
    ]
    return pd.DataFrame(rows, columns=[f"{kind}_a", f"{kind}_b", *Similarity._fields])


# -------------------------------------------------------------------------------------------------
# All tables.
# -------------------------------------------------------------------------------------------------
FORMS = {2: full, 3: condensed, 4: condensed}  # of the paper's tables


def entries(settings: Settings) -> list[Entry]:
    """Return Tables 2 to 4, for which the settings name datasets, and the appendix's of these."""
    numbers = sorted(settings.tables)
    tables = [_entry(f"table{number}", FORMS[number], number, "correlation") for number in numbers]
    first = {settings.tables[number]: number for number in reversed(numbers)}  # of each dataset
    for number in sorted(first.values()):
        tables += _appendix(settings.tables, number)
    return tables


def _appendix(datasets: dict[Number, str], number: Number) -> Iterable[Entry]:
    """Yield the form of a table that its dataset has not got otherwise, and both with the JSD."""
    other = condensed if FORMS[number] is full else full
    forms = [FORMS[each] for each, dataset in datasets.items() if dataset == datasets[number]]
    if other not in forms:
        yield _entry(f"table{number}_{other.__name__}", other, number, "correlation")
    yield _entry(f"table{number}_jsd", full, number, "jsd")
    yield _entry(f"table{number}_jsd_condensed", condensed, number, "jsd")


def _entry(name: str, form: Callable[..., Table], number: Number, measure: str) -> Entry:
    """Return the entry of a table in a form, of a measure."""
    return Entry(name, partial(form, number=number, measure=measure))
