"""Tables 2 to 4 with noise ceilings and random-weights baselines, and noise-corrected."""

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dml_analysis.controls import noise_ceilings
from dml_analysis.files import csv_files
from dml_analysis.methods import counted, grouped, groups
from dml_analysis.metrics.map_similarity import fisher_mean
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import Model, Protocol
from dml_analysis.saliency.saliency_tables import (
    FORMS,
    NO_MAPS,
    SHORT_NAMES,
    UNDEFINED,
    Similarity,
    full,
    percent_of,
    records_of,
)
from dml_analysis.tables import MISSING_CELL, Cell, Entry, Table

if TYPE_CHECKING:
    from dml_analysis.config import Settings

Number = Literal[2, 3, 4]  # of a table
Known = dict[tuple[str, frozenset], Similarity]  # by kind and the names of the losses

BETWEEN, TWO_RANDOM = "other loss, same fold", "two random"
NOISE, FOLD, RANDOM = "other noise", "same loss, other fold", "random weights"  # kinds of pairs
WORDS = {
    NOISE: "a network with itself, maps under other samples of noise (the noise ceiling)",
    FOLD: "networks of one loss in two folds",
    RANDOM: "with a network of random weights (the baseline)",
}


class Subject(NamedTuple):
    """What heads a row and a column."""

    label: str
    group: str
    models: list[Model]  # that count; none for a bound
    kind: str = ""  # of noise_ceilings.KINDS, for a bound


def bounded(
    settings: "Settings", protocol: Protocol, name: str, number: Number, corrected: bool
) -> Table:
    """Return Table `number` of the images that have bounds: correlations, or corrected ones.

    Corrected correlations are divided by the root of both noise ceilings. A model of Table 2 is not
    compared with itself. Folds are averaged as in Tables 2 to 4. Corrected correlations, which may
    be above 1, and several pairs are averaged plainly.
    """
    kinds, is_full = bounds_shown(settings.table_folds(protocol), corrected), FORMS[number] is full
    subjects = _subjects(settings.models, is_full)
    subjects += [Subject(kind.capitalize(), "Bounds", [], kind) for kind in kinds]
    known = _known(settings, protocol, settings.tables[number], corrected)
    pairs = [[_between(known, a, b) for b in subjects] for a in subjects]
    labels = [subject.label for subject in subjects]
    names = [s.models[0].name if is_full and s.models else s.label for s in subjects]
    row_groups = [subject.group for subject in subjects] if is_full else []
    cells = [[_cell(entry, protocol, corrected) for entry in row] for row in pairs]
    caption = _caption(settings, protocol, number, kinds, pairs, corrected)
    records = records_of(pairs, names, "loss" if is_full else "group")
    return Table(name, caption, row_groups, labels, row_groups, labels, cells, records)


def bounds_shown(folds: Sequence[int], corrected: bool) -> list[str]:
    """Return the kinds of bounds: random weights have no ceiling, and the ceilings' own is 1."""
    others = [FOLD] if len(folds) > 1 else []
    return others if corrected else [NOISE, *others, RANDOM]


def _subjects(models: list[Model], is_full: bool) -> list[Subject]:
    """Return the rows of the table before its bounds: models or groups."""
    if is_full:
        return [
            Subject(SHORT_NAMES.get(model.name, model.name), model.group, [model])
            for model in grouped(models)
        ]
    return [Subject(group, group, counted(models, group)) for group in groups(models)]


def _known(settings: "Settings", protocol: Protocol, dataset: str, corrected: bool) -> Known:
    """Return the similarities, averaged over the folds that the protocol's tables use."""
    folds = [*settings.table_folds(protocol), ALL_FOLDS]
    file = noise_ceilings.csv_file(settings, protocol, dataset)
    table = csv_files.read(file, noise_ceilings.COLUMNS)
    table = table[table.fold_a.isin(folds) & table.fold_b.isin(folds)]
    known = {}
    for (kind, *names), rows in table.groupby(["kind", "loss_a", "loss_b"], sort=False):
        mean = rows.corrected.mean() if corrected else fisher_mean(rows.correlation_mean)
        std = np.nan if corrected else rows.correlation_std.mean()
        similarity = Similarity(float(mean), float(std), int(rows.n_images.min()))
        known[kind, frozenset(names)] = similarity
    return known


def _between(known: Known, a: Subject, b: Subject) -> Similarity | str | None:
    """Return the mean similarity of two subjects.

    It is None if a pair is missing, and the text of the cell if there can be none.
    """
    if a.kind and b.kind:
        two_random = known.get((TWO_RANDOM, frozenset([noise_ceilings.RANDOM])))
        return two_random if a.kind == b.kind == RANDOM else ""
    kind = a.kind or b.kind or BETWEEN
    names_a, names_b = (
        [model.name for model in subject.models if not model.embeddings] for subject in (a, b)
    )
    if kind == BETWEEN:
        pairs = [(x, y) for x, y in product(names_a, names_b) if x != y]
    else:
        names = names_a or names_b
        pairs = [(name, noise_ceilings.RANDOM if kind == RANDOM else name) for name in names]
    if not pairs:
        return "" if a is b else NO_MAPS
    entries = [known.get((kind, frozenset(pair))) for pair in pairs]
    similarities = [entry for entry in entries if entry is not None]
    if len(similarities) < len(entries):
        return None
    means, stds, numbers = zip(*similarities)
    return Similarity(float(np.mean(means)), float(np.mean(stds)), min(numbers))


def _cell(entry: Similarity | str | None, protocol: Protocol, corrected: bool) -> Cell:
    if entry is None:
        return MISSING_CELL
    if isinstance(entry, str):
        return Cell(entry)
    if not np.isfinite(entry.mean):
        return Cell(UNDEFINED)
    percent = percent_of(protocol)
    text = str(percent(100 * entry.mean))
    return Cell(text if corrected else f"{text}±{percent(100 * entry.std)}", entry.mean)


def _caption(
    settings: "Settings",
    protocol: Protocol,
    number: Number,
    kinds: list[str],
    pairs: list[list[Any]],
    corrected: bool,
) -> str:
    entries = [entry for row in pairs for entry in row if isinstance(entry, Similarity)]
    numbers = [entry.n_images for entry in entries if np.isfinite(entry.mean)]
    form = "between their bounds"
    unit = "values in percent, as mean±std over the images"
    if corrected:
        form = "noise-corrected: divided by the root of both networks' noise ceilings"
        unit = "values in percent"
    words = "; ".join(f"{kind}: {WORDS[kind]}" for kind in kinds)
    return (
        f"Table {number}'s correlations of maps {form}. {settings.tables[number]}; {unit}. "
        f"{words[:1].upper()}{words[1:]}{'. ' * bool(words)}Protocol {protocol.name}; "
        f"{min(numbers, default='no')} images; mean over fold "
        f"{', '.join(map(str, settings.table_folds(protocol)))}."
    )


def entries(settings: "Settings") -> list[Entry]:
    """Return two tables for each of Tables 2 to 4 that the settings have."""
    forms = (("bounds", False), ("corrected", True))
    return [
        Entry(f"table{number}_{word}", partial(bounded, number=number, corrected=corrected))
        for number in sorted(settings.tables)
        for word, corrected in forms
    ]
