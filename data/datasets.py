"""Which images and classes a dataset has, and which of them are for testing and which for each fold's training.

Classes are split by the Reality Check's rule: in order, the first half is for training and validation, the second half
for testing. A fold validates on a block of the first half and trains on the rest of it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.io
from tqdm import tqdm

from common.errors import InputError, MissingFile
from utils import PROPERTIES


class Item(NamedTuple):
    image_id: str  # unique in its dataset, the same on every machine
    path: Path
    label: int  # class, counted from 0


class Split(NamedTuple):
    images: int | None  # in the whole dataset; None: any number, and of the next two as well
    test_images: int | None  # in its test classes
    classes: int | None  # in the whole dataset
    training_classes: int  # classes 0 to this one (exclusive) are for training and validation
    first_test_class: int
    validation: Sequence  # per fold the first and last (exclusive) validation class


CARS = "RenderedCars"  # which the networks of any dataset embed
SPLITS = {
    "Cars196": Split(16_185, 8_131, 196, 98, 98, [(74, 98), (0, 24), (25, 49), (49, 73)]),
    "CUB200": Split(11_788, 5_924, 200, 100, 100, [(75, 100), (0, 25), (25, 50), (50, 75)]),
    # The Reality Check halves 22,634 classes; Ebay_test.txt begins one class later, and its rule is for testing.
    "SOP": Split(120_053, 60_502, 22_634, 11_317, 11_318, [(8488, 11317), (0, 2829), (2829, 5658), (5658, 8487)]),
    CARS: Split(None, None, None, 24, 24, [(18, 24), (0, 6), (6, 12), (12, 18)]),
}


# A dataset's folder is the one that holds one of these; archives often bring a folder of the same name inside.
MARKS = {
    "Cars196": ("cars_annos.mat", "devkit"),
    "CUB200": ("images.txt",),
    "SOP": ("Ebay_test.txt", "Ebay_train.txt"),
    CARS: ("samples.csv",),
}


def load_items(settings, dataset, split, fold=None):
    """The items of a dataset's "test" split, or of a fold's "train" or "validation" split, in a fixed order.

    settings: common.settings.Settings. Raises InputError naming the file that is missing or does not fit, or the count
    that is not the dataset's. With `allow_partial` the counts are not checked, and items without an image are left out.
    """
    items, rule = _all_items(settings, dataset), SPLITS[dataset]
    if split == "test":
        return [item for item in items if item.label >= rule.first_test_class]
    first, last = rule.validation[fold]
    held_out = range(first, last)
    inside = {"validation": lambda label: label in held_out, "train": lambda label: label not in held_out}[split]
    return [item for item in items if item.label < rule.training_classes and inside(item.label)]


def _all_items(settings, dataset):
    folder = found(settings.paths[dataset], dataset)
    items = _rendered_cars(settings) if dataset == CARS else _READERS[dataset](folder)
    if len({item.image_id for item in items}) < len(items):
        raise InputError(f"{folder}: its annotations list an image twice")
    if not settings.allow_partial:
        _check_counts(folder, dataset, items)
        return items
    there = [item for item in items if item.path.is_file()]
    if not there:
        raise InputError(f"{folder}: none of the {len(items)} images of {dataset} exists (see data/README.md)")
    return there


def _check_counts(folder, dataset, items):
    """Raise InputError unless there are as many images, classes and test images as the dataset has."""
    rule = SPLITS[dataset]
    if rule.images is None:
        return
    labels = {item.label for item in items}
    absent = sorted(set(range(rule.classes)) - labels)
    test_images = sum(item.label >= rule.first_test_class for item in items)
    hint = "fetch its annotations again, or give --allow-partial"
    if len(items) != rule.images:
        raise InputError(f"{folder}: {len(items)} images listed, but {dataset} has {rule.images}; {hint}")
    if absent or len(labels) != rule.classes:
        which = f"class {absent[0] + 1} has no image" if absent else f"{len(labels)} classes listed"
        raise InputError(f"{folder}: {which}, but {dataset} has classes 1 to {rule.classes}; {hint}")
    if test_images != rule.test_images:
        raise InputError(
            f"{folder}: {test_images} images of test classes, but {dataset} has {rule.test_images}; {hint}"
        )


def found(folder, dataset):
    """The folder that holds the dataset: the given one, or the only one up to two levels below that does.

    If there is none, the given one, so that a reader can say what it misses in it.
    """
    folder = Path(folder)
    level = [folder]
    for _ in range(3):
        holders = [each for each in level if any((each / mark).exists() for mark in MARKS[dataset])]
        if len(holders) > 1:
            names = " and ".join(str(each.relative_to(folder)) for each in holders)
            raise InputError(f"{folder}: {names} in it look like {dataset}; keep one")
        if holders:
            return holders[0]
        level = sorted(Path(entry) for each in level if each.is_dir() for entry in os.scandir(each) if entry.is_dir())
    return folder


def ids_of(items):
    """The ids of the items' images."""
    return [item.image_id for item in items]


def evenly_spaced(items, count):
    """`count` of the items, evenly spaced over their order; all of them if count is None or there are no more."""
    if count is None or count >= len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def check_images(items, look=None):
    """Raise InputError for the first item whose image file is missing, or that `look`, a function of paths, refuses.

    Such are images.check_header, which every long stage begins with, and images.open_image, which reads it all.
    """
    missing = [item.path for item in items if not item.path.is_file()]
    if missing:
        raise MissingFile(
            f"{missing[0]}: image is missing ({len(missing)} of {len(items)}); compare the folder with data/README.md"
        )
    for item in tqdm(items if look else (), desc="checking images", unit="image", disable=not look):
        look(item.path)


def _existing(file, hint):
    if not file.is_file():
        raise MissingFile(f"{file}: missing; {hint} (see data/README.md)")
    return file


def _cars196(folder):
    """Both layouts in circulation: car_ims/ with cars_annos.mat, and cars_train/, cars_test/ with devkit/.

    Some archives have the annotations of one with the images of the other; it is the images that count.
    """
    if (folder / "cars_annos.mat").is_file() and (
        (folder / "car_ims").exists() or not (folder / "cars_train").exists()
    ):
        rows = _matlab_rows(folder / "cars_annos.mat", ("relative_im_path", "class"))
        return [Item(name, folder / name, int(label) - 1) for name, label in rows]
    hint = "it goes with cars_train/, and cars_annos.mat with car_ims/; neither pair exists"
    train = _existing(folder / "devkit" / "cars_train_annos.mat", hint)
    test = folder / "devkit" / "cars_test_annos_withlabels.mat"
    test = (
        test
        if test.is_file()
        else _existing(folder / "devkit" / "cars_test_annos.mat", "Cars196's devkit is incomplete")
    )
    items = []
    for part, file in (("cars_train", train), ("cars_test", test)):
        images = folder / part / part  # as Kaggle packs them
        images = images if images.is_dir() else folder / part
        rows = _matlab_rows(file, ("fname", "class"))
        items += [Item(f"{part}/{name}", images / name, int(label) - 1) for name, label in rows]
    return items


def _matlab_rows(file, fields):
    try:
        annotations = scipy.io.loadmat(file, squeeze_me=True)["annotations"]
    except Exception as error:  # scipy raises many kinds for broken files
        raise InputError(f"{file}: not a readable annotation file ({error})") from None
    for field in fields:
        if field not in (annotations.dtype.names or ()):
            if file.name == "cars_test_annos.mat":
                raise MissingFile(f"{file}: has no field {field!r}; put cars_test_annos_withlabels.mat beside it")
            raise InputError(f"{file}: has no field {field!r}; fetch it again")
    return [tuple(row[field] for field in fields) for row in np.atleast_1d(annotations)]


def _cub200(folder):
    paths, labels = (_numbered_lines(folder / name) for name in ("images.txt", "image_class_labels.txt"))
    if paths.keys() != labels.keys():
        number = min(paths.keys() ^ labels.keys())
        raise InputError(f"{folder}: image {number} is in only one of images.txt and image_class_labels.txt")
    return [Item(path, folder / "images" / path, int(labels[number]) - 1) for number, path in paths.items()]


def _numbered_lines(file):
    """Number -> what follows it on its line, which may have spaces in it."""
    lines = _existing(file, "CUB200 belongs there").read_text(encoding="utf-8").splitlines()
    parts = [line.split(maxsplit=1) for line in lines if line.strip()]
    bad = next((line for line, part in zip(lines, parts) if len(part) != 2 or not part[0].isdecimal()), None)
    if bad is not None:
        raise InputError(f"{file}: line {bad!r} is not a number and what it belongs to")
    return {int(number): rest.strip() for number, rest in parts}


def _sop(folder):
    items = []
    for name in ("Ebay_train.txt", "Ebay_test.txt"):
        file = _existing(folder / name, "SOP belongs there")
        try:
            table = pd.read_csv(file, sep=" ")
        except ValueError as error:  # not a table, not text
            raise InputError(f"{file}: not a readable list of images ({error})") from None
        if not {"class_id", "path"} <= set(table.columns):
            raise InputError(f"{file}: its first line must name class_id and path")
        items += [Item(row.path, folder / row.path, row.class_id - 1) for row in table.itertuples()]
    return items


_READERS = {"Cars196": _cars196, "CUB200": _cub200, "SOP": _sop}


def _rendered_cars(settings):
    """A class is a car model seen from one side, so that there are enough classes for batches of the usual make-up."""
    items, table = rendered_cars(settings)
    model, rotation = property_codes(table)[:, :2].T
    labels = model * (rotation.max() + 1) + rotation
    return [item._replace(label=int(label)) for item, label in zip(items, labels)]


def rendered_cars(settings):
    """The rendered cars as (items, table): one row of the table per item, its columns the properties of Table 5.

    Their folder holds samples.csv and images/; the authors' archive, which has both in a folder "3D cars dataset", is
    read as it comes. Raises InputError if samples.csv is missing or lacks a column or a value, or if rows and images do
    not match; with `allow_partial`, rows without an image are left out.
    """
    folder = found(settings.paths[CARS], CARS)
    file = _existing(folder / "samples.csv", "the rendered cars belong there")
    table, images = _car_table(file), _car_images(folder / "images")
    missing = [frame for frame in table.index if str(frame) not in images]
    if missing and not (settings.allow_partial and len(missing) < len(table)):
        expected = folder / "images" / f"{missing[0]}.png"
        raise MissingFile(f"{expected}: image is missing ({len(missing)} of the {len(table)} in {file})")
    extra = images.keys() - {str(frame) for frame in table.index}
    if extra:
        first = images[min(extra)]
        raise InputError(f"{first}: has no row in {file} ({len(extra)} of {len(images)} images have none)")
    table = table.drop(index=missing)
    return [Item(str(frame), images[str(frame)], 0) for frame in table.index], table


def chosen_cars(settings):
    """(items, table) as above, of the cars that the settings have embedded: evenly spaced over all."""
    items, table = rendered_cars(settings)
    chosen = evenly_spaced(range(len(items)), settings.properties.images)
    return [items[i] for i in chosen], table.iloc[chosen]


def _car_table(file):
    """samples.csv: index `frame`, the eleven properties as columns."""
    try:
        table = pd.read_csv(file, index_col="frame")
    except ValueError as error:  # no such column, not a table, not text
        raise InputError(f"{file}: not a table with a column 'frame' ({error})") from None
    for prop in PROPERTIES:
        if prop.name not in table.columns:
            raise InputError(f"{file}: column {prop.name!r} is missing")
        if table[prop.name].isna().any():
            raise InputError(f"{file}: frame {table.index[table[prop.name].isna()][0]} has no {prop.name}")
    if table.index.has_duplicates:
        raise InputError(f"{file}: frame {table.index[table.index.duplicated()][0]} is listed twice")
    return table[[prop.name for prop in PROPERTIES]]


def _car_images(folder):
    """Frame, as text and without leading zeros -> image file."""
    files = [path for path in folder.glob("[!.]*") if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
    return {path.stem.lstrip("0") or "0": path for path in files}


def property_codes(table):
    """(n, k) integer labels of the rendered cars' table: which of a property's values each image has."""
    return np.stack([pd.factorize(table[column], sort=True)[0] for column in table.columns], axis=1)
