"""Training steps of the small-scale replication: ours, and a bare loop over tensors in memory."""

from collections.abc import Iterable
from functools import partial
from itertools import count

import numpy as np
import torch

from benchmarks.measure import Row, medians
from dml_analysis.checkout import ROOT
from dml_analysis.config import load_settings
from dml_analysis.datasets.readers import load_samples
from dml_analysis.networks.crops import measured_crop
from dml_analysis.networks.efficientnet_lite import lite0_160
from dml_analysis.networks.modules import Embedder, EmbeddingNetwork, seeded
from dml_analysis.paper import Model
from dml_analysis.training.losses import training_loss
from dml_analysis.training.roth.batch_samplers import batch_indices
from dml_analysis.training.trainer import Training, freeze, in_training_mode
from dml_analysis.training.training_inputs import AugmentedImages, Images
from dml_analysis.training.training_loop import reader_count

STEPS, SEED = 25, 0  # between two validation steps of the small-scale replication
REPLICATION, SAMPLE = (
    load_settings(ROOT / "settings" / f"{name}.yaml") for name in ("replication_same_rate", "demo")
)


def new_training(model: Model, classes: int) -> Training:
    """Return a Training that starts from EfficientNet-Lite0."""
    options = REPLICATION.training
    network = EmbeddingNetwork(lite0_160()[0], seeded(SEED, lambda: Embedder(1280, 128)))
    tuned_as = options.hyperparameters or "SyntheticCars"
    loss = seeded(SEED, lambda: training_loss(model, tuned_as, classes, 128))
    rate = options.learning_rates[0]
    return Training(freeze(network, options.frozen), loss, options, rate, SEED)


def bare_steps(training: Training, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Do the same steps with nothing but the network, the loss and the optimizer."""
    network, function, (optimizer,) = training.network, training.function, training.optimizers
    in_training_mode(network, training.options.frozen)
    for images, labels in batches:
        optimizer.zero_grad()
        function(network(images), labels).backward()
        optimizer.step()


def rows(rounds: int = 5) -> list[Row]:
    """Return the comparison per step; ours reads images from their files."""
    model = next(model for model in REPLICATION.models if model.name == "Contrastive")
    samples, transform = load_samples(SAMPLE, "SyntheticCars", "train", fold=0), lite0_160()[1]
    classes, labels = np.unique([sample.label for sample in samples], return_inverse=True)
    labels, options = torch.from_numpy(labels), REPLICATION.training
    ours, bare = (new_training(model, len(classes)) for _ in range(2))
    crop = measured_crop(transform)
    images = AugmentedImages(samples, transform, crop, options.augmentation, SEED)
    inputs = Images(images, reader_count(options.workers, ours.device))
    indices, starts = batch_indices(options, labels, 4, SEED), count(1, STEPS)

    def our_steps() -> None:
        first = next(starts)
        for iteration, batch in enumerate(inputs.batches(indices, first, first + STEPS - 1), first):
            ours.step(batch, labels[indices(iteration)])

    batches = [
        (batch.to(memory_format=torch.channels_last), labels[indices(iteration)])
        for iteration, batch in enumerate(inputs.batches(indices, 1, STEPS), 1)
    ]
    functions = {"ours": our_steps, "bare": partial(bare_steps, bare, batches)}
    medians(functions, 1)  # the first are slower
    seconds = (time / STEPS for time in medians(functions, rounds).values())
    what, against = "a training step of the replication", "bare loop over tensors in memory"
    return [Row(what, against, "s", 0.85, *seconds)]
