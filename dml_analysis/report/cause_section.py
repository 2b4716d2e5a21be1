"""Section "Causes": what networks react to, condensed from the CSV files of causes/."""

from itertools import combinations

import numpy as np

from dml_analysis.causes import embedding_shifts, map_regions, rank_1_errors, weight_randomization
from dml_analysis.controls import noise_ceilings
from dml_analysis.files import csv_files
from dml_analysis.methods import groups, trained_groups
from dml_analysis.metrics.map_mass import REGIONS
from dml_analysis.metrics.shift_sizes import CHANGED
from dml_analysis.report import questions
from dml_analysis.report.captions import count, folds, interval, number, p, percent, several
from dml_analysis.report.questions import LABELS, Question, Table, by_group

GROUPS = "Of each group the mean over its models (their number in brackets), each over its folds."


def section(settings):
    return questions.section(settings, QUESTIONS, "causes/1_locate_maps.py")


def _trained(settings, table):
    """The rows of trained models, over which means go."""
    return table[table.loss.isin([model.name for model in settings.models if model.trained])]


def regions(settings, protocol):
    """Of each dataset with masks: the mass of maps on car, ground and backdrop."""
    for dataset in settings.datasets:
        table = csv_files.read(
            map_regions.csv_file(settings, protocol, dataset),
            map_regions.COLUMNS,
            ["loss", "fold", "region"],
        )
        if table.empty:
            continue
        found = csv_files.read(
            map_regions.tests_file(settings, protocol, dataset), map_regions.TESTS
        )
        found = found[found.measure == "mass"].set_index(["group_a", "group_b", "unit", "region"])
        pairs = [
            pair
            for pair in combinations(trained_groups(settings.models), 2)
            if (*pair, "images", "car") in found.index
        ]
        mass = by_group(settings, table, "mass", "region")
        pixels = _trained(settings, table).groupby("region").pixels.mean()
        rows = [[region, percent(pixels.get(region, np.nan)), *map(percent, mass.loc[region]),
                 *(p(found.p_value[(*pair, unit, region)]) for pair in pairs for unit in map_regions.UNITS)] for region in REGIONS]  # fmt: skip
        heads = ["part of the picture", "pixels", *mass]
        heads += [f"p over {unit}, {a} against {b}" for a, b in pairs for unit in map_regions.UNITS]
        text = (f"{dataset}: how much of the maps' mass (the sum of their values) lies on each part of the picture, in per cent; pixels: how much of the "
                f"picture it is, which a map that knows nothing would have. {GROUPS} {several(table.n_images.max(), 'image')}. {_region_tests(found, pairs)}")  # fmt: skip
        yield Table(text, heads, rows)


def _region_tests(found, pairs):
    """What the p-values are, with their n."""
    if not pairs:
        return ""
    of_images, of_models = (
        [found.loc[(*pair, unit, "car")] for pair in pairs] for unit in map_regions.UNITS
    )
    images = " and ".join(f"{each.n_a}" for each in of_images)
    models = "; ".join(f"{each.n_a} and {each.n_b}" for each in of_models)
    return (f"p, two-sided: over images by Wilcoxon's signed-rank test of the groups' means on each of {images} images, for these networks; over models "
            f"by the exact Mann-Whitney test of {models} models, for other losses.")  # fmt: skip


def movements(settings, protocol):
    """By how far embeddings move, and what of the maps lies on changed pixels."""
    table = csv_files.read(
        embedding_shifts.csv_file(settings, protocol),
        embedding_shifts.COLUMNS,
        ["loss", "fold", "property"],
    )
    if table.empty:
        return
    moved, mapped = (
        by_group(settings, table, "movement", "property"),
        _trained(settings, table[table.n_mapped > 0]),
    )
    changed = (
        mapped.groupby("property")[["changed_mass", "changed_pixels"]].mean().reindex(moved.index)
    )
    rows = [
        [
            LABELS[name],
            *(number(value, 2) for value in moved.loc[name]),
            *map(percent, changed.loc[name]),
        ]
        for name in embedding_shifts.NAMES
    ]
    text = (f"How far an embedding moves when one property is changed and nothing else, in units of the median distance of unrelated images: mean over "
            f"{several(table.n_scenes.max(), 'scene')}. {GROUPS}")  # fmt: skip
    if len(mapped):
        text += (f" Right: how much of the maps' mass lies on pixels that the change alters (by more than {round(255 * CHANGED)} of 255 levels), and how many "
                 f"pixels these are, both in per cent: mean over {several(mapped.n_mapped.max(), 'scene')} and "
                 f"{several(len(mapped.groupby(['loss', 'fold'])), 'network')} of trained models.")  # fmt: skip
    yield Table(text, ["property", *moved, "map on changed pixels", "changed pixels"], rows)
    yield from _ranks(settings, protocol)


def _ranks(settings, protocol):
    ranks = csv_files.read(embedding_shifts.ranks_file(settings, protocol), embedding_shifts.RANKS)
    ranks = ranks[ranks.unit == "group"]
    if not ranks.empty:
        text = (f"Do the properties whose change moves a group's embeddings most also cluster best? Spearman's correlation of movement and NR-Precision "
                f"over {ranks.n_properties.max()} properties, of the means of the group's models, and its two-sided p.")  # fmt: skip
        yield Table(
            text,
            ["group", "correlation", "p"],
            [[row.type, number(row.spearman, 2), p(row.p_value)] for row in ranks.itertuples()],
        )


def wrong_neighbors(settings, protocol):
    """What wrong nearest cars share with the query beyond chance, by group."""
    file = rank_1_errors.csv_file(settings, protocol)
    table = csv_files.read(file, rank_1_errors.COLUMNS, ["unit", "loss", "type", "property"])
    table = table[table.unit == "group"].set_index(["type", "property"])
    kinds = [each for each in groups(settings.models) if each in table.index]
    if not kinds:
        return
    rows = [[LABELS[name], *(interval(*(100 * table.loc[(kind, name), ["excess", "low", "high"]].astype(float)), 1) for kind in kinds)]
            for name in rank_1_errors.OTHERS]  # fmt: skip
    errors = ", ".join(f"{kind} {percent(table.errors[kind].iloc[0], 0)}%" for kind in kinds)
    text = (f"Where the nearest car is of another model than the query (of {count(table.n_queries.max())} queries: {errors}): how much more often than by chance "
            "it shares each property, in percentage points, mean over the group's networks, with the 95% interval by the bootstrap over queries. By "
            "chance any car of another model would come, each alike.")  # fmt: skip
    yield Table(text, ["property", *kinds], rows)


def random_weights(settings, protocol):
    """What is left of maps when layers are made random; its first row is the ceiling."""
    dataset = settings.shown_dataset
    table = csv_files.read(
        weight_randomization.csv_file(settings, protocol, dataset), weight_randomization.COLUMNS
    )
    if table.empty:
        return
    by_share = table.pivot_table("correlation_mean", "random_share", "loss", sort=False)
    rows = [
        [f"{percent(share, 0)}%", *(number(value, 2) for value in by_share.loc[share])]
        for share in by_share.index
    ]
    text = (f"{dataset}: correlation of a network's maps with those after so many of its layers, from the last one on, have been made random; 1% is the last "
            f"layer alone. Mean over {several(table.n_images.max(), 'image')}, one network for each model, {folds(dict.fromkeys(table.fold))}.")  # fmt: skip
    ceiling = csv_files.read(
        noise_ceilings.csv_file(settings, protocol, dataset), noise_ceilings.COLUMNS
    )
    ceiling = ceiling[(ceiling.kind == "other noise") & ceiling.fold_a.isin(table.fold)]
    if not ceiling.empty:
        of_models = ceiling.set_index("loss_a").correlation_mean
        rows.insert(
            0, ["none, other noise", *(number(of_models.get(name, np.nan), 2) for name in by_share)]
        )
        text += f" First row: the same networks with other noise alone, the ceiling, over {several(ceiling.n_images.max(), 'image')}."
    yield Table(text, ["random layers", *by_share], rows)


PAIRS = ("Queries, and the car of another model that is nearest under some network: which pixels of both move the distance between their "
         "embeddings, under several models?")  # fmt: skip
QUESTIONS = [
    Question("Where do networks look?", regions, ("regions_",)),
    Question("What does a change of one property do?", movements, ("movements", "rankings")),
    Question("Why was the wrong car retrieved?", wrong_neighbors, ("wrong_neighbors",)),
    Question(
        "What makes these two alike?", lambda settings, protocol: [], ("pair",), PAIRS, "explorer"
    ),
    Question("Do maps depend on what was learned?", random_weights, ("randomization_",)),
]
