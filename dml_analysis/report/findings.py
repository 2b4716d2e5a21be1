"""Section "What was found": sentences made from the numbers of a run.

Each function takes numbers and returns a Finding, or None if there are none. Words such as "more"
and "less" follow the numbers as they are printed.
"""

import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.controls import compared_groupings, group_tests, noise_ceilings, score_controls
from dml_analysis.datasets.readers import labels_of
from dml_analysis.embedding_space import measure_correlations
from dml_analysis.files import csv_files
from dml_analysis.metrics.embedding_measures import LABELS as MEASURES
from dml_analysis.paper import Model, Protocol
from dml_analysis.properties import property_scores
from dml_analysis.properties.property_tables import LEVEL
from dml_analysis.report import printed
from dml_analysis.report.map_findings import (
    ALIKE,
    Finding,
    between_bounds,
    bounds_of,
    limits_of,
    losses_and_folds,
    untrained,
    within_and_between,
)
from dml_analysis.report.printed import text
from dml_analysis.report.section import rendered, run_first
from dml_analysis.saliency.saliency_tables import Subject, defined, similarities

FIRST = 3  # properties that the sentence about their order names
SHAPES = {"pi_ratio": "density", "rho_2": "spectral decay"}
UNITS = {"loss_mean": "one value per loss", "loss_fold": "one value per loss and fold"}


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    findings = {protocol.name: of_run(settings, protocol) for protocol in settings.protocols}
    if not any(findings.values()):
        raise run_first("Results", "the numbered scripts (docs/pipeline.md)")
    return rendered("findings", findings=findings, alike=ALIKE)


def of_run(settings: Settings, protocol: Protocol) -> list[Finding]:
    """Return the Findings from the CSV files of a run, by a protocol."""
    dataset, models = settings.shown_dataset, settings.models
    file = noise_ceilings.csv_file(settings, protocol, dataset)
    bounds = bounds_of(csv_files.read(file, noise_ceilings.COLUMNS), models)
    limits = limits_of(bounds)
    file = noise_ceilings.answer_file(settings, protocol, dataset)
    answer = csv_files.read(file, noise_ceilings.ANSWER)
    file = compared_groupings.file_of(settings, protocol, "groupings")
    groupings = csv_files.read(file, compared_groupings.GROUPS, ["analysis"])
    labels = {name: label.lower() for name, label in labels_of(settings).items()}
    names = {"property": csv_files.one_of(labels)}
    file = property_scores.scores_file(settings, protocol)
    scores = csv_files.read(file, property_scores.COLUMNS | names, property_scores.KEY)
    file = score_controls.file_of(settings, protocol, "nulls")
    nulls = csv_files.read(file, score_controls.NULLS | names)
    file = property_scores.tests_file(settings, protocol)
    tests = csv_files.read(file, property_scores.TEST_COLUMNS | names, property_scores.TEST_KEY)
    is_protocols = tests.unit == protocol.test_unit
    is_protocols &= tests.alternative == protocol.test_alternative
    file = group_tests.files_of(settings, protocol)[0]
    corrected = csv_files.read(file, group_tests.COLUMNS | names, group_tests.KEY)
    called = settings.properties.images_called
    known = defined(similarities(Subject("", settings, protocol, dataset, "correlation")))
    where = f"of {dataset}; {printed.folds(settings.table_folds(protocol))}"
    by_protocol: list[Finding | None] = [
        between_bounds(bounds, dataset),
        within_and_between(known, models, where, groupings, limits),
        untrained(known, models, where, limits),
        losses_and_folds(answer, dataset, limits),
        order(scores, models, labels, called, nulls),
        differences(tests[is_protocols], labels, corrected),
    ]
    findings = [
        finding._replace(n=f"{finding.n}; protocol {protocol.name}")
        for finding in by_protocol
        if finding
    ]
    shape = shapes(measure_correlations.read(settings, dataset), dataset)
    return [*findings, shape] if shape else findings


# --------------------------------------------------------------------------------------------------
# Properties.
# --------------------------------------------------------------------------------------------------
def order(
    scores: pd.DataFrame,
    models: list[Model],
    labels: dict[str, str],
    called: str,
    nulls: pd.DataFrame | None = None,
) -> Finding | None:
    """Return by which properties embeddings of trained models cluster most.

    scores: of property_scores.COLUMNS. labels: of the properties. called: the images' name. nulls: of score_controls.NULLS, with permuted labels.
    """
    trained = [model.name for model in models if model.trained]
    scores = scores[scores.loss.isin(trained)]
    values = scores.groupby(["loss", "property"], sort=False).nr_precision.mean().unstack()
    if values.empty or values.isna().any(axis=None) or len(values.columns) <= FIRST:
        return None

    def ordered(row: pd.Series) -> pd.Series:
        return row.sort_values(ascending=False, kind="stable")

    means = ordered(values.mean())
    first = list(means.index[:FIRST])
    same = sum(list(ordered(row).index[:FIRST]) == first for _, row in values.iterrows())
    conclusion = text("order_conclusion", first=first, labels=labels)
    sentence = text(
        "order", means=means, first=first, labels=labels, n_same=same, n_models=len(values)
    )
    n = (
        f"{len(values)} models; {printed.count(scores.n_images.min())} {called}; "
        f"{printed.folds(scores.fold.unique())}"
    )
    return Finding("order", conclusion, sentence, n, _null(nulls, trained, first[0], labels))


def _null(nulls: pd.DataFrame | None, trained: list[str], name: str, labels: dict[str, str]) -> str:
    """Return the NR-Precision of a property by chance as text, empty if it was not measured."""
    if nulls is None or nulls.empty:
        return ""
    rows = nulls[nulls.loss.isin(trained) & (nulls.property == name)]
    return "" if rows.empty else text("null", rows=rows, label=labels[name])


def differences(
    tests: pd.DataFrame, labels: dict[str, str], corrected: pd.DataFrame | None = None
) -> Finding | None:
    """Return in which properties groups differ.

    tests: of property_scores.TEST_COLUMNS, by one unit and alternative. labels: of the properties. corrected: of
    group_tests.COLUMNS.
    """
    if tests.empty:
        return None
    many_groups = len(tests[["group_a", "group_b"]].drop_duplicates()) > 1
    clear = tests[tests.p_value < LEVEL].sort_values("p_value", kind="stable")
    clearest = tests.loc[tests.p_value.idxmin()]
    below = _below(corrected, clearest.unit, len(tests))
    conclusion = text(
        "differences_conclusion",
        n=len(clear) if below is None else below,
        n_tests=len(tests),
        is_corrected=below is not None,
        level=LEVEL,
    )
    sentence = text(
        "differences",
        tests=tests,
        clear=clear,
        clearest=clearest,
        below=below,
        many_groups=many_groups,
        labels=labels,
        unit=UNITS[clearest.unit],
        level=LEVEL,
    )
    sizes = tests[["n_a", "group_a", "n_b", "group_b"]].drop_duplicates().itertuples(index=False)
    n = "; ".join(f"{n_a} values of {a}, {n_b} of {b}" for n_a, a, n_b, b in sizes)
    return Finding("differences", conclusion, sentence, n)


def _below(corrected: pd.DataFrame | None, unit: str, n_tests: int) -> int | None:
    """Return how many two-sided tests are significant by Holm's correction.

    Return None unless there are n_tests of them.
    """
    if corrected is None:
        return None
    tests = corrected[(corrected.unit == unit) & (corrected.alternative == "two-sided")]
    return (tests.p_holm < LEVEL).sum() if len(tests) == n_tests else None


# --------------------------------------------------------------------------------------------------
# Embedding spaces.
# --------------------------------------------------------------------------------------------------
def shapes(table: pd.DataFrame, dataset: str) -> Finding | None:
    """Return how density and spectral decay correlate with Recall@1.

    table: of measure_correlations.COLUMNS.
    """
    rows = measure_correlations.over_methods(table)
    rows = rows[(rows.performance == "recall_at_1") & (rows.of == "train")]
    rows = rows[rows.measure.isin(SHAPES)].dropna(subset=["correlation", "low", "high"])
    if rows.empty:
        return None
    n = (
        f"{rows.n_methods.min()} models, each the mean of its folds, trained on {dataset}; "
        "intervals by the bootstrap over models"
    )
    conclusion = text("shapes_conclusion", rows=rows, shapes=SHAPES)
    sentence = text("shapes", rows=rows, shapes=SHAPES, measures=MEASURES)
    return Finding("shapes", conclusion, sentence, n)
