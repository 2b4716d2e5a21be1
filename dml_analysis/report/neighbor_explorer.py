"""Section "Nearest neighbours, property by property": what nearest images share."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dml_analysis.config import Settings
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import open_image
from dml_analysis.methods import grouped
from dml_analysis.metrics.coordinates import ZeroEmbedding, coordinates_of
from dml_analysis.paper import Property
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.properties.property_tables import printed_value
from dml_analysis.report import pair_section, pictures, printed
from dml_analysis.report.section import rendered, run_first
from dml_analysis.store import ResultStore

QUERIES = 40  # at most, evenly spaced over the images
NEIGHBORS = 8
SIDE = 96  # pixels of a picture


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    cars, codes = property_scores.images_and_codes(settings)
    called = settings.properties.images_called
    stores = stores_of(settings, cars)
    if not stores:
        raise run_first(f"Embeddings of {called}", "properties/2_embed_cars.py")
    pairs, pair_stores = pair_section.pairs_and_stores(settings)
    row_of = {car.image_id: row for row, car in enumerate(cars)}
    pair_rows = np.zeros((len(pairs), 2), dtype=int)
    pair_rows[:] = [[row_of[car.image_id] for car in pair] for pair in pairs] or pair_rows
    spaced = readers.evenly_spaced(range(len(cars)), QUERIES)
    queries = np.union1d(spaced, pair_rows[:, 0]).astype(int)
    models, neighbors = [], []
    for model in grouped(settings.models):
        if model.name in stores:
            with suppress(ZeroEmbedding):  # properties/3_score_properties.py names it
                neighbors.append(neighbors_of(stores[model.name], queries))
                models.append(model)
    shown = np.unique(np.concatenate([queries, pair_rows.ravel(), *map(np.ravel, neighbors)]))
    is_spaced = np.isin(queries, spaced)  # queries of pairs were chosen by their wrong neighbours
    names = [prop.name for prop in readers.properties_of(settings)]
    word = "car" if settings.properties.of_cars else "image"
    data = {
        "word": word,
        "wrong": names.index("model") if settings.properties.of_cars else None,
        "cars": [
            {
                "id": cars[row].image_id,
                "codes": codes[row].tolist(),
                "address": thumbnail(cars[row]),
            }
            for row in shown
        ],
        "queries": np.searchsorted(shown, queries).tolist(),
        "properties": _properties(
            readers.properties_of(settings), readers.property_images(settings)[1]
        ),
        "models": [
            {
                "name": model.name,
                "group": model.group,
                "distance": model.distance,
                "neighbors": np.searchsorted(shown, nearest).tolist(),
                "shares": shares(codes, queries[is_spaced], nearest[is_spaced]).round(4).tolist(),
            }
            for model, nearest in zip(models, neighbors)
        ],
        "chance": chance(codes, queries).round(4).tolist(),
        "explained": [
            {
                "query": int(np.searchsorted(queries, query)),
                "neighbor": int(np.searchsorted(shown, neighbor)),
                "maps": maps,
            }
            for (query, neighbor), maps in zip(
                pair_rows, pair_section.pictures_of(pairs, pair_stores)
            )
        ],
    }
    subjects: list[Any] = [store.subject for stores in pair_stores.values() for store in stores]
    pair_folds = list(dict.fromkeys(subject.network.fold for subject in subjects))
    network: Any = next(iter(stores.values())).subject
    return rendered(
        "explorer",
        data=data,
        folds=printed.folds([network.fold]),
        explained_folds=printed.folds(pair_folds),
        word=word,
        called=called,
        n_cars=len(cars),
        n_neighbors=NEIGHBORS,
        n_spaced=len(spaced),
    )


def stores_of(settings: Settings, cars: list[readers.Sample]) -> dict[str, ResultStore]:
    """Return, by model, the complete stores of embeddings in the first fold."""
    first = settings.model_copy(update={"folds": settings.folds[:1]})
    networks = [each for each in car_embeddings.embedding_networks(first) if each.is_known()]
    stores = {network.model.name: car_embeddings.store_of(network, cars) for network in networks}
    return {name: store for name, store in stores.items() if store.is_complete()}


def neighbors_of(store: ResultStore, queries: Int[np.ndarray, " q"]) -> Int[np.ndarray, "q m"]:
    """Return the nearest neighbours of queries by the distance of a store's model."""
    network: Any = store.subject
    coordinates = coordinates_of(car_embeddings.read(store), network.model.distance)
    return nearest(coordinates, queries, NEIGHBORS)


def _properties(properties: Sequence[Property], table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return label and values of each property, in the order of property_codes."""
    return [
        {
            "label": prop.label,
            "values": [printed_value(prop, value) for value in readers.occurring(table[prop.name])],
        }
        for prop in properties
    ]


def thumbnail(car: readers.Sample) -> str:
    """Return the data URL of a small picture of an image."""
    return pictures.address(pictures.square(open_image(car.path), SIDE))


# --------------------------------------------------------------------------------------------------
# Maths.
# --------------------------------------------------------------------------------------------------
def nearest(
    coordinates: Float[np.ndarray, "n d"], queries: Int[np.ndarray, " q"], count: int
) -> Int[np.ndarray, "q m"]:
    """Return the `count` nearest others of each query by Euclidean distance, nearest first.

    Of others at the same distance, the first in the order of coordinates comes first. If there are
    fewer others than `count`, return all.
    """
    coordinates, rows = np.asarray(coordinates, dtype=np.float64), []
    for query in queries:
        distances = np.square(coordinates - coordinates[query]).sum(axis=1)
        distances[query] = np.inf
        rows.append(np.argsort(distances, kind="stable")[: min(count, len(coordinates) - 1)])
    return np.array(rows)


def shares(
    codes: Int[np.ndarray, "n k"], queries: Int[np.ndarray, " q"], neighbors: Int[np.ndarray, "q m"]
) -> Float[np.ndarray, " k"]:
    """Return, by property, the share of the queries' neighbours that have the query's value."""
    return (codes[neighbors] == codes[queries][:, None]).mean(axis=(0, 1))


def chance(
    codes: Int[np.ndarray, "n k"], queries: Int[np.ndarray, " q"]
) -> Float[np.ndarray, "q k"]:
    """Return the share of all others that have the query's value.

    Neighbours sampled at random would have it on average.
    """
    same = (codes[None] == codes[queries][:, None]).sum(axis=1)
    return (same - 1) / (len(codes) - 1)
