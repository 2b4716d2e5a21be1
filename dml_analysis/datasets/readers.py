"""Which images and classes a dataset has, and which of them are for testing and which for each fold's training.

Classes are split by the Reality Check's rule: in order, the first half is for training and validation, the second half
for testing. A fold validates on a block of the first half and trains on the rest of it.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from dml_analysis.datasets import annotations
from dml_analysis.errors import InputError, MissingFile, refused
from dml_analysis.files import csv_files
from dml_analysis.paper import PROPERTIES


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
    validation: tuple  # per fold the first and last (exclusive) validation class


CARS = "RenderedCars"  # which the networks of any dataset embed
SYNTHETIC = "SyntheticCars"  # whose models are its classes
SEE = "(see data/README.md)"
SPLITS = {
    "Cars196": Split(16_185, 8_131, 196, 98, 98, ((74, 98), (0, 24), (25, 49), (49, 73))),
    "CUB200": Split(11_788, 5_924, 200, 100, 100, ((75, 100), (0, 25), (25, 50), (50, 75))),
    # The Reality Check halves 22,634 classes; Ebay_test.txt begins one class later, and its rule is for testing.
    "SOP": Split(120_053, 60_502, 22_634, 11_317, 11_318, ((8488, 11317), (0, 2829), (2829, 5658), (5658, 8487))),
}
MODEL = PROPERTIES[0].name
FEWEST_CLASSES = 16  # where their number is free: two in each fold's validation
IMAGE_FILES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


# A dataset's folder is the one that holds one of these; archives often bring a folder of the same name inside.
MARKS = {
    "Cars196": ("cars_annos.mat", "devkit"),
    "CUB200": ("images.txt",),
    "SOP": ("Ebay_test.txt", "Ebay_train.txt"),
    SYNTHETIC: ("samples.csv",),
    "CounterfactualCars": ("samples.csv",),
    CARS: ("samples.csv",),
}


def load_items(settings, dataset, split, fold=None):
    """The items of a dataset's "test" split, or of a fold's "train" or "validation" split, in a fixed order.

    settings: dml_analysis.config.Settings. Raises InputError naming the file that is missing or does not fit, or the count
    that is not the dataset's. With `allow_partial` the counts are not checked, and items without an image are left out.
    """
    rule = split_of(settings, dataset)
    if dataset in _RENDERED:
        items = _RENDERED[dataset](settings)
    else:
        items = _listed(Path(settings.paths[dataset]), dataset, rule, settings.allow_partial)
    if split == "test":
        return [item for item in items if item.label >= rule.first_test_class]
    first, last = rule.validation[fold]
    held_out = range(first, last)
    inside = {"validation": lambda label: label in held_out, "train": lambda label: label not in held_out}[split]
    return [item for item in items if item.label < rule.training_classes and inside(item.label)]


def some_items(settings, dataset, split, fold=None):
    """The same, for whoever needs some. Raises InputError if there are none as well."""
    items = load_items(settings, dataset, split, fold)
    if not items:
        of_fold = "" if fold is None else f" of fold {fold}"
        raise InputError(
            f"{settings.paths[dataset]}: no image is of a {split} class{of_fold}; {dataset} is not whole {SEE}"
        )
    return items


def split_of(settings, dataset):
    """The Split of a dataset's classes. Raises InputError if it has too few."""
    if dataset in SPLITS:
        return SPLITS[dataset]
    if dataset == CARS:
        models, sides = (each.values for each in car_properties(settings)[:2])
        classes, what = len(models) * len(sides), "classes (car models, each from every side)"
    elif dataset == SYNTHETIC:
        classes, what = len(car_properties(settings, SYNTHETIC)[0].values), "car models"
    else:
        classes, what = len(_class_folders(settings.paths[dataset])), "sub-folders, one for each class,"
    if classes < FEWEST_CLASSES:
        raise InputError(
            f"{settings.paths[dataset]}: {classes} {what} are too few to train and test on; {FEWEST_CLASSES} are the fewest"
        )
    half = classes // 2
    edges = [half * part // 4 for part in range(5)]
    return Split(None, None, None, half, half, ((edges[3], edges[4]), *zip(edges[:3], edges[1:])))


@lru_cache(maxsize=8)  # SOP's lists take seconds to read, and every one of its networks asks for them
def _listed(folder, dataset, rule, allow_partial):
    """The items (tuple) that the annotations in a folder list, or its sub-folders."""
    folder = found(folder, dataset)
    items = _READERS.get(dataset, _in_folders)(folder, rule.classes)
    if len({item.image_id for item in items}) < len(items):
        raise InputError(f"{folder}: its annotations list an image twice")
    if not allow_partial:
        _check_counts(folder, dataset, items, rule)
        return tuple(items)
    there = tuple(item for item in items if item.path.is_file())
    if not there:
        raise InputError(f"{folder}: none of the {len(items)} images of {dataset} exists (see data/README.md)")
    return there


def _check_counts(folder, dataset, items, rule):
    """Raise InputError unless there are as many images, classes and test images as the dataset has."""
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
    if dataset not in MARKS:  # one of the user's own
        return folder
    level = [folder]
    for _ in range(3):
        holders = [each for each in level if any((each / mark).exists() for mark in MARKS[dataset])]
        if len(holders) > 1:
            names = " and ".join(str(each.relative_to(folder)) for each in holders)
            raise InputError(f"{folder}: {names} in it look like {dataset}; keep one")
        if holders:
            return holders[0]
        level = sorted(
            Path(entry) for each in level if each.is_dir() for entry in os.scandir(each) if os.path.isdir(entry)
        )
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


def _cars196(folder, classes):
    """Both layouts in circulation: car_ims/ with cars_annos.mat, and cars_train/, cars_test/ with devkit/.

    Some archives have the annotations of one with the images of the other; it is the images that count.
    """
    one = folder / "cars_annos.mat"
    if one.is_file() and ((folder / "car_ims").exists() or not (folder / "cars_train").exists()):
        return _items(folder, annotations.matlab(one, "relative_im_path", classes))
    train = folder / "devkit" / "cars_train_annos.mat"
    if not train.is_file():
        raise MissingFile(f"{train}: missing; it goes with cars_train/, and cars_annos.mat with car_ims/ {SEE}")
    test = folder / "devkit" / "cars_test_annos_withlabels.mat"
    test = test if test.is_file() else folder / "devkit" / "cars_test_annos.mat"
    items = []
    for part, file in (("cars_train", train), ("cars_test", test)):
        images = folder / part / part  # as Kaggle packs them
        images = images if images.is_dir() else folder / part
        items += _items(images, annotations.matlab(file, "fname", classes), f"{part}/")
    return items


def _cub200(folder, classes):
    files = folder / "images.txt", folder / "image_class_labels.txt"
    return _items(folder / "images", annotations.numbered(*files, classes))


def _sop(folder, classes):
    lists = [annotations.table(folder / name, classes) for name in ("Ebay_train.txt", "Ebay_test.txt")]
    return [item for each in lists for item in _items(folder, each)]


def _items(folder, listed, prefix=""):
    """Items whose images are in a folder, from (name, class); prefix: of their ids."""
    return [Item(prefix + name, folder / name, label) for name, label in listed]


_READERS = {"Cars196": _cars196, "CUB200": _cub200, "SOP": _sop}


# ---------------------------------------------------------------------------------------------------------------------
# Datasets of one's own: a folder with a sub-folder for each class.
# ---------------------------------------------------------------------------------------------------------------------
def _class_folders(folder):
    """The sub-folders in the order of their names, which is that of the classes. Raises MissingFile if there is no folder."""
    if not Path(folder).is_dir():
        raise MissingFile(
            f"{folder}: missing; a dataset of your own is a folder with a sub-folder for each class {SEE}"
        )
    return sorted(each for each in Path(folder).iterdir() if each.is_dir() and not each.name.startswith("."))


def _in_folders(folder, classes):
    """The images of all classes; a file whose name does not end as an image's does is none. InputError for an empty class."""
    items = []
    for label, each in enumerate(_class_folders(folder)):
        images = sorted(path for path in each.glob("[!.]*") if path.suffix.lower() in IMAGE_FILES)
        if not images:
            raise InputError(f"{each}: holds no image ({', '.join(IMAGE_FILES)}); each sub-folder is a class {SEE}")
        items += [Item(f"{each.name}/{path.name}", path, label) for path in images]
    return items


# ---------------------------------------------------------------------------------------------------------------------
# The rendered cars.
# ---------------------------------------------------------------------------------------------------------------------
def _synthetic_cars(settings):
    """A class is a car model, in the order in which properties.csv declares them."""
    items, table = rendered_cars(settings, SYNTHETIC)
    labels = {model: label for label, model in enumerate(car_properties(settings, SYNTHETIC)[0].values)}
    return [item._replace(label=labels[model]) for item, model in zip(items, table[MODEL])]


def _rendered_cars(settings):
    """A class is a car model seen from one side, so that there are enough classes for batches of the usual make-up."""
    items, table = rendered_cars(settings)
    models, sides = (sorted(each.values) for each in car_properties(settings)[:2])
    labels = table.iloc[:, 0].map(models.index) * len(sides) + table.iloc[:, 1].map(sides.index)
    return [item._replace(label=label) for item, label in zip(items, labels)]


_RENDERED = {SYNTHETIC: _synthetic_cars, CARS: _rendered_cars}


def car_properties(settings, dataset=CARS):
    """The properties of rendered cars with the values that they may have: Table 5's, or what their folder declares.

    A folder of other cars declares the values of some or all properties in properties.csv: columns property and values, the
    values parted by |. Raises InputError if that file is not such.
    """
    file = found(settings.paths[dataset], dataset) / "properties.csv"
    if not os.path.lexists(file):
        return PROPERTIES
    what, hint = "a list of properties and their values", "data/README.md says how cars of your own declare theirs"
    columns = {"property": csv_files.one_of([each.name for each in PROPERTIES]), "values": _parted}
    rows = csv_files.read_rows(file, columns, key=["property"], others=True, what=what, hint=hint)
    declared = {row["property"]: row["values"] for row in rows}
    with refused(file, what, hint):
        return [each._replace(values=_values_of(each, declared.get(each.name))) for each in PROPERTIES]


def _parted(text):
    return [value.strip() for value in text.split("|")]


def _number(text):
    return csv_files.whole(text) if csv_files.WHOLE.fullmatch(text) else csv_files.number(text)


def _values_of(prop, declared):
    """The values that a property may have: those declared, or Table 5's. Models are texts, all else are numbers."""
    if declared is None:
        return prop.values
    values = declared if prop.name == MODEL else [_number(text) for text in declared]
    if len(set(values)) < len(values) or "" in values:
        raise ValueError(f"{prop.name}: {'|'.join(declared)!r} is no list of values, each once, parted by |")
    return tuple(values)


def rendered_cars(settings, dataset=CARS):
    """Rendered cars as (items, table): one row of the table per item, its columns the properties of Table 5.

    Their folder holds samples.csv and images/; the authors' archive, which has both in a folder "3D cars dataset", is
    read as it comes. Raises InputError if samples.csv is missing or lacks a column or a value, or if rows and images do
    not match; with `allow_partial`, rows without an image are left out.
    """
    properties = tuple(car_properties(settings, dataset))
    return _rendered(found(settings.paths[dataset], dataset), properties, settings.allow_partial)


@lru_cache(maxsize=4)  # as _listed
def _rendered(folder, properties, allow_partial):
    """rendered_cars of a folder; whoever gets the table must not change it."""
    file = folder / "samples.csv"
    table, images = _car_table(file, properties), _car_images(folder / "images")
    missing = [frame for frame in table.index if str(frame) not in images]
    if missing and not (allow_partial and len(missing) < len(table)):
        expected = folder / "images" / f"{missing[0]}.png"
        raise MissingFile(f"{expected}: image is missing ({len(missing)} of the {len(table)} in {file})")
    extra = images.keys() - {str(frame) for frame in table.index}
    if extra:
        first = images[min(extra)]
        raise InputError(f"{first}: has no row in {file} ({len(extra)} of {len(images)} images have none)")
    table = table.drop(index=missing)
    return tuple(Item(str(frame), images[str(frame)], 0) for frame in table.index), table


def chosen_cars(settings):
    """(items, table) as above, of the cars that the settings have embedded: evenly spaced over all."""
    items, table = rendered_cars(settings)
    chosen = evenly_spaced(range(len(items)), settings.properties.images)
    return [items[i] for i in chosen], table.iloc[chosen]


def _car_table(file, properties):
    """samples.csv: index `frame`, the eleven properties as columns."""
    columns = {"frame": csv_files.whole, **{each.name: csv_files.one_of(each.values) for each in properties}}
    what, hint = "a table of frames and Table 5's properties", f"the rendered cars belong there {SEE}"
    values = csv_files.read_columns(file, columns, key=["frame"], others=True, what=what, hint=hint)
    if not values["frame"]:
        raise InputError(f"{file}: lists no frame; {hint}")
    return pd.DataFrame(values).set_index("frame")


def _car_images(folder):
    """Frame, as text and without leading zeros -> image file. Raises InputError if a frame has two."""
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    frames = [path.stem.lstrip("0") or "0" for path in files]
    images = dict(zip(frames, files))
    if len(images) < len(files):
        first, second = next((images[frame], file) for frame, file in zip(frames, files) if images[frame] != file)
        raise InputError(f"{folder}: {second.name} and {first.name} in it are of one frame; keep one")
    return images


def property_codes(table):
    """(n, k) integer labels of the rendered cars' table: which of a property's values each image has."""
    return np.stack([pd.factorize(table[column], sort=True)[0] for column in table.columns], axis=1)
