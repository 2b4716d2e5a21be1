"""Findings about saliency maps: how alike they are within groups and between, to untrained models, and over folds."""

from itertools import combinations

import numpy as np

from dml_analysis.report import captions
from dml_analysis.report.captions import Finding, compared, number, several, signed

FOUND = 0.05  # the level of permutation tests
ROUNDING = 1e-9  # by which a number may differ from the same one in another CSV file
NOT_TESTED = "This difference has not been tested."


def limits_of(table, models):
    """(floor, ceiling) of the correlation of maps, in words; table: of dml_analysis.controls.noise_ceilings.COLUMNS. Empty where not measured."""
    trained = [model.name for model in models if model.trained]
    of_trained = table.loss_a.isin(trained), table.loss_b.isin(trained)
    random = table[(table.kind == "random weights") & (of_trained[0] | of_trained[1])]
    noise = table[(table.kind == "other noise") & of_trained[0]]
    return (_limit(random, "a trained network's maps and those of random weights", "pair"),
            _limit(noise, "a trained network's maps and its own under other noise", "network"))  # fmt: skip


def _limit(some, what, unit):
    if some.empty:
        return ""
    n = f"{several(len(some), unit)}, {several(some.n_images.max(), 'image')}"
    return f"{number(some.correlation_mean.mean(), 3)}, mean correlation of {what} ({n})"


def within_and_between(known, models, where, grouped=None, limits=("", "")):
    """How alike maps are within a group of trained models and between groups.

    known: (name, name) -> dml_analysis.saliency.saliency_tables.Similarity; grouped: a table of dml_analysis.controls.compared_groupings.GROUPS, whose test counts
    if it is of this very number; limits: as limits_of gives them.
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
    each = ", ".join(f"{group} {number(value, 3)}" for group, value in by_group.items())
    how = compared(a, b, 3, "more alike within a group, by {}", "less alike within a group, by {}",
                   "as alike within as between groups")  # fmt: skip
    text = (f"Saliency maps of two models of one group correlate at {number(a, 3)} on average ({each}), of two groups at {number(b, 3)}: "
            f"they are {how}. {_tested(grouped, a - b)}")  # fmt: skip
    n = f"{len(within)} pairs within, {len(between)} between groups; {_images(known, pairs)} images {where}"
    return Finding(signed(a - b, 3), text, n, *limits)


def _tested(grouped, difference):
    """What the permutation test says of a difference of similarity within and between groups, if it is of this one."""
    row = None if grouped is None else next(grouped[grouped.analysis == "maps"].itertuples(), None)
    if row is None or not abs(row.within_minus_between - difference) < ROUNDING:
        return NOT_TESTED
    ways = (
        f"all {captions.count(row.assignments)}"
        if row.exact == "yes"
        else f"{captions.count(row.assignments)} random"
    )
    return f"One-sided p\u00a0=\u00a0{captions.p(row.p_value)}, by assigning models to groups of these sizes in {ways} ways."


def untrained(known, models, where, limits=("", "")):
    """How alike maps of trained models are to those of untrained ones."""
    names = [model.name for model in models if model.trained]
    others = [model.name for model in models if not model.trained]
    inside = [pair for pair in combinations(names, 2) if pair in known]
    outside = [(a, b) for a in names for b in others if (a, b) in known]
    if not inside or not outside:
        return None
    a, b = _mean(known, outside), _mean(known, inside)
    how = compared(a, b, 3, "closer to the trained models than these to one another, by {}",
                   "further off, by {}", "no further off")  # fmt: skip
    who = " and ".join(f"“{name}”" for name in others)
    text = (f"Maps of a trained model and of {who}, which no loss has trained, correlate at {number(a, 3)}, of two trained models at {number(b, 3)}: "
            f"{who} is {how}. {NOT_TESTED}")  # fmt: skip
    n = f"{len(outside)} and {len(inside)} pairs; {_images(known, [*inside, *outside])} images {where}"
    return Finding(signed(a - b, 3), text, n, *limits)


def losses_and_folds(answer, dataset):
    """Are the maps of two losses less alike than those of two folds of one loss? answer: of dml_analysis.controls.noise_ceilings.ANSWER, a row or none."""
    row = next(answer[answer.p_value.notna()].itertuples(), None)
    if row is None:
        return None
    how = compared(row.same_loss, row.other_loss, 3, "less alike than two folds of one loss, by {}",
                   "more alike than two folds of one loss, by {}", "as alike as two folds of one loss")  # fmt: skip
    finds = (
        "finds that one loss is more alike"
        if round(row.p_value, 3) < FOUND
        else "does not find that one loss is more alike"
    )
    text = (f"Maps of networks of two folds correlate at {number(row.same_loss, 3)} where they are of one loss, at {number(row.other_loss, 3)} where they are of two: two "
            f"losses are {how}. A test that matches the losses of both folds at random {finds} (one-sided p\u00a0=\u00a0{captions.p(row.p_value)}, level {FOUND:.0%}); 95% "
            f"interval of the difference in Fisher's z, over images, {number(row.low, 3)} to {number(row.high, 3)}.")  # fmt: skip
    n = f"{row.n_losses} losses, {row.n_folds} folds; {several(row.n_images, 'image')} of {dataset}"
    floor, ceiling = (f"{number(value, 3)}, {what}" if np.isfinite(value) else "" for value, what in
                      ((row.floor, "mean correlation with maps of random weights"),
                       (row.ceiling, "mean correlation of a network's maps with its own under other noise")))  # fmt: skip
    return Finding(
        signed(round(row.same_loss, 3) - round(row.other_loss, 3), 3), text, n, floor, ceiling
    )


def _mean(known, pairs):
    """The plain mean over pairs, as in Tables 3 and 4."""
    return float(np.mean([known[pair].mean for pair in pairs]))


def _images(known, pairs):
    return min(known[pair].n_images for pair in pairs)
