"""Figure 2: the saliency maps of an image under every loss, and the same for more images."""

import textwrap

import numpy as np

import utils
from reality_check import datasets
from reality_check.images import open_image
from reality_check.transforms import cropped
from report import figures
from saliency.map_files import MapFolder
from utils import InputError

COLOR_MAP = "magma"
MORE_IMAGES = 6
WIDTH = 6  # panels in a row of Figure 2, the first of them the image or "None"


def plot(settings):
    """Figure 2 and the page of more images, for the dataset of Table 2 and its first fold.

    Raises InputError if no image has a map.
    """
    dataset, fold = settings.tables[2], settings.map_folds[0]
    items = datasets.load_items(settings, dataset, "test")
    items = datasets.evenly_spaced(items, settings.saliency.images)
    folders = {loss.name: MapFolder(utils.maps_folder(settings, dataset, fold, loss)) for loss in settings.losses}
    shown = [item for item in items if any(item.image_id in maps for maps in folders.values())]
    if not shown:
        folder = utils.maps_folder(settings, dataset, fold, settings.losses[0]).parent
        raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
    shown = datasets.evenly_spaced(shown, MORE_IMAGES)
    figures.save(one_image(settings, shown[0], folders), settings, "figure2")
    figures.save(many_images(settings, shown, folders), settings, "figure2_more")


def one_image(settings, item, folders):
    """The paper's layout: first column the image and "None", then rows of ranking and of classification losses."""
    by_type = {kind: [loss for loss in settings.losses if loss.type == kind] for kind in utils.LOSS_TYPES}
    rows = [row for kind in ("Ranking", "Classification") for row in _rows_of(by_type[kind], WIDTH - 1)]
    figure, axes = figures.new_figure(max(2, len(rows)), WIDTH, figsize=(7.2, 1.45 * max(2, len(rows)) + 0.3))
    for panel in axes.flat:
        panel.axis("off")
    figures.show_image(axes[0, 0], cropped(open_image(item.path)), "Image")
    for loss in by_type["None"]:
        show_map(axes[1, 0], folders[loss.name], item, loss.name)
    for row, losses in zip(axes, rows):
        for panel, loss in zip(row[1:], losses):
            show_map(panel, folders[loss.name], item, textwrap.fill(loss.name, 16))
    return figure


def _rows_of(losses, width):
    return [losses[i : i + width] for i in range(0, len(losses), width)]


def many_images(settings, items, folders):
    """One row per image: the image, then its map under every loss."""
    losses = sorted(utils.grouped(settings.losses), key=lambda loss: loss.type != "None")
    width, height, names_height = 0.62 * (len(losses) + 1) + 0.5, 0.62 * len(items) + 1.2, 1.0
    figure, axes = figures.new_figure(len(items), len(losses) + 1, figsize=(width, height))
    figure.get_layout_engine().set(rect=(0, 0, 1 - 0.5 / width, 1 - names_height / height), wspace=0.02, hspace=0.02)
    for row, item in zip(axes, items):
        figures.show_image(row[0], cropped(open_image(item.path)))
        for panel, loss in zip(row[1:], losses):
            show_map(panel, folders[loss.name], item, "")
    for panel, name in zip(axes[0], ["Image", *(loss.name for loss in losses)]):
        label = panel.text(0.4, 1.08, name, rotation=45, rotation_mode="anchor", transform=panel.transAxes)
        label.set_in_layout(False)  # long names reach over their neighbours' columns
    return figure


def show_map(panel, maps, item, title):
    """A saliency map, or the word "missing" in its place."""
    if item.image_id in maps:
        figures.show_image(panel, maps[item.image_id].astype(np.float32), title, cmap=COLOR_MAP, vmin=0, vmax=1)
    else:
        panel.set_title(title, pad=3)
        panel.set_box_aspect(1)
        panel.text(0.5, 0.5, "missing", ha="center", va="center", transform=panel.transAxes)
        panel.axis("off")
