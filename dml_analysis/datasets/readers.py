"""The images, classes and splits of every dataset, read from its annotations or its folders.

Classes are split by the Reality Check's rule. In order, the first half is for training and
validation, the second half for testing. A fold validates on a block of the first half and trains on
the rest of it.
"""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from dml_analysis.datasets import annotations, own_properties
from dml_analysis.datasets.class_folders import SEE, class_names, images_of
from dml_analysis.datasets.images import SUFFIXES
from dml_analysis.errors import InputError, MissingFile, refused
from dml_analysis.files import atomic_files, csv_files
from dml_analysis.paper import PROPERTIES, RENDERED, Property

if TYPE_CHECKING:
    from dml_analysis.config import Settings

Element = TypeVar("Element")


class Sample(NamedTuple):
    """One image of a dataset."""

    image_id: str  # unique in its dataset, the same on every machine
    path: Path
    label: int  # class, counted from 0


class Split(NamedTuple):
    """The classes that a dataset trains, validates and tests on, and its expected counts."""

    images: int | None  # in the complete dataset; None: any number, also of the next two
    test_images: int | None  # in its test classes
    classes: int | None  # in the complete dataset
    training_classes: int  # classes 0 to this one (exclusive) are for training and validation
    first_test_class: int
    validation: tuple[tuple[int, int], ...]  # per fold: first, last (exclusive) validation class


# The images that networks embed unless settings say otherwise; a training dataset whose classes are
# car models.
CARS, SYNTHETIC = RENDERED
SPLITS = {
    "Cars196": Split(16_185, 8_131, 196, 98, 98, ((74, 98), (0, 24), (25, 49), (49, 73))),
    "CUB200": Split(11_788, 5_924, 200, 100, 100, ((75, 100), (0, 25), (25, 50), (50, 75))),
    # The Reality Check halves 22,634 classes. Ebay_test.txt begins one class later and decides
    # which images are for testing.
    "SOP": Split(
        120_053,
        60_502,
        22_634,
        11_317,
        11_318,
        ((8488, 11317), (0, 2829), (2829, 5658), (5658, 8487)),
    ),
}
CARS_HINT = f"put the rendered cars there {SEE}"
MODEL = PROPERTIES[0].name
# Of datasets without a fixed number: two to test on, and two per fold's validation.
MIN_CLASSES, MIN_TRAINING_CLASSES = 4, 16


# A dataset's folder contains one of these. Archives often bring a folder of the same name inside.
MARKS = {
    "Cars196": ("cars_annos.mat", "devkit"),
    "CUB200": ("images.txt",),
    "SOP": ("Ebay_test.txt", "Ebay_train.txt"),
    SYNTHETIC: ("samples.csv",),
    "CounterfactualCars": ("samples.csv",),
    CARS: ("samples.csv",),
}
# Copies without annotations have a sub-folder for each class in these folders.
BY_CLASS = {"Cars196": ("train", "images"), "CUB200": ("images",)}


def load_samples(
    settings: "Settings", dataset: str, split: str, fold: int | None = None
) -> list[Sample]:
    """Return the images of a dataset's "test" split, or of a fold's "train" or "validation" split.

    Their order is fixed. With `allow_partial` counts are not checked, and entries without an image
    file are left out. Raise InputError, naming the file, if annotations are missing or invalid or
    a count differs from the dataset's.
    """
    rule = split_of(settings, dataset)
    samples: Sequence[Sample]
    if dataset in _RENDERED:
        samples = _RENDERED[dataset](settings)
    else:
        samples = _listed(Path(settings.paths[dataset]), dataset, rule, settings.allow_partial)
    if split == "test":
        return [sample for sample in samples if sample.label >= rule.first_test_class]
    assert fold is not None  # only the test split is shared by all folds
    held_out = range(*rule.validation[fold])
    is_in_split = {
        "validation": lambda label: label in held_out,
        "train": lambda label: label not in held_out,
    }[split]
    return [
        sample
        for sample in samples
        if sample.label < rule.training_classes and is_in_split(sample.label)
    ]


def required_samples(
    settings: "Settings", dataset: str, split: str, fold: int | None = None
) -> list[Sample]:
    """Return load_samples, of which there must be at least one. Raise InputError if there is none."""
    samples = load_samples(settings, dataset, split, fold)
    if not samples:
        of_fold = "" if fold is None else f" of fold {fold}"
        raise InputError(
            f"{settings.paths[dataset]}: no image belongs to a {split} class{of_fold}; complete {dataset} {SEE}"
        )
    return samples


def split_of(settings: "Settings", dataset: str) -> Split:
    """Return the Split of a dataset's classes. Raise InputError if it has too few classes."""
    if dataset in SPLITS:
        return SPLITS[dataset]
    if dataset in _RENDERED:
        file = found(settings.paths[dataset], dataset) / "samples.csv"
        if not os.path.lexists(file):
            raise MissingFile(f"{file}: missing; {CARS_HINT}")
    if dataset == CARS:
        models, sides = (prop.values for prop in car_properties(settings)[:2])
        classes, unit = len(models) * len(sides), "classes (car models, each from every side)"
    elif dataset == SYNTHETIC:
        classes, unit = len(car_properties(settings, SYNTHETIC)[0].values), "car models"
    else:
        classes = len(class_names(settings.paths[dataset]))
        unit = "sub-folders, one for each class,"
    is_trained = settings.training is not None and dataset in settings.datasets
    needed = MIN_TRAINING_CLASSES if is_trained else MIN_CLASSES
    if classes < needed:
        raise InputError(
            f"{settings.paths[dataset]}: {classes} {unit} are too few to "
            f"{'train and ' if is_trained else ''}test on; add some, at least {needed} are needed"
        )
    half = classes // 2
    edges = [half * quarter // 4 for quarter in range(5)]
    validation = ((edges[3], edges[4]), *zip(edges[:3], edges[1:]))
    return Split(None, None, None, half, half, validation)


@lru_cache(maxsize=8)  # SOP's lists take seconds to read, and each of its networks needs them
def _listed(folder: Path, dataset: str, rule: Split, allow_partial: bool) -> tuple[Sample, ...]:
    """Return the images that a folder's annotations list, or those in its sub-folders."""
    folder = found(folder, dataset)
    samples = _READERS.get(dataset, _in_folders)(folder, rule.classes)
    if len({sample.image_id for sample in samples}) < len(samples):
        raise InputError(f"{folder}: its annotations list an image twice; {annotations.AGAIN}")
    if not allow_partial:
        _check_counts(folder, dataset, samples, rule)
        return tuple(samples)
    available = tuple(sample for sample in samples if sample.path.is_file())
    if not available:
        raise InputError(
            f"{folder}: none of the {len(samples)} images of {dataset} exists; fetch them {SEE}"
        )
    return available


def _check_counts(folder: Path, dataset: str, samples: list[Sample], rule: Split) -> None:
    """Raise InputError if the number of images, classes or test images is not the dataset's."""
    if rule.images is None or rule.classes is None:
        return
    labels = {sample.label for sample in samples}
    missing_labels = sorted(set(range(rule.classes)) - labels)
    test_images = sum(sample.label >= rule.first_test_class for sample in samples)
    hint = "fetch its annotations again, or give --allow-partial"
    if len(samples) != rule.images:
        raise InputError(
            f"{folder}: {len(samples)} images listed, but {dataset} has {rule.images}; {hint}"
        )
    if missing_labels or len(labels) != rule.classes:
        problem = (
            f"class {missing_labels[0] + 1} has no image"
            if missing_labels
            else f"{len(labels)} classes listed"
        )
        raise InputError(
            f"{folder}: {problem}, but {dataset} has classes 1 to {rule.classes}; {hint}"
        )
    if test_images != rule.test_images:
        raise InputError(
            f"{folder}: {test_images} images of test classes, but {dataset} has {rule.test_images}; {hint}"
        )


def found(folder: Path | str, dataset: str) -> Path:
    """Return the folder that contains the dataset: the given one, or one at most two levels below.

    Where there is none, return the given folder, so that readers can name what is missing in it.
    Raise InputError if several folders look like the dataset.
    """
    folder = Path(folder)
    for marks in (MARKS.get(dataset, ()), BY_CLASS.get(dataset, ())):
        level = [folder] if marks else []  # a user's own dataset has none
        for _ in range(3):
            holders = [path for path in level if any((path / mark).exists() for mark in marks)]
            if len(holders) > 1:
                names = " and ".join(str(path.relative_to(folder)) for path in holders)
                raise InputError(f"{folder}: {names} in it look like {dataset}; keep one")
            if holders:
                return holders[0]
            parents = [path for path in level if path.is_dir()]
            level = sorted(child for path in parents for child in path.iterdir() if child.is_dir())
    return folder


def ids_of(samples: Sequence[Sample]) -> list[str]:
    """Return the image ids of the samples, in their order."""
    return [sample.image_id for sample in samples]


def evenly_spaced(samples: Sequence[Element], count: int | None) -> list[Element]:
    """Return `count` samples that are evenly spaced over their order; by default all of them.

    If there are no more than `count`, return all.
    """
    if count is None or count >= len(samples):
        return list(samples)
    return [samples[i] for i in np.linspace(0, len(samples) - 1, count).round().astype(int)]


def check_images(samples: Sequence[Sample], look: Callable[[Path], object] | None = None) -> None:
    """Raise InputError for the first sample whose image file is missing, or that `look` refuses.

    `look` takes a path and raises. Long stages begin with images.check_header; images.open_image
    reads the complete file.
    """
    missing = [sample.path for sample in samples if not sample.path.is_file()]
    if missing:
        raise MissingFile(
            f"{missing[0]}: image is missing ({len(missing)} of {len(samples)}); compare the folder with docs/inputs.md"
        )
    if look is not None:
        for sample in tqdm(samples, desc="checking images", unit="image"):
            look(sample.path)


def is_by_class(folder: Path, dataset: str) -> bool:
    """Return whether a copy of Cars196 or CUB200 has folders of classes instead of annotations."""
    if dataset not in BY_CLASS or any((folder / mark).exists() for mark in MARKS[dataset]):
        return False
    return any((folder / name).is_dir() for name in BY_CLASS[dataset])


def is_in_class_folders(folder: Path, dataset: str) -> bool:
    """Return whether all files in a dataset's folder are read, rather than those of a list."""
    return dataset not in MARKS or is_by_class(folder, dataset)


def _in_folders(folder: Path, classes: int | None = None) -> list[Sample]:
    """Return the images of a folder with a sub-folder for each class, in the order of their names."""
    return [
        Sample(path.relative_to(folder).as_posix(), path, label)
        for path, label in images_of(folder)
    ]


def _cars196(folder: Path, classes: int | None) -> list[Sample]:
    """Return the images of Cars196 in any layout in circulation.

    One has car_ims/ and cars_annos.mat, another has cars_train/, cars_test/ and devkit/. Some
    archives combine the annotations of one with the images of the other: then the images decide.
    Others have a folder for each class, in train/ and test/ or in images/.
    """
    if is_by_class(folder, "Cars196"):
        return _in_folders(folder / "images" if (folder / "images").is_dir() else folder)
    single_file = folder / "cars_annos.mat"
    has_layout = (folder / "car_ims").exists() or not (folder / "cars_train").exists()
    if single_file.is_file() and has_layout:
        return _samples(folder, annotations.matlab(single_file, "relative_im_path", classes))
    train = folder / "devkit" / "cars_train_annos.mat"
    if not train.is_file():
        raise MissingFile(
            f"{train}: missing; cars_train/ needs it, and car_ims/ needs cars_annos.mat {SEE}"
        )
    test = folder / "devkit" / "cars_test_annos_withlabels.mat"
    test = test if test.is_file() else folder / "devkit" / "cars_test_annos.mat"
    samples = []
    for part, file in (("cars_train", train), ("cars_test", test)):
        images = folder / part / part  # Kaggle's layout
        images = images if images.is_dir() else folder / part
        samples += _samples(images, annotations.matlab(file, "fname", classes), f"{part}/")
    return samples


def _cub200(folder: Path, classes: int | None) -> list[Sample]:
    """Return the images of CUB200, by its annotations or, without them, by its folders."""
    if is_by_class(folder, "CUB200"):
        return _in_folders(folder / "images")
    entries = annotations.numbered(
        folder / "images.txt", folder / "image_class_labels.txt", classes
    )
    return _samples(folder / "images", entries)


def _sop(folder: Path, classes: int | None) -> list[Sample]:
    """Return the images of SOP, those of its training list first."""
    files = [folder / name for name in ("Ebay_train.txt", "Ebay_test.txt")]
    lists = [annotations.table(file, classes) for file in files]
    return [sample for entries in lists for sample in _samples(folder, entries)]


def _samples(folder: Path, entries: list[tuple[str, int]], prefix: str = "") -> list[Sample]:
    """Return the Items of (name, class) entries whose images are in a folder.

    `prefix` begins their image ids.
    """
    return [Sample(prefix + name, folder / name, label) for name, label in entries]


_READERS = {"Cars196": _cars196, "CUB200": _cub200, "SOP": _sop}


# --------------------------------------------------------------------------------------------------
# The rendered cars.
# --------------------------------------------------------------------------------------------------
def _synthetic_cars(settings: "Settings") -> Sequence[Sample]:
    """Return SyntheticCars: its classes are car models, in the order of properties.csv."""
    properties = tuple(car_properties(settings, SYNTHETIC))
    folder = found(settings.paths[SYNTHETIC], SYNTHETIC)
    return _with_model_labels(folder, properties, settings.allow_partial)


@lru_cache(maxsize=4)  # as _listed
def _with_model_labels(
    folder: Path, properties: tuple[Property, ...], allow_partial: bool
) -> tuple[Sample, ...]:
    samples, table = _rendered(folder, properties, allow_partial)
    labels = {model: label for label, model in enumerate(properties[0].values)}
    return tuple(
        sample._replace(label=labels[model]) for sample, model in zip(samples, table[MODEL])
    )


def _rendered_cars(settings: "Settings") -> list[Sample]:
    """Return RenderedCars with a class for each car model seen from one side.

    There are then enough classes for batches of the usual composition.
    """
    samples, table = rendered_cars(settings)
    models, sides = (sorted(prop.values) for prop in car_properties(settings)[:2])
    labels = table.iloc[:, 0].map(models.index) * len(sides) + table.iloc[:, 1].map(sides.index)
    return [sample._replace(label=label) for sample, label in zip(samples, labels)]


_RENDERED = {SYNTHETIC: _synthetic_cars, CARS: _rendered_cars}


def car_properties(settings: "Settings", dataset: str = CARS) -> list[Property]:
    """Return the properties of rendered cars and their possible values.

    The values are those of Table 5. A folder of other cars declares its own in properties.csv,
    whose columns are property and values, the values separated by |. Raise InputError if that file
    is invalid.
    """
    file = found(settings.paths[dataset], dataset) / "properties.csv"
    return _declared(file, atomic_files.version(file)) if os.path.lexists(file) else PROPERTIES


@lru_cache(maxsize=4)
def _declared(file: Path, version: tuple[int, ...]) -> list[Property]:
    """Return the properties that a file declares. version: of that file, for the cache alone."""
    what = "a list of properties and their values"
    hint = "docs/inputs.md says how cars of your own declare theirs"
    names = csv_files.one_of([prop.name for prop in PROPERTIES])
    columns = {"property": names, "values": _separated}
    rows = csv_files.read_rows(file, columns, key=["property"], others=True, what=what, hint=hint)
    declared = {row["property"]: row["values"] for row in rows}
    with refused(file, what, hint):
        return [
            prop._replace(values=_values_of(prop, declared.get(prop.name))) for prop in PROPERTIES
        ]


def _separated(text: str) -> list[str]:
    """Return the texts between the | of a cell."""
    return [value.strip() for value in text.split("|")]


def _values_of(prop: Property, declared: list[str] | None) -> tuple[Any, ...]:
    """Return the possible values of a property: the declared ones, or Table 5's.

    Car models are texts, all other values are numbers. Raise ValueError for invalid values.
    """
    if declared is None:
        return prop.values
    values: Sequence[Any]
    values = declared if prop.name == MODEL else [csv_files.int_or_float(text) for text in declared]
    if len(set(values)) < len(values) or "" in values:
        raise ValueError(
            f"{prop.name}: {'|'.join(declared)!r} is not a list of distinct values separated by |"
        )
    return tuple(values)


def rendered_cars(
    settings: "Settings", dataset: str = CARS
) -> tuple[tuple[Sample, ...], pd.DataFrame]:
    """Return rendered cars and a table with one row per car, its columns Table 5's properties.

    Their folder contains samples.csv and images/. The authors' archive, which has both in a folder
    "3D cars dataset", is read unchanged. With `allow_partial` rows without an image are left out.
    Raise InputError if samples.csv is missing or invalid, or if rows and images do not match.
    """
    properties = tuple(car_properties(settings, dataset))
    return _rendered(found(settings.paths[dataset], dataset), properties, settings.allow_partial)


@lru_cache(maxsize=4)  # as _listed
def _rendered(
    folder: Path, properties: tuple[Property, ...], allow_partial: bool
) -> tuple[tuple[Sample, ...], pd.DataFrame]:
    """Return rendered_cars of a folder. The table is cached: callers must not change it."""
    file = folder / "samples.csv"
    table, images = _car_table(file, properties), _car_images(folder / "images")
    missing = [frame for frame in table.index if str(frame) not in images]
    if missing and not (allow_partial and len(missing) < len(table)):
        expected = folder / "images" / f"{missing[0]}.png"
        raise _missing(expected, len(missing), len(table), file)
    extra = images.keys() - {str(frame) for frame in table.index}
    if extra:
        first = images[min(extra)]
        raise InputError(
            f"{first}: has no row in {file} ({len(extra)} of {len(images)} images have none); "
            "add its row, or move the image elsewhere"
        )
    table = table.drop(index=missing)
    return tuple(Sample(str(frame), images[str(frame)], 0) for frame in table.index), table


def _missing(image: Path, n_missing: int, n_listed: int, file: Path) -> MissingFile:
    """Return the error for images that a file lists but that do not exist; image: the first."""
    return MissingFile(
        f"{image}: image is missing ({n_missing} of the {n_listed} in {file}); "
        "add it, or give --allow-partial"
    )


def _car_table(file: Path, properties: tuple[Property, ...]) -> pd.DataFrame:
    """Return samples.csv: its index is `frame`, its columns are the eleven properties."""
    columns: dict[str, Any] = {"frame": csv_files.whole}
    columns |= {prop.name: csv_files.one_of(prop.values) for prop in properties}
    what = "a table of frames and Table 5's properties"
    values = csv_files.read_columns(
        file, columns, key=["frame"], others=True, what=what, hint=CARS_HINT
    )
    if not values["frame"]:
        raise InputError(f"{file}: lists no frame; {CARS_HINT}")
    return pd.DataFrame(values).set_index("frame")


def _car_images(folder: Path) -> dict[str, Path]:
    """Return the image file of each frame, keyed by its number without leading zeros, as text.

    Raise InputError if a frame has two image files.
    """
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix.lower() in SUFFIXES)
    frames = [path.stem.lstrip("0") or "0" for path in files]
    images = dict(zip(frames, files))
    if len(images) < len(files):
        first, second = next(
            (images[frame], file) for frame, file in zip(frames, files) if images[frame] != file
        )
        raise InputError(f"{folder}: {second.name} and {first.name} show the same frame; keep one")
    return images


# --------------------------------------------------------------------------------------------------
# Images with properties: rendered cars, or a user's own.
# --------------------------------------------------------------------------------------------------
def properties_of(settings: "Settings") -> list[Property]:
    """Return the properties of the images that the settings embed, with their possible values.

    Raise InputError if a file that declares them is missing or invalid.
    """
    dataset = settings.properties.dataset
    if settings.properties.of_cars:
        return car_properties(settings, dataset)
    return _own(settings.paths[dataset])[0]


def labels_of(settings: "Settings") -> dict[str, str]:
    """Return the label of each of properties_of, by its name."""
    return {prop.name: prop.label for prop in properties_of(settings)}


def all_property_images(settings: "Settings") -> tuple[Sequence[Sample], pd.DataFrame]:
    """Return the images whose properties the settings study, and a table with one row per image.

    Its columns are the properties. With `allow_partial` rows without an image are left out. Raise
    InputError if a file is missing or invalid.
    """
    dataset = settings.properties.dataset
    if settings.properties.of_cars:
        return rendered_cars(settings, dataset)
    return _own_images(settings.paths[dataset], settings.allow_partial)


@lru_cache(maxsize=4)  # as _listed
def _own_images(folder: Path, allow_partial: bool) -> tuple[list[Sample], pd.DataFrame]:
    """Return all_property_images of a folder. The result is cached: callers must not change it."""
    table = _own(folder)[1]
    exists = [(folder / name).is_file() for name in table.index]
    if not all(exists) and not (allow_partial and any(exists)):
        first = folder / table.index[exists.index(False)]
        raise _missing(first, exists.count(False), len(table), folder / "samples.csv")
    table = table[exists]
    return [Sample(name, folder / name, 0) for name in table.index], table


@lru_cache(maxsize=4)  # as _listed
def _own(folder: Path) -> tuple[list[Property], pd.DataFrame]:
    """Return own_properties.read. The result is cached: callers must not change it."""
    return own_properties.read(folder)


def property_images(settings: "Settings") -> tuple[list[Sample], pd.DataFrame]:
    """Return all_property_images for those that the settings embed, evenly spaced over all."""
    samples, table = all_property_images(settings)
    rows = evenly_spaced(range(len(samples)), settings.properties.images)
    return [samples[row] for row in rows], table.iloc[rows]


def check_of_cars(settings: "Settings", what: str) -> None:
    """Raise InputError if the settings' images with properties are not rendered cars.

    what: needs them, for the message.
    """
    if not settings.properties.of_cars:
        raise InputError(
            f"settings {settings.name!r}: {what} need rendered cars, but properties.dataset is "
            f"{settings.properties.dataset!r}; leave this script out"
        )


def occurring(values: pd.Series) -> list[Any]:
    """Return the values of a property that occur in a column, in the order of property_codes."""
    return list(pd.factorize(values, sort=True)[1])
