"""Figure 3, a t-SNE coloured by three properties, and Figure 4, samples of the rendered cars."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dml_analysis import figures
from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import Sample, chosen_cars, evenly_spaced, ids_of
from dml_analysis.files import csv_files
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import tsne

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dml_analysis.config import Settings

SHOWN = ("model", "rotation_z", "sun_rotation")  # as in the paper
GRID = (4, 8)  # rows and columns of Figure 4


def draw(settings: "Settings") -> None:
    """Write figure3, of the t-SNE coordinates, and figure4, samples spaced evenly over all cars."""
    cars, table = chosen_cars(settings)
    coordinates = csv_files.read(tsne.csv_file(settings), tsne.COLUMNS, key=["image_id"])
    loss, networks = coordinates.loss[0], settings.properties.networks
    caption = (
        f"t-SNE of the embeddings of {len(coordinates):,} rendered cars by {loss}, trained on "
        f"{networks}, coloured by three of their properties."
    )
    shows = {"loss": loss, "networks": networks, "images": len(coordinates)}
    figure = tsne_figure(coordinates, table, networks)
    figures.draw(settings, settings.figures / "figure3", figure, shows, caption)
    samples = evenly_spaced(cars, GRID[0] * GRID[1])
    no_networks = settings.model_copy(update={"training": None})  # so no note about networks
    caption = "Some of the rendered cars, which differ in eleven independent properties."
    figure, shows = samples_figure(samples), {"images": ids_of(samples)}
    figures.draw(no_networks, settings.figures / "figure4", figure, shows, caption)


def tsne_figure(coordinates: pd.DataFrame, table: pd.DataFrame, networks: str) -> "Figure":
    """Return a scatter plot for each property of SHOWN, of the same points.

    coordinates: tsne.csv. table: the properties of the rendered cars. networks: the dataset that
    they were trained on.
    """
    figure, axes = figures.new_figure(1, len(SHOWN), figsize=(figures.PAGE, 3.5))
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, 0.07, 1, 0.93))  # leaves room for the footnote
    labels = {prop.name: prop.label for prop in PROPERTIES}
    values = table.set_axis(table.index.astype(str)).loc[coordinates.image_id]
    for panel, name in zip(axes[0], SHOWN):
        column = values[name].to_numpy()
        distinct = sorted(set(column))
        for value, (color, marker) in zip(distinct, value_looks(name, len(distinct)), strict=True):
            points = coordinates[column == value]
            label = f"{value}°" if name != "model" else str(value)
            panel.scatter(points.x, points.y, s=7, color=color, marker=marker, label=label,
                          linewidths=0)  # fmt: skip
        panel.set(xticks=[], yticks=[], title=labels[name], box_aspect=1)
        panel.spines[:].set_visible(False)
        columns = 2 if name == "model" else 4
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=columns, fontsize=6, frameon=False,
                     markerscale=2, handletextpad=0.1, columnspacing=0.8)  # fmt: skip
    figure.suptitle(
        f"{coordinates.loss[0]}: {len(coordinates):,} embeddings, networks trained on {networks}"
    )
    return figure


def value_looks(name: str, count: int) -> list[tuple[Any, str]]:
    """Return the color and the marker of each value of a property; those of angles are cyclic."""
    looks: list[tuple[Any, str]] = [figures.look(number) for number in range(count)]
    if name == "model" and count <= len(figures.COLORS):
        return looks
    # Darker than the colormap, for white paper
    colors = figures.plt.get_cmap("hsv")(np.arange(count) / count) * [0.85, 0.85, 0.85, 1]
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
