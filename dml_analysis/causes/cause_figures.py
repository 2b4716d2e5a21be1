"""Figures of causes: where maps lie, what moves embeddings, what wrong neighbours share, pairs explained, random weights."""

import numpy as np

from dml_analysis import figures
from dml_analysis.causes import (
    embedding_shifts,
    explained_pairs,
    map_regions,
    rank_1_errors,
    weight_randomization,
)
from dml_analysis.datasets.images import cropped, open_image
from dml_analysis.errors import MissingFile
from dml_analysis.files import csv_files
from dml_analysis.methods import counted, grouped, groups
from dml_analysis.metrics.map_mass import REGIONS
from dml_analysis.metrics.shift_sizes import rank_correlation
from dml_analysis.paper import PROPERTIES
from dml_analysis.saliency.saliency_figures import COLOR_MAP
from dml_analysis.saliency.saliency_tables import SHORT_NAMES

LABELS = {each.name: each.label for each in PROPERTIES}
OPACITY = 0.6  # of a map over its picture
MOST_PAIRS = 6  # in a figure


def draw(settings):
    """Write all figures of causes whose results exist, by each protocol; says what it leaves out."""
    makers = (
        _draw_regions,
        _draw_movements,
        _draw_rankings,
        _draw_errors,
        _draw_random,
        _draw_pairs,
    )
    figures.draw_what_there_is(
        settings, makers, "causes/1_locate_maps.py to 5_randomise_weights.py"
    )


def _by_group(settings, table):
    """(group, color, marker, the names of its models in the table, a place for each) of every group; places go down."""
    order, place = grouped(settings.whole.models), 0
    for number, group in enumerate(groups(order)):
        names = [
            model.name
            for model in order
            if model.group == group and (table.loss == model.name).any()
        ]
        yield group, *figures.look(number), names, [place + i for i in range(len(names))]
        place += len(names) + 0.6


# ---------------------------------------------------------------------------------------------------------------------
# Where maps lie.
# ---------------------------------------------------------------------------------------------------------------------
def _draw_regions(settings, protocol):
    for dataset in [each for each in settings.datasets if map_regions.has_masks(settings, each)]:
        table = csv_files.table(
            map_regions.csv_file(settings, protocol, dataset),
            map_regions.COLUMNS,
            key=["loss", "fold", "region"],
        )
        caption = (
            f"Where saliency maps lie: the share of their mass on car, ground and backdrop ({dataset}, {table.n_images.max()} "
            "images, mean over folds). Lines: the share of pixels, which a map that knows nothing has."
        )
        figures.draw_by_protocol(
            settings, protocol, f"regions_{dataset}", regions_figure(settings, table), caption
        )


def regions_figure(settings, table):
    """A panel for each region: a dot for each model."""
    figure, (axes,) = figures.new_figure(1, len(REGIONS), figsize=(figures.PAGE, 2.9), sharey=True)
    ticks = {}
    for panel, region in zip(axes, REGIONS):
        some = table[table.region == region]
        means = some.groupby("loss")[["mass", "pixels"]].mean()
        trained = [
            model.name
            for model in settings.whole.models
            if model.trained and model.name in means.index
        ]
        for group, color, marker, names, places in _by_group(settings, some):
            panel.plot(
                100 * means.mass.loc[names], places, marker, color=color, ms=4.5, label=group
            )
            ticks |= dict(zip(places, names))
        panel.axvline(100 * means.pixels.loc[trained].mean(), color="0.4", lw=0.9, ls="--")
        panel.set_title(region, pad=3)
        panel.set_xlabel("mass of the maps in %")
        panel.grid(color="0.9", lw=0.5)
    axes[0].set_yticks(list(ticks), list(ticks.values()))
    axes[0].invert_yaxis()
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
    )
    return figure


# ---------------------------------------------------------------------------------------------------------------------
# What moves embeddings.
# ---------------------------------------------------------------------------------------------------------------------
def _draw_movements(settings, protocol):
    table = csv_files.table(
        embedding_shifts.csv_file(settings, protocol),
        embedding_shifts.COLUMNS,
        key=["loss", "fold", "property"],
    )
    caption = (
        f"How far an embedding moves when one property changes and nothing else, in units of the median distance of unrelated "
        f"images ({table.n_scenes.max()} scenes): a dot for each model, a bar for each group's mean."
    )
    figures.draw_by_protocol(
        settings,
        protocol,
        "movements",
        dots_of_properties(settings, table, "movement", "movement", 1),
        caption,
    )


def dots_of_properties(settings, table, value, label, unit):
    """A row for each property, a line of dots in it for each group: its models' means; a bar is the group's mean."""
    means = table.groupby(["property", "loss"])[value].mean() * unit
    names = [each.name for each in PROPERTIES if each.name in means.index.get_level_values(0)]
    figure, ((axes,),) = figures.new_figure(figsize=(figures.PAGE, 0.32 * len(names) + 0.9))
    models = settings.whole.models
    for number, group in enumerate(groups(models)):
        color, marker = figures.look(number)
        some = [model.name for model in counted(models, group)]
        for row, name in enumerate(names):
            values = means[name].reindex(some).dropna()
            place = row + 0.22 * (number - (len(groups(models)) - 1) / 2)
            axes.plot(
                values,
                [place] * len(values),
                marker,
                color=color,
                ms=3.2,
                alpha=0.8,
                label=None if row else group,
            )
            if len(values):
                axes.plot([values.mean()] * 2, [place - 0.1, place + 0.1], color=color, lw=2)
    axes.set_yticks(range(len(names)), [LABELS[name] for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.grid(color="0.9", lw=0.5)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
    )
    return figure


def _draw_rankings(settings, protocol):
    moved, scored = embedding_shifts.means_of_models(settings, protocol)
    caption = (
        "Which properties count most: their rank by NR-Precision (filled) and by the movement that their change makes (open), 1 for the "
        "most; means over the models of a group. rho: Spearman's correlation of both."
    )
    figures.draw_by_protocol(
        settings, protocol, "rankings", rankings_figure(settings, moved, scored), caption
    )


def rankings_figure(settings, moved, scored):
    """A panel for each group: both ranks of every property, joined by a line; rows by the first group's NR-Precision."""
    models = [
        model
        for model in settings.whole.models
        if model.name in moved.index and model.name in scored.index
    ]
    order = groups(settings.whole.models)
    shown = [group for group in order if group in groups(models)]
    figure, (axes,) = figures.new_figure(1, len(shown), figsize=(figures.PAGE, 2.9), sharey=True)
    rows = None
    for panel, group in zip(axes, shown):
        names = [model.name for model in counted(models, group)]
        means = [table.loc[names].mean() for table in (scored, moved)]
        ranks = [each.rank(ascending=False) for each in means]
        rows = list(ranks[0].sort_values().index) if rows is None else rows
        color, marker = figures.look(order.index(group))
        for row, name in enumerate(rows):
            panel.plot([each[name] for each in ranks], [row, row], color=color, lw=1)
        for each, fill, size, label in zip(
            ranks, (color, "none"), (4, 7), ("NR-Precision", "movement")
        ):
            panel.plot(
                each[rows], range(len(rows)), marker, color=color, mfc=fill, ms=size, label=label
            )
        panel.set(xlim=(0.3, len(rows) + 0.7), xticks=range(1, len(rows) + 1, 2), xlabel="rank")
        panel.set_title(f"{group} (rho = {rank_correlation(*means)[0]:.2f})", pad=3)
        panel.grid(color="0.9", lw=0.5)
    axes[0].set_yticks(range(len(rows)), [LABELS[name] for name in rows])
    axes[0].invert_yaxis()
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False
    )
    return figure


def _draw_errors(settings, protocol):
    file = rank_1_errors.csv_file(settings, protocol)
    table = csv_files.table(file, rank_1_errors.COLUMNS, key=["unit", "loss", "type", "property"])
    caption = (
        f"What a wrong car at rank 1 shares with the query more often than by chance, in points: a dot for each group, with its "
        f"95% interval ({table.n_queries.max()} queries)."
    )
    figures.draw_by_protocol(
        settings,
        protocol,
        "wrong_neighbors",
        errors_figure(settings, table[table.unit == "group"]),
        caption,
    )


def errors_figure(settings, table):
    """A row for each property, and in it a dot with its interval for each group."""
    names = list(dict.fromkeys(table.property))
    figure, ((axes,),) = figures.new_figure(figsize=(figures.PAGE, 0.32 * len(names) + 0.9))
    for number, group in enumerate(groups(settings.whole.models)):
        color, marker = figures.look(number)
        some = table[table.type == group].set_index("property")
        for row, name in enumerate(each for each in names if each in some.index):
            place, found = row + 0.2 * (number - 1), some.loc[name]
            axes.plot([100 * found.low, 100 * found.high], [place] * 2, color=color, lw=1.3)
            axes.plot(
                100 * found.excess, place, marker, color=color, ms=4, label=None if row else group
            )
    axes.axvline(0, color="0.5", lw=0.8)
    axes.set_yticks(range(len(names)), [LABELS[name] for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("shared more often than by chance, points")
    axes.grid(axis="x", color="0.9", lw=0.5)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
    )
    return figure


# ---------------------------------------------------------------------------------------------------------------------
# Random weights.
# ---------------------------------------------------------------------------------------------------------------------
def _draw_random(settings, protocol):
    dataset = settings.shown_dataset
    file = weight_randomization.csv_file(settings, protocol, dataset)
    table = csv_files.table(
        file, weight_randomization.COLUMNS, key=["loss", "fold", "random_share"]
    )
    caption = (
        f"Correlation of a network's saliency maps with those after so many of its layers, from the last one on, have been made "
        f"random ({dataset}, {table.n_images.max()} images, other noise): a line for each model."
    )
    figures.draw_by_protocol(
        settings, protocol, f"randomization_{dataset}", random_figure(settings, table), caption
    )


def random_figure(settings, table):
    """A line for each model, over the share of random layers."""
    figure, ((axes,),) = figures.new_figure(figsize=(figures.COLUMN, 2.4))
    for group, color, marker, names, _ in _by_group(settings, table):
        for name in names:
            some = table[table.loss == name].groupby("random_share").correlation_mean.mean()
            axes.plot(
                100 * some.index,
                some,
                marker + "-",
                color=color,
                ms=3,
                lw=0.9,
                label=None if name != names[0] else group,
            )
    axes.set(
        xlabel="random layers in %, from the last one on",
        ylabel="correlation with intact maps",
        ylim=(None, 1),
    )
    axes.axhline(0, color="0.5", lw=0.8)
    axes.grid(color="0.9", lw=0.5)
    axes.legend(frameon=False)
    return figure


# ---------------------------------------------------------------------------------------------------------------------
# Pairs.
# ---------------------------------------------------------------------------------------------------------------------
def _draw_pairs(settings, protocol):
    chosen = explained_pairs.chosen_pairs(settings)
    stores = [
        store
        for store in explained_pairs.stores_of(settings, chosen)[protocol]
        if store.is_complete()
    ]
    if not stores:
        raise MissingFile(
            f"{settings.results / protocol.name / 'causes' / 'pairs'}: no pairs; run causes/4_explain_pairs.py"
        )
    caption = (
        "Queries and the wrong car that is nearest to each under one of these models: the pixels of both that move the distance "
        "between their embeddings, under each model."
    )
    networks, maps = (
        [store.subject.network for store in stores],
        [store.read("maps")["maps"] for store in stores],
    )
    drawn = pairs_figure(chosen[:MOST_PAIRS], networks, maps)
    figures.draw_by_protocol(settings, protocol, "pairs", drawn, caption)


def draw_pair(settings, protocol, pair, networks, maps):
    """Write the figure of one Pair; maps (2, h, w) for each of the networks."""
    caption = (
        f"What makes {pair.query.path.name} and {pair.neighbor.path.name} alike: the pixels of both that move the distance between "
        "their embeddings, under each model."
    )
    drawn = pairs_figure([pair], networks, [[each] for each in maps])
    figures.draw_by_protocol(settings, protocol, f"pair_{pair.name}", drawn, caption)


def pairs_figure(chosen, networks, maps):
    """A row for each pair: the query, its map under each network, laid over it, then the neighbour and its maps.

    maps: for each network those of each pair, (2, h, w).
    """
    width = 1 + len(networks)
    figure, axes = figures.new_figure(
        len(chosen),
        2 * width,
        figsize=(figures.PAGE, (figures.PAGE / 2 / width + 0.1) * len(chosen) + 0.35),
    )
    for pair, row, of_pair in zip(chosen, axes, zip(*maps)):
        for side, item in enumerate(pair):
            first, *others = row[side * width : (side + 1) * width]
            figures.show_image(first, cropped(open_image(item.path), networks[0].crop))
            first.set_title(f"{('query', 'neighbour')[side]} {item.image_id}", fontsize=5, pad=2)
            for panel, network, both in zip(others, networks, of_pair):
                figures.show_image(panel, cropped(open_image(item.path), network.crop))
                panel.imshow(
                    both[side].astype(np.float32), cmap=COLOR_MAP, vmin=0, vmax=1, alpha=OPACITY
                )
                panel.set_title(
                    SHORT_NAMES.get(network.model.name, network.model.name), fontsize=5, pad=2
                )
    return figure
