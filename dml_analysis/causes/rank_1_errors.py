"""What the nearest car, if it is of another model than the query, shares with the query."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from dml_analysis.datasets.readers import MODEL, check_of_cars
from dml_analysis.files import csv_files
from dml_analysis.methods import ALL, counted, groups
from dml_analysis.metrics.wrong_neighbors import chance, excesses, mean_and_interval, nearest
from dml_analysis.paper import PROPERTIES, Model, Protocol
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore
from dml_analysis.views import View

if TYPE_CHECKING:
    from dml_analysis.config import Settings

NAMES = [prop.name for prop in PROPERTIES]
COLUMN = NAMES.index(MODEL)  # of the property by which a neighbour is right or wrong
OTHERS = [name for name in NAMES if name != MODEL]
SHARE = csv_files.between(0, 1)
COLUMNS = {"unit": csv_files.one_of(["model", "group"]), "loss": str, "type": str, "property": csv_files.one_of(OTHERS),
           "n_queries": int, "errors": SHARE, "shared": SHARE, "expected": SHARE, "excess": csv_files.between(-1, 1),
           "low": float, "high": float}  # fmt: skip


def csv_file(settings: "Settings", protocol: Protocol) -> Path:
    """Return the path of wrong_neighbors.csv."""
    return settings.results / protocol.name / "causes" / "wrong_neighbors.csv"


def views(settings: "Settings") -> list[View]:
    """Return wrong_neighbors.csv by every protocol, from all complete embeddings of the cars.

    Raises InputError if there are none, or the images are no cars.
    """
    check_of_cars(settings, "explanations of wrong cars")
    whole = settings.whole
    samples, codes = property_scores.images_and_codes(whole)
    stores, _ = car_embeddings.complete_stores(whole, samples)
    seed = derived_seed(settings.seed, "wrong neighbors")
    return [
        View(csv_file(settings, protocol), COLUMNS, stores, partial(rows_of, whole.models, protocol, codes, seed))
        for protocol in settings.protocols
    ]  # fmt: skip


def units_of(models: Sequence[Model]) -> list[tuple[str, str, str, list[Model]]]:
    """Return (unit, loss, type, models) of each row: each model, then each group's that count."""
    units = [("model", model.name, model.group, [model]) for model in models]
    return units + [("group", ALL, group, counted(models, group)) for group in groups(models)]


def rows_of(
    models: Sequence[Model],
    protocol: Protocol,
    codes: Int[np.ndarray, "n k"],
    seed: int,
    stores: Sequence[ResultStore],
    _: dict[str, Any],
) -> Iterator[list]:
    """Yield a row for each model and property, over its folds, and for each group's networks.

    codes: the properties' values. seed: of the bootstrap.
    """
    networks: dict[str, list] = {}
    for store, coordinates in property_scores.directed(stores, protocol):
        excess = excesses(nearest(coordinates), codes, COLUMN)
        networks.setdefault(store.subject.model.name, []).append(excess)
    expected = chance(codes, COLUMN)
    for unit, name, group, members in units_of([m for m in models if m.name in networks]):
        values = np.array([excess for model in members for excess in networks[model.name]])
        wrong = np.isfinite(values).any(axis=2)  # (networks, n)
        values = values[wrong.any(axis=1)]
        if not len(values):
            continue
        mean, low, high = mean_and_interval(values, seed)
        by_chance = np.mean([expected[row].mean(axis=0) for row in wrong if row.any()], axis=0)
        for k in (NAMES.index(prop) for prop in OTHERS):
            yield [unit, name, group, NAMES[k], len(codes), wrong.mean(), mean[k] + by_chance[k], by_chance[k],
                   mean[k], low[k], high[k]]  # fmt: skip
