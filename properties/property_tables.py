"""Tables 1, 5 and 6: the losses, the properties, and how embeddings cluster by them."""

import pandas as pd

import utils
from properties.score_files import read_scores
from report.tables import MISSING_CELL, Cell, Table

SIGNIFICANT = 2.576  # the paper's threshold for underlining; see the README on what it does and does not say
LEVEL = 0.01  # of the Mann-Whitney test that puts a mean in bold
COLUMN_GROUPS = ["Car", "Car", *["Car Color"] * 3, *["Background Color"] * 3, "", "Sun", "Sun"]
COLUMNS = [
    "Model", "Rotation", "Hue", "Saturation", "Value", "Hue", "Saturation", "Value",
    "Camera Height", "Elevation", "Rotation",
]  # fmt: skip


def losses_table(settings, name):
    """Table 1."""
    fields = ["year", "type", "distance"]
    records = pd.DataFrame([[loss.name, *(getattr(loss, f) for f in fields)] for loss in settings.losses],
                           columns=["loss", *fields])  # fmt: skip
    records["year"] = records["year"].astype("Int64")
    cells = [
        [Cell(str(loss.year or "")), Cell(loss.type if loss.year else ""), Cell(loss.distance if loss.year else "")]
        for loss in settings.losses
    ]
    caption = 'Analyzed losses. "None" is the untrained network, compared by Euclidean distance.'
    names = [loss.name for loss in settings.losses]
    return Table(name, caption, [], ["Year", "Loss type", "Distance/Similarity"], [], names, cells, records, False)


def properties_table(settings, name):
    """Table 5."""
    texts = [", ".join(_value(prop.name, value) for value in prop.values) for prop in utils.PROPERTIES]
    labels = [prop.label for prop in utils.PROPERTIES]
    records = pd.DataFrame(
        [(prop.name, prop.label, "|".join(map(str, prop.values))) for prop in utils.PROPERTIES],
        columns=["property", "label", "values"],
    )
    caption = "Properties of the rendered cars and their possible values; every image draws each uniformly at random."
    return Table(name, caption, [], ["Possible values"], [], labels, [[Cell(text)] for text in texts], records, False)


def _value(name, value):
    return f"{value}°" if name in ("rotation_z", "sun_elevation", "sun_rotation") else str(value)


def nr_precision_table(settings, name):
    """Table 6: NR-Precision of every loss and property, averaged over the folds, and the means of the loss types.

    Underlined above the paper's threshold; of two means the larger is bold where the types differ significantly by the
    protocol's Mann-Whitney test.
    """
    scores = read_scores(utils.properties_file(settings, "nr_precision.csv"))
    losses = utils.grouped(settings.losses)
    values = {
        (loss.name, prop.name): _fold_mean(settings, scores, loss, prop) for loss in losses for prop in utils.PROPERTIES
    }
    cells = [[_score_cell(values[loss.name, prop.name]) for prop in utils.PROPERTIES] for loss in losses]
    records = [
        (loss.name, loss.type, prop.name, values[loss.name, prop.name]) for loss in losses for prop in utils.PROPERTIES
    ]
    means, bold = type_means(losses, values), significantly_larger(settings)
    for kind in ("Ranking", "Classification"):
        cells.append([_mean_cell(means[kind, p.name], bold.get(p.name) == kind) for p in utils.PROPERTIES])
        records += [(f"{kind} Mean", kind, p.name, means[kind, p.name]) for p in utils.PROPERTIES]
    return Table(
        name,
        _caption(settings, scores),
        COLUMN_GROUPS,
        COLUMNS,
        [*(loss.type for loss in losses), "Mean", "Mean"],
        [*(loss.name for loss in losses), "Ranking Mean", "Classification Mean"],
        cells,
        pd.DataFrame(records, columns=["loss", "type", "property", "value"]),
    )


def _fold_mean(settings, scores, loss, prop):
    """Mean NR-Precision over the settings' folds; None if one of them is missing or undefined."""
    rows = scores[(scores.loss == loss.name) & (scores.property == prop.name) & scores.fold.isin(settings.folds)]
    complete = len(rows) == len(settings.folds) and rows.nr_precision.notna().all()
    return float(rows.nr_precision.mean()) if complete else None


def type_means(losses, values):
    """(type, property) -> mean over the type's losses; None if there are none or one is missing."""
    means = {}
    for kind in ("Ranking", "Classification"):
        for prop in utils.PROPERTIES:
            column = [values[loss.name, prop.name] for loss in losses if loss.type == kind]
            means[kind, prop.name] = sum(column) / len(column) if column and None not in column else None
    return means


def significantly_larger(settings):
    """property -> the loss type whose mean is significantly larger, by the protocol's test in mann_whitney.csv."""
    file = utils.properties_file(settings, "mann_whitney.csv")
    if not file.is_file():
        return {}
    tests = pd.read_csv(file)
    chosen = (tests.unit == settings.rules.test_unit) & (tests.alternative == settings.rules.test_alternative)
    larger = {}
    for row in tests[chosen & (tests.p_value < LEVEL)].itertuples():
        larger[row.property] = "Ranking" if row.ranking_mean > row.classification_mean else "Classification"
    return larger


def _score_cell(value):
    return MISSING_CELL if value is None else Cell(_two_digits(value), value, underline=value > SIGNIFICANT)


def _mean_cell(value, bold):
    return MISSING_CELL if value is None else Cell(_two_digits(value), None, bold=bold)


def _two_digits(value):
    return f"{round(value, 2) + 0.0:.2f}"  # adding zero turns -0.0 into 0.0


def _caption(settings, scores):
    rules = settings.rules
    numbers = sorted(set(scores.n_images))
    n = " to ".join(f"{number:,}" for number in dict.fromkeys(numbers[:1] + numbers[-1:])) or "no"
    limit = f"at most {rules.max_neighbors} neighbours" if rules.max_neighbors else "all R neighbours"
    distance = "each loss's own distance" if rules.own_distance else "Euclidean distance of raw embeddings"
    unit = "loss" if rules.test_unit == "loss_mean" else "loss and fold"
    return (
        f"NR-Precisions for {n} rendered car images, networks trained on {settings.properties.networks}. "
        f"Underlined: above {SIGNIFICANT}. Bold: the larger mean where the loss types differ (Mann-Whitney at 1%, one "
        f"value per {unit}, {rules.test_alternative}). Protocol {settings.protocol}: {limit}, {distance}; "
        f"mean over fold {', '.join(map(str, settings.folds))}."
    )
