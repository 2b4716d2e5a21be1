"""How embeddings cluster by every property of their images, and tests between groups."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dml_analysis.datasets import readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError, printable
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.methods import trained_groups
from dml_analysis.metrics.coordinates import ZeroEmbedding, coordinates_of
from dml_analysis.metrics.inputs import property_codes
from dml_analysis.metrics.significance import ALTERNATIVES, mann_whitney
from dml_analysis.networks.specifications import Network, code_of, no_direction
from dml_analysis.paper import PROPERTIES, Property, Protocol
from dml_analysis.properties import car_embeddings
from dml_analysis.seeds import digest
from dml_analysis.store import ResultStore
from dml_analysis.views import View, rows_of

if TYPE_CHECKING:
    from dml_analysis.config import Settings
    from dml_analysis.metrics.nr_precision import Precision

RAW_DISTANCE = "Euclidean, raw embeddings"
UNITS = ("loss_mean", "loss_fold")  # one observation per model, or one per model and fold
KEY = ("loss", "fold", "property")
COLUMNS = {"loss": str, "type": str, "fold": int, "property": str, "distance": str, "max_neighbors": str,
           "n_images": int, "r_precision": csv_files.between(0, 1),
           "nr_precision": float}  # fmt: skip
TEST_KEY = ("property", "unit", "alternative", "group_a", "group_b")
TEST_COLUMNS = {"property": str, "unit": csv_files.one_of(UNITS), "alternative": csv_files.one_of(ALTERNATIVES),
                "group_a": str, "group_b": str, "n_a": int, "n_b": int, "u": float, "p_value": csv_files.between(0, 1),
                "mean_a": float, "mean_b": float}  # fmt: skip


class Scored(NamedTuple):
    """What a store of scores is about."""

    network: Network
    protocol: Protocol


def store_of(
    network: Network,
    protocol: Protocol,
    embedded: ResultStore,
    properties: Sequence[Property],
    codes: Int[np.ndarray, "n k"],
) -> ResultStore:
    """Return the store of a network's scores by a protocol, with a row for each property.

    embedded: the store of its embeddings. codes: the properties' values in their images.
    """
    distance = network.model.distance if protocol.own_distance else RAW_DISTANCE
    measured = {"distance": distance, "max_neighbors": protocol.max_neighbors or "all"}
    provenance = {
        "embeddings": embedded.digest,
        "properties": described(properties, codes),
        **measured,
    }
    provenance |= code_of(network.records, distance)
    arrays = {
        "n_images": Array("i8"),
        "r_precision": Array("f8", finite=False, low=0, high=1),
        "nr_precision": Array("f8", finite=False),
    }
    folder = network.records.results / protocol.name / "properties" / "scores" / network.path
    rows, labels = [[prop.name for prop in properties]], network.labels | measured
    return ResultStore(folder, provenance, rows, arrays, Scored(network, protocol), labels)


def images_and_codes(settings: "Settings") -> tuple[list[Sample], Int[np.ndarray, "n k"]]:
    """Return the embedded images, and which value of each property each of them has."""
    samples, table = readers.property_images(settings)
    return samples, property_codes(table)


def described(properties: Sequence[Property], codes: Int[np.ndarray, "n k"]) -> str:
    """Return the digest of the properties' values, for provenance; with names unless Table 5's."""
    names = [prop.name for prop in properties]
    values = codes.tolist()
    return digest(values if names == [prop.name for prop in PROPERTIES] else [names, values])


# --------------------------------------------------------------------------------------------------
# Scores.
# --------------------------------------------------------------------------------------------------
def score(
    embeddings: Float[np.ndarray, "n d"], codes: Int[np.ndarray, "n k"], scored: Scored
) -> "Precision":
    """Return the R-Precision and NR-Precision of embeddings for each property.

    Raises ZeroEmbedding as coordinates_by.
    """
    from dml_analysis.metrics.nr_precision import nr_precision  # compiled code takes a second

    coordinates = coordinates_by(*scored, embeddings)
    return nr_precision(coordinates, codes, scored.protocol.max_neighbors)


def score_arrays(
    embeddings: Float[np.ndarray, "n d"], codes: Int[np.ndarray, "n k"], scored: Scored
) -> dict[str, Any]:
    """Return the arrays of store_of."""
    precision = score(embeddings, codes, scored)
    return {"n_images": [len(codes)] * codes.shape[1], **precision._asdict()}


def defined(
    measure: Callable[..., dict[str, Any]], embedded: ResultStore, *arguments: Any
) -> dict[str, Any] | InputError:
    """Return measure(embeddings, *arguments), or an InputError if an embedding has no direction.

    embedded: the store of the embeddings. The InputError names network and image.
    """
    try:
        return measure(car_embeddings.read(embedded), *arguments)
    except ZeroEmbedding as error:
        return no_direction(embedded.subject.name, embedded.rows, error)


def directed(
    stores: Iterable[ResultStore], protocol: Protocol
) -> Iterator[tuple[ResultStore, Float[np.ndarray, "n d"]]]:
    """Yield stores of embeddings with their coordinates_by the protocol.

    A network with a zero embedding that its distance would normalise is left out, and named on
    stderr.
    """
    for store in stores:
        try:
            yield store, coordinates_by(store.subject, protocol, car_embeddings.read(store))
        except ZeroEmbedding as error:
            problem = no_direction(store.subject.name, store.rows, error)
            print(f"not measured: {printable(str(problem))}", file=sys.stderr)


def coordinates_by(
    network: Network, protocol: Protocol, embeddings: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n d2"]:
    """Return coordinates whose Euclidean distances order neighbours as the protocol does.

    Raises ZeroEmbedding for a zero embedding that the distance would normalise.
    """
    if not protocol.own_distance:
        return embeddings
    return coordinates_of(embeddings, network.model.distance)


# --------------------------------------------------------------------------------------------------
# CSV files.
# --------------------------------------------------------------------------------------------------
def scores_file(settings: "Settings", protocol: Protocol) -> Path:
    """Return the path of nr_precision.csv."""
    return settings.results / protocol.name / "properties" / "nr_precision.csv"


def tests_file(settings: "Settings", protocol: Protocol) -> Path:
    """Return the path of mann_whitney.csv."""
    return settings.results / protocol.name / "properties" / "mann_whitney.csv"


def known_stores(settings: "Settings", protocol: Protocol) -> list[ResultStore]:
    """Return the stores of scores of all networks whose files exist, or once existed."""
    samples, codes = images_and_codes(settings)
    properties = readers.properties_of(settings)
    return [
        store_of(network, protocol, car_embeddings.store_of(network, samples), properties, codes)
        for network in car_embeddings.embedding_networks(settings)
        if network.is_known()
    ]


def views(settings: "Settings") -> list[View]:
    """Return nr_precision.csv and mann_whitney.csv of the complete settings, by every protocol."""
    files = []
    for protocol in settings.protocols:
        stores = known_stores(settings.whole, protocol)
        files.append(View(scores_file(settings, protocol), COLUMNS, stores))
        files.append(View(tests_file(settings, protocol), TEST_COLUMNS, stores, test_rows))
    return files


def test_rows(stores: Sequence[ResultStore], _: dict[str, Any]) -> Iterator[tuple]:
    """Yield Mann-Whitney tests of every property between any two groups of trained models.

    They are by both units and all alternatives. A property is left out if a group has no scores,
    or a score is NaN.
    """
    stores = [store for store in stores if store.subject.network.model.trained]
    groups = trained_groups([store.subject.network.model for store in stores])
    scores = pd.DataFrame(rows_of(stores, COLUMNS), columns=list(COLUMNS))
    names = stores[0].rows if stores else []
    for name, groups_ab, unit in product(names, combinations(groups, 2), UNITS):
        property_scores = scores[scores.property == name]
        a, b = (observations(property_scores, group, unit) for group in groups_ab)
        if a.isna().any() or b.isna().any():
            continue
        for alternative in ALTERNATIVES:
            test = mann_whitney(a, b, alternative)
            keys = name, unit, alternative, *groups_ab
            yield (*keys, len(a), len(b), *test, a.mean(), b.mean())


def observations(scores: pd.DataFrame, group: str, unit: str) -> pd.Series:
    """Return the NR-Precisions of a group: one per model and fold, or its mean over the folds.

    unit: one of UNITS. A mean over a NaN is NaN.
    """
    scores = scores[scores.type == group]
    if unit == "loss_mean":
        return scores.groupby("loss").nr_precision.agg(lambda values: values.mean(skipna=False))
    return scores.nr_precision
