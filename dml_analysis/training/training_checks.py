"""Checks before training starts: classes, batches, losses and images."""

from collections.abc import Iterable, Sequence
from itertools import product

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
from dml_analysis.training.training_runs import SPLITS, TrainingRun, options_of, training_samples

MIN_CLASSES = 2  # to train on, and to validate on


def check_classes(settings: Settings) -> None:
    """Raise InputError if a fold has too few classes for training or validation.

    At least one class needs two images. It is also raised if the settings train nothing.
    """
    options_of(settings)
    for dataset in settings.datasets:
        for fold, split in product(settings.folds, SPLITS[:2]):
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
    """Check the losses, batches and images of runs, and record the digests of their inputs.

    Raises InputError if a loss cannot be built, a batch is impossible, or an image is missing or
    broken.
    """
    runs = list(runs)
    for _, run in runs:
        _check_loss_and_batches(run)
    by_dataset = {(settings.name, run.network.dataset): (settings, run) for settings, run in runs}
    for (_, dataset), (settings, run) in by_dataset.items():
        readers.required_samples(settings, dataset, "test")
        samples = [sample for split in run.splits.values() for sample in split]
        readers.check_images(samples, check_header)
        image_digests.keep(settings.records, [training_samples(settings, dataset)])
    for records, source in {(run.network.records, run.network.source) for _, run in runs}:
        sources.keep(records, {source})
        checksums.keep(records, source.inputs())


def _check_loss_and_batches(run: TrainingRun) -> None:
    """Raise InputError if a run's loss cannot be built, or its batches are impossible."""
    from dml_analysis.training.losses import check_loss  # slow to import
    from dml_analysis.training.training_loop import loss_of

    kit = loss_of(run, MIN_CLASSES)
    check_loss(run.network.model, kit, run.network.dimensions)
    labels = [sample.label for sample in run.splits["train"]]
    names = {sample.label: f"the class of {sample.path}" for sample in run.splits["train"]}
    options = run.options
    sampler = "strict" if options.filler in BY_EMBEDDINGS else options.sampler
    problem = class_batches.problem(
        labels, names, kit.images_per_class, options.batch_size, sampler
    )
    if problem:
        raise InputError(f"{run.name}: {problem}")
