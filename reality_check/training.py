"""Training an embedder on features of a frozen trunk, the way the Reality Check trains whole networks.

RMSprop with its momentum and weight decay, its batch composition, and the best checkpoint by MAP@R on the fold's
validation classes. Learning rate and number of iterations are the caller's.
"""

import copy

import numpy as np
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.samplers import MPerClassSampler
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

from reality_check.architecture import DIMENSIONS
from reality_check.losses import training_loss
from reality_check.modules import Embedder

WEIGHT_DECAY, MOMENTUM = 1e-4, 0.9


def images_per_class(wanted, batch_size, classes):
    """How many images of a class go into a batch: the Reality Check's number, more where there are too few classes."""
    return next(m for m in range(wanted, batch_size + 1) if batch_size % m == 0 and batch_size // m <= classes)


def map_at_r(embeddings, labels):
    """MAP@R of labelled embeddings (n, d), each the query of all others, by cosine similarity."""
    calculator = AccuracyCalculator(include=("mean_average_precision_at_r",), knn_func=CustomKNN(CosineSimilarity()))
    return calculator.get_accuracy(embeddings, labels)["mean_average_precision_at_r"]


def train_embedder(model, dataset, train, validation, training, seed):
    """Train an embedder; returns (embedder with the best validation MAP@R, that MAP@R, its iteration).

    It learns on standardised features, on which one learning rate suits all losses; what is returned takes raw ones.

    train, validation: (features (n, f) float tensor, labels (n,) int tensor).
    training: common.settings.TrainingSettings.
    """
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # the samplers of pytorch-metric-learning draw from numpy
    mean, std = train[0].mean(dim=0), train[0].std(dim=0).clamp(min=1e-6)
    features, held_out = (train[0] - mean) / std, (validation[0] - mean) / std
    classes = torch.unique(train[1], return_inverse=True)[1]
    embedder = Embedder(features.shape[1], DIMENSIONS)
    kit = training_loss(model, dataset, int(classes.max()) + 1, DIMENSIONS)
    optimizers = [_rmsprop(embedder.parameters(), training.learning_rate, WEIGHT_DECAY)]
    if kit.learning_rate is not None:
        decay = 0 if "no_weight_decay" in model.key else WEIGHT_DECAY
        optimizers.append(_rmsprop(kit.function.parameters(), kit.learning_rate, decay))
    best = (copy.deepcopy(embedder), -1.0, 0)
    for iteration, batch in enumerate(_batches(kit.images_per_class, classes, training), start=1):
        _step(embedder, kit, optimizers, features[batch], classes[batch])
        if iteration % training.check_every == 0:
            with torch.no_grad():
                score = map_at_r(embedder(held_out), validation[1])
            if score > best[1]:
                best = (copy.deepcopy(embedder), score, iteration)
    return (for_raw_features(best[0], mean, std), *best[1:])


@torch.no_grad()
def for_raw_features(embedder, mean, std):
    """The embedder of features x that gives what `embedder` gives for (x - mean) / std."""
    weight, bias = embedder.net[0].weight, embedder.net[0].bias
    raw = Embedder(weight.shape[1], weight.shape[0])
    raw.net[0].weight.copy_(weight / std)
    raw.net[0].bias.copy_(bias - (weight / std) @ mean)
    return raw


def _rmsprop(parameters, learning_rate, weight_decay):
    return torch.optim.RMSprop(parameters, lr=learning_rate, momentum=MOMENTUM, weight_decay=weight_decay)


def _batches(wanted, labels, training):
    """Index tensors of batches, as many as there are iterations."""
    per_class = images_per_class(wanted, training.batch_size, int(labels.max()) + 1)
    sampler = MPerClassSampler(
        labels, per_class, training.batch_size, length_before_new_iter=training.iterations * training.batch_size
    )
    return torch.tensor(list(sampler)).split(training.batch_size)


def _step(embedder, kit, optimizers, features, labels):
    embeddings = embedder(features)
    value = kit.function(embeddings, labels, kit.miner(embeddings, labels) if kit.miner else None)
    for optimizer in optimizers:
        optimizer.zero_grad()
    value.backward()
    for optimizer in optimizers:
        optimizer.step()
