"""Figures of causes: map regions, embedding shifts, wrong neighbours, random weights, pairs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float
from PIL.Image import Image

from dml_analysis import figures
from dml_analysis.causes import (
    embedding_shifts,
    explained_pairs,
    map_regions,
    rank_1_errors,
    weight_randomization,
)
from dml_analysis.causes.explained_pairs import Pair
from dml_analysis.datasets.images import cropped, open_image
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import MissingFile
from dml_analysis.files import csv_files
from dml_analysis.methods import counted, groups
from dml_analysis.metrics.map_mass import REGIONS
from dml_analysis.metrics.shift_sizes import rank_correlation
from dml_analysis.networks.specifications import Network
from dml_analysis.paper import PROPERTIES, Model, Protocol
from dml_analysis.saliency.saliency_figures import COLOR_MAP
from dml_analysis.saliency.saliency_tables import SHORT_NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dml_analysis.config import Settings

LABELS = {prop.name: prop.label for prop in PROPERTIES}
OPACITY = 0.6  # of a map over its picture
TITLE_WIDTH = 64  # characters, of the titles of all panels in a row alongside labels
TITLE_SIZE, CHARS_PER_INCH = 5.5, 20  # of titles over pictures
MAX_PAIRS = 6  # in a figure


def draw(settings: "Settings") -> None:
    """Write all figures of causes with results, by each protocol; print which are left out."""
    of_cars = (_draw_shifts, _draw_ranks, _draw_errors, _draw_pairs)
    makers = (_draw_regions, *(of_cars if settings.properties.of_cars else ()), _draw_random)
    figures.draw_what_there_is(
        settings, makers, "causes/1_locate_maps.py to 5_randomise_weights.py"
    )


# --------------------------------------------------------------------------------------------------
# Map regions.
# --------------------------------------------------------------------------------------------------
def _draw_regions(settings: "Settings", protocol: Protocol) -> None:
    for dataset in [name for name in settings.datasets if map_regions.has_masks(settings, name)]:
        file = map_regions.csv_file(settings, protocol, dataset)
        table = csv_files.table(file, map_regions.COLUMNS, key=["loss", "fold", "region"])
        caption = (
            f"Share of the mass of saliency maps on car, ground and backdrop of {dataset}. Dots: "
            f"methods, mean over {table.n_images.max()} images and over folds. Dashed lines: the "
            "share of pixels, which a uniform map would have."
        )
        figure = regions_figure(settings, table)
        figures.draw_by_protocol(settings, protocol, f"regions_{dataset}", figure, caption)


def regions_figure(settings: "Settings", table: pd.DataFrame) -> "Figure":
    """Return a panel for each region, with a dot for each model."""
    models = settings.whole.models
    shown = [model.name for model in models if model.name in set(table.loss)]
    gaps = [""] * len(groups(models))
    size = (figures.PAGE, figures.rows_height([*shown, *gaps], 0.15) + 0.9)
    figure, (axes,) = figures.new_figure(1, len(REGIONS), figsize=size, sharey=True)
    means = table.groupby(["region", "loss"])[["mass", "pixels"]].mean()
    trained = [model.name for model in models if model.trained]
    ticks: dict[float, str] = {}
    place = 0.0
    for group, color, marker in figures.group_looks(models):
        names = [model.name for model in models if model.group == group and model.name in shown]
        places = [place + number for number in range(len(names))]
        ticks |= dict(zip(places, map(figures.wrapped, names)))
        place += len(names) + 0.6
        for panel, region in zip(axes, REGIONS):
            mass = 100 * means.mass[region].reindex(names)
            panel.plot(mass, places, marker, color=color, ms=4.5, label=group)
    for panel, region in zip(axes, REGIONS):
        pixels = means.pixels[region].reindex(trained).mean()
        panel.axvline(100 * pixels, color="0.4", lw=0.9, ls="--")
        panel.set_title(region, pad=3)
        panel.grid(**figures.GRID)
    axes[0].set_yticks(list(ticks), list(ticks.values()))
    axes[0].invert_yaxis()
    figure.supxlabel("mass of the maps in %", fontsize=8)
    figures.legend_above(figure, axes[0])
    return figure


# --------------------------------------------------------------------------------------------------
# Embedding shifts and wrong neighbours.
# --------------------------------------------------------------------------------------------------
def _draw_shifts(settings: "Settings", protocol: Protocol) -> None:
    file = embedding_shifts.csv_file(settings, protocol)
    table = csv_files.table(file, embedding_shifts.COLUMNS, key=["loss", "fold", "property"])
    caption = (
        "Embedding shift if one property changes and nothing else, in units of the median distance "
        f"of unrelated images. Dots: methods, mean over {table.n_sets.max()} counterfactual sets "
        "and over folds. Bars: means of groups. Dashed lines: a group's mean shift if only the "
        "renderer's noise differs."
    )
    figure = shifts_figure(settings.whole.models, table)
    figures.draw_by_protocol(settings, protocol, "embedding_shifts", figure, caption)


def shifts_figure(models: Sequence[Model], table: pd.DataFrame) -> "Figure":
    """Return a row for each property, with dots of the models and a bar of the mean by group.

    A dashed line over all rows is each group's mean shift by the renderer's noise.
    """
    means = table.groupby(["property", "loss"])["shift"].mean()
    names = [prop.name for prop in PROPERTIES if prop.name in set(table.property)]
    figure, axes = figures.rows_figure([LABELS[name] for name in names])
    looks = figures.group_looks(models)
    for number, (group, color, marker) in enumerate(looks):
        members = [model.name for model in counted(models, group)]
        floor = means[embedding_shifts.RENDER_NOISE].reindex(members).mean()
        axes.axvline(floor, color=color, lw=0.9, ls="--")
        for row, name in enumerate(names):
            values = means[name].reindex(members).dropna()
            place = row + 0.66 / len(looks) * (number - (len(looks) - 1) / 2)
            axes.plot(values, [place] * len(values), marker, color=color, ms=3.2, alpha=0.8,
                      label=group)  # fmt: skip
            if len(values):
                axes.plot([values.mean()] * 2, [place - 0.1, place + 0.1], color=color, lw=2)
    axes.set_xlabel("embedding shift")
    axes.grid(**figures.GRID)
    figures.legend_above(figure, axes)
    return figure


def _draw_ranks(settings: "Settings", protocol: Protocol) -> None:
    shifts, scores = embedding_shifts.means_of_models(settings, protocol)
    caption = (
        "Ranks of the properties by NR-Precision (filled) and by the embedding shift if they "
        "change (open), means over the methods of a group. Rank 1 is the largest. ρ: Spearman's "
        "correlation of both."
    )
    figure = ranks_figure(settings.whole.models, shifts, scores)
    figures.draw_by_protocol(settings, protocol, "rankings", figure, caption)


def ranks_figure(models: Sequence[Model], shifts: pd.DataFrame, scores: pd.DataFrame) -> "Figure":
    """Return a panel for each group, with both ranks of every property joined by a line.

    Rows are ordered by the first group's NR-Precision.
    """
    both = [model for model in models if model.name in shifts.index and model.name in scores.index]
    looks = [look for look in figures.group_looks(models) if look[0] in groups(both)]
    size = (figures.PAGE, figures.rows_height([LABELS[name] for name in scores], 0.19) + 1.1)
    figure, (axes,) = figures.new_figure(1, len(looks), figsize=size, sharey=True)
    rows: list[str] = []
    for panel, (group, color, marker) in zip(axes, looks):
        names = [model.name for model in counted(both, group)]
        means = [table.loc[names].mean() for table in (scores, shifts)]
        by_score, by_shift = (values.rank(ascending=False) for values in means)
        rows = rows or list(by_score.sort_values().index)
        for row, name in enumerate(rows):
            panel.plot([by_score[name], by_shift[name]], [row, row], color=color, lw=1)
        dots, places = {"marker": marker, "color": color, "ls": "none"}, range(len(rows))
        panel.plot(by_score[rows], places, **dots, ms=4, label="NR-Precision")
        panel.plot(by_shift[rows], places, **dots, ms=7, mfc="none", label="embedding shift")
        panel.set(xlim=(0.3, len(rows) + 0.7), xticks=range(1, len(rows) + 1, 2), xlabel="rank")
        title = f"{group} (ρ = {rank_correlation(*means)[0]:.2f})"
        panel.set_title(figures.wrapped(title, TITLE_WIDTH // len(looks)), pad=3)
        panel.grid(**figures.GRID)
    figures.label_rows(axes[0], [LABELS[name] for name in rows])
    figures.legend_above(figure, axes[0])
    return figure


def _draw_errors(settings: "Settings", protocol: Protocol) -> None:
    file = rank_1_errors.csv_file(settings, protocol)
    table = csv_files.table(file, rank_1_errors.COLUMNS, key=["unit", "loss", "type", "property"])
    caption = (
        "How much more often than by chance a wrong car at rank 1 shares a property with the "
        "query, in percentage points. Dots: groups, with 95% intervals by the bootstrap over "
        f"{table.n_queries.max()} queries."
    )
    figure = errors_figure(settings.whole.models, table[table.unit == "group"])
    figures.draw_by_protocol(settings, protocol, "wrong_neighbors", figure, caption)


def errors_figure(models: Sequence[Model], table: pd.DataFrame) -> "Figure":
    """Return a row for each property, with a dot and its interval for each group."""
    names = list(dict.fromkeys(table.property))
    figure, axes = figures.rows_figure([LABELS[name] for name in names])
    looks = figures.group_looks(models)
    for number, (group, color, marker) in enumerate(looks):
        for row in table[table.type == group].itertuples():
            place = names.index(row.property) + 0.6 / len(looks) * (number - (len(looks) - 1) / 2)
            axes.plot([100 * row.low, 100 * row.high], [place] * 2, color=color, lw=1.3)
            axes.plot(100 * row.excess, place, marker, color=color, ms=4, label=group)
    axes.axvline(0, color="0.5", lw=0.8)
    axes.set_xlabel("shared more often than by chance, percentage points")
    axes.grid(axis="x", **figures.GRID)
    figures.legend_above(figure, axes)
    return figure


# --------------------------------------------------------------------------------------------------
# Random weights.
# --------------------------------------------------------------------------------------------------
def _draw_random(settings: "Settings", protocol: Protocol) -> None:
    dataset, key = settings.shown_dataset, ["loss", "fold", "random_share"]
    file = weight_randomization.csv_file(settings, protocol, dataset)
    table = csv_files.table(file, weight_randomization.COLUMNS, key=key)
    caption = (
        "Correlation of a network's saliency maps with those after a share of its layers, starting "
        f"with the last, has random weights. Lines: methods, mean over {table.n_images.max()} "
        f"images of {dataset} and over folds. Both maps have noise of their own."
    )
    figure = randomization_figure(settings.whole.models, table)
    figures.draw_by_protocol(settings, protocol, f"randomization_{dataset}", figure, caption)


def randomization_figure(models: Sequence[Model], table: pd.DataFrame) -> "Figure":
    """Return a line for each model over the share of random layers."""
    figure, ((axes,),) = figures.new_figure(figsize=(figures.COLUMN, 2.4))
    table = table.assign(percent=100 * table.random_share)
    figures.plot_model_lines(axes, table, models, "percent", "correlation_mean")
    axes.set(
        xlabel="random layers in %, starting with the last",
        ylabel="correlation with intact maps",
        ylim=(None, 1),
    )
    axes.axhline(0, color="0.5", lw=0.8)
    axes.grid(**figures.GRID)
    figures.legend_above(figure, axes, handletextpad=0.3)
    return figure


# --------------------------------------------------------------------------------------------------
# Pairs.
# --------------------------------------------------------------------------------------------------
def _draw_pairs(settings: "Settings", protocol: Protocol) -> None:
    pairs = explained_pairs.chosen_pairs(settings)
    stores = explained_pairs.stores_of(settings, pairs)[protocol]
    stores = [store for store in stores if store.is_complete()]
    if not stores:
        folder = settings.results / protocol.name / "causes" / "pairs"
        raise MissingFile(f"{folder}: no pairs; run causes/4_explain_pairs.py")
    caption = (
        f"{min(len(pairs), MAX_PAIRS)} queries, and the wrong car that is nearest to each under one "
        f"of these methods. Maps over the images: the pixels that move the distance between both "
        "embeddings under each method; brighter matters more."
    )
    networks = [store.subject.network for store in stores]
    maps = [list(store.read("maps")["maps"]) for store in stores]
    figure = pairs_figure(pairs[:MAX_PAIRS], networks, maps)
    figures.draw_by_protocol(settings, protocol, "pairs", figure, caption)


def draw_pair(
    settings: "Settings",
    protocol: Protocol,
    pair: Pair,
    networks: Sequence[Network],
    maps: Sequence[Float[np.ndarray, "2 h w"]],
) -> None:
    """Write the figure of one pair; maps: of each of the networks."""
    caption = (
        f"What makes {pair.query.path.name} and {pair.neighbor.path.name} alike. Maps over the "
        "images: the pixels that move the distance between both embeddings under each method; "
        "brighter matters more."
    )
    figure = pairs_figure([pair], networks, [[both] for both in maps])
    figures.draw_by_protocol(settings, protocol, f"pair_{pair.name}", figure, caption)


def pairs_figure(
    pairs: Sequence[Pair],
    networks: Sequence[Network],
    maps: Sequence[Sequence[Float[np.ndarray, "2 h w"]]],
) -> "Figure":
    """Return a row for each pair: the query, its map under each network, the neighbour, its maps.

    Maps are laid over the picture. maps: for each network those of each pair.
    """
    width = 1 + len(networks)
    names = [SHORT_NAMES.get(network.model.name, network.model.name) for network in networks]
    chars = int(CHARS_PER_INCH * figures.PAGE / 2 / width)
    lines = figures.most_lines(names, chars)
    size = (figures.PAGE, (figures.PAGE / 2 / width + 0.1 * lines) * len(pairs) + 0.1)
    figure, axes = figures.new_figure(len(pairs), 2 * width, figsize=size)
    for pair, row, pair_maps in zip(pairs, axes, zip(*maps)):
        for side, image in enumerate(pair):
            first, *others = row[side * width : (side + 1) * width]
            figures.show_image(first, _picture(image, networks[0]))
            title = f"{('query', 'neighbour')[side]} {image.image_id}"
            first.set_title(figures.wrapped(title, chars), fontsize=TITLE_SIZE, pad=2)
            for panel, network, name, both in zip(others, networks, names, pair_maps):
                figures.show_image(panel, _picture(image, network))
                saliency = both[side].astype(np.float32)
                panel.imshow(saliency, cmap=COLOR_MAP, vmin=0, vmax=1, alpha=OPACITY)
                panel.set_title(figures.wrapped(name, chars), fontsize=TITLE_SIZE, pad=2)
    return figure


def _picture(sample: Sample, network: Network) -> Image:
    """Return what a network sees of a sample."""
    assert network.crop, "networks with maps have a crop"
    return cropped(open_image(sample.path), network.crop)
