"""Which images and classes a dataset has, and which of them are for testing and which for each fold's training.

Classes are split by the Reality Check's rule: in order, the first half is for training and validation, the second half
for testing. A fold validates on a block of the first half and trains on the rest of it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.io

import utils
from utils import InputError


class Item(NamedTuple):
    image_id: str  # unique in its dataset, the same on every machine
    path: Path
    label: int  # class, counted from 0


class Split(NamedTuple):
    images: int | None  # in the whole dataset; None: any number
    training_classes: int  # classes 0 to this one (exclusive) are for training and validation
    first_test_class: int
    validation: Sequence  # per fold the first and last (exclusive) validation class


SPLITS = {
    "Cars196": Split(16_185, 98, 98, [(74, 98), (0, 24), (25, 49), (49, 73)]),
    "CUB200": Split(11_788, 100, 100, [(75, 100), (0, 25), (25, 50), (50, 75)]),
    # The Reality Check halves 22,634 classes; Ebay_test.txt begins one class later, and its rule is for testing.
    "SOP": Split(120_053, 11_317, 11_318, [(8488, 11317), (0, 2829), (2829, 5658), (5658, 8487)]),
    "RenderedCars": Split(None, 24, 24, [(18, 24), (0, 6), (6, 12), (12, 18)]),
}


def load_items(settings, dataset, split, fold=None):
    """The items of a dataset's "test" split, or of a fold's "train" or "validation" split, in a fixed order.

    Raises InputError naming the file that is missing or does not fit.
    """
    items = _readers()[dataset](Path(settings.paths[dataset]))
    rule = SPLITS[dataset]
    if rule.images is not None and len(items) != rule.images:
        raise InputError(f"{settings.paths[dataset]}: {len(items)} images listed, but {dataset} has {rule.images}")
    if split == "test":
        return [item for item in items if item.label >= rule.first_test_class]
    first, last = rule.validation[fold]
    held_out = range(first, last)
    inside = {"validation": lambda label: label in held_out, "train": lambda label: label not in held_out}[split]
    return [item for item in items if item.label < rule.training_classes and inside(item.label)]


def evenly_spaced(items, count):
    """`count` of the items, evenly spaced over their order; all of them if count is None or there are no more."""
    if count is None or count >= len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def mapped_items(settings, dataset):
    """The test images of a dataset that the settings want saliency maps of."""
    return evenly_spaced(load_items(settings, dataset, "test"), settings.saliency.images)


def check_images(items):
    """Raise InputError for the first item whose image file is missing."""
    for item in items:
        if not item.path.is_file():
            raise InputError(f"{item.path}: image is missing; compare the folder with data/README.md")


def _readers():
    return {"Cars196": _cars196, "CUB200": _cub200, "SOP": _sop, "RenderedCars": _rendered_cars}


def _existing(file, hint):
    if not file.is_file():
        raise InputError(f"{file}: missing; {hint} (see data/README.md)")
    return file


def _cars196(folder):
    """Both layouts in circulation: car_ims/ with cars_annos.mat, and cars_train/, cars_test/ with devkit/."""
    if (folder / "cars_annos.mat").is_file():
        rows = _matlab_rows(folder / "cars_annos.mat", ("relative_im_path", "class"))
        return [Item(name, folder / name, int(label) - 1) for name, label in rows]
    train = _existing(folder / "devkit" / "cars_train_annos.mat", "neither it nor cars_annos.mat is there")
    test = folder / "devkit" / "cars_test_annos_withlabels.mat"
    test = (
        test
        if test.is_file()
        else _existing(folder / "devkit" / "cars_test_annos.mat", "Cars196's devkit is incomplete")
    )
    rows = [("cars_train", *row) for row in _matlab_rows(train, ("fname", "class"))]
    rows += [("cars_test", *row) for row in _matlab_rows(test, ("fname", "class"))]
    return [Item(f"{part}/{name}", folder / part / name, int(label) - 1) for part, name, label in rows]


def _matlab_rows(file, fields):
    try:
        annotations = scipy.io.loadmat(file, squeeze_me=True)["annotations"]
    except Exception as error:  # scipy raises many kinds for broken files
        raise InputError(f"{file}: not a readable annotation file ({error})") from None
    for field in fields:
        if field not in (annotations.dtype.names or ()):
            hint = "; put cars_test_annos_withlabels.mat beside it" if file.name == "cars_test_annos.mat" else ""
            raise InputError(f"{file}: has no field {field!r}{hint}")
    return [tuple(row[field] for field in fields) for row in np.atleast_1d(annotations)]


def _cub200(folder):
    tables = []
    for name, column in [("images.txt", "path"), ("image_class_labels.txt", "label")]:
        file = _existing(folder / name, "CUB200 belongs there")
        tables.append(pd.read_csv(file, sep=" ", header=None, names=["id", column], index_col="id"))
    table = tables[0].join(tables[1], how="inner")
    return [Item(row.path, folder / "images" / row.path, row.label - 1) for row in table.itertuples()]


def _sop(folder):
    items = []
    for name in ("Ebay_train.txt", "Ebay_test.txt"):
        table = pd.read_csv(_existing(folder / name, "SOP belongs there"), sep=" ")
        if not {"class_id", "path"} <= set(table.columns):
            raise InputError(f"{folder / name}: its first line must name class_id and path")
        items += [Item(row.path, folder / row.path, row.class_id - 1) for row in table.itertuples()]
    return items


def _rendered_cars(folder):
    """A class is a car model seen from one side, so that there are enough classes for batches of the usual make-up."""
    items, table = rendered_cars(folder)
    model, rotation = property_codes(table)[:, :2].T
    labels = model * (rotation.max() + 1) + rotation
    return [item._replace(label=int(label)) for item, label in zip(items, labels)]


def rendered_cars(folder):
    """The rendered cars as (items, table): one row of the table per item, its columns the properties of Table 5.

    `folder` holds samples.csv and images/, or the authors' archive as it comes: a folder "3D cars dataset" that does.
    Raises InputError if samples.csv is missing or lacks a column or a value, or if rows and images do not match.
    """
    archive = Path(folder) / "3D cars dataset"
    folder = archive if archive.is_dir() else Path(folder)
    file = _existing(folder / "samples.csv", "the rendered cars belong there")
    table, images = _car_table(file), _car_images(folder / "images")
    frames = [str(frame) for frame in table.index]
    missing = [frame for frame in frames if frame not in images]
    if missing:
        expected = folder / "images" / f"{missing[0]}.png"
        raise InputError(f"{expected}: image is missing ({len(missing)} of the {len(table)} in {file})")
    extra = images.keys() - set(frames)
    if extra:
        first = images[min(extra)]
        raise InputError(f"{first}: has no row in {file} ({len(extra)} of {len(images)} images have none)")
    return [Item(frame, images[frame], 0) for frame in frames], table


def _car_table(file):
    """samples.csv: index `frame`, the eleven properties as columns."""
    try:
        table = pd.read_csv(file, index_col="frame")
    except ValueError as error:  # no such column, not a table, not text
        raise InputError(f"{file}: not a table with a column 'frame' ({error})") from None
    for prop in utils.PROPERTIES:
        if prop.name not in table.columns:
            raise InputError(f"{file}: column {prop.name!r} is missing")
        if table[prop.name].isna().any():
            raise InputError(f"{file}: frame {table.index[table[prop.name].isna()][0]} has no {prop.name}")
    if table.index.has_duplicates:
        raise InputError(f"{file}: frame {table.index[table.index.duplicated()][0]} is there twice")
    return table[[prop.name for prop in utils.PROPERTIES]]


def _car_images(folder):
    """Frame, as text and without leading zeros -> image file."""
    files = [path for path in folder.glob("[!.]*") if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
    return {path.stem.lstrip("0") or "0": path for path in files}


def property_codes(table):
    """(n, k) integer labels of the rendered cars' table: which of a property's values each image has."""
    return np.stack([pd.factorize(table[column], sort=True)[0] for column in table.columns], axis=1)
