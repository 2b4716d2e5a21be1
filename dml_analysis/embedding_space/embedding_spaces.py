"""Measures of the embedding spaces of all networks, and of the validation steps of their trainings.

A space is that of a network's own training images or of test images, transformed as for inference.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import ZeroEmbedding
from dml_analysis.metrics.embedding_measures import ARRAYS, COLUMNS, measured
from dml_analysis.metrics.geometry import ZeroMean
from dml_analysis.networks.specifications import ALL_FOLDS, Network, networks_of, no_direction
from dml_analysis.seeds import derived_seed, described
from dml_analysis.store import ResultStore
from dml_analysis.training import training_runs
from dml_analysis.training.training_logs import LOG_COLUMNS, log_file
from dml_analysis.views import View

if TYPE_CHECKING:
    from dml_analysis.config import Settings

PART = csv_files.one_of(training_runs.SPLITS)
NETWORK = {"loss": str, "type": str, "dataset": str, "fold": int}
SIZES = {"n_images": int, "n_classes": int}
SPACES: dict[str, Any] = {**NETWORK, "part": PART, **SIZES, **COLUMNS}
STEPS: dict[str, Any] = NETWORK | {"learning_rate": float, "iteration": int, "part": PART}
STEPS |= SIZES | COLUMNS
ALL_ARRAYS = dict.fromkeys(SIZES, Array("i8")) | ARRAYS


class Space(NamedTuple):
    """The images of one part of a dataset, and the networks that are measured on them."""

    part: str
    samples: list[Sample]
    networks: list[Network]


class ValidationStep(NamedTuple):
    """A training run at an iteration, and the embeddings that it saved there."""

    training: training_runs.TrainingRun
    iteration: int
    embedded: ResultStore


def folder(settings: "Settings") -> Path:
    """Return the folder of all results on embedding spaces."""
    return settings.results / "embedding_space"


def spaces_file(settings: "Settings") -> Path:
    """Return the path of embedding_space.csv."""
    return folder(settings) / "embedding_space.csv"


def steps_file(settings: "Settings", dataset: str) -> Path:
    """Return the path of looks_<dataset>.csv, the measures at validation steps."""
    return folder(settings) / f"looks_{dataset}.csv"


def measures_of(
    embeddings: Float[np.ndarray, "n d"], samples: Sequence[Sample], seed: int, name: str
) -> dict[str, Any] | InputError:
    """Return the values of ALL_ARRAYS, or an InputError, which begins with `name`, if they fail.

    seed: of k-means.
    """
    labels = np.array([sample.label for sample in samples])
    try:
        values = measured(embeddings, labels, seed)
    except ZeroEmbedding as error:
        return no_direction(name, readers.ids_of(samples), error)
    except ZeroMean as error:
        return InputError(f"{name}: {error}; check the network's weights")
    except ValueError as error:
        return InputError(f"{name}: {error}")
    return {"n_images": len(labels), "n_classes": len(set(labels)), **values}


def _k_means_seed(seed: int, part: str, network: Network) -> int:
    return derived_seed(seed, "k-means", part, *network.path.parts)


def _seed_provenance(seed: int) -> dict[str, int]:
    """Return the provenance of NMI and F1, which depend on the seed; empty if it is the default."""
    return {"k-means seed": seed} if seed else {}


def _labels_of(samples: Sequence[Sample]) -> str:
    return described([sample.label for sample in samples])


# --------------------------------------------------------------------------------------------------
# Networks.
# --------------------------------------------------------------------------------------------------
def spaces_of(settings: "Settings", dataset: str) -> Iterator[Space]:
    """Yield the spaces of a dataset: of the test images, and of each fold's training images.

    Given embeddings are measured on test images only. A network for all folds was trained on all
    images that are not for testing.
    """
    networks = networks_of(settings, dataset, settings.folds)
    yield Space("test", list(readers.required_samples(settings, dataset, "test")), networks)
    networks = [network for network in networks if network.has_maps]
    for fold in dict.fromkeys(network.fold for network in networks):
        parts, number = (("train", "validation"), 0) if fold == ALL_FOLDS else (("train",), fold)
        lists = [readers.required_samples(settings, dataset, part, number) for part in parts]
        samples = [sample for part_samples in lists for sample in part_samples]
        yield Space("train", samples, [network for network in networks if network.fold == fold])


def store_of(network: Network, part: str, samples: Sequence[Sample], seed: int) -> ResultStore:
    """Return the store of a network's measures on the images of a part, in a single row.

    seed: the settings', from which that of k-means is derived.
    """
    provenance = {
        "images": image_digests.described(network.records, samples),
        "classes": _labels_of(samples),
        **network.provenance(),
        **_seed_provenance(seed),
    }
    place = network.records.results / "embedding_space" / "spaces" / part / network.path
    labels = network.labels | {"part": part}
    return ResultStore(place, provenance, [[network.name]], ALL_ARRAYS, network, labels)


def space_measures(
    stores: Sequence[ResultStore],
    samples: Sequence[Sample],
    batch_size: int,
    seed: int,
    advance: Callable[[int], Any],
) -> Iterator[dict[str, list] | InputError]:
    """Yield the arrays of each store, whose networks share a trunk; InputError if they fail.

    seed: the settings'. advance(n) is called after every n images.
    """
    from dml_analysis.networks.embedding import embedded  # torch takes seconds to load

    requests = [(store.subject, True) for store in stores]
    for store, embeddings in zip(stores, embedded(requests, samples, batch_size, advance)):
        network, part = store.subject, store.labels["part"]
        name, seed_here = f"{network.name}, {part} images", _k_means_seed(seed, part, network)
        values = measures_of(embeddings, samples, seed_here, name)
        yield values if isinstance(values, InputError) else {k: [v] for k, v in values.items()}


def space_views(settings: "Settings") -> list[View]:
    """Return embedding_space.csv, of the complete settings except for missing datasets."""
    whole, stores = settings.whole, []
    for dataset in whole.datasets:
        try:
            spaces = list(spaces_of(whole, dataset))
        except MissingFile:
            continue
        stores += [
            store_of(network, part, samples, whole.seed)
            for part, samples, networks in spaces
            for network in networks
            if network.is_known()
        ]
    return [View(spaces_file(settings), SPACES, stores)]


# --------------------------------------------------------------------------------------------------
# Validation steps: the same networks in the course of their training.
# --------------------------------------------------------------------------------------------------
def saves_steps(settings: "Settings") -> bool:
    """Return whether networks are trained here, and their steps' embeddings saved."""
    return settings.training is not None and settings.training.keep_embeddings


def step_stores(settings: "Settings", dataset: str) -> list[ResultStore]:
    """Return the stores of every step of the runs behind the networks, with a row for each part."""
    key = ["loss", "fold", "learning_rate", "iteration"]
    log = csv_files.read(log_file(settings, dataset), LOG_COLUMNS, key=key)
    rows, stores = [list(training_runs.SPLITS)], []
    of_dataset = settings.model_copy(update={"datasets": [dataset]})
    for run_store in training_runs.chosen_stores(of_dataset):
        training = run_store.subject
        network, splits = training.network, training.splits
        classes = {f"{part} classes": _labels_of(samples) for part, samples in splits.items()}
        run_folder = folder(settings) / "looks" / network.path / f"rate{training.rate:g}"
        key = [network.model.name, network.fold, training.rate]
        is_run = (log[["loss", "fold", "learning_rate"]] == key).all(axis=1)
        for iteration in log[is_run].iteration:
            embedded = training_runs.embeddings_store(run_store, int(iteration))
            provenance: dict[str, Any] = {"embeddings": embedded.digest, **classes}
            provenance |= _seed_provenance(settings.seed)
            step = ValidationStep(training, int(iteration), embedded)
            labels = training.labels | {"iteration": int(iteration)}
            place = run_folder / f"iteration{iteration}"
            stores.append(ResultStore(place, provenance, rows, ALL_ARRAYS, step, labels))
    return stores


def step_measures(
    step: ValidationStep, seed: int, advance: Callable[[int], Any]
) -> dict[str, list] | InputError:
    """Return the arrays of a validation step, with an entry for each part, or an InputError.

    seed: the settings'. advance(1) is called after every part.
    """
    (training, iteration, embedded), rows = step, []
    for number, (part, samples) in enumerate(training.splits.items()):
        embeddings = embedded.load(number)["embeddings"].astype(np.float32)
        name = f"{training.name}, iteration {iteration}, {part} images"
        seed_here = _k_means_seed(seed, part, training.network)
        values = measures_of(embeddings, samples, seed_here, name)
        if isinstance(values, InputError):
            return values
        rows.append(values)
        advance(1)
    return {name: [row[name] for row in rows] for name in ALL_ARRAYS}


def step_views(settings: "Settings") -> list[View]:
    """Return looks_<dataset>.csv, of all models and folds."""
    return [
        View(steps_file(settings, dataset), STEPS, step_stores(settings.whole, dataset))
        for dataset in settings.datasets
    ]
