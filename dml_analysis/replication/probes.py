"""Linear probes of trained networks: what their features and embeddings still tell of a property.

Folds are over cars: a probe is judged on a car model that it has not seen. So there is none for the
car model itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.linear_probe import probe_hits
from dml_analysis.networks.specifications import Network
from dml_analysis.paper import Property
from dml_analysis.properties import car_embeddings
from dml_analysis.properties.property_scores import described, images_and_codes
from dml_analysis.replication.trainings import HINT, KEY, TRAINING
from dml_analysis.seeds import described as listed
from dml_analysis.store import ResultStore

if TYPE_CHECKING:
    from dml_analysis.config import Settings

CAR = "model"
REPRESENTATIONS = ("features", "embeddings")
PERCENT = csv_files.between(0, 100)
COLUMNS = {
    **TRAINING, "representation": csv_files.one_of(REPRESENTATIONS), "property": str,
    "n_images": int, "chance": PERCENT, "percent": PERCENT,
}  # fmt: skip


def csv_file(settings: "Settings") -> Path:
    """Return the path of probes.csv."""
    return settings.results / "probes.csv"


def images_codes_folds(
    settings: "Settings",
) -> tuple[list[Sample], list[Property], Int[np.ndarray, "n k"], Int[np.ndarray, " n"]]:
    """Return the images, the probed properties, their values in each image, and its car.

    Raises InputError if the images are no cars.
    """
    readers.check_of_cars(settings, "probes that leave one car out")
    samples, codes = images_and_codes(settings)
    properties = readers.properties_of(settings)
    names = [prop.name for prop in properties]
    others = [k for k, name in enumerate(names) if name != CAR]
    return samples, [properties[k] for k in others], codes[:, others], codes[:, names.index(CAR)]


def networks_of(settings: "Settings") -> list[Network]:
    """Return the networks of one run that embed the cars and have features."""
    return [network for network in car_embeddings.embedding_networks(settings) if network.has_maps]


def store_of(
    network: Network,
    samples: Sequence[Sample],
    properties: Sequence[Property],
    codes: Int[np.ndarray, "n k"],
    folds: Int[np.ndarray, " n"],
) -> ResultStore:
    """Return the store of a network's probes, with a row for each property."""
    provenance = {
        "images": image_digests.described(network.records, samples),
        "properties": described(properties, codes),
        "cars": listed(folds.tolist()),
        **network.provenance(),
    }
    arrays = dict.fromkeys(REPRESENTATIONS, Array("f8", low=0, high=100))
    folder = network.records.results / "replication" / "probes" / network.path
    rows = [[prop.name for prop in properties]]
    return ResultStore(folder, provenance, rows, arrays, network, network.labels)


def probes(
    network: Network,
    samples: Sequence[Sample],
    codes: Int[np.ndarray, "n k"],
    folds: Int[np.ndarray, " n"],
    batch_size: int,
    advance: Any,
) -> dict[str, Any]:
    """Return the arrays of a network's store: the per cent of images that a probe is right about.

    Raises InputError if the images are of one car, or a property has one value.
    """
    from dml_analysis.networks.embedding import embedded  # torch takes seconds to load

    requests = [(network, name == "embeddings") for name in REPRESENTATIONS]
    try:
        return {
            name: 100 * probe_hits(array, codes, folds).mean(axis=0)
            for name, array in zip(
                REPRESENTATIONS, embedded(requests, samples, batch_size, advance), strict=True
            )
        }
    except ValueError as error:
        raise InputError(f"{samples[0].path.parent}: {error}") from None


def table_of(settings: "Settings") -> pd.DataFrame:
    """Return the probes of one run, a table of COLUMNS without the seed.

    chance: the share of the most frequent value. Raises InputError if probes are missing.
    """
    samples, properties, codes, folds = images_codes_folds(settings)
    rows = []
    for network in networks_of(settings):
        store = store_of(network, samples, properties, codes, folds)
        arrays = store.read()
        for name in REPRESENTATIONS:
            for k, prop in enumerate(properties):
                chance = 100 * np.bincount(codes[:, k]).max() / len(samples)
                rows.append(
                    (network.model.name, network.model.group, network.fold, name, prop.name,
                     len(samples), chance, arrays[name][k])
                )  # fmt: skip
    return pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "seed"])


def read(settings: "Settings") -> pd.DataFrame:
    """Return probes.csv. Raises MissingFile if it does not exist."""
    return csv_files.table(csv_file(settings), COLUMNS, [*KEY, "representation", "property"], HINT)
