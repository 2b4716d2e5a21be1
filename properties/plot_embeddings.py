"""Figure 3: t-SNE of embeddings, coloured by three properties. Figure 4: sample images of the rendered cars."""

from functools import partial

import numpy as np
import pandas as pd

import safe_files
import utils
from properties.embedding_files import chosen_cars, read_embeddings
from properties.nr_precision import euclidean_coordinates
from reality_check.datasets import evenly_spaced
from reality_check.images import open_image
from report import csv_tables, figures
from utils import InputError

SHOWN = ("model", "rotation_z", "sun_rotation")  # as in the paper
SAMPLES = (4, 8)  # rows and columns of Figure 4


def figure3(settings, name):
    """t-SNE of embeddings. Raises InputError if they are not there."""
    items, table = chosen_cars(settings)
    coordinates = tsne_coordinates(settings, [item.image_id for item in items])
    shows = {"loss": coordinates.loss[0], "networks": settings.properties.networks, "images": len(coordinates)}
    inputs = [utils.properties_file(settings, "tsne.csv")]
    figures.draw(settings, name, partial(tsne_figure, settings, coordinates, table), shows, inputs)


def figure4(settings, name):
    """Sample images, evenly spaced over the rendered cars."""
    items = evenly_spaced(chosen_cars(settings)[0], SAMPLES[0] * SAMPLES[1])
    shows = {"images": [item.image_id for item in items]}
    no_network = settings._replace(training=None)  # and so no note about networks
    figures.draw(no_network, name, partial(samples_figure, items), shows, [item.path for item in items])


def tsne_coordinates(settings, image_ids):
    """t-SNE of the embeddings of one network: columns image_id, x, y; from tsne.csv where that is up to date."""
    options = settings.properties
    loss, fold = next(loss for loss in utils.LOSSES if loss.name == options.tsne_loss), settings.folds[0]
    source, file = utils.embeddings_file(settings, fold, loss), utils.properties_file(settings, "tsne.csv")
    if not source.is_file():
        raise InputError(f"{source}: missing; run properties/2_embed_cars.py first (tsne_loss is {loss.name!r})")
    shown = evenly_spaced(image_ids, options.tsne_images)
    if safe_files.is_newer(file, source):
        known = pd.read_csv(file, dtype={"image_id": str})
        if known.image_id.tolist() == shown and set(known.loss) == {loss.name}:
            return known
    from sklearn.manifold import TSNE  # slow to import

    embeddings = euclidean_coordinates(read_embeddings(source, image_ids), loss.distance)
    rows = {image_id: row for row, image_id in enumerate(image_ids)}
    chosen = embeddings[[rows[image_id] for image_id in shown]]
    seed = utils.derived_seed(settings.seed, "t-SNE", loss.name, fold) % 2**32
    xy = TSNE(random_state=seed, init="pca", perplexity=min(30, (len(chosen) - 1) / 3)).fit_transform(chosen)
    table = pd.DataFrame({"image_id": shown, "loss": loss.name, "fold": fold, "x": xy[:, 0], "y": xy[:, 1]})
    csv_tables.write(file, table)
    return table


def tsne_figure(settings, coordinates, table):
    """One scatter plot per shown property, the same points in each."""
    figure, axes = figures.new_figure(1, len(SHOWN), figsize=(7.2, 3.5))
    figure.get_layout_engine().set(rect=(0, 0.07, 1, 0.93))  # the footnote's room
    properties = {prop.name: prop for prop in utils.PROPERTIES}
    values = table.set_axis(table.index.astype(str)).loc[coordinates.image_id]
    for panel, name in zip(axes[0], SHOWN):
        column = values[name].to_numpy()
        for value, color in zip(sorted(set(column)), value_colors(name, len(set(column)))):
            chosen = column == value
            label = f"{value}°" if name != "model" else str(value)
            panel.scatter(coordinates.x[chosen], coordinates.y[chosen], s=5, color=color, label=label, linewidths=0)
        panel.set(xticks=[], yticks=[], title=properties[name].label, box_aspect=1)
        panel.spines[:].set_visible(False)
        columns = 2 if name == "model" else 4
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=columns, fontsize=6, frameon=False,
                     markerscale=2, handletextpad=0.1, columnspacing=0.8)  # fmt: skip
    loss = coordinates.loss[0]
    figure.suptitle(f"{loss}: {len(coordinates):,} embeddings, networks trained on {settings.properties.networks}")
    return figure


def value_colors(name, count):
    """Distinct colours for a property's values; angles come round to where they began, and so do their colours."""
    if name == "model":
        return figures.plt.get_cmap("tab10").colors[:count]
    return figures.plt.get_cmap("hsv")(np.arange(count) / count) * [0.85, 0.85, 0.85, 1]  # darker, for white paper


def samples_figure(items):
    """A grid of images."""
    rows, columns = SAMPLES
    figure, axes = figures.new_figure(rows, columns, figsize=(7.2, 7.2 * rows / columns))
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for panel in axes.flat:
        panel.axis("off")
    for panel, item in zip(axes.flat, items):
        figures.show_image(panel, open_image(item.path))
    return figure
