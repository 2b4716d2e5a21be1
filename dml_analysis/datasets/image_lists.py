"""Lists of a run's images: what a file of embeddings has to cover, and how the Reality Check splits classes."""

from tqdm import tqdm

from dml_analysis import checksums
from dml_analysis.checkout import ROOT
from dml_analysis.datasets import readers
from dml_analysis.files import csv_files
from dml_analysis.paper import FOLDS

COLUMNS = {"image_id": str, "path": str, "class": int, **{f"fold{fold}": str for fold in FOLDS}, "needed": str}


def file_of(settings, dataset):
    return settings.results / f"images_{dataset}.csv"


def write(settings, dataset, with_sha256=False):
    """Write the list of a dataset's images; returns its file. Raises InputError if the dataset is not whole."""
    rows, columns, file = list(rows_of(settings, dataset)), COLUMNS, file_of(settings, dataset)
    if with_sha256:
        columns = COLUMNS | {"sha256": str}
        rows = [(*row, checksums.sha256(ROOT / row[1])) for row in tqdm(rows, desc="sha256 of images", unit="image")]
    csv_files.write(file, rows, columns)
    return file


def rows_of(settings, dataset):
    """Image id, path, class from 0, for each fold "train", "validation" or "test", and whether a run needs its embedding.

    The path of an image below the repository is from there.

    Needed are the test images, by which accuracy is measured, and of the rendered cars those that the settings embed.
    """
    test = set(readers.load_items(settings, dataset, "test"))
    validation = [set(readers.load_items(settings, dataset, "validation", fold)) for fold in FOLDS]
    rest = [item for part in ("train", "validation") for item in readers.load_items(settings, dataset, part, 0)]
    tested = test if dataset in settings.datasets else set()
    embedded = set(readers.ids_of(readers.chosen_cars(settings)[0])) if dataset == readers.CARS else set()
    for item in sorted([*test, *rest], key=lambda item: (item.label, item.image_id)):
        splits = ["test" if item in test else "validation" if item in held_out else "train" for held_out in validation]
        needed = item in tested or item.image_id in embedded
        path = item.path.relative_to(ROOT) if item.path.is_relative_to(ROOT) else item.path
        yield item.image_id, path.as_posix(), item.label, *splits, "yes" if needed else "no"
