"""Section "Saliency maps, image by image": the maps of some images under all models."""

import base64
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.figure import Figure
from PIL import Image

from dml_analysis import figures
from dml_analysis.config import Settings
from dml_analysis.controls import noise_ceilings
from dml_analysis.datasets import masks, readers
from dml_analysis.datasets.images import Crop, cropped, open_image, part_seen, size_of
from dml_analysis.files import csv_files
from dml_analysis.methods import grouped
from dml_analysis.metrics.map_alignment import framed
from dml_analysis.paper import Model, Protocol
from dml_analysis.report import pictures
from dml_analysis.report.map_findings import bounds_of
from dml_analysis.report.section import rendered, run_first
from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.saliency.map_comparisons import Comparison
from dml_analysis.saliency.saliency_figures import COLOR_MAP
from dml_analysis.store import ResultStore

IMAGES = 24  # at most
SIDE = 112  # pixels of a map in the page
PICTURE = 224  # pixels of an image and of its outline
COLUMNS = 6  # of maps in the picture that contains all maps of an image
DIGITS = 5  # of a correlation and a divergence
DIFFERENCE_COLORS = "PuOr"  # colour-blind readers can tell them apart
RENDERED = (readers.CARS, readers.SYNTHETIC)  # whose images may have masks
COMPUTE, COMPARE = "saliency/1_compute_maps.py", "saliency/2_compare_maps.py"


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    dataset, comparisons = settings.shown_dataset, first_comparisons(settings)
    shown = _shown(comparisons)
    if not shown:
        raise run_first("Saliency maps", COMPUTE)
    names = set.intersection(*(set(comparison.maps) for comparison in comparisons))
    models = [model for model in grouped(settings.models) if model.name in names]
    # All maps are shown in the crop of the first network.
    crop = next(iter(comparisons[0].maps.values())).subject.network.crop
    data: dict[str, Any] = {
        "dataset": dataset,
        "fold": comparisons[0].fold,
        "side": SIDE,
        "columns": COLUMNS,
        "models": [
            {"name": model.name, "group": model.group, "trained": model.trained} for model in models
        ],
        "images": [_image(dataset, sample, crop) for sample in shown],
        "protocols": {
            comparison.protocol.name: _of_protocol(comparison, models, shown, crop)
            | {"bounds": _bounds(settings, comparison.protocol, dataset)}
            for comparison in comparisons
        },
        "colors": {name: colors(name) for name in (COLOR_MAP, DIFFERENCE_COLORS)},
        "scale": COLOR_MAP,
        "difference": DIFFERENCE_COLORS,
    }
    has_masks = any(image["outline"] for image in data["images"])
    return rendered("browser", data=data, side=SIDE, has_masks=has_masks)


def first_comparisons(settings: Settings) -> list[Comparison]:
    """Return each protocol's comparison of the first fold, of the dataset of Figure 2."""
    one_dataset = settings.model_copy(update={"datasets": [settings.shown_dataset]})
    return [
        comparison._replace(
            maps={name: store for name, store in comparison.maps.items() if _available(store)}
        )
        for comparison in map_comparisons.comparisons_of(one_dataset)
        if comparison.is_first
    ]


def _available(store: ResultStore) -> set[int]:
    """Return the numbers of the chunks that exist. Raise InputError as store.check does."""
    return set(range(len(store.chunks))) - set(store.missing())


def _shown(comparisons: Sequence[Comparison]) -> list[readers.Sample]:
    """Return the images of the page, evenly spaced over those with maps by every model."""
    stores = [store for comparison in comparisons for store in comparison.maps.values()]
    if not stores:
        return []
    numbers = set.intersection(*map(_available, stores))
    chunks = saliency_maps.chunks_of(comparisons[0].samples)
    samples = [sample for number in sorted(numbers) for sample in chunks[number]]
    return readers.evenly_spaced(samples, IMAGES)


def _image(dataset: str, sample: readers.Sample, crop: Crop) -> dict[str, Any]:
    """Return what the page knows of an image: the crop, and the outline of its car."""
    picture = cropped(open_image(sample.path), crop)
    file = masks.file_of(sample)
    has_mask = dataset in RENDERED and file.is_file()
    return {
        "id": sample.image_id,
        "label": sample.label + 1,
        "address": pictures.address(picture.resize((PICTURE, PICTURE), Image.Resampling.LANCZOS)),
        "outline": outline(car_seen(masks.read(file), crop)) if has_mask else "",
    }


def car_seen(mask: UInt8[np.ndarray, "h w"], crop: Crop) -> Bool[np.ndarray, "side side"]:
    """Return where the crop of a mask shows the car, in PICTURE x PICTURE pixels."""
    image = Image.fromarray((mask == masks.CAR).astype(np.uint8))
    box = part_seen(image.size, crop)
    return np.asarray(image.resize((PICTURE, PICTURE), Image.Resampling.NEAREST, box)).astype(bool)


def outline(mask: Bool[np.ndarray, "h w"]) -> str:
    """Return the outline of a mask as an SVG path in its pixels."""
    if not mask.any():
        return ""
    # Outside the mask is 0, inside is 1; pixel i of the padded mask has its centre at i - 0.5.
    contours = Figure().add_subplot().contour(np.pad(mask, 1), levels=[0.5])
    polygons: Any = contours.get_paths()[0].cleaned(simplify=True).to_polygons()
    lines = ["L".join(f"{x:g} {y:g}" for x, y in polygon[:-1] - 0.5) for polygon in polygons]
    return "".join(f"M{line}Z" for line in lines)


def _of_protocol(
    comparison: Comparison, models: Sequence[Model], shown: Sequence[readers.Sample], crop: Crop
) -> dict[str, Any]:
    """Return what the page knows of the maps of a protocol."""
    names = [model.name for model in models]
    correlation, jsd = similarities(comparison, names, readers.ids_of(shown))
    maps = [_maps(comparison.maps[name], shown, crop) for name in names]
    return {
        "base": "2" if comparison.protocol.jsd_base == 2 else "e",
        "maps": [pictures.address(sheet(of_image)) for of_image in zip(*maps)],
        "correlation": _plain(correlation),
        "jsd": _plain(jsd),
        "agreement": _plain(agreement(correlation, [model.trained for model in models])),
    }


def _bounds(settings: Settings, protocol: Protocol, dataset: str) -> dict[str, Any] | None:
    """Return baseline, ceiling and the correlation of two random networks; None without bounds."""
    table = csv_files.read(
        noise_ceilings.csv_file(settings, protocol, dataset), noise_ceilings.COLUMNS
    )
    bounds = bounds_of(table, settings.models)
    if bounds.limits is None:
        return None
    (low, high), two = bounds.limits, bounds.mean("two random")
    n_images = int(table.n_images.max())
    return {"low": low, "high": high, "two": two if np.isfinite(two) else None, "n": n_images}


# --------------------------------------------------------------------------------------------------
# Numbers.
# --------------------------------------------------------------------------------------------------
def similarities(
    comparison: Comparison, names: Sequence[str], image_ids: Sequence[str]
) -> tuple[Float[np.ndarray, "n pairs"], Float[np.ndarray, "n pairs"]]:
    """Return correlation and JSD of images for all pairs of models, (0, 1), (0, 2), ...

    They are read from the store of comparisons, which were made of full maps. They are NaN where a
    pair has not been compared.
    """
    store = comparison.store_of(())
    common = store.common()
    arrays = {
        frozenset(pair): array
        for pair, array in comparison.pair_arrays(names).items()
        if array in common
    }
    if not arrays:
        raise run_first("Comparisons of maps", COMPARE)
    rows = [store.rows.index(image_id) for image_id in image_ids]
    values = store.read(*arrays.values())
    result = np.full((2, len(rows), len(names) * (len(names) - 1) // 2), np.nan)
    for column, pair in enumerate(map(frozenset, combinations(names, 2))):
        if pair in arrays:
            result[:, :, column] = values[arrays[pair]][rows].T
    correlation, jsd = result
    return correlation, jsd


def agreement(
    correlation: Float[np.ndarray, "n pairs"], trained: Sequence[bool]
) -> Float[np.ndarray, " n"]:
    """Return the mean correlation over the pairs of trained models, NaN if there is none.

    correlation: as from similarities. trained: whether each model is.
    """
    both = np.array([a and b for a, b in combinations(trained, 2)], dtype=bool)
    values = np.ma.masked_invalid(np.asarray(correlation, dtype=float)[:, both])
    return values.mean(axis=1).filled(np.nan)


def _plain(array: Float[np.ndarray, "..."]) -> list[Any]:
    """Return an array as lists, rounded, with None for NaN."""
    rounded = np.round(array, DIGITS).astype(object)
    rounded[np.isnan(array)] = None
    return rounded.tolist()


# --------------------------------------------------------------------------------------------------
# Pictures.
# --------------------------------------------------------------------------------------------------
def _maps(
    store: ResultStore, shown: Sequence[readers.Sample], frame: Crop
) -> list[Float[np.ndarray, "h w"]]:
    """Return the maps of images in the crop in which they are shown."""
    subject: Any = store.subject
    crop = subject.network.crop
    maps = saliency_maps.read_maps(store, readers.ids_of(shown)).astype(np.float32)
    return [framed(map_, crop, frame, size_of(sample.path)) for map_, sample in zip(maps, shown)]


def sheet(maps: Sequence[Float[np.ndarray, "h w"]]) -> Image.Image:
    """Return a grey picture of maps in [0, 1], each SIDE x SIDE, in rows of COLUMNS; NaN is 0."""
    n_rows = -(-len(maps) // COLUMNS)
    joined = Image.new("L", (COLUMNS * SIDE, n_rows * SIDE))
    for index, map_ in enumerate(maps):
        image = Image.fromarray(np.nan_to_num(map_).astype(np.float32))
        small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
        grey = Image.fromarray((255 * np.asarray(small).clip(0, 1)).round().astype(np.uint8))
        joined.paste(grey, (index % COLUMNS * SIDE, index // COLUMNS * SIDE))
    return joined


def colors(name: str) -> str:
    """Return the 256 colours of a colour map, as red, green and blue in base64."""
    table = figures.matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]
    return base64.b64encode(table.tobytes()).decode()
