"""Lists of a dataset's images: their splits, and whether a file of embeddings must contain them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dml_analysis import checksums
from dml_analysis.checkout import ROOT
from dml_analysis.datasets import readers
from dml_analysis.files import csv_files
from dml_analysis.paper import FOLDS, RENDERED

if TYPE_CHECKING:
    from dml_analysis.config import Settings

COLUMNS = {
    "image_id": str,
    "path": str,
    "class": int,
    **{f"fold{fold}": str for fold in FOLDS},
    "needed": str,
}


def file_of(settings: "Settings", dataset: str) -> Path:
    """Return the path of a dataset's list."""
    return settings.results / f"images_{dataset}.csv"


def write(settings: "Settings", dataset: str, with_sha256: bool = False) -> Path:
    """Write the list of a dataset's images and return its path.

    `with_sha256` adds the SHA-256 digest of each image file. Raise InputError if the dataset is
    incomplete.
    """
    rows: list[tuple] = list(rows_of(settings, dataset))
    columns, file = COLUMNS, file_of(settings, dataset)
    if with_sha256:
        columns = COLUMNS | {"sha256": str}
        progress = tqdm(rows, desc="sha256 of images", unit="image")
        rows = [(*row, checksums.sha256(ROOT / row[1])) for row in progress]
    csv_files.write(file, rows, columns)
    return file


def rows_of(settings: "Settings", dataset: str) -> Iterator[tuple]:
    """Yield the values of COLUMNS for each image, in the order of classes and image ids.

    A path inside the repository is relative to it. A class counts from 0. An image is "train",
    "validation" or "test" in each fold. The last value is whether an analysis needs its embedding:
    "yes" for test images, which measure accuracy, and for those that `properties: dataset` says.
    Images of your own with properties, but without classes, are of class 0 and of no split.
    """
    embedded: set[str] = set()
    if dataset == settings.properties.dataset:
        embedded = set(readers.ids_of(readers.property_images(settings)[0]))
        if dataset not in (*settings.datasets, *RENDERED):
            for item in readers.all_property_images(settings)[0]:
                answer = "yes" if item.image_id in embedded else "no"
                yield item.image_id, _shown(item.path), 0, *("none" for _ in FOLDS), answer
            return
    test = set(readers.load_samples(settings, dataset, "test"))
    validation = [
        set(readers.load_samples(settings, dataset, "validation", fold)) for fold in FOLDS
    ]
    remaining = [
        item
        for split in ("train", "validation")
        for item in readers.load_samples(settings, dataset, split, 0)
    ]
    evaluated = test if dataset in settings.datasets else set()
    for item in sorted([*test, *remaining], key=lambda item: (item.label, item.image_id)):
        splits = [
            "test" if item in test else "validation" if item in held_out else "train"
            for held_out in validation
        ]
        needed = item in evaluated or item.image_id in embedded
        yield item.image_id, _shown(item.path), item.label, *splits, "yes" if needed else "no"


def _shown(path: Path) -> str:
    """Return a path, relative to the repository if it is inside of it."""
    return (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path).as_posix()
