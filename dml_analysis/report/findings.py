"""Section "What was found": sentences made from the numbers of a run, which say no more than these.

Each function takes numbers and gives a Finding, or None where there are none. Words such as "more" and "less" follow the
numbers as they are printed: where two are the same to the printed digits, the sentence says so.
"""

from dml_analysis.controls import compared_groupings, group_tests, noise_ceilings, score_controls
from dml_analysis.embedding_space import measure_correlations
from dml_analysis.files import csv_files
from dml_analysis.metrics.embedding_measures import LABELS as MEASURES
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import property_scores
from dml_analysis.properties.property_tables import LEVEL
from dml_analysis.report import captions
from dml_analysis.report.captions import Finding, number, several
from dml_analysis.report.map_findings import (
    limits_of,
    losses_and_folds,
    untrained,
    within_and_between,
)
from dml_analysis.report.section import rendered, run_first
from dml_analysis.saliency.saliency_tables import Subject, defined, similarities

FIRST = 3  # properties that the sentence about their order names
SHAPES = {"pi_ratio": "density", "rho_2": "spectral decay"}
PROPERTY = {prop.name: prop.label.lower() for prop in PROPERTIES}


def section(settings):
    found = {protocol.name: of_run(settings, protocol) for protocol in settings.protocols}
    if not any(found.values()):
        raise run_first("Results to speak of", "the numbered scripts (README.md)")
    return rendered("findings", found=found, settings=settings)


def of_run(settings, protocol):
    """The Findings that the CSV files of a run give by a protocol."""

    read = csv_files.read
    dataset, folds, models = settings.shown_dataset, settings.table_folds(protocol), settings.models
    known = defined(similarities(Subject("", settings, protocol, dataset, "correlation")))
    where = f"of {dataset}; {captions.folds(folds)}"
    grouped = read(
        compared_groupings.file_of(settings, protocol, "groupings"),
        compared_groupings.GROUPS,
        ["analysis"],
    )
    limits = limits_of(
        read(noise_ceilings.csv_file(settings, protocol, dataset), noise_ceilings.COLUMNS), models
    )
    answer = read(noise_ceilings.answer_file(settings, protocol, dataset), noise_ceilings.ANSWER)
    scored = read(
        property_scores.scores_file(settings, protocol),
        property_scores.COLUMNS,
        property_scores.KEY,
    )
    nulls = read(score_controls.file_of(settings, protocol, "nulls"), score_controls.NULLS)
    tests = read(
        property_scores.tests_file(settings, protocol),
        property_scores.TEST_COLUMNS,
        property_scores.TEST_KEY,
    )
    tests = tests[
        (tests.unit == protocol.test_unit) & (tests.alternative == protocol.test_alternative)
    ]
    corrected = read(
        group_tests.files_of(settings, protocol)[0], group_tests.COLUMNS, group_tests.KEY
    )
    found = [within_and_between(known, models, where, grouped, limits), untrained(known, models, where, limits),
             losses_and_folds(answer, dataset), order(scored, models, nulls), differences(tests, corrected)]  # fmt: skip
    found = [each._replace(n=f"{each.n}; protocol {protocol.name}") for each in found if each]
    shape = shapes(measure_correlations.read(settings, dataset), dataset)
    return [*found, shape] if shape else found


# ---------------------------------------------------------------------------------------------------------------------
# Properties.
# ---------------------------------------------------------------------------------------------------------------------
def order(scored, models, nulls=None):
    """By which properties embeddings of trained models cluster most.

    scored: a table of dml_analysis.properties.property_scores.COLUMNS; nulls: of dml_analysis.controls.score_controls.NULLS, where labels have been permuted.
    """
    trained = [model.name for model in models if model.trained]
    scored = scored[scored.loss.isin(trained)]
    values = scored.groupby(["loss", "property"], sort=False).nr_precision.mean().unstack()
    if values.empty or values.isna().any(axis=None) or len(values.columns) <= FIRST:
        return None
    means = values.mean().sort_values(ascending=False, kind="stable")
    first, last = list(means.index[:FIRST]), means.index[-1]
    same = sum(
        list(row.sort_values(ascending=False, kind="stable").index[:FIRST]) == first
        for _, row in values.iterrows()
    )
    named = ", then ".join(f"{PROPERTY[name]} ({number(means[name], 2)})" for name in first)
    text = (f"Of {len(means)} properties, embeddings of the trained models cluster most by {named}, and least by {PROPERTY[last]} "
            f"({number(means[last], 2)}): mean NR-Precision. {captions.of_all(same, len(values))} models have these {FIRST} first, in this order.")  # fmt: skip
    n = f"{len(values)} models; {captions.count(scored.n_images.min())} rendered cars; {captions.folds(dict.fromkeys(scored.fold))}"
    return Finding(number(means[first[0]], 2), text, n, _null(nulls, trained, first[0]))


def _null(nulls, trained, name):
    """What NR-Precision of a property is by chance, in words; empty where that has not been measured."""
    some = nulls if nulls is None else nulls[nulls.loss.isin(trained) & (nulls.property == name)]
    if some is None or some.empty:
        return ""
    return (f"{number(some.null_mean.mean(), 3)} with a standard deviation of {number(some.null_std.mean(), 3)}, {PROPERTY[name]} under "
            f"{captions.count(some.permutations.max())} permutations of the labels (means over {several(len(some), 'network')})")  # fmt: skip


def differences(tests, corrected=None):
    """In which properties groups differ.

    tests: the rows of dml_analysis.properties.property_scores.TEST_COLUMNS by one unit and alternative; corrected: of dml_analysis.controls.group_tests.COLUMNS.
    """
    if tests.empty:
        return None
    many_groups = len(tests[["group_a", "group_b"]].drop_duplicates()) > 1
    clear = tests[tests.p_value < LEVEL].sort_values("p_value", kind="stable")
    named = [_difference(row, many_groups) for row in clear.itertuples()]
    least = tests.loc[tests.p_value.idxmin()]
    who = "Groups" if many_groups else f"{least.group_a} and {least.group_b}"
    what = f"in {len(clear)} of {len(tests)} {'comparisons' if many_groups else 'properties'}"
    found = (
        f": {'; '.join(named)}"
        if named
        else f"; the least p is {least.p_value:.2g} ({PROPERTY[least.property]})"
    )
    unit = {"loss_mean": "one value per loss", "loss_fold": "one value per loss and fold"}[
        least.unit
    ]
    text = (f"{who} differ at {LEVEL:.0%} by the Mann-Whitney test ({unit}, {least.alternative}) {what}{found}. "
            f"{_corrected(corrected, least.unit, len(tests))}")  # fmt: skip
    values = "; ".join(
        dict.fromkeys(
            f"{row.n_a} values of {row.group_a}, {row.n_b} of {row.group_b}"
            for row in tests.itertuples()
        )
    )
    return Finding(f"{len(clear)} of {len(tests)}", text, values)


def _corrected(corrected, unit, n_tests):
    """What is left after Holm's correction of the two-sided tests, of which there have to be as many."""
    some = (
        None
        if corrected is None
        else corrected[(corrected.unit == unit) & (corrected.alternative == "two-sided")]
    )
    if some is None or len(some) != n_tests:
        return f"The level is not corrected for {n_tests} tests."
    left = (some.p_holm < LEVEL).sum()
    return f"With Holm's correction of the two-sided tests over the properties, {left or 'none'} of {n_tests} {'is' if left == 1 else 'are'} below {LEVEL:.0%}."


def _difference(row, many_groups):
    larger = row.group_a if row.mean_a > row.mean_b else row.group_b
    pair = f" of {row.group_a} and {row.group_b}" if many_groups else ""
    return f"{PROPERTY[row.property]}{pair} (p\u00a0=\u00a0{row.p_value:.2g}, {larger} has more)"


# ---------------------------------------------------------------------------------------------------------------------
# Embedding spaces.
# ---------------------------------------------------------------------------------------------------------------------
def shapes(table, dataset):
    """What density and spectral decay go with; table: of dml_analysis.embedding_space.measure_correlations.COLUMNS."""
    chosen = measure_correlations.over_methods(table)
    chosen = chosen[
        (chosen.performance == "recall_at_1") & (chosen.of == "train") & chosen.measure.isin(SHAPES)
    ]
    chosen = chosen[chosen.correlation.notna() & chosen.low.notna() & chosen.high.notna()]
    if chosen.empty:
        return None
    parts = [_shape(row) for row in chosen.itertuples()]
    text = f"Over trained models, Recall@1 on test classes {'; it '.join(parts)}. A correlation over models says nothing of causes."
    first = next(chosen.itertuples())
    n = f"{chosen.n_methods.min()} models, each the mean of its folds, trained on {dataset}; intervals by the bootstrap over models"
    return Finding(number(first.correlation, 2), text, n)


def _shape(row):
    how = (
        "rises with"
        if row.low > 0
        else "falls with"
        if row.high < 0
        else "cannot be said to rise or fall with"
    )
    name = f"{SHAPES[row.measure]} ({MEASURES[row.measure]}, training images)"
    return f"{how} {name}: r\u00a0=\u00a0{number(row.correlation, 2)}, 95% interval {number(row.low, 2)} to {number(row.high, 2)}"
