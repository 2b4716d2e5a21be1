"""The saliency maps of the replication's networks, each made twice with other noise, and measured.

Both halves of the noise are the maps of other analyses: the run's own, and those under other noise
that noise ceilings are made of.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from dml_analysis.causes.map_regions import masks_of
from dml_analysis.controls.noise_ceilings import OTHER_NOISE
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.metrics.map_concentration import entropy, gini
from dml_analysis.metrics.map_halves import Halves, compare_halves
from dml_analysis.metrics.map_mass import located, region_shares
from dml_analysis.networks.specifications import Network, networks_of
from dml_analysis.paper import Protocol
from dml_analysis.replication.trainings import HINT, KEY, PROTOCOL, TRAINING, dataset_of
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.map_settings import OWN
from dml_analysis.store import ResultStore

if TYPE_CHECKING:
    from dml_analysis.config import Settings

HALVES = (OWN, OTHER_NOISE)
R, SHARE = csv_files.between(-1, 1), csv_files.between(0, 1)
COLUMNS = {
    **TRAINING, "protocol": PROTOCOL, "n_images": int, "ceiling": R, "mass_on_car": SHARE,
    "highest_on_car": SHARE, "gini": SHARE, "entropy": SHARE,
}  # fmt: skip
PAIRS = {
    "protocol": PROTOCOL, "loss_a": str, "fold_a": int, "seed_a": int, "loss_b": str, "fold_b": int,
    "seed_b": int, "similarity": R, "corrected": float,
}  # fmt: skip


def csv_file(settings: "Settings") -> Path:
    """Return the path of maps.csv."""
    return settings.results / "maps.csv"


def pairs_file(settings: "Settings") -> Path:
    """Return the path of map_pairs.csv."""
    return settings.results / "map_pairs.csv"


def networks_with_maps(settings: "Settings") -> list[Network]:
    """Return the networks of one run in all folds, whatever folds the protocols' tables need."""
    networks = networks_of(settings, dataset_of(settings), settings.folds)
    return [network for network in networks if network.has_maps]


def stores_of(
    settings: "Settings", network: Network, samples: Sequence[Sample], protocol: Protocol
) -> list[ResultStore]:
    """Return the stores of both halves of a network's maps by a protocol."""
    return [saliency_maps.store_of(settings, network, protocol, samples, half) for half in HALVES]


def measures_of(settings: "Settings", protocol: Protocol) -> tuple[list[tuple], list[tuple]]:
    """Return rows of COLUMNS and of PAIRS of all runs of a sweep, by one protocol.

    Numbers are means over the images; those of COLUMNS but the noise ceiling over both halves, too.
    Raises InputError if maps are missing, or networks do not see the same part of an image.
    """
    samples = saliency_maps.mapped_samples(settings, dataset_of(settings))
    labels, halves, crops = [], [], set()
    for variant in settings.variants:
        for network in networks_with_maps(variant):
            stores = stores_of(variant, network, samples, protocol)
            if not all(store.is_complete() for store in stores):
                hint = "run replication/2_compute_maps.py first"
                raise InputError(f"{network.name}, seed {variant.seed}: maps are missing; {hint}")
            labels.append((network.model.name, network.model.group, network.fold, variant.seed))
            halves.append([store.read("maps")["maps"] for store in stores])
            crops.add(network.crop)
    if len(crops) != 1:
        raise InputError(f"settings {settings.name!r}: networks see different parts of an image")
    (crop,) = crops
    assert crop is not None  # only embeddings given as a file have none
    shares = np.stack([region_shares(mask, crop) for mask in masks_of(samples)])
    first, second = (np.array(half) for half in zip(*halves))
    compared = compare_halves(first, second)
    rows = [
        (*label, protocol.name, len(samples), ceiling, *_means(maps, shares))
        for label, ceiling, maps in zip(labels, compared.ceilings, halves)
    ]
    return rows, list(_pair_rows(labels, compared, protocol))


def _means(
    halves: Sequence[Float[np.ndarray, "n h w"]], shares: Float[np.ndarray, "n r h w"]
) -> list[float]:
    """Return a network's mass and highest pixels on the car, Gini coefficient and entropy."""
    of_halves = []
    for maps in halves:
        on_regions = located(maps, shares)
        values = on_regions.mass[:, 0], on_regions.highest[:, 0], gini(maps), entropy(maps)
        of_halves.append([np.nanmean(each) for each in values])
    return list(np.mean(of_halves, axis=0))


def _pair_rows(labels: Sequence[tuple], compared: Halves, protocol: Protocol) -> Iterator[tuple]:
    for a, b in combinations(range(len(labels)), 2):
        of_a, of_b = ((label[0], *label[2:]) for label in (labels[a], labels[b]))
        values = compared.similarity[a, b], compared.corrected[a, b]
        yield protocol.name, *of_a, *of_b, *values


def write(settings: "Settings") -> list[Path]:
    """Write maps.csv and map_pairs.csv, by all protocols of the settings; return the files."""
    rows, pairs = [], []
    for protocol in settings.protocols:
        of_networks, of_pairs = measures_of(settings, protocol)
        rows += of_networks
        pairs += of_pairs
    csv_files.write(csv_file(settings), rows, COLUMNS)
    csv_files.write(pairs_file(settings), pairs, PAIRS)
    return [csv_file(settings), pairs_file(settings)]


def read(settings: "Settings") -> pd.DataFrame:
    """Return maps.csv. Raises MissingFile if it does not exist."""
    return csv_files.table(csv_file(settings), COLUMNS, [*KEY, "protocol"], HINT)


def read_pairs(settings: "Settings") -> pd.DataFrame:
    """Return map_pairs.csv. Raises MissingFile if it does not exist."""
    return csv_files.table(pairs_file(settings), PAIRS, hint=HINT)
