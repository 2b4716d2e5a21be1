"""Lists of a run's images: what a file of embeddings has to cover, and how the Reality Check splits classes."""

from common import csv_files
from data import datasets
from utils import FOLDS

COLUMNS = {"image_id": str, "path": str, "class": int, **{f"fold{fold}": str for fold in FOLDS}, "needed": str}


def file_of(settings, dataset):
    return settings.results / f"images_{dataset}.csv"


def write(settings, dataset):
    """Write the list of a dataset's images; returns its file. Raises InputError if the dataset is not whole."""
    rows = list(rows_of(settings, dataset))
    file = file_of(settings, dataset)
    csv_files.write(file, rows, COLUMNS)
    return file


def rows_of(settings, dataset):
    """Image id, path, class from 0, for each fold "train", "validation" or "test", and whether a run needs its embedding.

    Needed are the test images, by which accuracy is measured, and of the rendered cars those that the settings embed.
    """
    test = set(datasets.load_items(settings, dataset, "test"))
    validation = [set(datasets.load_items(settings, dataset, "validation", fold)) for fold in FOLDS]
    rest = [item for part in ("train", "validation") for item in datasets.load_items(settings, dataset, part, 0)]
    tested = test if dataset in settings.datasets else set()
    embedded = set(datasets.ids_of(datasets.chosen_cars(settings)[0])) if dataset == datasets.CARS else set()
    for item in sorted([*test, *rest], key=lambda item: (item.label, item.image_id)):
        splits = ["test" if item in test else "validation" if item in held_out else "train" for held_out in validation]
        needed = item in tested or item.image_id in embedded
        yield item.image_id, item.path, item.label, *splits, "yes" if needed else "no"
