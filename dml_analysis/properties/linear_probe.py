"""Linear probes of a trunk's features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from dml_analysis.config import unlike_defaults
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.paper import Property
from dml_analysis.properties.property_scores import described
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore

if TYPE_CHECKING:
    from dml_analysis.config import Settings

FIFTHS = 5  # of the images; each is judged by a probe of the other four
PENALTIES = np.logspace(0, 6, 13)  # the best is chosen by leave-one-out inside these four
COLUMNS = {"property": str, "label": str, "values": int, "images": int, "chance": float, "percent": float,
           "standard_error": float}  # fmt: skip


def hits_of(
    features: Float[np.ndarray, "n d"], codes: Int[np.ndarray, " n"], seed: int
) -> Bool[np.ndarray, " n"]:
    """Return whether a linear classifier that has not seen a row gives it its code.

    seed: of the split into fifths. Raises ValueError if there are too few rows to leave some out,
    or if all have the same code.
    """
    from sklearn.linear_model import RidgeClassifierCV  # slow to import
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(codes) < 2 * FIFTHS or len(set(codes)) < 2:
        raise ValueError(f"a probe needs at least {2 * FIFTHS} images and two values")
    probe = make_pipeline(StandardScaler(), RidgeClassifierCV(PENALTIES))
    fifths = KFold(FIFTHS, shuffle=True, random_state=seed)
    return cross_val_predict(probe, features, codes, cv=fifths) == codes


def csv_file(settings: "Settings") -> Path:
    """Return the path of linear_probe.csv."""
    return settings.results / "properties" / "linear_probe.csv"


def store_of(
    settings: "Settings",
    features: ResultStore,
    properties: Sequence[Property],
    codes: Int[np.ndarray, "n k"],
) -> ResultStore:
    """Return the store of the probes, with a row and a chunk for each property.

    features: the store of the untrained trunk's. codes: the properties' values in these images.
    """
    provenance = {"features": features.digest, "properties": described(properties, codes)}
    provenance |= unlike_defaults(settings, "seed")
    kinds = {str: "U40", int: "i8", float: "f8"}
    arrays = {name: Array(kinds[kind]) for name, kind in list(COLUMNS.items())[1:]}
    folder = settings.results / "properties" / "probes"
    return ResultStore(folder, provenance, [[prop.name] for prop in properties], arrays)


def probe(
    features: Float[np.ndarray, "n d"],
    codes: Int[np.ndarray, " n"],
    prop: Property,
    seed: int,
    folder: Path,
) -> dict[str, list[Any]]:
    """Return the arrays of the probe of a property; codes: its values in the features' images.

    seed: the settings'. folder: of the images, for the InputError that is raised if they are too
    few or all alike.
    """
    try:
        hits = hits_of(features, codes, derived_seed(seed, "linear probe", prop.name) % 2**32)
    except ValueError as error:
        raise InputError(f"{folder}: {prop.name}: {error}") from None
    shares = np.array(
        [np.bincount(codes).max() / len(codes), hits.mean(), hits.std() / np.sqrt(len(hits))]
    )
    row = (prop.label, codes.max() + 1, len(codes), *(100 * shares).round(1))
    return {column: [value] for column, value in zip(list(COLUMNS)[1:], row)}


def show(settings: "Settings") -> None:
    """Print linear_probe.csv."""
    for row in csv_files.read_rows(csv_file(settings), COLUMNS, key=["property"]):
        print(
            f"{row['label']:28} {row['percent']:>5} % right (± {row['standard_error']}); "
            f"by chance {row['chance']} %"
        )
