"""Figure 2: the saliency maps of an image under every model, and the same for more images."""

import textwrap

import numpy as np

from dml_analysis import figures
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import cropped, open_image
from dml_analysis.errors import InputError
from dml_analysis.methods import grouped, groups
from dml_analysis.metrics.map_alignment import framed
from dml_analysis.networks.specifications import networks_of
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.saliency_tables import NO_MAPS

COLOR_MAP = "magma"
WIDTH = 6  # panels in a row of Figure 2, the first of them the image or an untrained model


def draw(settings):
    """Write figure2, the maps of one image in the paper's layout, and figure2_more, a page of more images.

    By each protocol, of the dataset of Table 2 (or the first table there is) and the first fold. Raises InputError if no image has a map.
    """
    settings.check_table_folds()
    saliency_maps.check_any(
        settings,
        saliency_maps.networks_of(
            settings.model_copy(update={"datasets": [settings.shown_dataset]})
        ),
    )
    dataset = settings.shown_dataset
    items = saliency_maps.mapped_items(settings.model_copy(update={"datasets": [dataset]}))[dataset]
    for protocol in settings.protocols:
        for fold in settings.table_folds(protocol)[:1]:
            mapped = [
                each
                for each in networks_of(settings, dataset, [fold])
                if each.has_maps and each.is_known()
            ]
            _draw(
                settings,
                protocol,
                items,
                [saliency_maps.store_of(network, protocol, items) for network in mapped],
            )


def _draw(settings, protocol, items, stores):
    for store in stores:
        store.check()
    for name, most, make in (
        ("figure2", 1, one_image),
        ("figure2_more", saliency_maps.SHOWN_IMAGES, many_images),
    ):
        shown = _shown(items, stores, most)
        count = len(shown)
        if not shown:
            folder = settings.results / protocol.name / "saliency" / "maps"
            raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
        network, images = (
            stores[0].subject.network,
            {item.image_id: open_image(item.path) for item in shown},
        )
        pictures = [cropped(image, network.crop) for image in images.values()]
        found = _read(stores, {key: each.size for key, each in images.items()})
        figure = make(settings.models, shown, pictures, found)
        shows = {
            "dataset": network.dataset,
            "fold": network.fold_name,
            "images": readers.ids_of(shown),
        }
        shows |= {
            "protocol": protocol.name,
            "maps": {each.subject.network.model.name: each.digest for each in stores},
        }
        caption = (
            f"Saliency maps of {count} test image{'s' * (count > 1)} of {network.dataset} under every model, fold {network.fold_name}, "
            f"protocol {protocol.name}: what moves the image's embedding away from that of a black image."
        )
        caption += about_constant(found)
        figures.draw(settings, settings.figures / protocol.name / name, figure, shows, caption)


def about_constant(found):
    """What a caption has to say of constant maps, which are drawn black; found: name of a model -> image id -> map."""
    counts = {
        name: sum(np.nanmax(each) == np.nanmin(each) for each in some.values())
        for name, some in found.items()
    }
    named = ", ".join(
        f"{name} ({count} of {len(found[name])})" for name, count in counts.items() if count
    )
    return (
        f" Constant maps, black here, as their gradients are zero or alike: {named}."
        if named
        else ""
    )


def _shown(items, stores, count):
    """`count` items evenly spaced over all; of a run that is not done yet, over those that have maps."""
    by_id = {item.image_id: item for item in items}
    numbers = {n for store in stores for n in range(len(store.chunks)) if not store.lacks(n)}
    mapped = [
        by_id[image_id] for number in sorted(numbers) for image_id in stores[0].chunks[number]
    ]
    wanted = readers.evenly_spaced(items, count)
    wanted = wanted if set(wanted) <= set(mapped) else readers.evenly_spaced(mapped, count)
    return wanted if count > 1 else wanted[:1]


def _read(stores, sizes):
    """Name of a model -> image id -> map, of the images of these sizes, as far as they exist.

    All lie in the picture that the first model's network sees.
    """
    found, frame = {}, stores[0].subject.network.crop
    for store in stores:
        network = store.subject.network
        numbers = [
            n for n, ids in enumerate(store.chunks) if set(ids) & set(sizes) and not store.lacks(n)
        ]
        pairs = [
            pair
            for n in numbers
            for pair in zip(store.chunks[n], store.load(n)["maps"])
            if pair[0] in sizes
        ]
        found[network.model.name] = {
            i: framed(each, network.crop, frame, sizes[i]) for i, each in pairs
        }
    return found


def one_image(models, items, pictures, maps):
    """The paper's layout: first column the image and "None", then rows of models, group by group."""
    (item,), untrained = items, [model for model in models if model.is_none]
    others = [model for model in models if model not in untrained]
    by_group = [[model for model in others if model.group == group] for group in groups(others)]
    rows = [row for some in by_group for row in _rows_of(some, WIDTH - 1)]
    height = max(2, len(rows), 1 + len(untrained))
    figure, axes = figures.new_figure(height, WIDTH, figsize=(figures.PAGE, 1.4 * height + 0.3))
    for panel in axes.flat:
        panel.axis("off")
    figures.show_image(axes[0, 0], pictures[0], "Image")
    for panel, model in zip(axes[1:, 0], untrained):
        show_map(panel, maps.get(model.name, {}), item, model)
    for row, some in zip(axes, rows):
        for panel, model in zip(row[1:], some):
            show_map(panel, maps.get(model.name, {}), item, model)
    return figure


def _rows_of(models, width):
    return [models[i : i + width] for i in range(0, len(models), width)]


def many_images(models, items, pictures, maps):
    """One row per image: the image, then its map under every model. All in one axes, of one unit per panel."""
    models = sorted(grouped(models), key=lambda model: not model.is_none)
    unit = min(0.62, figures.PAGE / (len(models) + 1.6))
    figure, axes = figures.new_figure(
        1, 1, figsize=(unit * (len(models) + 1.6), unit * (len(items) + 1.7) + 0.3)
    )
    axes = axes[0, 0]
    for row, (item, picture) in enumerate(zip(items, pictures)):
        _place(axes, row, 0, picture)
        for column, model in enumerate(models, start=1):
            found = maps.get(model.name, {}).get(item.image_id)
            if found is None:
                axes.text(
                    column + 0.5, -row - 0.5, _nothing(model), ha="center", va="center", fontsize=6
                )
            else:
                _place(axes, row, column, found.astype(np.float32), cmap=COLOR_MAP, vmin=0, vmax=1)
    for column, name in enumerate(["Image", *(model.name for model in models)]):
        axes.text(column + 0.4, 0.05, name, rotation=45, rotation_mode="anchor")
    axes.set(
        xlim=(0, len(models) + 1.6), ylim=(-len(items), 1.7), aspect="equal"
    )  # with room for the names
    axes.axis("off")
    return figure


def _place(axes, row, column, image, **kwargs):
    axes.imshow(image, extent=(column + 0.04, column + 0.96, -row - 0.96, -row - 0.04), **kwargs)


def show_map(panel, maps, item, model):
    """A saliency map, or in its place the reason why there is none."""
    title = textwrap.fill(model.name, 16)
    if item.image_id in maps:
        figures.show_image(
            panel, maps[item.image_id].astype(np.float32), title, cmap=COLOR_MAP, vmin=0, vmax=1
        )
    else:
        panel.set_title(title, pad=3)
        panel.set_box_aspect(1)
        panel.text(0.5, 0.5, _nothing(model), ha="center", va="center", transform=panel.transAxes)
        panel.axis("off")


def _nothing(model):
    return NO_MAPS if model.embeddings else "missing"
