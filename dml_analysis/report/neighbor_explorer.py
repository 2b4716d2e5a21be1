"""Section "Nearest neighbours, property by property": what rendered cars share with their nearest neighbours."""

import numpy as np

from dml_analysis.datasets import readers
from dml_analysis.datasets.images import open_image
from dml_analysis.methods import grouped
from dml_analysis.metrics.coordinates import coordinates_of
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.properties.property_tables import printed_value
from dml_analysis.report import captions, pair_section, pictures
from dml_analysis.report.section import rendered, run_first

QUERIES = 40  # at most, evenly spaced over the cars
NEIGHBORS = 8
SIDE = 96  # pixels of a picture


def section(settings):
    items, codes = property_scores.cars_of(settings)
    stores = _stores(settings, items)
    if not stores:
        raise run_first("Embeddings of rendered cars", "properties/2_embed_cars.py")
    chosen, maps = pair_section.found(settings)
    place = {item.image_id: number for number, item in enumerate(items)}
    pairs = np.array(
        [[place[item.image_id] for item in pair] for pair in chosen], dtype=int
    ).reshape(-1, 2)
    spaced = readers.evenly_spaced(range(len(items)), QUERIES)
    queries = np.union1d(spaced, pairs[:, 0]).astype(int)
    models = [model for model in grouped(settings.models) if model.name in stores]
    found = [_neighbors(stores[model.name], queries) for model in models]
    shown = np.unique(np.concatenate([queries, pairs.ravel(), *(each.ravel() for each in found)]))
    counted = np.isin(queries, spaced)  # queries of explained pairs have wrong neighbours by choice
    data = {
        "cars": [{"id": items[i].image_id, "codes": codes[i].tolist(), "address": _thumbnail(items[i])} for i in shown],
        "queries": np.searchsorted(shown, queries).tolist(),
        "properties": _properties(readers.chosen_cars(settings)[1]),
        "models": [_model(model, some, shown, shares(codes, queries[counted], some[counted])) for model, some in zip(models, found)],
        "chance": chance(codes, queries).round(4).tolist(),
        "explained": _explained(pairs, pair_section.maps_of(chosen, maps), queries, shown, models, found),
    }  # fmt: skip
    fold = next(iter(stores.values())).subject.fold
    folds = dict.fromkeys(store.subject.network.fold for some in maps.values() for store in some)
    return rendered("explorer", data=data, settings=settings, fold=fold, cars=len(items), neighbors=NEIGHBORS, spaced=len(spaced),
                    folds=captions.folds, explained_folds=list(folds))  # fmt: skip


def _explained(pairs, maps, queries, shown, models, found):
    """What the page knows of explained pairs (p, 2): query and neighbour by their places, the model to open, the maps."""
    names, rows = [model.name for model in models], []
    for (query, neighbor), of_pair in zip(pairs, maps):
        number = int(np.searchsorted(queries, query))
        asked = {
            names.index(each["model"])
            for some in of_pair.values()
            for each in some
            if each["model"] in names
        }
        model = pair_section.model_to_show(found, number, neighbor, asked)
        rows.append(
            {
                "query": number,
                "neighbor": int(np.searchsorted(shown, neighbor)),
                "model": model,
                "maps": of_pair,
            }
        )
    return rows


def _stores(settings, items):
    """Name of a model -> the store of its embeddings in the first fold, of those that are whole."""
    first = settings.model_copy(update={"folds": settings.folds[:1]})
    known = [network for network in car_embeddings.embedding_networks(first) if network.is_known()]
    stores = {network.model.name: car_embeddings.store_of(network, items) for network in known}
    return {name: store for name, store in stores.items() if store.is_complete()}


def _neighbors(store, queries):
    coordinates = coordinates_of(car_embeddings.read(store), store.subject.model.distance)
    return nearest(coordinates, queries, NEIGHBORS)


def _model(model, neighbors, shown, shared):
    """What the page knows of a model; neighbours by their place among the cars that are shown; shared (k,)."""
    return {
        "name": model.name,
        "group": model.group,
        "distance": model.distance,
        "neighbors": np.searchsorted(shown, neighbors).tolist(),
        "shares": shared.round(4).tolist(),
    }


def _properties(table):
    """Name, label and the values behind the codes of each property; see dml_analysis.datasets.readers.property_codes."""
    return [
        {
            "label": prop.label,
            "values": [printed_value(prop.name, value) for value in sorted(set(table[prop.name]))],
        }
        for prop in PROPERTIES
    ]


def _thumbnail(item):
    return pictures.address(pictures.square(open_image(item.path), SIDE))


# ---------------------------------------------------------------------------------------------------------------------
# Maths.
# ---------------------------------------------------------------------------------------------------------------------
def nearest(coordinates, queries, count):
    """(q, count): the nearest others of each query (q,) among coordinates (n, d), by Euclidean distance, nearest first.

    Of others that are as far, the first in the order of coordinates comes first. Fewer than n others: all of them.
    """
    coordinates, queries = np.asarray(coordinates, dtype=np.float64), np.asarray(queries)
    found = []
    for query in queries:
        distances = np.square(coordinates - coordinates[query]).sum(axis=1)
        distances[query] = np.inf
        found.append(np.argsort(distances, kind="stable")[: min(count, len(coordinates) - 1)])
    return np.array(found)


def shares(codes, queries, neighbors):
    """(k,): the share of the queries' (q,) neighbours (q, m) that have the query's value, by codes (n, k) of k properties."""
    return (codes[neighbors] == codes[queries][:, None]).mean(axis=(0, 1))


def chance(codes, queries):
    """(q, k): the share of all others that have the query's value, which neighbours drawn at random would have on average."""
    same = (codes[None] == codes[queries][:, None]).sum(axis=1)
    return (same - 1) / (len(codes) - 1)
