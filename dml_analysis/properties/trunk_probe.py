"""Linear probes of the features of the untrained trunk, in fifths of the images."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from dml_analysis.config import unlike_defaults
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.linear_probe import probe_hits, random_fifths
from dml_analysis.paper import Property
from dml_analysis.properties.property_scores import described
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore

if TYPE_CHECKING:
    from dml_analysis.config import Settings

COLUMNS = {"property": str, "label": str, "values": int, "images": int, "chance": float, "percent": float,
           "standard_error": float}  # fmt: skip


def csv_file(settings: "Settings") -> Path:
    """Return the path of linear_probe.csv."""
    return settings.results / "properties" / "linear_probe.csv"


def store_of(
    settings: "Settings",
    features: ResultStore,
    properties: Sequence[Property],
    codes: Int[np.ndarray, "n k"],
) -> ResultStore:
    """Return the store of the probes, with a row for each property.

    features: the store of the untrained trunk's. codes: the properties' values in these images.
    """
    provenance = {"features": features.digest, "properties": described(properties, codes)}
    provenance |= unlike_defaults(settings, "seed")
    kinds = {str: "U40", int: "i8", float: "f8"}
    arrays = {name: Array(kinds[kind]) for name, kind in list(COLUMNS.items())[1:]}
    folder = settings.results / "properties" / "probes"
    return ResultStore(folder, provenance, [[prop.name for prop in properties]], arrays)


def probes(
    features: Float[np.ndarray, "n d"],
    codes: Int[np.ndarray, "n k"],
    properties: Sequence[Property],
    seed: int,
    folder: Path,
) -> dict[str, list[Any]]:
    """Return the arrays of the probes; codes: the properties' values in the features' images.

    seed: the settings'. folder: of the images, for the InputError that is raised if they are too
    few or all alike.
    """
    try:
        hits = probe_hits(features, codes, random_fifths(len(codes), derived_seed(seed, "fifths")))
    except ValueError as error:
        raise InputError(f"{folder}: {error}") from None
    rows = []
    for prop, of_prop, right in zip(properties, codes.T, hits.T):
        shares = np.array(
            [np.bincount(of_prop).max() / len(right), right.mean(), right.std() / len(right) ** 0.5]
        )
        rows.append((prop.label, of_prop.max() + 1, len(right), *(100 * shares).round(1)))
    return {name: list(column) for name, column in zip(list(COLUMNS)[1:], zip(*rows))}


def show(settings: "Settings") -> None:
    """Print linear_probe.csv."""
    for row in csv_files.read_rows(csv_file(settings), COLUMNS, key=["property"]):
        print(
            f"{row['label']:28} {row['percent']:>5} % right (± {row['standard_error']}); "
            f"by chance {row['chance']} %"
        )
