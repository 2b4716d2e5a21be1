"""Tables 1, 5 and 6: the methods, the properties, and how embeddings cluster by them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dml_analysis.datasets.readers import properties_of
from dml_analysis.files import csv_files
from dml_analysis.methods import about_own, grouped, trained_groups
from dml_analysis.metrics.coordinates import normalises
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import Model, Property, Protocol
from dml_analysis.properties.property_scores import COLUMNS as SCORE_COLUMNS
from dml_analysis.properties.property_scores import (
    KEY,
    TEST_COLUMNS,
    TEST_KEY,
    scores_file,
    tests_file,
)
from dml_analysis.tables import MISSING_CELL, Cell, Entry, Table

if TYPE_CHECKING:
    from dml_analysis.config import Settings

SIGNIFICANT = 2.576  # the paper's threshold for underlining; see docs/protocols.md
NOT_GIVEN = "not given"  # in the cells of a model whose given embeddings are of other images
LEVEL = 0.01  # of the Mann-Whitney test that puts a mean in bold


def models_table(settings: "Settings", protocol: Protocol, name: str) -> Table:
    """Return Table 1."""
    models = settings.models
    rows = [(model.name, model.year, model.group, model.distance) for model in models]
    records = pd.DataFrame(rows, columns=["loss", "year", "type", "distance"])
    records["year"] = records["year"].astype("Int64")
    shown = [("", "", "") if model.is_none else row[1:] for model, row in zip(models, rows)]
    cells = [[Cell(str(text or "")) for text in row] for row in shown]
    caption = 'Analyzed losses. "None" is the untrained network, compared by Euclidean distance. '
    caption += f"Distances are {_of_what(models)}.{about_own(models, '')}"
    columns, names = ["Year", "Loss type", "Distance/Similarity"], [model.name for model in models]
    return Table(name, caption, [], columns, [], names, cells, records, about_networks=False)


def _of_what(models: Sequence[Model]) -> str:
    """Return which embeddings the models' own distances compare, for captions."""
    raw = ", ".join(model.name for model in models if not normalises(model.distance))
    return "of embeddings of unit length" + (f" (embeddings as they are: {raw})" if raw else "")


def properties_table(settings: "Settings", protocol: Protocol, name: str) -> Table:
    """Return Table 5."""
    properties = properties_of(settings)
    values = [", ".join(printed_value(prop, value) for value in prop.values) for prop in properties]
    records = pd.DataFrame(
        [(prop.name, prop.label, "|".join(map(str, prop.values))) for prop in properties],
        columns=["property", "label", "values"],
    )
    if settings.properties.of_cars:
        which = "possible values; every image draws each uniformly at random."
    else:
        which = "values; those of continuous properties are bins of about equal frequency."
    caption = f"Properties of the {settings.properties.images_called} and their {which}"
    labels, cells = [prop.label for prop in properties], [[Cell(text)] for text in values]
    columns = ["Possible values"]
    return Table(name, caption, [], columns, [], labels, cells, records, about_networks=False)


def printed_value(prop: Property, value: Any) -> str:
    """Return a property's value as Table 5 prints it, with its unit."""
    blank = " " if prop.unit[:1].isalnum() else ""
    return f"{value}{blank}{prop.unit}"


def nr_precision_table(settings: "Settings", protocol: Protocol, name: str) -> Table:
    """Return Table 6: NR-Precision of every model and property, mean over folds, and group means.

    Values above the paper's threshold are underlined. Of two groups' means the larger is bold if
    they differ significantly by the protocol's Mann-Whitney test.
    """
    scores = csv_files.read(scores_file(settings, protocol), SCORE_COLUMNS, KEY)
    models, groups = grouped(settings.models), trained_groups(settings.models)
    properties = properties_of(settings)
    values = {
        (model.name, prop.name): _fold_mean(settings, scores, model, prop)
        for model in models
        for prop in properties
    }
    cells = [[_score_cell(values[model.name, p.name]) for p in properties] for model in models]
    records = [(m.name, m.group, p.name, value if (value := values[m.name, p.name]) != NOT_GIVEN else None)
               for m in models for p in properties]  # fmt: skip
    means, bold = group_means(models, properties, values), significantly_larger(settings, protocol)
    for group in groups:
        cells.append(
            [_mean_cell(means[group, p.name], (group, p.name) in bold) for p in properties]
        )
        records += [(f"{group} Mean", group, p.name, means[group, p.name]) for p in properties]
    return Table(
        name,
        _caption(settings, protocol, scores),
        [p.column_group for p in properties],
        [p.column or p.label for p in properties],
        [*(model.group for model in models), *("Mean" for _ in groups)],
        [*(model.name for model in models), *(f"{group} Mean" for group in groups)],
        cells,
        pd.DataFrame(records, columns=["loss", "type", "property", "value"]),
    )


def _fold_mean(
    settings: "Settings", scores: pd.DataFrame, model: Model, prop: Property
) -> float | str | None:
    """Return the mean NR-Precision over the settings' folds.

    It is None if a fold is missing or undefined, and NOT_GIVEN if there can be none.
    """
    if model.embeddings and settings.properties.dataset not in model.embeddings:
        return NOT_GIVEN
    folds = settings.folds if model.per_fold else [ALL_FOLDS]
    rows = scores[
        (scores.loss == model.name) & (scores.property == prop.name) & scores.fold.isin(folds)
    ]
    complete = len(rows) == len(folds) and rows.nr_precision.notna().all()
    return float(rows.nr_precision.mean()) if complete else None


def group_means(
    models: Iterable[Model], properties: Sequence[Property], values: dict[tuple[str, str], Any]
) -> dict[tuple[str, str], float | None]:
    """Return (group, property) -> mean over the group's trained models; None if one is missing."""
    models, means = list(models), {}
    for group in trained_groups(models):
        names = [model.name for model in models if model.group == group and model.trained]
        for prop in properties:
            column = [values[name, prop.name] for name in names]
            column = [value for value in column if value != NOT_GIVEN] or [None]
            means[group, prop.name] = None if None in column else sum(column) / len(column)
    return means


def significantly_larger(settings: "Settings", protocol: Protocol) -> set[tuple[str, str]]:
    """Return the (group, property) whose mean is significantly larger, by the protocol's test."""
    tests = csv_files.read(tests_file(settings, protocol), TEST_COLUMNS, TEST_KEY)
    tests = tests[
        (tests.unit == protocol.test_unit) & (tests.alternative == protocol.test_alternative)
    ]
    return {
        (row.group_a if row.mean_a > row.mean_b else row.group_b, row.property)
        for row in tests[tests.p_value < LEVEL].itertuples()
    }


def _score_cell(value: Any) -> Cell:
    if value is None or value == NOT_GIVEN:
        return MISSING_CELL if value is None else Cell(NOT_GIVEN)
    return Cell(_two_digits(value), value, underline=value > SIGNIFICANT)


def _mean_cell(value: float | None, bold: bool) -> Cell:
    return MISSING_CELL if value is None else Cell(_two_digits(value), None, bold=bold)


def _two_digits(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # adding zero turns -0.0 into 0.0


def _caption(settings: "Settings", protocol: Protocol, scores: pd.DataFrame) -> str:
    numbers = sorted(set(scores.n_images))
    n = " to ".join(f"{number:,}" for number in dict.fromkeys(numbers[:1] + numbers[-1:])) or "no"
    limit = (
        f"at most {protocol.max_neighbors} neighbours"
        if protocol.max_neighbors
        else "all R neighbours"
    )
    own = f"each loss's own distance, {_of_what(settings.models)}"
    distance = own if protocol.own_distance else "Euclidean distance of raw embeddings"
    unit = "loss" if protocol.test_unit == "loss_mean" else "loss and fold"
    return (
        f"NR-Precisions for {n} {settings.properties.images_called}, networks trained on "
        f"{settings.properties.networks}. Underlined: above {SIGNIFICANT}. Bold: the larger mean "
        f"where the loss types differ (Mann-Whitney at 1%, one value per {unit}, "
        f"{protocol.test_alternative}). Protocol {protocol.name}: {limit}, {distance}; mean over "
        f"fold {', '.join(map(str, settings.folds))}.{about_own(settings.models, '')}"
    )


ENTRIES = [
    Entry("table1", models_table),
    Entry("table5", properties_table),
    Entry("table6", nr_precision_table),
]
