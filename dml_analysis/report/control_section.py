"""Section "Controls": which results are more than chance, from the CSV files of controls/."""

from collections.abc import Iterator

import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.controls import (
    compared_groupings,
    compared_representations,
    group_tests,
    map_ablations,
    noise_ceilings,
    score_controls,
)
from dml_analysis.datasets.readers import labels_of
from dml_analysis.files import csv_files
from dml_analysis.methods import slug
from dml_analysis.metrics import sample_size
from dml_analysis.metrics.representation_similarity import MEASURES
from dml_analysis.paper import Protocol
from dml_analysis.report import questions
from dml_analysis.report.map_findings import losses_and_folds
from dml_analysis.report.printed import count, numbers, p_values, percents, several, text
from dml_analysis.report.questions import Question, Table, by_group

UNITS = {"loss_mean": "losses' means", "loss_fold": "losses and folds"}
CORRECTED = {"none": "not corrected", "holm": "Holm"}
SIMILARITIES = {
    "maps": "maps: mean correlation of maps",
    "embeddings": "embeddings: debiased linear CKA of embeddings",
    "embeddings (neighbours)": "embeddings: share of nearest neighbours in common",
    "embeddings (Procrustes)": "embeddings: Procrustes similarity",
    "properties": "properties: correlation of profiles of properties",
}


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    return questions.section(settings, QUESTIONS, "controls/1_bound_maps.py")


def floor_and_ceiling(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield, for each dataset, correlations of maps from the noise ceiling to the floor."""
    columns = {
        "correlation_mean": "correlation",
        "corrected": "corrected",
        "jsd_mean": "divergence",
    }
    for dataset in settings.datasets:
        file = noise_ceilings.csv_file(settings, protocol, dataset)
        table = csv_files.read(file, noise_ceilings.COLUMNS)
        kinds = dict(noise_ceilings.kinds_of(table, settings.models))
        if not kinds:
            continue
        answer_file = noise_ceilings.answer_file(settings, protocol, dataset)
        answer = losses_and_folds(csv_files.read(answer_file, noise_ceilings.ANSWER), dataset)
        base = protocol.jsd_base
        caption = text("bounds", dataset=dataset, table=table, jsd_base=base, answer=answer)
        means = pd.DataFrame({kind: rows[list(columns)].mean() for kind, rows in kinds.items()}).T
        cells = numbers(means, 3).rename(columns=columns)
        cells.insert(0, "pairs", [str(len(rows)) for rows in kinds.values()])
        yield Table(f"bounds_{dataset}", caption, "kind of pair", cells)


def chance(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield NR-Precision with its permutation null, and the order of properties in fewer images."""
    nulls = _read_controls(settings, protocol, "nulls", score_controls.NULLS)
    nulls = nulls[nulls.loss.isin([model.name for model in settings.models if model.trained])]
    if not nulls.empty:
        yield _nulls(settings, protocol, nulls)
    table = _read_controls(settings, protocol, "orders", score_controls.ORDERS)
    if not table.empty:
        caption = text("orders", table=table, n_properties=len(labels_of(settings)))
        means = by_group(settings, table, "order_as_all", "n_images").sort_index().rename(count)
        yield Table("orders", caption, "images", numbers(means, 2))


def _read_controls(
    settings: Settings, protocol: Protocol, name: str, columns: dict
) -> pd.DataFrame:
    """Return a CSV file of the controls of NR-Precision."""
    return csv_files.read(score_controls.file_of(settings, protocol, name), columns)


def _nulls(settings: Settings, protocol: Protocol, nulls: pd.DataFrame) -> Table:
    """Return the table of NR-Precision and its permutation null, and detectable differences."""
    differences = _read_controls(settings, protocol, "differences", score_controls.DIFFERENCES)
    folds = nulls.groupby("loss").fold.nunique().max()
    is_largest = (differences.queries == differences.queries.max()) & (differences.folds == folds)
    differences = differences[is_largest].set_index("property")
    labels = labels_of(settings)
    by_property = nulls.groupby("property")
    means = by_property[["nr_precision", "null_mean", "null_std"]].mean().reindex(list(labels))
    columns = {
        "NR-Precision": numbers(means.nr_precision, 2),
        "chance": numbers(means.null_mean, 3),
        "sd of chance": numbers(means.null_std, 3),
        "largest p": p_values(by_property.p_value.max()),
        "smallest detectable difference": numbers(differences.least.reindex(list(labels)), 2),
        "pairs told apart": percents(differences.told_apart.reindex(list(labels)), 0),
    }
    cells = pd.DataFrame(columns).reindex(list(labels)).rename(labels)
    caption = text(
        "nulls",
        nulls=nulls,
        differences=differences,
        level=sample_size.LEVEL,
        power=sample_size.POWER,
    )
    return Table("nulls", caption, "property", cells)


def tests(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield the Mann-Whitney tests of each two groups, by either unit."""
    file = group_tests.files_of(settings, protocol)[0]
    table = csv_files.read(file, group_tests.COLUMNS, group_tests.KEY)
    table = table[table.alternative == "two-sided"]
    for (a, b), of_pair in table.groupby(["group_a", "group_b"], sort=False):
        columns, sizes = [], []
        for unit, rows in of_pair.groupby("unit", sort=False):
            rows = rows.set_index("property").rename(labels_of(settings))
            texts = [p_values(rows[["p_value", "p_holm"]]), numbers(rows.rank_biserial, 2)]
            names = [f"{what}, {UNITS[unit]}" for what in ("p", "Holm", "effect")]
            columns.append(pd.concat(texts, axis=1).set_axis(names, axis=1))
            sizes.append((UNITS[unit], rows.n_a.min(), rows.n_b.min()))
        cells = pd.concat(columns, axis=1)
        caption = text("tests", a=a, b=b, sizes=sizes, n_properties=len(cells))
        yield Table(f"tests_{slug(a)}_{slug(b)}", caption, "property", cells)


def claims(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield how many of the paper's claims about Table 6 hold, here and in the published table."""
    if not settings.properties.of_cars:
        return
    rows = {}
    for name, which in (("this run", protocol), ("published Table 6", None)):
        file = group_tests.files_of(settings, which)[1]
        table = csv_files.read(file, group_tests.HELD, list(group_tests.HELD_KEY))
        for (unit, test), of_test in table.groupby(["unit", "test"], sort=False):
            rows[f"{name}, {UNITS[unit]}, {test}"] = {
                f"at {level:.0%}, {CORRECTED[correction]}": f"{sum(held == 'yes')} of {len(held)}"
                for (correction, level), held in of_test.groupby(
                    ["correction", "level"], sort=False
                ).held
            }
    yield Table("claims", text("claims"), "numbers", pd.DataFrame(rows).T)


def groupings(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield whether maps, embeddings and properties group the losses, and whether they agree."""
    file = compared_groupings.file_of(settings, protocol, "groupings")
    table = csv_files.read(file, compared_groupings.GROUPS, ["analysis"]).set_index("analysis")
    if not table.empty:
        columns = {
            "within minus between": numbers(table.within_minus_between, 3),
            "p": p_values(table.p_value),
            "cophenetic": numbers(table.cophenetic, 2),
            "adjusted Rand": numbers(table.adjusted_rand, 2),
        }
        yield Table(
            "groupings",
            text("groupings", table=table),
            "similarity",
            pd.DataFrame(columns).rename(SIMILARITIES),
        )
    yield from _representations(settings, protocol)
    file = compared_groupings.file_of(settings, protocol, "mantel")
    table = csv_files.read(file, compared_groupings.MANTEL)
    if not table.empty:
        pairs = table.analysis_a + " and " + table.analysis_b
        frames = []
        for kind, rows in table.set_index(pairs).groupby("kind", sort=False):
            texts = [numbers(rows.correlation, 2), p_values(rows.p_value)]
            names = [f"{what}, {kind.title()}" for what in ("correlation", "p")]
            frames.append(pd.concat(texts, axis=1).set_axis(names, axis=1))
        yield Table(
            "mantel", text("mantel", table=table), "similarities", pd.concat(frames, axis=1)
        )


def _representations(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield the similarities of embeddings by each measure, between two folds and by chance."""
    file = compared_groupings.file_of(settings, protocol, "representation_similarities")
    table = csv_files.read(file, compared_representations.COLUMNS, compared_representations.KEY)
    if table.empty:
        return
    means, p = {}, {}
    for measure, rows in table.groupby("measure", sort=False):
        kinds = compared_representations.kinds_of(rows, settings.models)
        pairs, label = rows[rows.loss_a != rows.loss_b], MEASURES[measure].label
        means[label] = {kind: values.mean() for kind, values in kinds}
        means[label]["sd of chance"] = pairs.null_std.mean()
        p[label] = pairs.p_value.max()
    columns = [numbers(pd.DataFrame(means).T, 3), p_values(pd.Series(p, name="largest p"))]
    yield Table(
        "representations",
        text("representations", table=table),
        "measure",
        pd.concat(columns, axis=1),
    )


def survival(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield similarities within and between groups by map setting, and how many images it takes."""
    dataset = settings.shown_dataset
    file = map_ablations.csv_file(settings, protocol, dataset)
    table = csv_files.read(file, map_ablations.COLUMNS)
    if not table.empty:
        table.index = [
            f"{row.attribution}, {row.base} as base, σ {row.sigma:g}, {several(row.samples, 'sample')}"
            for row in table.itertuples()
        ]
        texts = [
            numbers(table[["within", "between", "difference"]], 3),
            p_values(table.p_value.rename("p")),
            numbers(table.order_as_own.rename("order"), 2),
        ]
        caption = text("ablations", dataset=dataset, table=table)
        yield Table(f"ablations_{dataset}", caption, "maps", pd.concat(texts, axis=1))
    file = map_ablations.needed_file(settings, protocol, dataset)
    table = csv_files.read(file, map_ablations.NEEDED, ["samples", "images"])
    if not table.empty:
        power = {"level": sample_size.LEVEL, "power": sample_size.POWER}
        caption = text("sample_sizes", dataset=dataset, table=table, **power)
        shares = table.pivot_table("told_apart", "images", "samples").rename(count)
        cells = percents(shares, 0).rename(columns=lambda n: several(n, "noisy sample"))
        yield Table(f"sample_sizes_{dataset}", caption, "images", cells)


QUESTIONS = [
    Question("Baseline and ceiling of the similarity of maps", floor_and_ceiling, ("bounds_",)),
    Question("What is NR-Precision by chance?", chance, ("nulls", "orders")),
    Question("Do groups of losses differ?", tests),
    Question("Which of the paper's claims about Table 6 hold?", claims),
    Question(
        "Do maps, embeddings and properties group the losses alike?",
        groupings,
        ("trees", "representations"),
    ),
    Question("Which conclusions survive other settings?", survival, ("variations_", "needed_")),
]
