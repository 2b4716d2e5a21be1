"""Figure 3: t-SNE of embeddings, coloured by three properties. Figure 4: sample images of the rendered cars."""

import numpy as np

from dml_analysis import figures
from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import chosen_cars, evenly_spaced, ids_of
from dml_analysis.files import csv_files
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import tsne

SHOWN = ("model", "rotation_z", "sun_rotation")  # as in the paper
SAMPLES = (4, 8)  # rows and columns of Figure 4


def draw(settings):
    """Write figure3, of the t-SNE coordinates, and figure4, images evenly spaced over the rendered cars."""
    items, table = chosen_cars(settings)
    coordinates = csv_files.read(tsne.csv_file(settings), tsne.COLUMNS, key=["image_id"])
    shows = {
        "loss": coordinates.loss[0],
        "networks": settings.properties.networks,
        "images": len(coordinates),
    }
    caption = (
        f"t-SNE of the embeddings of {len(coordinates):,} rendered cars by {coordinates.loss[0]}, trained on "
        f"{settings.properties.networks}, coloured by three of their properties."
    )
    figures.draw(
        settings,
        settings.figures / "figure3",
        tsne_figure(settings, coordinates, table),
        shows,
        caption,
    )
    some = evenly_spaced(items, SAMPLES[0] * SAMPLES[1])
    no_networks = settings.model_copy(update={"training": None})  # and so no note about networks
    shows, caption = (
        {"images": ids_of(some)},
        "Some of the rendered cars, which differ in eleven independent properties.",
    )
    figures.draw(no_networks, settings.figures / "figure4", samples_figure(some), shows, caption)


def tsne_figure(settings, coordinates, table):
    """One scatter plot per shown property, the same points in each."""
    figure, axes = figures.new_figure(1, len(SHOWN), figsize=(figures.PAGE, 3.5))
    figure.get_layout_engine().set(rect=(0, 0.07, 1, 0.93))  # the footnote's room
    properties = {prop.name: prop for prop in PROPERTIES}
    values = table.set_axis(table.index.astype(str)).loc[coordinates.image_id]
    for panel, name in zip(axes[0], SHOWN):
        column = values[name].to_numpy()
        for value, (color, marker) in zip(
            sorted(set(column)), value_looks(name, len(set(column))), strict=True
        ):
            chosen = column == value
            label = f"{value}°" if name != "model" else str(value)
            panel.scatter(
                coordinates.x[chosen],
                coordinates.y[chosen],
                s=7,
                color=color,
                marker=marker,
                label=label,
                linewidths=0,
            )
        panel.set(xticks=[], yticks=[], title=properties[name].label, box_aspect=1)
        panel.spines[:].set_visible(False)
        columns = 2 if name == "model" else 4
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=columns, fontsize=6, frameon=False,
                     markerscale=2, handletextpad=0.1, columnspacing=0.8)  # fmt: skip
    loss = coordinates.loss[0]
    figure.suptitle(
        f"{loss}: {len(coordinates):,} embeddings, networks trained on {settings.properties.networks}"
    )
    return figure


def value_looks(name, count):
    """(color, marker) of each value of a property; angles come round to where they began, and so do their colours."""
    looks = [figures.look(number) for number in range(count)]
    if name == "model" and count <= len(figures.COLORS):
        return looks
    colors = figures.plt.get_cmap("hsv")(np.arange(count) / count) * [
        0.85,
        0.85,
        0.85,
        1,
    ]  # darker, for white paper
    return [(color, marker) for color, (_, marker) in zip(colors, looks)]


def samples_figure(items):
    """A grid of images."""
    rows, columns = SAMPLES
    figure, axes = figures.new_figure(
        rows, columns, figsize=(figures.PAGE, figures.PAGE * rows / columns)
    )
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for panel in axes.flat:
        panel.axis("off")
    for panel, item in zip(axes.flat, items):
        figures.show_image(panel, open_image(item.path))
    return figure
