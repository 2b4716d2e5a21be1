"""Tests between two groups of models, property by property, and which of the paper's claims they bear out."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from dml_analysis.files import csv_files
from dml_analysis.metrics.significance import ONE_SIDED, mann_whitney
from dml_analysis.properties.property_scores import COLUMNS as SCORES
from dml_analysis.properties.property_scores import KEY as SCORES_KEY
from dml_analysis.properties.property_scores import UNITS, observations, scores_file

ALTERNATIVES = ("two-sided", *ONE_SIDED)
TESTS = (
    "two-sided",
    "one-sided",
)  # of a claim: its one-sided test is that of the side which it names
NEITHER = "neither"  # in the place of the group of which a claim says that it has more
CORRECTIONS = ("none", "holm")
LEVELS = (0.01, 0.05)
PUBLISHED = Path(__file__).parents[1] / "published"
SHARE, ANSWER = csv_files.between(0, 1), csv_files.one_of(["yes", "no"])
KEY = ("property", "unit", "alternative", "group_a", "group_b")
COLUMNS = {"property": SCORES["property"], "unit": csv_files.one_of(UNITS),
           "alternative": csv_files.one_of(ALTERNATIVES), "group_a": str, "group_b": str,
           "n_a": int, "n_b": int, "mean_a": float, "mean_b": float, "u": float,
           "p_value": SHARE, "p_holm": SHARE, "rank_biserial": csv_files.between(-1, 1)}  # fmt: skip
CLAIMS = {"property": SCORES["property"], "group": str, "significant": ANSWER, "section": str}
HELD_KEY = ("property", "unit", "test", "correction", "level")
HELD = {**CLAIMS, "unit": COLUMNS["unit"], "test": csv_files.one_of(TESTS), "correction": csv_files.one_of(CORRECTIONS),
        "level": csv_files.one_of(LEVELS), "p_value": SHARE,
        "held": csv_files.one_of(["yes", "no", "not tested"])}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Maths.
# ---------------------------------------------------------------------------------------------------------------------
def mann_whitney_tests(values_a, values_b):
    """Alternative -> MannWhitney of samples (n_a,) and (n_b,), for each of ALTERNATIVES.

    "greater": the first sample's values tend to be the larger ones. Raises ValueError on an empty sample or NaN.
    """
    return {
        alternative: mann_whitney(values_a, values_b, alternative) for alternative in ALTERNATIVES
    }


def holm(p_values):
    """Adjusted p-values (n,) of Holm's step-down procedure (Scandinavian J. of Statistics 6, 1979), in their order.

    To reject all that are below a level keeps the probability of any false rejection below it, however the tests hang
    together. NaN stays NaN and counts as no test. Raises ValueError on what is no probability.
    """
    p_values = np.asarray(p_values, dtype=float)
    if ((p_values < 0) | (p_values > 1)).any():
        raise ValueError("p-values are between 0 and 1")
    n_tests = int((~np.isnan(p_values)).sum())
    order = np.argsort(p_values)[:n_tests]  # NaN is sorted to the end
    adjusted = np.full(p_values.shape, np.nan)
    adjusted[order] = np.minimum(
        1, np.maximum.accumulate(np.arange(n_tests, 0, -1) * p_values[order])
    )
    return adjusted


def rank_biserial(u, n_a, n_b):
    """Rank-biserial correlation, in [-1, 1]: the share of pairs in which the first sample has more, less the rest.

    u: of the first sample, ties counting half; n_a, n_b: the sizes. 2 u / (n_a n_b) - 1, as in Kerby (Comprehensive
    Psychology 3, 2014). Raises ValueError if there can be no such u.
    """
    if not 0 <= u <= n_a * n_b or not n_a * n_b:
        raise ValueError(f"no U of {n_a} and {n_b} values is {u}")
    return 2 * u / (n_a * n_b) - 1


def rows_of(table, group_a, group_b):
    """A table of COLUMNS: tests between two groups of models for every property, unit and alternative.

    table: a row for each loss (of a type, its group), fold and property, with nr_precision; without a column fold, it
    holds losses' means, and has no other unit. The unit "loss_mean" is the mean over a model's folds, "loss_fold" one
    value per model and fold, as the released code pools them, though the folds of a model are not independent, which
    makes its p too small. A value that is NaN, or a mean over one, is left out, which n_a and n_b show; a test without
    values is NaN. p_holm is over the properties of a unit and alternative.

    Raises ValueError if the table lacks a group, or has a row twice.
    """
    key = [name for name in SCORES_KEY if name in table]
    if table.duplicated(key).any():
        raise ValueError(f"two rows have the same {', '.join(key)}")
    for group in (group_a, group_b):
        if group not in set(table.type):
            raise ValueError(
                f"no model of the group {group!r}; there are {', '.join(dict.fromkeys(table.type))}"
            )
    rows = []
    for unit in UNITS if "fold" in table else UNITS[:1]:
        for prop in table.property.unique():
            of_property = table[table.property == prop]
            a, b = (observations(of_property, group, unit).dropna() for group in (group_a, group_b))
            for alternative, *found in _tests(a, b):
                sizes = len(a), len(b), a.mean(), b.mean()
                rows.append((prop, unit, alternative, group_a, group_b, *sizes, *found))
    found = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_holm"])
    found["p_holm"] = found.groupby(["unit", "alternative"]).p_value.transform(holm)
    return found[list(COLUMNS)]


def _tests(a, b):
    """(alternative, u, p_value, rank_biserial) for each of ALTERNATIVES; NaN where a sample is empty."""
    if not len(a) or not len(b):
        return [(alternative, np.nan, np.nan, np.nan) for alternative in ALTERNATIVES]
    found = mann_whitney_tests(a, b)
    return [
        (alternative, *test, rank_biserial(test.u, len(a), len(b)))
        for alternative, test in found.items()
    ]


def claims_held(rows, claims):
    """A table of HELD: whether tests, rows of COLUMNS, bear out claims, by each unit, test, correction and level.

    claims: a table of CLAIMS. One that a group has more holds if p is below the level and, in the two-sided test, the
    group's mean is the larger; one that a property is not significant holds if the two-sided p is not below the level,
    and has no one-sided test. Holm's correction is over the properties in two-sided tests, and over the claims in
    one-sided ones, as these are the tests made. p_value is after it.

    Raises ValueError unless the rows are of the claims' two groups.
    """
    groups = rows[["group_a", "group_b"]].drop_duplicates()
    if len(groups) != 1 or set(groups.iloc[0]) != set(claims.group) - {NEITHER}:
        raise ValueError(
            f"the claims are about the groups {' and '.join(sorted(set(claims.group) - {NEITHER}))}"
        )
    found = []
    for unit in rows.unit.unique():
        tests = rows[rows.unit == unit].set_index(["property", "alternative"])
        for test in TESTS:
            made, p_values, agrees = _made(tests, claims, test, groups.group_a.iloc[0])
            for correction, level in (
                (correction, level) for correction in CORRECTIONS for level in LEVELS
            ):
                for claim, p_value, agreed in zip(
                    made.itertuples(index=False), p_values[correction], agrees
                ):
                    held = _held(claim, p_value, agreed, level)
                    found.append((*claim, unit, test, correction, level, p_value, held))
    return pd.DataFrame(found, columns=list(HELD))


def _made(tests, claims, test, group_a):
    """The claims that a test is made of, correction -> its p-values, and whether the difference is on the side claimed.

    tests: rows of one unit, by property and alternative.
    """
    if test == "two-sided":
        chosen = tests.reindex([(prop, test) for prop in claims.property])
        more = np.where(chosen.mean_a > chosen.mean_b, chosen.group_a, chosen.group_b)
        agrees = (more == claims.group) & (chosen.mean_a != chosen.mean_b).to_numpy()
        return claims, {"none": chosen.p_value, "holm": chosen.p_holm}, agrees
    claims = claims[claims.significant == "yes"]
    sides = np.where(claims.group == group_a, *ONE_SIDED)
    p_values = tests.p_value.reindex(list(zip(claims.property, sides)))
    return claims, {"none": p_values, "holm": holm(p_values)}, [True] * len(claims)


def _held(claim, p_value, agrees, level):
    if np.isnan(p_value):
        return "not tested"
    below = p_value < level
    return "yes" if (below and agrees if claim.significant == "yes" else not below) else "no"


# ---------------------------------------------------------------------------------------------------------------------
# CSV files.
# ---------------------------------------------------------------------------------------------------------------------
def published_scores():
    """Table 6 as printed: loss, type, property and nr_precision, its mean over the folds; one is missing."""
    columns = {"loss": str, "type": str, "property": SCORES["property"], "value": float}
    table = csv_files.read(PUBLISHED / "table6_nrprec.csv", columns, key=["loss", "property"])
    return table.rename(columns={"value": "nr_precision"})


def published_claims():
    """What the paper's text says of Table 6, a table of CLAIMS; NEITHER group where it finds no difference."""
    return csv_files.read(PUBLISHED / "claims.csv", CLAIMS, key=["property"])


def scores_of(settings, protocol):
    """The NR-Precisions of the settings' trained models. Raises MissingFile if their CSV file does not exist."""
    hint = "run properties/3_score_properties.py first"
    scores = pd.DataFrame(
        csv_files.read_columns(scores_file(settings, protocol), SCORES, SCORES_KEY, hint=hint)
    )
    return scores[
        scores.loss.isin([model.name for model in settings.whole.models if model.trained])
    ]


def files_of(settings, protocol):
    """(tests, claims) of the run's own scores by a protocol; of the published Table 6 where the protocol is None."""
    folder = (
        settings.results / protocol.name / "controls"
        if protocol
        else settings.results / "published"
    )
    return folder / "group_tests.csv", folder / "claims.csv"


def write(settings):
    """Write group_tests.csv and claims.csv of every protocol, and of the published Table 6; returns the files.

    Claims are of the paper's two groups, and are left out where models are of others.
    """
    written, claims = [], published_claims()
    for protocol in (*settings.protocols, None):
        table = scores_of(settings, protocol) if protocol else published_scores()
        tests_file, claims_file = files_of(settings, protocol)
        pairs = list(combinations(dict.fromkeys(table.type), 2))
        if not pairs:
            continue
        tests = pd.concat([rows_of(table, a, b) for a, b in pairs])
        csv_files.write_table(tests_file, tests)
        written.append(tests_file)
        of_paper = tests[tests.group_a.isin(claims.group) & tests.group_b.isin(claims.group)]
        if len(of_paper):
            csv_files.write_table(claims_file, claims_held(of_paper, claims))
            written.append(claims_file)
    return written


def show(settings):
    """Print how many of the paper's claims hold, by protocol, unit, test, correction and level."""
    for protocol in (*settings.protocols, None):
        file = files_of(settings, protocol)[1]
        if not file.is_file():
            continue
        table = csv_files.read(file, HELD, key=list(HELD_KEY))
        print(f"protocol {protocol.name}:" if protocol else "the published Table 6:")
        for key, some in table.groupby(["unit", "test", "correction", "level"], sort=False):
            print(
                f"  {', '.join(map(str, key))}: {(some.held == 'yes').sum()} of {len(some)} claims hold"
            )
