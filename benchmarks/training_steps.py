"""Training steps of the small-scale replication: ours, from image files, and a bare loop over
tensors in memory.
"""

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
from dml_analysis.training.losses import training_loss
from dml_analysis.training.roth import batch_samplers
from dml_analysis.training.trainer import Training, freeze, in_training_mode
from dml_analysis.training.training_inputs import AugmentedImages, Images
from dml_analysis.training.training_loop import reader_count

STEPS, SEED = 25, 0  # between two validation steps of the small-scale replication
STUDY, SAMPLE = (load_settings(ROOT / "settings" / name) for name in ("study.yaml", "demo.yaml"))


def a_training(options, model, classes, device):
    """A Training from EfficientNet-Lite0 on."""
    network = EmbeddingNetwork(lite0_160()[0], seeded(SEED, lambda: Embedder(1280, 128)))
    tuned_as = options.hyperparameters or "SyntheticCars"
    kit = seeded(SEED, lambda: training_loss(model, tuned_as, classes, 128))
    rate = options.learning_rates[0]
    return Training(freeze(network, options.frozen), kit, options, rate, SEED, device)


def bare_steps(training, batches):
    """The same steps without ours: each is the network, the loss and an optimizer on tensors (n, 3,
    h, w) and (n,).
    """
    network, function, (optimizer,) = training.network, training.function, training.optimizers
    in_training_mode(network, training.options.frozen)
    for images, labels in batches:
        optimizer.zero_grad()
        function(network(images), labels).backward()
        optimizer.step()
    if training.device.type == "cuda":
        torch.cuda.synchronize()


def our_steps(training, inputs, labels, places, start):
    """From image files, as run_training does, of so many iterations at a time."""
    first = next(start)
    for iteration, images in enumerate(inputs.batches(places, first, first + STEPS - 1), first):
        training.step(images, labels[places(iteration)])


def rows(rounds=5):
    """Rows for a CPU and a GPU; the latter without times where there is none."""
    return [_row("cpu", 0.85, rounds), _row("cuda", 0.9, rounds)]


def _row(device, target, rounds):
    row = Row(
        "a training step of the study", "bare loop over tensors in memory", device, "s", target
    )
    if device == "cuda" and not torch.cuda.is_available():
        return row
    model = next(each for each in STUDY.models if each.name == "Contrastive")
    items, transform = load_samples(SAMPLE, "SyntheticCars", "train", fold=0), lite0_160()[1]
    classes, labels = np.unique([item.label for item in items], return_inverse=True)
    labels, options = torch.from_numpy(labels), STUDY.training
    ours, bare = (a_training(options, model, len(classes), device) for _ in range(2))
    images = AugmentedImages(items, transform, measured_crop(transform), options.augmentation, SEED)
    inputs = Images(images, reader_count(options.workers, ours.device))
    places = batch_samplers.batch_indices(options, labels, 4, SEED)
    batches = [
        (images.to(device, memory_format=torch.channels_last), labels[places(iteration)].to(device))
        for iteration, images in enumerate(inputs.batches(places, 1, STEPS), 1)
    ]
    runs = {
        "bare": partial(bare_steps, bare, batches),
        "ours": partial(our_steps, ours, inputs, labels, places, count(1, STEPS)),
    }
    medians(runs, 1)  # the first are slower
    seconds = {name: each / STEPS for name, each in medians(runs, rounds).items()}
    return row._replace(ours=seconds["ours"], theirs=seconds["bare"], rounds=rounds)
