"""Checks before training starts: classes, batches, losses and images."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from dml_analysis import checksums
from dml_analysis.config import BY_EMBEDDINGS, Settings
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.images import check_header
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.networks import sources
from dml_analysis.networks.specifications import start_source
from dml_analysis.paper import Model
from dml_analysis.training import class_batches
from dml_analysis.training.training_runs import (
    SPLITS,
    TrainingRun,
    options_of,
    rates_of,
    store_of,
    trained_folds,
    trained_networks,
    training_samples,
)

if TYPE_CHECKING:  # torch takes seconds to load
    import torch

MIN_CLASSES = 2  # to train on, and to validate on


def check_classes(settings: Settings) -> None:
    """Raise InputError if a fold has too few classes for training or validation.

    At least one class needs two images. It is also raised if the settings train nothing.
    """
    options_of(settings)
    for dataset in settings.datasets:
        for fold, split in product(trained_folds(settings), SPLITS[:2]):
            where = settings.paths[dataset]
            labels = [s.label for s in readers.required_samples(settings, dataset, split, fold)]
            if len(set(labels)) < MIN_CLASSES:
                raise InputError(
                    f"{where}: fold {fold} has fewer than {MIN_CLASSES} {split} classes"
                )
            if len(set(labels)) == len(labels):
                raise InputError(f"{where}: no {split} class of fold {fold} has two images")


def prepare_features(settings: Settings, model: Model, samples: Sequence[Sample]) -> None:
    """Check that images exist, and record their digests and what the trunk of a model is."""
    readers.check_images(samples)
    image_digests.keep(settings.records, [samples])
    sources.keep(settings.records, {start_source(settings, model)})


def prepare_runs(runs: Iterable[tuple[Settings, TrainingRun]]) -> None:
    """Check the images of runs, and record the digests of their inputs.

    Raises InputError if an image is missing or broken.
    """
    runs = list(runs)
    by_dataset = {(settings.name, run.network.dataset): (settings, run) for settings, run in runs}
    for (_, dataset), (settings, run) in by_dataset.items():
        readers.required_samples(settings, dataset, "test")
        samples = [sample for split in run.splits.values() for sample in split]
        readers.check_images(samples, check_header)
        image_digests.keep(settings.records, [training_samples(settings, dataset)])
    for records, source in {(run.network.records, run.network.source) for _, run in runs}:
        sources.keep(records, {source})
        checksums.keep(records, source.inputs())


def check_runs(settings: Settings) -> None:
    """Check the losses, batches and trunks of the runs to come, before anything is computed.

    Raises InputError if a loss cannot be built or fails for random embeddings, a batch is
    impossible, or the layers of a trunk are not known although `layer_decay` needs them.
    """
    checked_trunks = set()
    for network in trained_networks(settings.model_copy(update={"folds": trained_folds(settings)})):
        stores = [store_of(settings, network, rate) for rate in rates_of(settings, network)]
        if not all(store.is_missing(0) for store in stores):
            continue
        run = stores[0].subject
        _check_loss_and_batches(run)
        if run.options.layer_decay != 1 and network.source not in checked_trunks:
            _check_layers(run)
            checked_trunks.add(network.source)


def _check_loss_and_batches(run: TrainingRun) -> None:
    """Raise InputError if a run's loss cannot be trained, or its batches are impossible."""
    from dml_analysis.training.losses import check_loss  # slow to import
    from dml_analysis.training.training_loop import loss_of

    network, options = run.network, run.options
    labels = [sample.label for sample in run.splits["train"]]
    names = {sample.label: f"the class of {sample.path}" for sample in run.splits["train"]}
    kit = loss_of(run, len(names))
    sampler = "strict" if options.filler in BY_EMBEDDINGS else options.sampler
    problem = class_batches.problem(
        labels, names, kit.images_per_class, options.batch_size, sampler
    )
    if problem:
        raise InputError(f"{network.name}: {problem}")
    check_loss(network.model, kit, network.dimensions, _some_batches(run, kit.images_per_class))


def _some_batches(run: TrainingRun, per_class: int) -> "Iterator[torch.Tensor]":
    """Yield the labels of the first two batches of a run, and of the one where the first epoch ends.

    There the original sampler may take a class twice.
    """
    import torch

    from dml_analysis.training.roth.batch_samplers import batch_indices

    labels = np.unique([sample.label for sample in run.splits["train"]], return_inverse=True)[1]
    random = np.random.default_rng(0).normal(size=(len(labels), run.network.dimensions))
    indices = batch_indices(run.options, labels, per_class, 0, random)
    last = (labels.max() + 1) * per_class // run.options.batch_size + 1
    for iteration in dict.fromkeys((1, 2, int(last))):
        yield torch.from_numpy(labels[indices(iteration)])


def _check_layers(run: TrainingRun) -> None:
    """Raise InputError if the layers of a run's trunk are not known."""
    from dml_analysis.training.trainer import layer_groups
    from dml_analysis.training.trunk_features import build_trunk

    trunk, _ = build_trunk(run.network.source, run.imagenet_trunk)
    try:
        layer_groups(trunk, run.rate, run.options.layer_decay)
    except InputError as error:
        raise InputError(f"{run.network.name}: {error}") from None
