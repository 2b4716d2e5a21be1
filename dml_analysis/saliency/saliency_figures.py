"""Figure 2: the saliency maps of an image under every model, and the same for more images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from dml_analysis import figures
from dml_analysis.config import Settings
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import cropped, open_image
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.methods import grouped, groups
from dml_analysis.metrics.map_alignment import framed
from dml_analysis.paper import Model, Protocol
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.saliency_tables import NO_MAPS
from dml_analysis.store import ResultStore, blocks, check_all

COLOR_MAP = "magma"
TITLE_WIDTH, NAME_WIDTH = 16, 40  # characters of a line: titles, and names that run upwards
WIDTH = 6  # panels in a row of Figure 2, the first of them the image or an untrained model

Maps = dict[str, dict[str, Float[np.ndarray, "h w"]]]  # model -> image id -> map


def draw(settings: Settings) -> None:
    """Write figure2, the maps of one image, and figure2_more, a page of more images.

    By each protocol, of the dataset of Table 2 (or the first table there is) and the first fold.
    Raises InputError if no image has a map.
    """
    dataset = settings.shown_dataset
    saliency_maps.networks_with_maps(settings, [dataset])  # raises InputError if there are none
    samples = saliency_maps.mapped_samples(settings, dataset)
    for protocol in settings.protocols:
        first_fold = settings.table_folds(protocol)[:1]
        if first_fold:
            one_fold = settings.model_copy(update={"folds": first_fold})
            _draw(
                settings, protocol, samples, saliency_maps.own_stores(one_fold, protocol, dataset)
            )


def _draw(
    settings: Settings, protocol: Protocol, samples: list[Sample], stores: list[ResultStore]
) -> None:
    """Write both figures by a protocol; stores: of the maps of one fold's networks."""
    check_all(stores)
    for name, count, make in (
        ("figure2", 1, one_image),
        ("figure2_more", saliency_maps.SHOWN_IMAGES, many_images),
    ):
        shown = _shown(samples, stores, count)
        if not shown:
            folder = settings.results / protocol.name / "saliency" / "maps"
            raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
        network = stores[0].subject.network
        images = {sample.image_id: open_image(sample.path) for sample in shown}
        pictures = [cropped(image, network.crop) for image in images.values()]
        maps = _read(stores, {image_id: image.size for image_id, image in images.items()})
        content = {
            "dataset": network.dataset,
            "fold": network.fold_name,
            "images": readers.ids_of(shown),
            "protocol": protocol.name,
            "maps": {store.subject.network.model.name: store.digest for store in stores},
        }
        caption = (
            f"Saliency maps of {len(shown)} test image{'s' * (len(shown) > 1)} of "
            f"{network.dataset} under {len(settings.models)} methods, fold {network.fold_name}, "
            f"protocol {protocol.name}. Bright: pixels that move the image's embedding away from "
            "that of a black image."
        )
        stem = settings.figures / protocol.name / name
        figure = make(settings.models, shown, pictures, maps)
        figures.draw(settings, stem, figure, content, caption + about_constant(maps))


def about_constant(maps: Maps) -> str:
    """Return what a caption says of constant maps, which are black in the figure."""
    counts = {
        name: sum(np.nanmax(each) == np.nanmin(each) for each in of_model.values())
        for name, of_model in maps.items()
    }
    named = [f"{name} ({count} of {len(maps[name])})" for name, count in counts.items() if count]
    if not named:
        return ""
    return f" Constant maps, black here, as their gradients are zero or alike: {', '.join(named)}."


def _shown(samples: list[Sample], stores: list[ResultStore], count: int) -> list[Sample]:
    """Return `count` samples evenly spaced over all; in an unfinished run, over those with maps."""
    by_id = {sample.image_id: sample for sample in samples}
    numbers = {n for store in stores for n in range(len(store.chunks)) if not store.is_missing(n)}
    mapped = [by_id[image_id] for n in sorted(numbers) for image_id in stores[0].chunks[n]]
    shown = readers.evenly_spaced(samples, count)
    if not set(shown) <= set(mapped):
        shown = readers.evenly_spaced(mapped, count)
    return shown if count > 1 else shown[:1]


def _read(stores: list[ResultStore], sizes: dict[str, tuple[int, int]]) -> Maps:
    """Return the maps that exist, as they lie in what the first model's network sees.

    sizes: image id -> (width, height).
    """
    maps: Maps = {}
    frame = stores[0].subject.network.crop
    for store in stores:
        network = store.subject.network
        of_model = maps.setdefault(network.model.name, {})
        for number, ids in enumerate(store.chunks):
            if not sizes.keys().isdisjoint(ids) and not store.is_missing(number):
                for image_id, values in zip(ids, store.load(number)["maps"]):
                    if image_id in sizes:
                        of_model[image_id] = framed(values, network.crop, frame, sizes[image_id])
    return maps


def one_image(
    models: Sequence[Model], samples: list[Sample], pictures: list[Image.Image], maps: Maps
) -> Figure:
    """Return the paper's layout: the image and "None" in the first column, then rows of models."""
    (sample,) = samples
    untrained = [model for model in models if model.is_none]
    others = [model for model in models if not model.is_none]
    by_group = [[model for model in others if model.group == group] for group in groups(others)]
    rows = [row for of_group in by_group for row in blocks(of_group, WIDTH - 1)]
    height = max(2, len(rows), 1 + len(untrained))
    title = figures.LINE * figures.most_lines([model.name for model in models], TITLE_WIDTH)
    size = (figures.PAGE, (1.15 + title) * height + 0.1)
    figure, axes = figures.new_figure(height, WIDTH, figsize=size)
    for panel in axes.flat:
        panel.axis("off")
    figures.show_image(axes[0, 0], pictures[0], "Image")
    panels = [*zip(axes[1:, 0], untrained)]
    for row, of_row in zip(axes, rows):
        panels += zip(row[1:], of_row)
    for panel, model in panels:
        show_map(panel, maps.get(model.name, {}).get(sample.image_id), model)
    return figure


def many_images(
    models: Sequence[Model], samples: list[Sample], pictures: list[Image.Image], maps: Maps
) -> Figure:
    """Return a row for each image: the image, then its map under every model."""
    models = sorted(grouped(list(models)), key=lambda model: not model.is_none)
    names = [figures.wrapped(name, NAME_WIDTH) for name in ("Image", *(m.name for m in models))]
    unit = min(0.62, figures.PAGE / len(names))  # inches of a panel
    width, height = unit * len(names), unit * len(samples)
    figure = figures.plt.figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    for row, (sample, picture) in enumerate(zip(samples, pictures)):
        _place(axes, row, 0, picture)
        for column, model in enumerate(models, start=1):
            values = maps.get(model.name, {}).get(sample.image_id)
            if values is None:
                center = column + 0.5, -row - 0.5
                axes.text(*center, _nothing(model), ha="center", va="center", fontsize=6)
            else:
                _place(axes, row, column, values.astype(np.float32), cmap=COLOR_MAP, vmin=0, vmax=1)
    axes.set(xlim=(0, len(names)), ylim=(-len(samples), 0), aspect="equal", yticks=[])
    centers = np.arange(len(names)) + 0.5
    axes.set_xticks(centers, names, rotation=90, fontsize=7, linespacing=0.9)
    axes.tick_params(top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    extents = [label.get_window_extent() for label in axes.get_xticklabels()]
    above = max(extent.height for extent in extents) / figure.dpi + 0.1
    figure.set_size_inches(width, height + above)
    axes.set_position((0, 0, 1, height / (height + above)))
    return figure


def _place(axes: Axes, row: int, column: int, image: Any, **kwargs: Any) -> None:
    """Plot an image in a row and column of axes whose unit is one panel."""
    axes.imshow(image, extent=(column + 0.04, column + 0.96, -row - 0.96, -row - 0.04), **kwargs)


def show_map(panel: Axes, values: Float[np.ndarray, "h w"] | None, model: Model) -> None:
    """Plot a saliency map, or say why there is none."""
    title = figures.wrapped(model.name, TITLE_WIDTH)
    if values is not None:
        image = values.astype(np.float32)
        figures.show_image(panel, image, title, cmap=COLOR_MAP, vmin=0, vmax=1)
    else:
        panel.set_title(title, pad=3)
        panel.set_box_aspect(1)
        panel.text(0.5, 0.5, _nothing(model), ha="center", va="center", transform=panel.transAxes)
        panel.axis("off")


def _nothing(model: Model) -> str:
    """Return what stands in place of a missing map."""
    return NO_MAPS if model.embeddings else "missing"
