"""Findings about saliency maps: their similarity by groups, to untrained models, and over folds."""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dml_analysis.number_texts import number, signed
from dml_analysis.paper import Model
from dml_analysis.report.printed import several, text
from dml_analysis.saliency.saliency_tables import Similarity

LEVEL = 0.05  # of permutation tests
ROUNDING = 1e-9  # by which a number may differ from the same one in another CSV file
Similarities = dict[tuple[str, str], Similarity]


class Finding(NamedTuple):
    """A sentence and its evidence."""

    number: str  # the one that the sentence is about
    text: str
    n: str  # the sample sizes
    floor: str = ""  # what the number, or those behind it, would be by chance
    ceiling: str = ""  # and without noise; both empty where they have not been measured


def limits_of(table: pd.DataFrame, models: list[Model]) -> tuple[str, str]:
    """Return floor and ceiling of the correlation of maps as text, empty where not measured.

    table: of noise_ceilings.COLUMNS.
    """
    trained = [model.name for model in models if model.trained]
    first, second = table.loss_a.isin(trained), table.loss_b.isin(trained)
    random = table[(table.kind == "random weights") & (first | second)]
    noise = table[(table.kind == "other noise") & first]
    return (
        _limit(random, "a trained network's maps and those of random weights", "pair"),
        _limit(noise, "a trained network's maps and its own under other noise", "network"),
    )


def _limit(rows: pd.DataFrame, what: str, unit: str) -> str:
    return "" if rows.empty else text("limit", rows=rows, what=what, unit=unit)


def within_and_between(
    similarities: Similarities,
    models: list[Model],
    where: str,
    groupings: pd.DataFrame | None = None,
    limits: tuple[str, str] = ("", ""),
) -> Finding | None:
    """Return how alike maps are within a group of trained models and between groups.

    groupings: a table of compared_groupings.GROUPS, whose test is quoted if it is of this number.
    limits: as from limits_of.
    """
    group_of = {model.name: model.group for model in models if model.trained}
    pairs = [pair for pair in combinations(group_of, 2) if pair in similarities]
    within = [(a, b) for a, b in pairs if group_of[a] == group_of[b]]
    between = [(a, b) for a, b in pairs if group_of[a] != group_of[b]]
    if not within or not between:
        return None
    by_group = {
        group: _mean(similarities, [pair for pair in within if group_of[pair[0]] == group])
        for group in dict.fromkeys(group_of[a] for a, _ in within)
    }
    a, b = _mean(similarities, within), _mean(similarities, between)
    test = _test(groupings, a - b)
    sentence = text("within_and_between", within=a, between=b, by_group=by_group, test=test)
    n = f"{len(within)} pairs within, {len(between)} between groups"
    n += f"; {_n_images(similarities, pairs)} images {where}"
    return Finding(signed(a - b, 3), sentence, n, *limits)


def _test(groupings: pd.DataFrame | None, difference: float) -> Any:
    """Return the row of the permutation test, or None if it is not of this difference."""
    rows = [] if groupings is None else groupings[groupings.analysis == "maps"].itertuples()
    row: Any = next(iter(rows), None)
    is_of_this = row and abs(row.within_minus_between - difference) < ROUNDING
    return row if is_of_this else None


def untrained(
    similarities: Similarities, models: list[Model], where: str, limits: tuple[str, str] = ("", "")
) -> Finding | None:
    """Return how alike maps of trained models are to those of untrained ones."""
    names = [model.name for model in models if model.trained]
    others = [model.name for model in models if not model.trained]
    inside = [pair for pair in combinations(names, 2) if pair in similarities]
    outside = [(a, b) for a in names for b in others if (a, b) in similarities]
    if not inside or not outside:
        return None
    a, b = _mean(similarities, outside), _mean(similarities, inside)
    sentence = text("untrained", outside=a, inside=b, names=others)
    n = f"{len(outside)} and {len(inside)} pairs; "
    n += f"{_n_images(similarities, [*inside, *outside])} images {where}"
    return Finding(signed(a - b, 3), sentence, n, *limits)


def losses_and_folds(answer: pd.DataFrame, dataset: str) -> Finding | None:
    """Return whether the maps of two losses are less alike than those of two folds of one loss.

    answer: a table of noise_ceilings.ANSWER with at most one row.
    """
    rows = [*answer[answer.p_value.notna()].itertuples()]
    if not rows:
        return None
    row = rows[0]
    sentence = text("losses_and_folds", row=row, level=LEVEL)
    limits = [
        f"{number(value, 3)}, {what}" if np.isfinite(value) else ""
        for value, what in (
            (row.floor, "mean correlation with maps of random weights"),
            (row.ceiling, "mean correlation of a network's maps with its own under other noise"),
        )
    ]
    n = f"{row.n_losses} losses, {row.n_folds} folds; {several(row.n_images, 'image')} of {dataset}"
    difference = round(row.same_loss, 3) - round(row.other_loss, 3)
    return Finding(signed(difference, 3), sentence, n, *limits)


def _mean(similarities: Similarities, pairs: list[tuple[str, str]]) -> float:
    """Return the plain mean over pairs, as in Tables 3 and 4."""
    return float(np.mean([similarities[pair].mean for pair in pairs]))


def _n_images(similarities: Similarities, pairs: list[tuple[str, str]]) -> int:
    return min(similarities[pair].n_images for pair in pairs)
