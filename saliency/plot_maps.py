"""Figure 2: the saliency maps of an image under every loss, and the same for more images."""

import textwrap

import numpy as np

import utils
from reality_check import datasets
from reality_check.images import cropped, open_image
from report import figures
from saliency import map_files
from utils import InputError

COLOR_MAP = "magma"
WIDTH = 6  # panels in a row of Figure 2, the first of them the image or "None"


def figure2(settings, name):
    """The maps of one image, in the paper's layout."""
    _draw(settings, name, 1, one_image)


def figure2_more(settings, name):
    """A page of more images."""
    _draw(settings, name, map_files.SHOWN_IMAGES, many_images)


def _draw(settings, name, count, make):
    """Draw `count` of the images that have maps, of the dataset of Table 2 and its first fold.

    Raises InputError if no image has a map.
    """
    dataset, fold = settings.tables[2], settings.map_folds[0]
    items = datasets.mapped_items(settings, dataset)
    folders = {loss.name: utils.maps_folder(settings, dataset, fold, loss) for loss in settings.losses}
    shown = _shown(items, folders.values(), count)
    if not shown:
        folder = utils.maps_folder(settings, dataset, fold, settings.losses[0]).parent
        raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
    numbers = {item.image_id: number for number, some in map_files.blocks(items) for item in some if item in shown}
    files = {name: _block_files(folder, set(numbers.values())) for name, folder in folders.items()}
    shows = {"dataset": dataset, "fold": fold, "losses": list(folders), "images": list(numbers)}
    inputs = [file for each in files.values() for file in each]
    figures.draw(settings, name, lambda: make(settings, shown, _read(files, numbers)), shows, inputs)


def _shown(items, folders, count):
    """`count` items evenly spaced over all; of a run that is not done yet, over those that have maps."""
    numbers = {number for folder in folders for number in map_files.block_numbers(folder)}
    there = [item for number, some in map_files.blocks(items) if number in numbers for item in some]
    wanted = datasets.evenly_spaced(items, count)
    wanted = wanted if set(wanted) <= set(there) else datasets.evenly_spaced(there, count)
    return wanted if count > 1 else wanted[:1]


def _block_files(folder, numbers):
    files = [map_files.block_file(folder, number) for number in sorted(numbers)]
    return [file for file in files if file.is_file()]


def _read(files, image_ids):
    """Loss -> image id -> map, of these images."""
    return {
        name: {i: each for file in blocks for i, each in map_files.read_block(file).items() if i in image_ids}
        for name, blocks in files.items()
    }


def one_image(settings, items, maps):
    """The paper's layout: first column the image and "None", then rows of ranking and of classification losses."""
    (item,) = items
    by_type = {kind: [loss for loss in settings.losses if loss.type == kind] for kind in utils.LOSS_TYPES}
    rows = [row for kind in ("Ranking", "Classification") for row in _rows_of(by_type[kind], WIDTH - 1)]
    figure, axes = figures.new_figure(max(2, len(rows)), WIDTH, figsize=(7.2, 1.45 * max(2, len(rows)) + 0.3))
    for panel in axes.flat:
        panel.axis("off")
    figures.show_image(axes[0, 0], cropped(open_image(item.path)), "Image")
    for loss in by_type["None"]:
        show_map(axes[1, 0], maps[loss.name], item, loss.name)
    for row, losses in zip(axes, rows):
        for panel, loss in zip(row[1:], losses):
            show_map(panel, maps[loss.name], item, textwrap.fill(loss.name, 16))
    return figure


def _rows_of(losses, width):
    return [losses[i : i + width] for i in range(0, len(losses), width)]


def many_images(settings, items, maps):
    """One row per image: the image, then its map under every loss. All in one axes, of one unit per panel."""
    losses = sorted(utils.grouped(settings.losses), key=lambda loss: loss.type != "None")
    figure, axes = figures.new_figure(1, 1, figsize=(0.62 * (len(losses) + 1.6), 0.62 * (len(items) + 1.7) + 0.2))
    axes = axes[0, 0]
    for row, item in enumerate(items):
        _place(axes, row, 0, cropped(open_image(item.path)))
        for column, loss in enumerate(losses, start=1):
            if item.image_id in maps[loss.name]:
                _place(
                    axes, row, column, maps[loss.name][item.image_id].astype(np.float32), cmap=COLOR_MAP, vmin=0, vmax=1
                )
            else:
                axes.text(column + 0.5, -row - 0.5, "missing", ha="center", va="center", fontsize=6)
    for column, name in enumerate(["Image", *(loss.name for loss in losses)]):
        axes.text(column + 0.4, 0.05, name, rotation=45, rotation_mode="anchor")
    axes.set(xlim=(0, len(losses) + 1.6), ylim=(-len(items), 1.7), aspect="equal")  # with room for the names
    axes.axis("off")
    return figure


def _place(axes, row, column, image, **kwargs):
    axes.imshow(image, extent=(column + 0.04, column + 0.96, -row - 0.96, -row - 0.04), **kwargs)


def show_map(panel, maps, item, title):
    """A saliency map, or the word "missing" in its place."""
    if item.image_id in maps:
        figures.show_image(panel, maps[item.image_id].astype(np.float32), title, cmap=COLOR_MAP, vmin=0, vmax=1)
    else:
        panel.set_title(title, pad=3)
        panel.set_box_aspect(1)
        panel.text(0.5, 0.5, "missing", ha="center", va="center", transform=panel.transAxes)
        panel.axis("off")
