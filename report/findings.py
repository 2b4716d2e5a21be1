"""Section "What was found": sentences made from the numbers of a run, which say no more than these.

Each function takes numbers and gives a Finding, or None where there are none. Words such as "more" and "less" follow the
numbers as they are printed: where two are the same to the printed digits, the sentence says so.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from common import csv_files
from embedding_space import correlated
from embedding_space.measures import LABELS as MEASURES
from properties import scores
from properties.tables import LEVEL
from report.section import rendered, run_first
from saliency.tables import Subject, similarities
from utils import PROPERTIES

FIRST = 3  # properties that the sentence about their order names
SHAPES = {"pi_ratio": "density", "rho_2": "spectral decay"}
PROPERTY = {prop.name: prop.label.lower() for prop in PROPERTIES}


class Finding(NamedTuple):
    """A sentence, with what it rests on."""

    number: str  # the one that it is about
    text: str
    n: str  # of how many what, and whether a test was made
    floor: str = ""  # what the number would be at the least and at the most, where that has been measured
    ceiling: str = ""


def section(settings):
    found = {protocol.name: of_run(settings, protocol) for protocol in settings.protocols}
    if not any(found.values()):
        raise run_first("Results to speak of", "the numbered scripts (README.md)")
    return rendered("findings", found=found, settings=settings)


def of_run(settings, protocol):
    """The Findings that the CSV files of a run give by a protocol."""
    dataset, folds = settings.shown_dataset, settings.table_folds(protocol)
    known = similarities(Subject("", settings, protocol, dataset, "correlation"))
    where = f"of {dataset}; {_folds(folds)}"
    scored = csv_files.read(scores.scores_file(settings, protocol), scores.COLUMNS, scores.KEY)
    tests = csv_files.read(scores.tests_file(settings, protocol), scores.TEST_COLUMNS, scores.TEST_KEY)
    tests = tests[(tests.unit == protocol.test_unit) & (tests.alternative == protocol.test_alternative)]
    found = [within_and_between(known, settings.models, where), untrained(known, settings.models, where),
             order(scored, settings.models), differences(tests)]  # fmt: skip
    found = [each._replace(n=f"{each.n}; protocol {protocol.name}") for each in found if each]
    shape = shapes(correlated.read(settings, dataset), dataset)
    return [*found, shape] if shape else found


# ---------------------------------------------------------------------------------------------------------------------
# Saliency maps.
# ---------------------------------------------------------------------------------------------------------------------
def within_and_between(known, models, where):
    """How alike maps are within a group of trained models and between groups.

    known: (name, name) -> saliency.tables.Similarity.
    """
    group_of = {model.name: model.group for model in models if model.trained}
    pairs = [pair for pair in combinations(group_of, 2) if pair in known]
    within = [pair for pair in pairs if group_of[pair[0]] == group_of[pair[1]]]
    between = [pair for pair in pairs if pair not in within]
    if not within or not between:
        return None
    by_group = {group: _mean(known, [pair for pair in within if group_of[pair[0]] == group])
                for group in dict.fromkeys(group_of[a] for a, _ in within)}  # fmt: skip
    a, b = _mean(known, within), _mean(known, between)
    each = ", ".join(f"{group} {value:.3f}" for group, value in by_group.items())
    how = _compared(
        a,
        b,
        3,
        "more alike within a group, by {}",
        "less alike within a group, by {}",
        "as alike within as between groups",
    )
    text = (f"Saliency maps of two models of one group correlate at {a:.3f} on average ({each}), of two groups at {b:.3f}: "
            f"they are {how}. This difference has not been tested.")  # fmt: skip
    n = f"{len(within)} pairs within, {len(between)} between groups; {_images(known, pairs)} images {where}"
    return Finding(_signed(a - b, 3), text, n)


def untrained(known, models, where):
    """How alike maps of trained models are to those of untrained ones."""
    names = [model.name for model in models if model.trained]
    others = [model.name for model in models if not model.trained]
    inside = [pair for pair in combinations(names, 2) if pair in known]
    outside = [(a, b) for a in names for b in others if (a, b) in known]
    if not inside or not outside:
        return None
    a, b = _mean(known, outside), _mean(known, inside)
    how = _compared(a, b, 3, "closer to the trained models than these to one another, by {}",
                    "further off, by {}", "no further off")  # fmt: skip
    who = " and ".join(f"“{name}”" for name in others)
    text = (f"Maps of a trained model and of {who}, which no loss has trained, correlate at {a:.3f}, of two trained models at {b:.3f}: "
            f"{who} is {how}. This difference has not been tested.")  # fmt: skip
    n = f"{len(outside)} and {len(inside)} pairs; {_images(known, [*inside, *outside])} images {where}"
    return Finding(_signed(a - b, 3), text, n)


def _mean(known, pairs):
    """The plain mean over pairs, as in Tables 3 and 4."""
    return float(np.mean([known[pair].mean for pair in pairs]))


def _images(known, pairs):
    return min(known[pair].n_images for pair in pairs)


# ---------------------------------------------------------------------------------------------------------------------
# Properties.
# ---------------------------------------------------------------------------------------------------------------------
def order(scored, models):
    """By which properties embeddings of trained models cluster most; scored: a table of properties.scores.COLUMNS."""
    trained = [model.name for model in models if model.trained]
    scored = scored[scored.loss.isin(trained)]
    values = scored.groupby(["loss", "property"], sort=False).nr_precision.mean().unstack()
    if values.empty or values.isna().any(axis=None) or len(values.columns) <= FIRST:
        return None
    means = values.mean().sort_values(ascending=False, kind="stable")
    first, last = list(means.index[:FIRST]), means.index[-1]
    same = sum(
        list(row.sort_values(ascending=False, kind="stable").index[:FIRST]) == first for _, row in values.iterrows()
    )
    named = ", then ".join(f"{PROPERTY[name]} ({means[name]:.2f})" for name in first)
    text = (f"Of {len(means)} properties, embeddings of the trained models cluster most by {named}, and least by {PROPERTY[last]} "
            f"({means[last]:.2f}): mean NR-Precision. {_of(same, len(values))} models have these {FIRST} first, in this order.")  # fmt: skip
    n = f"{len(values)} models; {_number(scored.n_images.min())} rendered cars; {_folds(dict.fromkeys(scored.fold))}"
    return Finding(f"{means[first[0]]:.2f}", text, n)


def differences(tests):
    """In which properties groups differ; tests: the rows of properties.scores.TEST_COLUMNS by one unit and alternative."""
    if tests.empty:
        return None
    several = len(tests[["group_a", "group_b"]].drop_duplicates()) > 1
    clear = tests[tests.p_value < LEVEL].sort_values("p_value", kind="stable")
    named = [_difference(row, several) for row in clear.itertuples()]
    least = tests.loc[tests.p_value.idxmin()]
    who = "Groups" if several else f"{least.group_a} and {least.group_b}"
    what = f"in {len(clear)} of {len(tests)} {'comparisons' if several else 'properties'}"
    found = f": {'; '.join(named)}" if named else f"; the least p is {least.p_value:.2g} ({PROPERTY[least.property]})"
    unit = {"loss_mean": "one value per loss", "loss_fold": "one value per loss and fold"}[least.unit]
    text = (f"{who} differ at {LEVEL:.0%} by the Mann-Whitney test ({unit}, {least.alternative}) {what}{found}. "
            f"The level is not corrected for {len(tests)} tests.")  # fmt: skip
    values = "; ".join(
        dict.fromkeys(f"{row.n_a} values of {row.group_a}, {row.n_b} of {row.group_b}" for row in tests.itertuples())
    )
    return Finding(f"{len(clear)} of {len(tests)}", text, values)


def _difference(row, several):
    larger = row.group_a if row.mean_a > row.mean_b else row.group_b
    pair = f" of {row.group_a} and {row.group_b}" if several else ""
    return f"{PROPERTY[row.property]}{pair} (p\u00a0=\u00a0{row.p_value:.2g}, {larger} has more)"


# ---------------------------------------------------------------------------------------------------------------------
# Embedding spaces.
# ---------------------------------------------------------------------------------------------------------------------
def shapes(table, dataset):
    """What density and spectral decay go with; table: of embedding_space.correlated.COLUMNS."""
    chosen = correlated.over_methods(table)
    chosen = chosen[(chosen.performance == "recall_at_1") & (chosen.of == "train") & chosen.measure.isin(SHAPES)]
    chosen = chosen[chosen.correlation.notna() & chosen.low.notna() & chosen.high.notna()]
    if chosen.empty:
        return None
    parts = [_shape(row) for row in chosen.itertuples()]
    text = f"Over trained models, Recall@1 on test classes {'; it '.join(parts)}. A correlation over models says nothing of causes."
    first = next(chosen.itertuples())
    n = f"{chosen.n_methods.min()} models, each the mean of its folds, trained on {dataset}; intervals by the bootstrap over models"
    return Finding(_printed(first.correlation), text, n)


def _shape(row):
    how = "rises with" if row.low > 0 else "falls with" if row.high < 0 else "cannot be said to rise or fall with"
    name = f"{SHAPES[row.measure]} ({MEASURES[row.measure]}, training images)"
    return f"{how} {name}: r\u00a0=\u00a0{_printed(row.correlation)}, 95% interval {_printed(row.low)} to {_printed(row.high)}"


# ---------------------------------------------------------------------------------------------------------------------
# Words.
# ---------------------------------------------------------------------------------------------------------------------
def _compared(a, b, digits, more, less, same):
    """One of three texts, by two numbers as they are printed; {} in it becomes how far they are apart."""
    apart = round(round(a, digits) - round(b, digits), digits)
    return same if apart == 0 else (more if apart > 0 else less).format(f"{abs(apart):.{digits}f}")


def _signed(number, digits):
    """A difference with its sign; the minus sign is the printed one."""
    return f"{round(number, digits) + 0.0:+.{digits}f}".replace("-", "−")


def _printed(number):
    return f"{round(number, 2) + 0.0:.2f}".replace("-", "−")


def _folds(folds):
    names = list(map(str, folds))
    return f"fold{'s' * (len(names) > 1)} {', '.join(names)}"


def _of(some, all_of_them):
    return f"All {some}" if some == all_of_them else f"{some or 'None'} of the {all_of_them}"


def _number(number):
    return f"{int(number):,}"
