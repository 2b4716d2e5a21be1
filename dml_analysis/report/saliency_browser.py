"""Section "Saliency maps, image by image": the maps of some images under all models, to be laid over these and compared."""

import base64
from itertools import combinations

import numpy as np
from PIL import Image

from dml_analysis import figures
from dml_analysis.datasets import masks, readers
from dml_analysis.datasets.images import cropped, open_image, part_seen, size_of
from dml_analysis.methods import grouped
from dml_analysis.metrics.map_alignment import framed
from dml_analysis.report import pictures
from dml_analysis.report.outlines import outlines, path
from dml_analysis.report.section import rendered, run_first
from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.saliency.saliency_figures import COLOR_MAP

IMAGES = 24  # at most
SIDE = 112  # pixels of a map in the page
PICTURE = 224  # of an image, and of its outline
COLUMNS = 6  # of maps in the picture that holds all maps of an image
DIGITS = 5  # of a correlation and a divergence
DIFFERENCE_COLORS = "PuOr"  # from less to more; told apart by the colour-blind
RENDERED = (readers.CARS, readers.SYNTHETIC)  # whose images may have masks
COMPUTE, COMPARE = "saliency/1_compute_maps.py", "saliency/2_compare_maps.py"


def section(settings):
    dataset, compared = settings.shown_dataset, first_comparisons(settings)
    shown = _shown(compared)
    if not shown:
        raise run_first("Saliency maps", COMPUTE)
    data = {
        "dataset": dataset,
        "fold": compared[0].fold,
        "side": SIDE,
        "columns": COLUMNS,
        "models": [
            {"name": each.name, "group": each.group, "trained": each.trained}
            for each in _models(settings, compared)
        ],
        "images": [_image(dataset, item, frame_of(compared)) for item in shown],
        "protocols": {
            each.protocol.name: _by_protocol(settings, each, shown, compared) for each in compared
        },
        "colors": {name: colors(name) for name in (COLOR_MAP, DIFFERENCE_COLORS)},
        "scale": COLOR_MAP,
        "difference": DIFFERENCE_COLORS,
    }
    has_masks = any(each["outline"] for each in data["images"])
    return rendered("browser", data=data, settings=settings, side=SIDE, has_masks=has_masks)


def first_comparisons(settings):
    """The comparison of the first fold by each protocol that has one, of the dataset that Figure 2 is about."""
    chosen = settings.model_copy(update={"datasets": [settings.shown_dataset]})
    found = [each for each in map_comparisons.comparisons_of(chosen) if each.is_first]
    return [
        each._replace(maps={name: store for name, store in each.maps.items() if _numbers(store)})
        for each in found
    ]


def _numbers(store):
    """The parts of a store that exist. Raises InputError if they were made of something else."""
    store.check()
    return {number for number in range(len(store.chunks)) if not store.lacks(number)}


def _shown(compared):
    """The items of the page, evenly spaced over those that have maps by every model and protocol."""
    stores = [store for each in compared for store in each.maps.values()]
    if not stores:
        return []
    numbers = set.intersection(*map(_numbers, stores))
    parts = saliency_maps.chunks_of(compared[0].samples)
    return readers.evenly_spaced(
        [item for number in sorted(numbers) for item in parts[number]], IMAGES
    )


def _models(settings, compared):
    """The models that have maps by every protocol, group by group."""
    names = set.intersection(*(set(each.maps) for each in compared))
    return [model for model in grouped(settings.models) if model.name in names]


def frame_of(compared):
    """The Crop of the image in which all maps are shown: the first model's."""
    return next(iter(compared[0].maps.values())).subject.network.crop


def _image(dataset, item, crop):
    """What the page knows of an image: as the first model sees it, and the outline of its car."""
    picture = cropped(open_image(item.path), crop).resize(
        (PICTURE, PICTURE), Image.Resampling.LANCZOS
    )
    file = masks.file_of(item)
    outline = (
        path(outlines(car_seen(masks.read(file), crop)))
        if dataset in RENDERED and file.is_file()
        else ""
    )
    return {
        "id": item.image_id,
        "label": item.label + 1,
        "address": pictures.address(picture),
        "outline": outline,
    }


def car_seen(mask, crop):
    """(PICTURE, PICTURE) of bool: where a mask (h, w) has the car, in the part of it that a Crop shows."""
    image = Image.fromarray((mask == masks.CAR).astype(np.uint8))
    box = part_seen(image.size, crop)
    return np.asarray(image.resize((PICTURE, PICTURE), Image.Resampling.NEAREST, box)).astype(bool)


def _by_protocol(settings, comparison, shown, compared):
    models = _models(settings, compared)
    names = [model.name for model in models]
    ids = readers.ids_of(shown)
    correlation, jsd = similarities(comparison, names, ids)
    return {
        "base": "2" if comparison.protocol.jsd_base == 2 else "e",
        "maps": _sheets(comparison, names, shown, frame_of(compared)),
        "correlation": _plain(correlation),
        "jsd": _plain(jsd),
        "agreement": _plain(agreement(correlation, [model.trained for model in models])),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Numbers.
# ---------------------------------------------------------------------------------------------------------------------
def similarities(comparison, names, ids):
    """(correlation, JSD), each (n, l (l - 1) / 2), of the images of these ids and all pairs of models, (0, 1), (0, 2), ...

    As they are on the store of comparisons, which is made of whole maps; NaN where a pair has not been compared.
    """
    store = comparison.store_of(())
    common, arrays = store.common(), comparison.pair_arrays(names)
    arrays = {frozenset(pair): array for pair, array in arrays.items() if array in common}
    if not arrays:
        raise run_first("Comparisons of maps", COMPARE)
    places = [store.rows.index(each) for each in ids]
    values = store.read(*arrays.values())
    nothing = np.full((len(ids), 2), np.nan)
    pairs = [frozenset((a, b)) for place, a in enumerate(names) for b in names[place + 1 :]]
    found = [values[arrays[pair]][places] if pair in arrays else nothing for pair in pairs]
    return np.moveaxis(np.array(found).reshape(-1, len(ids), 2), (0, 1, 2), (2, 1, 0))


def agreement(correlation, trained):
    """(n,): the mean over the pairs of trained models, without NaN, of correlations as similarities gives them.

    trained (l,): whether each model is.
    """
    both = [a and b for a, b in combinations(trained, 2)]
    correlation = np.asarray(correlation, dtype=float)[:, both]
    known = ~np.isnan(correlation)
    count = known.sum(axis=1)
    return np.where(
        count, np.where(known, correlation, 0).sum(axis=1) / np.maximum(count, 1), np.nan
    )


def _plain(array):
    """An array as lists, rounded, with None for NaN."""
    if np.ndim(array):
        return [_plain(each) for each in array]
    return None if np.isnan(array) else round(float(array), DIGITS)


# ---------------------------------------------------------------------------------------------------------------------
# Pictures.
# ---------------------------------------------------------------------------------------------------------------------
def _sheets(comparison, names, shown, frame):
    """For each image the address of one picture of its maps under all models."""
    found = {name: _maps(comparison.maps[name], shown, frame) for name in names}
    return [
        pictures.address(sheet([found[name][item.image_id] for name in names])) for item in shown
    ]


def _maps(store, shown, frame):
    """Image id -> the map of a model, as it lies in the picture."""
    wanted, crop = {item.image_id: item for item in shown}, store.subject.network.crop
    found = {}
    for number in sorted(_numbers(store)):
        if wanted.keys() & set(store.chunks[number]):
            pairs = zip(store.chunks[number], store.load(number)["maps"])
            found |= {key: each.astype(np.float32) for key, each in pairs if key in wanted}
    return {
        key: framed(each, crop, frame, size_of(wanted[key].path)) for key, each in found.items()
    }


def sheet(some):
    """A grey picture of maps (h, w) in [0, 1], each SIDE x SIDE, in rows of COLUMNS; where a map is NaN, 0."""
    rows = -(-len(some) // COLUMNS)
    whole = Image.new("L", (COLUMNS * SIDE, rows * SIDE))
    for place, each in enumerate(some):
        small = Image.fromarray(np.nan_to_num(each).astype(np.float32)).resize(
            (SIDE, SIDE), Image.Resampling.BOX
        )
        grey = Image.fromarray((255 * np.clip(small, 0, 1)).round().astype(np.uint8))
        whole.paste(grey, (place % COLUMNS * SIDE, place // COLUMNS * SIDE))
    return whole


def colors(name):
    """The 256 colours of a colour map: their red, green and blue, in base64."""
    table = figures.matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]
    return base64.b64encode(table.tobytes()).decode()
