"""Embedding shifts: how far embeddings move if one property changes, and what maps show of it.

The floor is the shift if nothing changes but the renderer's noise. Embeddings are of all images of
the counterfactual sets, maps of the base images of some of them.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from dml_analysis.causes.rank_1_errors import NAMES, units_of
from dml_analysis.datasets import counterfactuals
from dml_analysis.datasets.counterfactuals import COUNTERFACTUALS, CounterfactualSet
from dml_analysis.datasets.images import Crop, cropped, open_image
from dml_analysis.datasets.readers import Sample, check_of_cars
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.metrics.shift_sizes import (
    carried,
    changed_pixels,
    interval,
    rank_correlation,
    relative_shifts,
)
from dml_analysis.networks.specifications import Network, networks_of
from dml_analysis.paper import Model, Protocol
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.map_settings import MapSettings
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore
from dml_analysis.views import View

if TYPE_CHECKING:
    from dml_analysis.config import Settings

OF_SETS = MapSettings("counterfactual_sets")  # the settings' own maps, but of counterfactual sets
EMBEDDINGS = Path("causes", "embeddings")
RENDER_NOISE = "render noise"  # in the column `property`: only the noise of the image is another
CHANGES = [*NAMES, RENDER_NOISE]  # in the order of a counterfactual set's images
COLUMNS = {"loss": str, "type": str, "dataset": str, "fold": int, "property": csv_files.one_of(CHANGES), "n_sets": int,
           "shift": float, "low": float, "high": float, "n_mapped": int, "changed_mass": float,
           "changed_pixels": float}  # fmt: skip
RANKS = {"unit": csv_files.one_of(["model", "group"]), "loss": str, "type": str, "n_properties": int,
         "spearman": csv_files.between(-1, 1), "p_value": csv_files.between(0, 1)}  # fmt: skip


def csv_file(settings: "Settings", protocol: Protocol) -> Path:
    """Return the path of embedding_shifts.csv."""
    return settings.results / protocol.name / "causes" / "embedding_shifts.csv"


def ranks_file(settings: "Settings", protocol: Protocol) -> Path:
    """Return the path of shift_ranks.csv."""
    return settings.results / protocol.name / "causes" / "shift_ranks.csv"


def sets_of(settings: "Settings") -> list[CounterfactualSet]:
    """Return the settings' counterfactual sets. Raises InputError if the images are no cars."""
    check_of_cars(settings, "embedding shifts, which take counterfactual sets,")
    return counterfactuals.read_sets(settings, settings.causes.sets)


def networks_of_sets(settings: "Settings") -> list[Network]:
    """Return the networks that embed the counterfactual sets: those that embed rendered cars."""
    return networks_of(settings, settings.properties.networks, settings.folds, COUNTERFACTUALS)


def mapped_networks(settings: "Settings") -> list[Network]:
    """Return those of these networks that have maps, in the folds of the protocols' tables."""
    return [
        network
        for network in networks_of_sets(settings)
        if network.has_maps and saliency_maps.protocols_of(settings, network.fold)
    ]


def bases_of(sets: Sequence[CounterfactualSet]) -> list[Sample]:
    """Return the base images of counterfactual sets."""
    return [each.base for each in sets]


def map_stores(
    settings: "Settings", network: Network, samples: Sequence[Sample]
) -> list[ResultStore]:
    """Return the stores of a network's maps of these base images, one for each protocol."""
    return saliency_maps.stores_of(settings, network, samples, [OF_SETS])


# --------------------------------------------------------------------------------------------------
# CSV files.
# --------------------------------------------------------------------------------------------------
def views(settings: "Settings") -> list[View]:
    """Return embedding_shifts.csv of the complete settings, by every protocol."""
    whole = settings.whole
    sets = sets_of(whole)
    samples, seed = (
        counterfactuals.samples_of(sets),
        derived_seed(settings.seed, "counterfactual sets"),
    )
    stores = [
        car_embeddings.store_of(network, samples, EMBEDDINGS)
        for network in networks_of_sets(whole)
        if network.is_known()
    ]
    return [
        View(csv_file(settings, protocol), COLUMNS, stores, partial(rows_of, whole, protocol, sets, seed))
        for protocol in settings.protocols
    ]  # fmt: skip


def rows_of(
    settings: "Settings",
    protocol: Protocol,
    sets: Sequence[CounterfactualSet],
    seed: int,
    stores: Sequence[ResultStore],
    _: dict[str, Any],
) -> Iterator[list]:
    """Yield a row for each network and change.

    seed: of the bootstrap, which samples the same sets for all networks.
    """
    mapped = sets[: settings.causes.mapped_sets]
    for store, coordinates in property_scores.directed(stores, protocol):
        network = store.subject
        shifts = shifts_of(network, coordinates)
        low, high = interval(shifts, seed)
        shares, count = np.full((2, len(CHANGES)), np.nan), 0
        if network.has_maps:
            maps = saliency_maps.store_of(settings, network, protocol, bases_of(mapped), OF_SETS)
            if maps.is_complete():
                shares, count = changed_shares(maps, mapped), len(mapped)
        for k, name in enumerate(CHANGES):
            yield [*network.labels.values(), name, len(sets), shifts[:, k].mean(), low[k], high[k], count,
                   *shares[:, k]]  # fmt: skip


def shifts_of(
    network: Network, coordinates: Float[np.ndarray, "images d"]
) -> Float[np.ndarray, "sets changes"]:
    """Return the embedding shift of each change, by a network's coordinates; see relative_shifts.

    coordinates: of all images, set by set. Raises InputError if they have no spread.
    """
    by_set = coordinates.reshape(-1, 1 + len(CHANGES), coordinates.shape[1])
    try:
        return relative_shifts(by_set[:, 0], by_set[:, 1:])
    except ValueError as error:
        raise InputError(
            f"{network.name}: embeddings of counterfactual sets: {error}; check the network"
        ) from None


def changed_shares(
    store: ResultStore, sets: Sequence[CounterfactualSet]
) -> Float[np.ndarray, "2 changes"]:
    """Return the shares of the base images' maps, and of pixels, on changed pixels.

    They are means over the counterfactual sets; see shift_sizes.carried. store: of the maps.
    """
    shares, crop = [], store.subject.network.crop
    for counterfactual_set, saliency in zip(sets, store.read("maps")["maps"], strict=True):
        base, *others = [
            picture(sample, crop) for sample in counterfactuals.samples_of([counterfactual_set])
        ]
        shares.append([carried(saliency, changed_pixels(base, other)) for other in others])
    return np.nanmean(shares, axis=0).T


def picture(sample: Sample, crop: Crop) -> Float[np.ndarray, "h w 3"]:
    """Return what a network sees of an image, in [0, 1]."""
    return np.asarray(cropped(open_image(sample.path), crop), dtype=np.float64) / 255


def means_of_models(settings: "Settings", protocol: Protocol) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the shifts and the NR-Precisions of each model and property, means over the folds.

    The renderer's noise, which is no property, is left out.
    Raises MissingFile if one of their CSV files does not exist.
    """
    shifts = csv_files.table(
        csv_file(settings, protocol), COLUMNS, key=["loss", "fold", "property"]
    )
    file, hint = (
        property_scores.scores_file(settings, protocol),
        "run properties/3_score_properties.py first",
    )
    scores = csv_files.table(file, property_scores.COLUMNS, list(property_scores.KEY), hint)
    return (
        shifts.pivot_table("shift", "loss", "property")[NAMES],
        scores.pivot_table("nr_precision", "loss", "property")[NAMES],
    )


def write_ranks(settings: "Settings") -> None:
    """Write shift_ranks.csv: do the properties with the largest shifts also cluster best?

    For each model and each group's mean, it has Spearman's correlation of shifts and NR-Precisions
    over the properties. Raises MissingFile if there are no scores.
    """
    for protocol in settings.protocols:
        rows = _rank_rows(settings.whole.models, *means_of_models(settings, protocol))
        csv_files.write(ranks_file(settings, protocol), rows, RANKS)
        print(f"wrote {ranks_file(settings, protocol)}")


def _rank_rows(
    models: Sequence[Model], shifts: pd.DataFrame, scores: pd.DataFrame
) -> list[list[Any]]:
    """Return a row for each model and each group; see means_of_models."""
    both, rows = [m for m in models if m.name in shifts.index and m.name in scores.index], []
    for unit, name, group, members in units_of(both):
        names = [model.name for model in members]
        correlation = rank_correlation(shifts.loc[names].mean(), scores.loc[names].mean())
        rows.append([unit, name, group, len(NAMES), *correlation])
    return rows
