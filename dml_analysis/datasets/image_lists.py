"""Lists of a dataset's images: their splits, and whether a file of embeddings must contain them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dml_analysis import checksums
from dml_analysis.checkout import ROOT
from dml_analysis.datasets import readers
from dml_analysis.files import csv_files
from dml_analysis.paper import FOLDS

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
    "yes" for test images, which measure accuracy, and for rendered cars that the settings embed.
    """
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
    is_cars = dataset == readers.CARS
    embedded = set(readers.ids_of(readers.chosen_cars(settings)[0])) if is_cars else set()
    for item in sorted([*test, *remaining], key=lambda item: (item.label, item.image_id)):
        splits = [
            "test" if item in test else "validation" if item in held_out else "train"
            for held_out in validation
        ]
        needed = item in evaluated or item.image_id in embedded
        path = item.path.relative_to(ROOT) if item.path.is_relative_to(ROOT) else item.path
        yield item.image_id, path.as_posix(), item.label, *splits, "yes" if needed else "no"
