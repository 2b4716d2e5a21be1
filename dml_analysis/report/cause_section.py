"""Section "Causes": what networks react to, from the CSV files of causes/."""

from collections.abc import Iterator

import pandas as pd

from dml_analysis.causes import embedding_shifts, map_regions, rank_1_errors, weight_randomization
from dml_analysis.causes.embedding_shifts import RENDER_NOISE
from dml_analysis.config import Settings
from dml_analysis.controls import noise_ceilings
from dml_analysis.files import csv_files
from dml_analysis.methods import groups, trained_groups
from dml_analysis.metrics.map_mass import REGIONS
from dml_analysis.metrics.shift_sizes import CHANGED
from dml_analysis.number_texts import percent
from dml_analysis.paper import PROPERTIES, Protocol
from dml_analysis.report import questions
from dml_analysis.report.printed import numbers, p_values, percents, text
from dml_analysis.report.questions import Question, Table, by_group

LABELS = {prop.name: prop.label for prop in PROPERTIES} | {RENDER_NOISE: "Render noise alone"}


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    return questions.section(settings, QUESTIONS, "causes/1_locate_maps.py")


def _trained(settings: Settings, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of trained models."""
    return table[table.loss.isin([model.name for model in settings.models if model.trained])]


def regions(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield, for each dataset with masks, the mass of maps on car, ground and backdrop."""
    for dataset in settings.datasets:
        file = map_regions.csv_file(settings, protocol, dataset)
        table = csv_files.read(file, map_regions.COLUMNS, ["loss", "fold", "region"])
        if table.empty:
            continue
        tests_file = map_regions.tests_file(settings, protocol, dataset)
        tests, sizes = _region_tests(settings, csv_files.read(tests_file, map_regions.TESTS))
        pixels = _trained(settings, table).groupby("region").pixels.mean().reindex(list(REGIONS))
        mass = by_group(settings, table, "mass", "region").reindex(list(REGIONS))
        cells = pd.concat([percents(pixels), percents(mass), tests.reindex(list(REGIONS))], axis=1)
        caption = text("regions", dataset=dataset, table=table, tests=sizes)
        yield Table(f"regions_{dataset}", caption, "region of the image", cells)


def _region_tests(
    settings: Settings, tests: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, list[tuple[int, int]]]]:
    """Return p of regions (rows) by unit and groups (columns), and by unit the sizes of groups."""
    names = trained_groups(settings.models)
    tests = tests[tests.group_a.isin(names) & tests.group_b.isin(names) & (tests.measure == "mass")]
    columns: dict[str, pd.Series] = {}
    sizes: dict[str, list[tuple[int, int]]] = {unit: [] for unit in map_regions.UNITS}
    for (a, b, unit), rows in tests.groupby(["group_a", "group_b", "unit"], sort=False):
        columns[f"p over {unit}, {a} vs. {b}"] = p_values(rows.set_index("region").p_value)
        sizes[unit].append((rows.n_a.iloc[0], rows.n_b.iloc[0]))
    return pd.DataFrame(columns), sizes


def shifts(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield how far embeddings shift, with the mass of maps on changed pixels, and the ranks."""
    file, key = embedding_shifts.csv_file(settings, protocol), ["loss", "fold", "property"]
    table = csv_files.read(file, embedding_shifts.COLUMNS, key)
    if table.empty:
        return
    mapped = _trained(settings, table[table.n_mapped > 0])
    changed = mapped.groupby("property")[["changed_mass", "changed_pixels"]].mean()
    changed.columns = ["map on changed pixels", "changed pixels"]
    shift = by_group(settings, table, "shift", "property")
    cells = pd.concat([numbers(shift, 2), percents(changed.reindex(shift.index))], axis=1)
    caption = text("shifts", table=table, mapped=mapped, levels=round(255 * CHANGED))
    yield Table(
        "shifts", caption, "property", cells.reindex(embedding_shifts.CHANGES).rename(LABELS)
    )
    ranks = csv_files.read(embedding_shifts.ranks_file(settings, protocol), embedding_shifts.RANKS)
    ranks = ranks[ranks.unit == "group"].set_index("type")
    if not ranks.empty:
        columns = {"correlation": numbers(ranks.spearman, 2), "p": p_values(ranks.p_value)}
        yield Table("shift_ranks", text("shift_ranks", ranks=ranks), "group", pd.DataFrame(columns))


def wrong_neighbors(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield what wrong nearest cars share with the query beyond chance, by group."""
    file = rank_1_errors.csv_file(settings, protocol)
    table = csv_files.read(file, rank_1_errors.COLUMNS, ["unit", "loss", "type", "property"])
    table = table[table.unit == "group"].set_index("property")
    shown = [group for group in groups(settings.models) if group in set(table.type)]
    columns = {}
    for group in shown:
        texts = percents(table[table.type == group][["excess", "low", "high"]])
        columns[group] = texts.excess + " (" + texts.low + " to " + texts.high + ")"
    if shown:
        caption = text("wrong_neighbors", table=table, groups=shown)
        cells = pd.DataFrame(columns).reindex(rank_1_errors.OTHERS).rename(LABELS)
        yield Table("wrong_neighbors", caption, "property", cells)


def random_weights(settings: Settings, protocol: Protocol) -> Iterator[Table]:
    """Yield what remains of maps when layers are made random; the first row is the ceiling."""
    dataset = settings.shown_dataset
    file = weight_randomization.csv_file(settings, protocol, dataset)
    table = csv_files.read(file, weight_randomization.COLUMNS)
    if table.empty:
        return
    cells = table.pivot_table("correlation_mean", "random_share", "loss", sort=False)
    cells.index = [f"{percent(share, 0)}%" for share in cells.index]
    file = noise_ceilings.csv_file(settings, protocol, dataset)
    ceiling = csv_files.read(file, noise_ceilings.COLUMNS)
    ceiling = ceiling[(ceiling.kind == "other noise") & ceiling.fold_a.isin(table.fold)]
    if not ceiling.empty:
        first = ceiling.set_index("loss_a").correlation_mean.reindex(cells.columns)
        cells = pd.concat([first.to_frame("none, other noise").T, cells])
    caption = text("random_weights", dataset=dataset, table=table, ceiling=ceiling)
    yield Table(f"random_weights_{dataset}", caption, "random layers", numbers(cells, 2))


QUESTIONS = [
    Question("Where do networks look?", regions, ("regions_",)),
    Question("What does a change of one property do?", shifts, ("embedding_shifts", "rankings")),
    Question("Why was the wrong car retrieved?", wrong_neighbors, ("wrong_neighbors",)),
    Question("What makes these two alike?", lambda *_: [], ("pair",), text("pairs"), "explorer"),
    Question("Do maps depend on what was learned?", random_weights, ("randomization_",)),
]
