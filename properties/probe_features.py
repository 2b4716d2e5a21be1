"""Linear probes of a trunk's features."""

import csv

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader
from tqdm import tqdm

import utils
from properties.embed_cars import CarImages
from properties.embedding_files import chosen_cars
from reality_check import checkpoints, datasets
from reality_check.network import device_of, features_of

PARTS = 5  # of the images; each part is judged by a probe of the other four
STRENGTH = 0.01  # inverse of the probe's L2 penalty
COLUMNS = ("property", "label", "values", "images", "chance", "percent", "standard_error")


def right(features, codes, seed):
    """(n,) booleans: which rows of features (n, d) a linear classifier that has not seen them gives their code (n,).

    Raises ValueError if a code has fewer rows than there are parts.
    """
    if np.unique(codes, return_counts=True)[1].min() < PARTS:
        raise ValueError(f"every value needs at least {PARTS} images")
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
    parts = StratifiedKFold(PARTS, shuffle=True, random_state=seed)
    return cross_val_predict(probe, features, codes, cv=parts) == codes


def write(settings, file, script):
    """Writes linear_probe.csv. Raises InputError if trunk or images are not there, or too few images have a value."""
    items, table = chosen_cars(settings)
    trunk_file = checkpoints.untrained_trunk_file(settings)
    if not trunk_file.is_file():
        raise utils.InputError(f"{trunk_file}: missing; the features to probe are this trunk's")
    device = device_of(settings)
    utils.record_run(settings, script, str(device))
    trunk = checkpoints.load_trunk(trunk_file, device)
    batches = DataLoader(CarImages(items), batch_size=settings.properties.batch_size)
    features = torch.cat([features_of(trunk, images) for images in tqdm(batches, desc="features", unit="batch")]).numpy()
    rows = []
    for prop, codes in zip(utils.PROPERTIES, tqdm(datasets.property_codes(table).T, desc="probes")):
        seed = utils.derived_seed(settings.seed, "linear probe", prop.name) % 2**32
        try:
            hits = right(features, codes, seed)
        except ValueError as error:
            raise utils.InputError(f"{settings.paths['RenderedCars']}: {prop.name}: {error}") from None
        shares = 100 * np.array([np.bincount(codes).max() / len(codes), hits.mean(), hits.std() / np.sqrt(len(hits))])
        rows.append((prop.name, prop.label, codes.max() + 1, len(codes), *(f"{share:.1f}" for share in shares)))
    with utils.written_aside(file) as aside, open(aside, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])
