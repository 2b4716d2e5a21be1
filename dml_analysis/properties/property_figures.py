"""Figure 3, a t-SNE coloured by three properties, and Figure 4, samples of the images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dml_analysis import figures
from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import (
    Sample,
    evenly_spaced,
    ids_of,
    occurring,
    properties_of,
    property_images,
)
from dml_analysis.files import csv_files
from dml_analysis.paper import Property
from dml_analysis.properties import tsne
from dml_analysis.properties.property_tables import printed_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dml_analysis.config import Settings

SHOWN = ("model", "rotation_z", "sun_rotation")  # as in the paper; of other images the first
MAX_NAMED = 16  # values of a property that Figure 3 names
PANEL = 2.8  # inches, height of a panel of Figure 3 with its title
NAME_WIDTH, TITLE_WIDTH = 20, 30  # characters of a line: names of values, all else of a panel
CYCLIC = "°"  # the unit of angles
GRID = (4, 8)  # rows and columns of Figure 4


def draw(settings: "Settings") -> None:
    """Write figure3, of the t-SNE coordinates, and figure4, samples spaced evenly over all images."""
    images, table = property_images(settings)
    properties, called = properties_of(settings), settings.properties.images_called
    shown = properties[: len(SHOWN)]
    if settings.properties.of_cars:
        shown = [prop for prop in properties if prop.name in SHOWN]
    coordinates = csv_files.read(tsne.csv_file(settings), tsne.COLUMNS, key=["image_id"])
    loss, networks = coordinates.loss[0], settings.properties.networks
    caption = (
        f"t-SNE of the embeddings of {len(coordinates):,} {called} by a network trained with {loss} "
        f"on {networks}. Points: images; color and marker: {', '.join(prop.label for prop in shown)}."
    )
    shows = {"loss": loss, "networks": networks, "images": len(coordinates)}
    figure = tsne_figure(coordinates, table, shown)
    figures.draw(settings, settings.figures / "figure3", figure, shows, caption)
    samples = evenly_spaced(images, GRID[0] * GRID[1])
    no_networks = settings.model_copy(update={"training": None})  # so no note about networks
    which = "independent" if settings.properties.of_cars else "known"
    labels = ", ".join(prop.label for prop in properties)
    caption = f"{len(samples)} of the {called}, which differ in {len(properties)} {which} properties: {labels}."
    figure, shows = samples_figure(samples), {"images": ids_of(samples)}
    figures.draw(no_networks, settings.figures / "figure4", figure, shows, caption)


def tsne_figure(
    coordinates: pd.DataFrame, table: pd.DataFrame, shown: Sequence[Property]
) -> "Figure":
    """Return a scatter plot for each of the shown properties, of the same points.

    coordinates: tsne.csv. table: the properties of the images. Of a property with more than
    MAX_NAMED values only the first and the last are named.
    """
    figure, axes = figures.new_figure(1, len(shown), figsize=(figures.PAGE, PANEL))
    values = table.set_axis(table.index.astype(str)).loc[coordinates.image_id]
    for panel, prop in zip(axes[0], shown):
        column, distinct = values[prop.name].to_numpy(), occurring(values[prop.name])
        names = [figures.wrapped(printed_value(prop, value), NAME_WIDTH) for value in distinct]
        for value, name, (color, marker) in zip(
            distinct, names, value_looks(prop, len(distinct)), strict=True
        ):
            points = coordinates[column == value]
            panel.scatter(points.x, points.y, s=7, color=color, marker=marker, label=name,
                          linewidths=0)  # fmt: skip
        title = figures.wrapped(prop.label, TITLE_WIDTH)
        panel.set(xticks=[], yticks=[], title=title, box_aspect=1)
        panel.spines[:].set_visible(False)
        if len(names) > MAX_NAMED:
            values_named = f"{len(names)} values, {names[0]} to {names[-1]}"
            panel.set_xlabel(figures.wrapped(values_named, TITLE_WIDTH), fontsize=6)
            continue
        columns = 4 if prop.unit == CYCLIC else 2
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=columns, fontsize=6, frameon=False,
                     markerscale=2, handletextpad=0.1, columnspacing=0.8)  # fmt: skip
    legends = [legend for panel in axes[0] if (legend := panel.get_legend())]
    below = max([legend.get_window_extent().height for legend in legends], default=0)
    figure.set_figheight(PANEL + below / figure.dpi)
    return figure


def value_looks(prop: Property, count: int) -> list[tuple[Any, str]]:
    """Return the color and the marker of each value of a property; colors of angles are cyclic."""
    looks: list[tuple[Any, str]] = [figures.look(number) for number in range(count)]
    if prop.kind == "categorical" and count <= len(figures.COLORS):
        return looks
    if prop.kind == "categorical" or prop.unit == CYCLIC:
        # Darker than the colormap, for white paper
        colors = figures.plt.get_cmap("hsv")(np.arange(count) / count) * [0.85, 0.85, 0.85, 1]
    else:
        colors = figures.plt.get_cmap("viridis")(np.linspace(0, 0.9, count))
    return [(color, marker) for color, (_, marker) in zip(colors, looks)]


def samples_figure(samples: Sequence[Sample]) -> "Figure":
    """Return a grid of images."""
    rows, columns = GRID
    size = (figures.PAGE, figures.PAGE * rows / columns)
    figure, axes = figures.new_figure(rows, columns, figsize=size)
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for panel in axes.flat:
        panel.axis("off")
    for panel, sample in zip(axes.flat, samples):
        figures.show_image(panel, open_image(sample.path))
    return figure
