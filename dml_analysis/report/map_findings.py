"""Findings about saliency maps: their similarity by groups, to untrained models, and over folds."""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dml_analysis.controls import noise_ceilings
from dml_analysis.paper import Model
from dml_analysis.report.printed import several, text
from dml_analysis.saliency.saliency_tables import Similarity

LEVEL = 0.05  # of permutation tests
MARGIN = 0.01  # a significant difference of correlations below it is called small
# From which share of the way from baseline to ceiling on maps are called so, the largest first.
ALIKE = {
    0.9: "nearly as alike as the noise allows",
    2 / 3: "much alike",
    1 / 3: "partly alike",
    -np.inf: "hardly more alike than those of a trained and a random network",
}
ROUNDING = 1e-9  # by which a number may differ from the same one in another CSV file
Similarities = dict[tuple[str, str], Similarity]


class Finding(NamedTuple):
    """A conclusion and its evidence."""

    name: str  # its address in the page
    conclusion: str  # in words
    text: str  # its numbers
    n: str  # the sample sizes
    floor: str = ""  # what the numbers would be by chance
    ceiling: str = ""  # and without noise; both empty where they have not been measured


class Bounds(NamedTuple):
    """Mean correlations of maps, and the rows of noise_ceilings.COLUMNS that they are means of."""

    rows: dict[str, pd.DataFrame]  # by noise_ceilings.KINDS, of trained networks

    def mean(self, kind: str) -> float:
        """Return the plain mean over the pairs of a kind, NaN if there is none."""
        rows = self.rows.get(kind)
        return np.nan if rows is None else float(rows.correlation_mean.mean())

    @property
    def limits(self) -> tuple[float, float] | None:
        """Return baseline and ceiling, None unless both are measured and the ceiling is higher."""
        baseline, ceiling = self.mean("random weights"), self.mean("other noise")
        return (baseline, ceiling) if baseline < ceiling else None

    @property
    def share(self) -> float:
        """Return how far two losses are on the way from the baseline (0) to the ceiling (1)."""
        baseline, ceiling = self.limits or (np.nan, np.nan)
        return (self.mean("other loss, same fold") - baseline) / (ceiling - baseline)


def bounds_of(table: pd.DataFrame, models: list[Model]) -> Bounds:
    """Return the Bounds of a table of noise_ceilings.COLUMNS."""
    kinds = dict(noise_ceilings.kinds_of(table, models))
    return Bounds({kind: kinds[kind] for kind in noise_ceilings.KINDS if kind in kinds})


def between_bounds(bounds: Bounds, dataset: str) -> Finding | None:
    """Return where the similarity of two losses' maps lies between baseline and ceiling."""
    if not np.isfinite(bounds.share):
        return None
    share = round(bounds.share, 2)  # as it is printed
    words = next(words for limit, words in ALIKE.items() if share >= limit)
    rows = bounds.rows["other loss, same fold"]
    n = f"{several(len(rows), 'pair')}; {several(rows.n_images.max(), 'image')} of {dataset}"
    return Finding(
        "alike",
        text("alike_conclusion", words=words, share=bounds.share),
        text("alike", mean=rows.correlation_mean.mean()),
        n,
        *limits_of(bounds),
    )


def limits_of(bounds: Bounds) -> tuple[str, str]:
    """Return baseline and ceiling of the correlation of maps as text, empty where not measured."""
    rows = bounds.rows
    random, noise = rows.get("random weights"), rows.get("other noise")
    return (
        "" if random is None else text("baseline", rows=random, two_random=rows.get("two random")),
        "" if noise is None else text("ceiling", rows=noise),
    )


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
    conclusion = text(
        "within_and_between_conclusion", test=test, difference=a - b, level=LEVEL, margin=MARGIN
    )
    sentence = text("within_and_between", within=a, between=b, by_group=by_group, test=test)
    n = f"{len(within)} pairs within, {len(between)} between groups"
    n += f"; {_n_images(similarities, pairs)} images {where}"
    return Finding("groups", conclusion, sentence, n, *limits)


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
    conclusion = text("untrained_conclusion", outside=a, inside=b, names=others)
    sentence = text("untrained", outside=a, inside=b, names=others)
    n = f"{len(outside)} and {len(inside)} pairs; "
    n += f"{_n_images(similarities, [*inside, *outside])} images {where}"
    return Finding("untrained", conclusion, sentence, n, *limits)


def losses_and_folds(
    answer: pd.DataFrame, dataset: str, limits: tuple[str, str] = ("", "")
) -> Finding | None:
    """Return whether the maps of two losses are less alike than those of two folds of one loss.

    answer: a table of noise_ceilings.ANSWER with at most one row.
    """
    rows = [*answer[answer.p_value.notna()].itertuples()]
    if not rows:
        return None
    row = rows[0]
    conclusion = text("losses_and_folds_conclusion", row=row, level=LEVEL)
    sentence = text("losses_and_folds", row=row)
    n = f"{row.n_losses} losses, {row.n_folds} folds; {several(row.n_images, 'image')} of {dataset}"
    return Finding("folds", conclusion, sentence, n, *limits)


def _mean(similarities: Similarities, pairs: list[tuple[str, str]]) -> float:
    """Return the plain mean over pairs, as in Tables 3 and 4."""
    return float(np.mean([similarities[pair].mean for pair in pairs]))


def _n_images(similarities: Similarities, pairs: list[tuple[str, str]]) -> int:
    return min(similarities[pair].n_images for pair in pairs)
