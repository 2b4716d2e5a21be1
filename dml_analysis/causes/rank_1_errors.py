"""The cars that networks retrieve first, where they are of another model than the query: what they share with it."""

from functools import partial

import numpy as np

from dml_analysis.datasets.readers import MODEL
from dml_analysis.files import csv_files
from dml_analysis.methods import ALL, counted, groups
from dml_analysis.metrics.wrong_neighbors import chance, excesses, mean_and_interval, nearest
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.seeds import derived_seed
from dml_analysis.stages import Stage
from dml_analysis.views import View

NAMES = [each.name for each in PROPERTIES]
COLUMN = NAMES.index(MODEL)  # by which a neighbour is right or wrong
OTHERS = [name for name in NAMES if name != MODEL]
SHARE = csv_files.between(0, 1)
COLUMNS = {"unit": csv_files.one_of(["model", "group"]), "loss": str, "type": str, "property": csv_files.one_of(OTHERS),
           "n_queries": int, "errors": SHARE, "shared": SHARE, "expected": SHARE, "excess": csv_files.between(-1, 1),
           "low": float, "high": float}  # fmt: skip


def csv_file(settings, protocol):
    return settings.results / protocol.name / "causes" / "wrong_neighbors.csv"


def stage(settings):
    """No stores, as all of it takes seconds: views of the embeddings of the rendered cars."""
    whole = settings.whole
    items, codes = property_scores.cars_of(whole)
    stores, _ = car_embeddings.whole_stores(whole, items)
    views = [View(csv_file(settings, protocol), COLUMNS, stores, partial(rows_of, whole, protocol, codes))
             for protocol in settings.protocols]  # fmt: skip
    return Stage("wrong neighbours", "network", [], views)


def neighbors_of(store, protocol):
    """(n,): the nearest other car of each, under a network, by the protocol's distance."""
    return nearest(
        property_scores.coordinates_by(store.subject, protocol, car_embeddings.read(store))
    )


def rows_of(settings, protocol, codes, stores, columns):
    """A row for each model and property, over its folds, and for each group, over its models' networks."""
    found = {}
    for store in stores:
        found.setdefault(store.subject.model.name, []).append(
            excesses(neighbors_of(store, protocol), codes, COLUMN)
        )
    models = [model for model in settings.models if model.name in found]
    units = [("model", model.name, model.group, [model]) for model in models]
    units += [("group", ALL, group, counted(models, group)) for group in groups(models)]
    expected, seed = chance(codes, COLUMN), derived_seed(settings.seed, "wrong neighbors")
    for unit, name, group, some in units:
        values = np.array([each for model in some for each in found[model.name]])
        wrong = np.isfinite(values).any(axis=2)  # (networks, n)
        values = values[wrong.any(axis=1)]
        if not len(values):
            continue
        mean, low, high = mean_and_interval(values, seed)
        by_chance = np.mean([expected[each].mean(axis=0) for each in wrong if each.any()], axis=0)
        for place, prop in ((NAMES.index(prop), prop) for prop in OTHERS):
            yield [unit, name, group, prop, len(codes), wrong.mean(), mean[place] + by_chance[place], by_chance[place],
                   mean[place], low[place], high[place]]  # fmt: skip
