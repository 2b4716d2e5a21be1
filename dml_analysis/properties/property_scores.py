"""How embeddings cluster by every property of the rendered cars, by NR-Precision, and tests between groups of models."""

from itertools import combinations, product
from typing import NamedTuple

import pandas as pd

from dml_analysis.datasets import readers
from dml_analysis.datasets.readers import property_codes
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.methods import trained_groups
from dml_analysis.metrics.coordinates import coordinates_of
from dml_analysis.metrics.significance import ALTERNATIVES, mann_whitney
from dml_analysis.networks.specifications import Network, code_of, device_of
from dml_analysis.paper import PROPERTIES, Protocol
from dml_analysis.properties import car_embeddings
from dml_analysis.seeds import digest
from dml_analysis.store import ResultStore
from dml_analysis.views import View, rows_of

RAW_DISTANCE = "Euclidean, raw embeddings"
UNITS = ("loss_mean", "loss_fold")  # one observation per model, or one per model and fold
KEY = ("loss", "fold", "property")
COLUMNS = {"loss": str, "type": str, "fold": int, "property": csv_files.one_of([prop.name for prop in PROPERTIES]),
           "distance": str, "max_neighbors": str, "n_images": int, "r_precision": csv_files.between(0, 1),
           "nr_precision": float}  # fmt: skip
TEST_KEY = ("property", "unit", "alternative", "group_a", "group_b")
TEST_COLUMNS = {"property": COLUMNS["property"], "unit": csv_files.one_of(UNITS), "alternative": csv_files.one_of(ALTERNATIVES),
                "group_a": str, "group_b": str, "n_a": int, "n_b": int, "u": float, "p_value": csv_files.between(0, 1),
                "mean_a": float, "mean_b": float}  # fmt: skip


class Scored(NamedTuple):
    """What a store of scores is of."""

    network: Network
    protocol: Protocol


def store_of(network, protocol, embedded, codes):
    """The scores of a network by a protocol, a row for each property.

    embedded: the store of its embeddings; codes (n, k): which value of each property their images have.
    """
    distance = network.model.distance if protocol.own_distance else RAW_DISTANCE
    measured = {"distance": distance, "max_neighbors": protocol.max_neighbors or "all"}
    provenance = {"embeddings": embedded.digest, "properties": digest(codes.tolist()), **measured}
    provenance |= code_of(network.records, distance)
    arrays = {
        "n_images": Array("i8"),
        "r_precision": Array("f8", finite=False, low=0, high=1),
        "nr_precision": Array("f8", finite=False),
    }
    folder, parts = (
        network.settings.results / protocol.name / "properties" / "scores",
        [[p.name for p in PROPERTIES]],
    )
    scored, labels = Scored(network, protocol), network.labels | measured
    return ResultStore(folder / network.path, provenance, parts, arrays, scored, labels)


def cars_of(settings):
    """(items, codes (n, k)) of the rendered cars."""
    items, table = readers.chosen_cars(settings)
    return items, property_codes(table)


# ---------------------------------------------------------------------------------------------------------------------
# Scores.
# ---------------------------------------------------------------------------------------------------------------------
def score(embedded, codes, scored, device="cpu"):
    """The Precision of embeddings (n, d) and codes (n, k), by what is Scored."""
    from dml_analysis.metrics.nr_precision import (
        nr_precision,
    )  # compiled code takes a second to load

    return nr_precision(
        coordinates_by(*scored, embedded), codes, scored.protocol.max_neighbors, device=device
    )


def coordinates_by(network, protocol, embedded):
    """Coordinates (n, k) whose Euclidean distances order neighbours as the protocol has it for a network's embeddings (n, d)."""
    return coordinates_of(embedded, network.model.distance) if protocol.own_distance else embedded


def float64_device(settings):
    """The name of the device that the settings ask for, or of the CPU if that one has no float64."""
    device = device_of(settings)
    return "cpu" if device == "mps" else device


# ---------------------------------------------------------------------------------------------------------------------
# CSV files.
# ---------------------------------------------------------------------------------------------------------------------
def scores_file(settings, protocol):
    return settings.results / protocol.name / "properties" / "nr_precision.csv"


def tests_file(settings, protocol):
    return settings.results / protocol.name / "properties" / "mann_whitney.csv"


def views(settings):
    """nr_precision.csv and mann_whitney.csv of the whole run, by every protocol."""
    (items, codes), found = cars_of(settings.whole), []
    known = [
        network
        for network in car_embeddings.embedding_networks(settings.whole)
        if network.is_known()
    ]
    for protocol in settings.protocols:
        stores = [
            store_of(each, protocol, car_embeddings.store_of(each, items), codes) for each in known
        ]
        found.append(View(scores_file(settings, protocol), COLUMNS, stores))
        found.append(View(tests_file(settings, protocol), TEST_COLUMNS, stores, test_rows))
    return found


def test_rows(stores, _):
    """Mann-Whitney tests of every property between any two groups of trained models, by both units and alternatives.

    A property is left out where a group has no scores, or a score is NaN.
    """
    stores = [store for store in stores if store.subject.network.model.trained]
    groups = trained_groups([store.subject.network.model for store in stores])
    scores = pd.DataFrame(rows_of(stores, COLUMNS), columns=list(COLUMNS))
    for prop in PROPERTIES:
        of_property = scores[scores.property == prop.name]
        for (group_a, group_b), unit in product(combinations(groups, 2), UNITS):
            a, b = (observations(of_property, group, unit) for group in (group_a, group_b))
            if a.isna().any() or b.isna().any():
                continue
            for alternative in ALTERNATIVES:
                test = mann_whitney(a, b, alternative)
                yield (
                    prop.name,
                    unit,
                    alternative,
                    group_a,
                    group_b,
                    len(a),
                    len(b),
                    *test,
                    a.mean(),
                    b.mean(),
                )


def observations(scores, group, unit):
    """The NR-Precisions of one group: one per model and fold, or a mean over the folds per model."""
    chosen = scores[scores.type == group]
    return (
        chosen.groupby("loss").nr_precision.agg(lambda s: s.mean(skipna=False))
        if unit == "loss_mean"
        else chosen.nr_precision
    )
