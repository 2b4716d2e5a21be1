"""Linear probes of a trunk's features."""

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from common import safe_files
from common.errors import InputError
from common.seeds import derived_seed
from data import datasets
from properties import embeddings
from utils import PROPERTIES

PARTS = 5  # of the images; each part is judged by a probe of the other four
PENALTIES = np.logspace(0, 6, 13)  # of which the probe takes the best by leave-one-out inside its four parts
COLUMNS = ("property", "label", "values", "images", "chance", "percent", "standard_error")


def right(features, codes, seed):
    """(n,) booleans: which rows of features (n, d) a linear classifier that has not seen them gives their code (n,).

    Raises ValueError if there are too few rows to leave some out, or if all have the same code.
    """
    if len(codes) < 2 * PARTS or len(set(codes)) < 2:
        raise ValueError(f"a probe needs at least {2 * PARTS} images and two values")
    probe = make_pipeline(StandardScaler(), RidgeClassifierCV(PENALTIES))
    parts = KFold(PARTS, shuffle=True, random_state=seed)
    return cross_val_predict(probe, features, codes, cv=parts) == codes


def write(settings, file):
    """Writes linear_probe.csv. Raises InputError if the features are not there or the images too few or too alike."""
    items, table = embeddings.chosen_cars(settings)
    source = embeddings.features_shelf(settings, items)
    if not source.is_whole():
        raise InputError(f"{source.folder}: not whole; run properties/2_embed_cars.py first")
    features = embeddings.read(source)
    rows = []
    for prop, codes in zip(PROPERTIES, tqdm(datasets.property_codes(table).T, desc="probes")):
        seed = derived_seed(settings.seed, "linear probe", prop.name) % 2**32
        try:
            hits = right(features, codes, seed)
        except ValueError as error:
            raise InputError(f"{settings.paths['RenderedCars']}: {prop.name}: {error}") from None
        shares = 100 * np.array([np.bincount(codes).max() / len(codes), hits.mean(), hits.std() / np.sqrt(len(hits))])
        rows.append((prop.name, prop.label, codes.max() + 1, len(codes), *(f"{share:.1f}" for share in shares)))
    safe_files.write_rows(file, [COLUMNS, *rows])
