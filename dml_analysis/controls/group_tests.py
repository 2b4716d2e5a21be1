"""Tests between two groups of models for every property, and which of the paper's claims hold."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from dml_analysis.files import csv_files
from dml_analysis.metrics.significance import ONE_SIDED, mann_whitney
from dml_analysis.paper import PROPERTIES, PUBLISHED, Protocol
from dml_analysis.properties.property_scores import COLUMNS as SCORES
from dml_analysis.properties.property_scores import KEY as SCORES_KEY
from dml_analysis.properties.property_scores import UNITS, observations, scores_file

if TYPE_CHECKING:
    from dml_analysis.config import Settings

ALTERNATIVES = ("two-sided", *ONE_SIDED)
TESTS = ("two-sided", "one-sided")  # of a claim; the one-sided test is of the side that it names
NEITHER = "neither"  # the group of a claim that finds no difference
CORRECTIONS = ("none", "holm")
LEVELS = (0.01, 0.05)
SHARE, ANSWER = csv_files.between(0, 1), csv_files.one_of(["yes", "no"])
KEY = ("property", "unit", "alternative", "group_a", "group_b")
COLUMNS = {"property": str, "unit": csv_files.one_of(UNITS),
           "alternative": csv_files.one_of(ALTERNATIVES), "group_a": str, "group_b": str,
           "n_a": int, "n_b": int, "mean_a": float, "mean_b": float, "u": float,
           "p_value": SHARE, "p_holm": SHARE, "rank_biserial": csv_files.between(-1, 1)}  # fmt: skip
CLAIMS = {
    "property": csv_files.one_of([prop.name for prop in PROPERTIES]),
    "group": str,
    "significant": ANSWER,
    "section": str,
}
HELD_KEY = ("property", "unit", "test", "correction", "level")
HELD = {**CLAIMS, "unit": COLUMNS["unit"], "test": csv_files.one_of(TESTS), "correction": csv_files.one_of(CORRECTIONS),
        "level": csv_files.one_of(LEVELS), "p_value": SHARE,
        "held": csv_files.one_of(["yes", "no", "not tested"])}  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Maths.
# --------------------------------------------------------------------------------------------------
def holm(p_values: Sequence[float] | Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return p-values adjusted by Holm's step-down procedure (Scand. J. of Statistics 6, 1979).

    If all below a level are rejected, the probability of any false rejection stays below it,
    however the tests depend on each other. NaN stays NaN and counts as no test. Raises ValueError
    for numbers that are no probabilities.
    """
    p_values = np.asarray(p_values, dtype=float)
    if ((p_values < 0) | (p_values > 1)).any():
        raise ValueError("p-values are between 0 and 1")
    n_tests = int((~np.isnan(p_values)).sum())
    order = np.argsort(p_values)[:n_tests]  # NaN is sorted to the end
    scaled = np.arange(n_tests, 0, -1) * p_values[order]
    adjusted = np.full(p_values.shape, np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return adjusted


def rank_biserial(u: float, n_a: int, n_b: int) -> float:
    """Return the share of pairs in which a has the larger value minus the share of the others.

    It is 2 u / (n_a n_b) - 1, in [-1, 1], as in Kerby (Comprehensive Psychology 3, 2014). u: of a,
    ties counting half. Raises ValueError if there can be no such u.
    """
    if not 0 <= u <= n_a * n_b or not n_a * n_b:
        raise ValueError(f"no U of {n_a} and {n_b} values is {u}")
    return 2 * u / (n_a * n_b) - 1


def rows_of(table: pd.DataFrame, group_a: str, group_b: str) -> pd.DataFrame:
    """Return COLUMNS of tests between two groups for every property, unit and alternative.

    table: a row for each loss (with its group as type), fold and property, with nr_precision. If it
    has no column fold, it has losses' means and only that unit. The unit "loss_mean" is the mean
    over a model's folds. The unit "loss_fold" is one value per model and fold, which the released
    code pools although the folds of a model are not independent, so its p is too small.

    A value that is NaN, or a mean over one, is left out, as n_a and n_b show. A test without values
    is NaN. p_holm is over the properties of a unit and alternative. Raises ValueError if a group is
    missing in the table, or it has a row twice.
    """
    key = [name for name in SCORES_KEY if name in table]
    if table.duplicated(key).any():
        raise ValueError(f"two rows have the same {', '.join(key)}")
    known = list(table.type.unique())
    for group in (group_a, group_b):
        if group not in known:
            raise ValueError(f"no model of the group {group!r}; there are {', '.join(known)}")
    rows = []
    for unit in UNITS if "fold" in table else UNITS[:1]:
        for prop, scores in table.groupby("property", sort=False):
            a, b = (observations(scores, group, unit).dropna() for group in (group_a, group_b))
            sizes = len(a), len(b), a.mean(), b.mean()
            for alternative, *test in _tests(a, b):
                rows.append((prop, unit, alternative, group_a, group_b, *sizes, *test))
    tests = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_holm"])
    tests["p_holm"] = tests.groupby(["unit", "alternative"]).p_value.transform(holm)
    return tests[list(COLUMNS)]


def _tests(a: pd.Series, b: pd.Series) -> Iterator[tuple[str, float, float, float]]:
    """Yield (alternative, u, p_value, rank_biserial) of all tests; NaN if a sample is empty."""
    for alternative in ALTERNATIVES:
        if not len(a) or not len(b):
            yield alternative, np.nan, np.nan, np.nan
            continue
        test = mann_whitney(a, b, alternative)
        yield alternative, *test, rank_biserial(test.u, len(a), len(b))


def claims_held(rows: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Return HELD: whether claims hold, by each unit, test, correction and level.

    rows: of COLUMNS. claims: of CLAIMS. A claim that a group has larger values holds if p is below
    the level and, in the two-sided test, the group's mean is the larger. A claim that a property is
    not significant holds if the two-sided p is not below the level; it has no one-sided test.
    Holm's correction is over the tests made: all properties in two-sided tests, the claims in
    one-sided ones. p_value is corrected.

    Raises ValueError unless the rows are of the claims' two groups.
    """
    groups, named = rows[["group_a", "group_b"]].drop_duplicates(), set(claims.group) - {NEITHER}
    if len(groups) != 1 or set(groups.iloc[0]) != named:
        raise ValueError(f"the claims are about the groups {' and '.join(sorted(named))}")
    answers = []
    for unit, test in product(rows.unit.unique(), TESTS):
        tests = rows[rows.unit == unit].set_index(["property", "alternative"])
        tested, p_values, agrees = _tested(tests, claims, test, groups.group_a.iloc[0])
        for correction, level in product(CORRECTIONS, LEVELS):
            for claim, p_value, agreed in zip(
                tested.itertuples(index=False), p_values[correction], agrees, strict=True
            ):
                held = _held(claim.significant == "yes", p_value, agreed, level)
                answers.append((*claim, unit, test, correction, level, p_value, held))
    return pd.DataFrame(answers, columns=list(HELD))


def _tested(
    tests: pd.DataFrame, claims: pd.DataFrame, test: str, group_a: str
) -> tuple[pd.DataFrame, dict[str, Any], Sequence[bool]]:
    """Return the claims that are tested, correction -> p-values, and whether the side is right.

    tests: rows of one unit, by property and alternative.
    """
    if test == "two-sided":
        rows = tests.reindex([(prop, test) for prop in claims.property])
        larger = np.where(rows.mean_a > rows.mean_b, rows.group_a, rows.group_b)
        agrees = (larger == claims.group) & (rows.mean_a != rows.mean_b).to_numpy()
        return claims, {"none": rows.p_value, "holm": rows.p_holm}, agrees
    claims = claims[claims.significant == "yes"]
    sides = np.where(claims.group == group_a, *ONE_SIDED)
    p_values = tests.p_value.reindex(list(zip(claims.property, sides)))
    return claims, {"none": p_values, "holm": holm(p_values)}, [True] * len(claims)


def _held(is_difference: bool, p_value: float, agrees: bool, level: float) -> str:
    if np.isnan(p_value):
        return "not tested"
    below = p_value < level
    return "yes" if (below and agrees if is_difference else not below) else "no"


# --------------------------------------------------------------------------------------------------
# CSV files.
# --------------------------------------------------------------------------------------------------
def published_scores() -> pd.DataFrame:
    """Return Table 6 as printed: loss, type, property and nr_precision, its mean over the folds.

    One value is missing.
    """
    columns = {"loss": str, "type": str, "property": CLAIMS["property"], "value": float}
    table = csv_files.read(PUBLISHED / "table6_nrprec.csv", columns, key=["loss", "property"])
    return table.rename(columns={"value": "nr_precision"})


def published_claims() -> pd.DataFrame:
    """Return CLAIMS of the paper's text about Table 6; NEITHER group if it finds no difference."""
    return csv_files.read(PUBLISHED / "claims.csv", CLAIMS, key=["property"])


def scores_of(settings: "Settings", protocol: Protocol) -> pd.DataFrame:
    """Return the NR-Precisions of trained models. Raises MissingFile if their file is missing."""
    hint = "run properties/3_score_properties.py first"
    scores = csv_files.table(scores_file(settings, protocol), SCORES, list(SCORES_KEY), hint)
    trained = [model.name for model in settings.whole.models if model.trained]
    return scores[scores.loss.isin(trained)]


def files_of(settings: "Settings", protocol: Protocol | None) -> tuple[Path, Path]:
    """Return the paths of tests and claims: by a protocol, or of the published Table 6 if None."""
    published = settings.results / "published"
    folder = settings.results / protocol.name / "controls" if protocol else published
    return folder / "group_tests.csv", folder / "claims.csv"


def sources(settings: "Settings") -> list[Protocol | None]:
    """Return what is tested: the scores of each protocol, and None for the published Table 6.

    That is left out where the properties are not the paper's.
    """
    return [*settings.protocols, *([None] if settings.properties.of_cars else [])]


def write(settings: "Settings") -> list[Path]:
    """Write tests and claims of all sources; return the files.

    Claims are about the paper's two groups and its properties, and are left out for others.
    """
    files, claims = [], published_claims()
    for protocol in sources(settings):
        table = scores_of(settings, protocol) if protocol else published_scores()
        tests_file, claims_file = files_of(settings, protocol)
        pairs = list(combinations(table.type.unique(), 2))
        if not pairs:
            continue
        tests = pd.concat([rows_of(table, a, b) for a, b in pairs])
        csv_files.write_table(tests_file, tests)
        files.append(tests_file)
        tests = tests[tests.group_a.isin(claims.group) & tests.group_b.isin(claims.group)]
        if len(tests) and settings.properties.of_cars:
            csv_files.write_table(claims_file, claims_held(tests, claims))
            files.append(claims_file)
    return files


def show(settings: "Settings") -> None:
    """Print how many of the paper's claims hold, by protocol, unit, test, correction and level."""
    for protocol in sources(settings) if settings.properties.of_cars else ():
        file = files_of(settings, protocol)[1]
        if not file.is_file():
            continue
        table = csv_files.read(file, HELD, key=list(HELD_KEY))
        print(f"protocol {protocol.name}:" if protocol else "the published Table 6:")
        for key, rows in table.groupby(["unit", "test", "correction", "level"], sort=False):
            held = (rows.held == "yes").sum()
            print(f"  {', '.join(map(str, key))}: {held} of {len(rows)} claims hold")
