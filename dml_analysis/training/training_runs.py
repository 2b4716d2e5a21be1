"""Training runs: the training of a network with one learning rate, and the stores of its results.

If settings give several learning rates, each is tried on their first fold, or their `trial_fold`.
The best by the fold's validation classes is used for all folds, so every model has the same budget.
A run's folder, training/runs/<dataset>/<fold>/<model>/<rate>/ below the models folder, contains its
best weights, its log and, for every validation step, the embeddings of all images.
"""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from dml_analysis import checksums, imports
from dml_analysis.config import Settings, TrainingSettings, unlike_defaults
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.networks import checkpoint_files
from dml_analysis.networks.specifications import LayoutNetwork, all_networks_of
from dml_analysis.paper import Model
from dml_analysis.seeds import described
from dml_analysis.store import ResultStore
from dml_analysis.training import trunk_features
from dml_analysis.training.hyperparameters import hyperparameters

Method = tuple[str, str]  # the name of a model, and the dataset it is trained on
SHARE = csv_files.between(0, 1)
SPLITS = ("train", "validation", "test")
# The columns of a run's log. The last two never select an iteration or a learning rate.
STEP_COLUMNS = {
    "iteration": int, "training_loss": float, "validation_precision_at_1": SHARE,
    "validation_map_at_r": SHARE, "best": csv_files.one_of(["yes", "no"]), "trunk_rate": float,
    "embedder_rate": float, "loss_rate": float, "seconds": float,
    "test_precision_at_1_only_shown": SHARE, "test_map_at_r_only_shown": SHARE,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """The training of a network with one learning rate."""

    network: LayoutNetwork
    rate: float
    options: TrainingSettings
    splits: dict[str, list[Sample]]  # the samples of each of SPLITS, in the network's fold
    start_trunk: Path  # the file of the trunk that training starts from
    imagenet_trunk: Path  # the file of BN-Inception's weights

    @property
    def name(self) -> str:
        """Return its name in messages."""
        return f"{self.network.name}, learning rate {self.rate:g}"

    @property
    def folder(self) -> Path:
        """Return the folder of its results."""
        runs = self.network.records.models / "training" / "runs"
        return runs / self.network.path / f"rate{self.rate:g}"

    @property
    def labels(self) -> dict[str, Any]:
        """Return the columns that identify it in CSV files, name -> value."""
        return self.network.labels | {"learning_rate": self.rate}

    @property
    def has_frozen_trunk(self) -> bool:
        """Return whether only the embedder is trained."""
        return self.options.frozen == "trunk"

    @property
    def tuned_as(self) -> str:
        """Return the dataset whose hyperparameters its loss takes."""
        return self.options.hyperparameters or self.network.dataset

    def weights_files(self, checkpoint: str = "best") -> tuple[Path, Path]:
        """Return the files of its weights, (trunk, embedder). checkpoint: one of config.CHECKPOINTS."""
        prefix = "" if checkpoint == "best" else f"{checkpoint}_"
        trunk = self.folder / f"{prefix}trunk.pth"
        embedder = self.folder / f"{prefix}embedder.pth"
        return self.start_trunk if self.has_frozen_trunk else trunk, embedder


# -------------------------------------------------------------------------------------------------
# Networks and images.
# -------------------------------------------------------------------------------------------------
def trained_networks(settings: Settings) -> list[LayoutNetwork]:
    """Return the networks that the settings train."""
    return [
        network
        for dataset in settings.datasets
        for network in all_networks_of(settings, dataset, settings.folds)
        if isinstance(network, LayoutNetwork)
        and network.model.trained
        and (not network.model.is_own or network.model.loss)
    ]


def trained_files(network: LayoutNetwork, checkpoint: str) -> tuple[Path, Path]:
    """Return the files of a trained network's weights. checkpoint: one of config.CHECKPOINTS."""
    return checkpoint_files.checkpoints_in(network.files[0].parent, checkpoint)


def options_of(settings: Settings) -> TrainingSettings:
    """Return the training settings. Raises InputError if the settings train nothing."""
    if settings.training is None:
        raise InputError(
            f"settings {settings.name!r} have no `training:` block: their networks are downloaded"
        )
    return settings.training


def training_samples(settings: Settings, dataset: str) -> list[Sample]:
    """Return the images of all classes for training and validation."""
    parts = (readers.load_samples(settings, dataset, split, fold=0) for split in SPLITS[:2])
    return [sample for part in parts for sample in part]


# -------------------------------------------------------------------------------------------------
# Stores.
# -------------------------------------------------------------------------------------------------
def store_of(settings: Settings, network: LayoutNetwork, rate: float) -> ResultStore:
    """Return the store of a run: the MAP@R and the iteration of its best validation step.

    With `training.reached`, also the iteration that first reached it, 0 if none did. The store's
    subject is the TrainingRun.
    """
    samples = training_samples(settings, network.dataset)
    options = options_of(settings).of_method(network.model.name)
    splits = {
        split: readers.load_samples(settings, network.dataset, split, network.fold)
        for split in SPLITS
    }
    start = checkpoint_files.start_trunk_file(settings, network.model)
    imagenet = settings.paths["imagenet_trunk"]
    run = TrainingRun(network, rate, options, splits, start, imagenet)
    rhythm = {"rhythm": list(options.rhythm(network.dataset))} if options.hyperparameters else {}
    provenance = {
        "images": image_digests.described(settings.records, samples),
        "classes": described([sample.label for sample in samples]),
        **trunk_features.trunk_provenance(settings, network.source),
        **_loss_provenance(settings, network.model, run.tuned_as),
        "learning_rate": rate,
        **unlike_defaults(options),
        **rhythm,
        **unlike_defaults(settings),
    }
    arrays = {"validation_map_at_r": Array("f8", low=0, high=1), "iteration": Array("i8")}
    if options.reached is not None:
        arrays["reached_iteration"] = Array("i8")
    return ResultStore(run.folder, provenance, [[run.name]], arrays, run, run.labels)


def _loss_provenance(settings: Settings, model: Model, tuned_as: str) -> dict[str, Any]:
    """Return the provenance of a model's loss: its hyperparameters, or its code and arguments."""
    if not model.loss:
        return {"hyperparameters": hyperparameters(model, tuned_as)}
    names = (
        "loss", "loss_arguments", "miner", "miner_arguments", "loss_learning_rate",
        "images_per_class",
    )  # fmt: skip
    provenance = {name: getattr(model, name) for name in names if getattr(model, name)}
    for name in (model.loss, model.miner):
        if imports.is_name(name):
            code = imports.code_file(name)
            provenance[f"code of {name}"] = checksums.short(settings.records, code)
    return provenance


def rates_of(settings: Settings, network: LayoutNetwork) -> list[float]:
    """Return the learning rates to try for a network's method."""
    return options_of(settings).of_method(network.model.name).learning_rates


def trial_stores(settings: Settings) -> dict[Method, list[ResultStore]]:
    """Return the stores of the runs that try the learning rates of each method on one fold.

    Methods with one learning rate are left out.
    """
    whole = settings.whole
    trials = {
        "datasets": settings.datasets,
        "models": settings.models,
        "folds": [trial_fold(whole)],
    }
    networks = trained_networks(whole.model_copy(update=trials))
    return {
        (network.model.name, network.dataset): [store_of(whole, network, rate) for rate in rates]
        for network in networks
        if len(rates := rates_of(whole, network)) > 1
    }


def trial_fold(settings: Settings) -> int:
    """Return the fold on which learning rates are tried."""
    fold = options_of(settings).trial_fold
    return settings.whole.folds[0] if fold is None else fold


def trained_folds(settings: Settings) -> list[int]:
    """Return the folds of the settings' networks, and that of the trials if there are any."""
    has_trials = any(len(rates_of(settings, each)) > 1 for each in trained_networks(settings))
    return list(dict.fromkeys([*settings.folds, *([trial_fold(settings)] if has_trials else [])]))


def trials_to_train(settings: Settings) -> list[ResultStore]:
    """Return all trial_stores."""
    return list(chain(*trial_stores(settings).values()))


def chosen_rates(settings: Settings) -> dict[Method, float]:
    """Return the learning rate of each method that is best by the validation classes of its trials.

    Methods whose trials are not complete are left out.
    """
    chosen = {
        (network.model.name, network.dataset): rates[0]
        for network in trained_networks(settings)
        if len(rates := rates_of(settings, network)) == 1
    }
    for method, stores in trial_stores(settings).items():
        if all(store.is_complete() for store in stores):
            scores = [store.read()["validation_map_at_r"][0] for store in stores]
            chosen[method] = stores[int(np.argmax(scores))].subject.rate
    return chosen


def chosen_stores(settings: Settings) -> list[ResultStore]:
    """Return the stores of the runs whose weights the networks have.

    Methods whose learning rate is not chosen yet are left out.
    """
    rates = chosen_rates(settings)
    return [
        store_of(settings, network, rates[network.model.name, network.dataset])
        for network in trained_networks(settings)
        if (network.model.name, network.dataset) in rates
    ]


def all_stores(settings: Settings) -> list[ResultStore]:
    """Return the stores of all runs, including trials that were not chosen, each once."""
    stores = [*trials_to_train(settings), *chosen_stores(settings)]
    return list({store.folder: store for store in stores}.values())


def embeddings_store(store: ResultStore, iteration: int) -> ResultStore:
    """Return the store of the embeddings (d,), float16, at a validation step of a run.

    store: of the run. There is one chunk for each of SPLITS.
    """
    run, network = store.subject, store.subject.network
    images = {
        f"{split} images": image_digests.described(network.records, samples)
        for split, samples in run.splits.items()
    }
    return ResultStore(
        store.folder / "looks" / f"iteration{iteration}",
        {"run": store.digest, **images},
        [readers.ids_of(samples) for samples in run.splits.values()],
        {"embeddings": Array("f2", (network.dimensions,))},
        run,
    )


def embeddings_bytes(store: ResultStore) -> int:
    """Return the minimum size on disk of the embeddings that a run saves, 0 if it is complete."""
    run = store.subject
    if store.is_complete() or not run.options.keep_embeddings:
        return 0
    every, patience = run.options.rhythm(run.network.dataset)
    steps = 1 + min(run.options.iterations, patience) // every
    images = sum(map(len, run.splits.values()))
    return images * run.network.dimensions * np.dtype(np.float16).itemsize * steps


def features_stores(settings: Settings, network: LayoutNetwork) -> list[ResultStore]:
    """Return the stores of the trunk features that training takes; none unless it is frozen."""
    options, dataset = options_of(settings), network.dataset
    if options.frozen != "trunk":
        return []
    samples = {"training": training_samples(settings, dataset)}
    if options.keep_embeddings:
        samples["test"] = readers.load_samples(settings, dataset, "test")
    return [
        trunk_features.features_store(settings, dataset, network.model, samples[name], name)
        for name in samples
    ]


def all_features_stores(settings: Settings) -> list[ResultStore]:
    """Return the features_stores of all networks, each once."""
    networks = trained_networks(settings)
    stores = [store for network in networks for store in features_stores(settings, network)]
    return list({store.folder: store for store in stores}.values())
