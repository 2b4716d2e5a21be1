"""Tables 2 to 4 between their bounds: with rows and columns of floor and ceiling, and corrected for attenuation."""

from functools import partial
from typing import NamedTuple

import numpy as np

from dml_analysis.controls import noise_ceilings
from dml_analysis.files import csv_files
from dml_analysis.methods import counted, grouped, groups
from dml_analysis.metrics.map_similarity import fisher_mean
from dml_analysis.networks.specifications import ALL_FOLDS
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

BETWEEN, TWO_RANDOM = "other loss, same fold", "two random"
NOISE, FOLD, RANDOM = "other noise", "same loss, other fold", "random weights"  # of bounds.KINDS
WORDS = {
    NOISE: "a network with itself, maps under other draws of noise (the ceiling)",
    FOLD: "networks of one loss in two folds",
    RANDOM: "with a network of random weights (the floor)",
}


class Subject(NamedTuple):
    """What heads a row and a column."""

    label: str
    group: str
    models: list  # that count; of a bound none
    kind: str = ""  # of bounds.KINDS


def bounded(settings, protocol, name, number, corrected):
    """Table `number` anew, of the images that have bounds: correlations, or these divided by the root of both ceilings.

    A model of Table 2 is not compared with itself. Folds are averaged as in Tables 2 to 4, corrected correlations plainly, as they
    may be above 1; a mean of several pairs is plain.
    """
    kinds = bounds_shown(settings.table_folds(protocol), corrected)
    subjects = [
        *_subjects(settings, FORMS[number]),
        *(Subject(each.capitalize(), "Bounds", [], each) for each in kinds),
    ]
    known = _known(settings, protocol, settings.tables[number], corrected)
    pairs = [[_between(known, a, b) for b in subjects] for a in subjects]
    is_full, labels = FORMS[number] is full, [each.label for each in subjects]
    names = [each.models[0].name if is_full and each.models else each.label for each in subjects]
    row_groups = [each.group for each in subjects] if is_full else []
    cells = [[_cell(entry, protocol, corrected) for entry in row] for row in pairs]
    caption = _caption(settings, protocol, number, kinds, pairs, corrected)
    records = records_of(pairs, names, "loss" if is_full else "group")
    return Table(name, caption, row_groups, labels, row_groups, labels, cells, records)


def bounds_shown(folds, corrected):
    """The bounds that a run has; random weights have no ceiling by which to correct, and the ceilings' own is 1."""
    others = [FOLD] if len(folds) > 1 else []
    return others if corrected else [NOISE, *others, RANDOM]


def _subjects(settings, form):
    """The rows of the table before its bounds: models or groups."""
    if form is full:
        return [
            Subject(SHORT_NAMES.get(each.name, each.name), each.group, [each])
            for each in grouped(settings.models)
        ]
    return [Subject(each, each, counted(settings.models, each)) for each in groups(settings.models)]


def _known(settings, protocol, dataset, corrected):
    """(kind, names of the losses) -> Similarity, averaged over the folds that the protocol's tables use."""
    folds = [*settings.table_folds(protocol), ALL_FOLDS]
    table = csv_files.read(
        noise_ceilings.csv_file(settings, protocol, dataset), noise_ceilings.COLUMNS
    )
    table = table[table.fold_a.isin(folds) & table.fold_b.isin(folds)]
    found = {}
    for (kind, *names), rows in table.groupby(["kind", "loss_a", "loss_b"], sort=False):
        mean = rows.corrected.mean() if corrected else fisher_mean(rows.correlation_mean)
        std = np.nan if corrected else rows.correlation_std.mean()
        found[kind, frozenset(names)] = Similarity(
            float(mean), float(std), int(rows.n_images.min())
        )
    return found


def _between(known, a, b):
    """The mean Similarity of two subjects; None if a pair lacks one, "" where there can be none."""
    if a.kind and b.kind:
        return (
            known.get((TWO_RANDOM, frozenset([noise_ceilings.RANDOM])))
            if a.kind == b.kind == RANDOM
            else ""
        )
    kind = a.kind or b.kind or BETWEEN
    some, others = (
        [each.name for each in subject.models if not each.embeddings] for subject in (a, b)
    )
    if kind == BETWEEN:
        names = [(x, y) for x in some for y in others if x != y]
    else:
        names = [
            (name, noise_ceilings.RANDOM if kind == RANDOM else name) for name in some or others
        ]
    if not names:
        return "" if a is b else NO_MAPS
    entries = [known.get((kind, frozenset(pair))) for pair in names]
    if None in entries:
        return None
    means, stds, numbers = zip(*entries)
    return Similarity(float(np.mean(means)), float(np.mean(stds)), min(numbers))


def _cell(entry, protocol, corrected):
    if entry is None:
        return MISSING_CELL
    if not isinstance(entry, Similarity):
        return Cell(entry)
    if not np.isfinite(entry.mean):
        return Cell(UNDEFINED)
    percent = percent_of(protocol)
    text = str(percent(100 * entry.mean))
    return Cell(text if corrected else f"{text}±{percent(100 * entry.std)}", entry.mean)


def _caption(settings, protocol, number, kinds, pairs, corrected):
    entries = [entry for row in pairs for entry in row if isinstance(entry, Similarity)]
    numbers = {entry.n_images for entry in entries if np.isfinite(entry.mean)}
    what = (
        "corrected for attenuation: divided by the root of both networks' ceilings"
        if corrected
        else "between their bounds"
    )
    words = "; ".join(f"{kind}: {WORDS[kind]}" for kind in kinds)
    return (
        f"Table {number}'s correlations of maps {what}. {settings.tables[number]}; values in percent{'' if corrected else ', as mean±std over the images'}. "
        f"{words[:1].upper()}{words[1:]}{'. ' * bool(words)}Protocol {protocol.name}; {min(numbers, default='no')} images; mean over fold "
        f"{', '.join(map(str, settings.table_folds(protocol)))}."
    )


def entries(settings):
    """For each of Tables 2 to 4 that the settings have, the two tables that go with it."""
    return [Entry(f"table{number}_{word}", partial(bounded, number=number, corrected=corrected))
            for number in sorted(settings.tables) for word, corrected in (("bounds", False), ("corrected", True))]  # fmt: skip
