"""The losses that networks are trained with: the paper's fourteen, and any class that settings name.

The fourteen are pytorch-metric-learning's, with the best hyperparameters that the Reality Check found.
"""

import inspect
from collections.abc import Callable
from typing import NamedTuple

import pytorch_metric_learning as library
import torch
from pytorch_metric_learning import losses, miners, regularizers
from torch import nn

from dml_analysis.errors import InputError, one_line
from dml_analysis.imports import imported, is_name
from dml_analysis.training.hyperparameters import hyperparameters

CENTERS_PER_CLASS = 10  # of SoftTriple
LEARNING_RATES = ("proxy_lr", "weights_lr", "beta_lr")  # of a loss's own parameters


class TrainingLoss(NamedTuple):
    function: nn.Module
    miner: Callable | None
    learning_rate: float | None  # of the loss's own parameters, None where it has none
    images_per_class: int  # in a batch
    decays: bool = True  # whether its own parameters have the weight decay of all others


def training_loss(model, dataset, classes, dimensions):
    """A model's loss for `classes` classes and embeddings of `dimensions`.

    dataset: whose hyperparameters the paper's fourteen take. Raises InputError if a class that settings name cannot be
    imported, or does not take the arguments that they give.
    """
    if model.loss:
        return _named_loss(model, {"num_classes": classes, "embedding_size": dimensions})
    values = hyperparameters(model, dataset)
    rate = next((values.pop(name) for name in LEARNING_RATES if name in values), None)
    epsilon = values.pop("epsilon", None)
    miner = miners.MultiSimilarityMiner(epsilon=epsilon) if epsilon is not None else None
    proxies = {"num_classes": classes, "embedding_size": dimensions}
    build = {
        "Contrastive": lambda: losses.ContrastiveLoss(**values),
        "Triplet": lambda: losses.TripletMarginLoss(**values),
        "NTXent": lambda: losses.NTXentLoss(**values),
        "ProxyNCA": lambda: losses.ProxyNCALoss(**proxies, **values),
        "Margin": lambda: _margin(values, None),
        "Margin / class": lambda: _margin(values, classes),
        "Normalized Softmax": lambda: losses.NormalizedSoftmaxLoss(**proxies, **values),
        "CosFace": lambda: losses.CosFaceLoss(**proxies, **values),
        "ArcFace": lambda: losses.ArcFaceLoss(**proxies, **values),  # margin in degrees
        "FastAP": lambda: losses.FastAPLoss(num_bins=int(values["num_bins"])),
        "SNR Contrastive": lambda: _snr_contrastive(**values),
        "Multi Similarity": lambda: losses.MultiSimilarityLoss(**values),
        "Multi Similarity + Miner": lambda: losses.MultiSimilarityLoss(**values),
        "SoftTriple": lambda: _soft_triple(proxies, **values),
    }
    function = build[model.name]()
    # Losses with a vector for each class compare images with these, the others with images of the same class.
    return TrainingLoss(function, miner, rate, 1 if has_proxies(function) else 4, "no_weight_decay" not in model.key)


def has_proxies(function):
    """Whether a loss has a vector for each class."""
    return any(parameter.ndim > 1 for parameter in function.parameters())


def _margin(values, classes):
    """Margin loss with a learned boundary beta: one for all classes, or one per class."""
    return losses.MarginLoss(margin=values["margin"], beta=values["init_beta"], learn_beta=True, num_classes=classes)


class ZeroMean(regularizers.ZeroMeanRegularizer):
    """Of embeddings of length 1, as the library had it when the Reality Check searched for its weight."""

    def compute_loss(self, embeddings):
        return super().compute_loss(nn.functional.normalize(embeddings))


def _snr_contrastive(pos_margin, neg_margin, regularizer_weight):
    regularizer = ZeroMean() if regularizer_weight else None
    return losses.SignalToNoiseRatioContrastiveLoss(
        pos_margin=pos_margin,
        neg_margin=neg_margin,
        embedding_regularizer=regularizer,
        embedding_reg_weight=regularizer_weight,
    )


def _soft_triple(proxies, la, gamma, margin, reg_weight=None):
    regularizer = None
    if reg_weight is not None:
        regularizer = regularizers.SparseCentersRegularizer(proxies["num_classes"], CENTERS_PER_CLASS)
    return losses.SoftTripleLoss(
        **proxies,
        centers_per_class=CENTERS_PER_CLASS,
        la=la,
        gamma=gamma,
        margin=margin,
        weight_regularizer=regularizer,
        weight_reg_weight=1 if reg_weight is None else reg_weight,
    )


# ---------------------------------------------------------------------------------------------------------------------
# Losses that settings name.
# ---------------------------------------------------------------------------------------------------------------------
def _named_loss(model, known):
    where = f"models: {model.name!r}: loss {model.loss}"
    function = built(where, model.loss, "losses", model.loss_arguments, known)
    if not isinstance(function, nn.Module):
        raise InputError(f"{where}: must be a torch.nn.Module, called with embeddings and labels")
    if any(True for _ in function.parameters()) != (model.loss_learning_rate is not None):
        parameters = (
            "has parameters of its own: give" if model.loss_learning_rate is None else "has no parameters: remove"
        )
        raise InputError(f"{where}: {parameters} `loss_learning_rate`")
    miner = None
    if model.miner:
        where = f"models: {model.name!r}: miner {model.miner}"
        miner = built(where, model.miner, "miners", model.miner_arguments, known)
    return TrainingLoss(function, miner, model.loss_learning_rate, model.images_per_class)


def check_loss(model, kit, dimensions):
    """Raise InputError unless a loss that settings name gives one number for a batch of two classes, to be trained by."""
    if not model.loss:
        return
    where = f"models: {model.name!r}: loss {model.loss}"
    embeddings = torch.eye(4, dimensions, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1])
    try:
        value = kit.function(embeddings, labels, kit.miner(embeddings, labels) if kit.miner else None)
    except Exception as error:  # whatever somebody else's code does
        raise InputError(
            f"{where}: cannot be called with embeddings (4, {dimensions}), their labels and None or what a miner gives ({one_line(error)})"
        ) from None
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise InputError(f"{where}: must give a tensor of one number for a batch")


def built(where, name, module, arguments, known):
    """An instance of a class of pytorch_metric_learning.<module>, or module:class. known: arguments that it may ask for."""
    found = imported(name) if is_name(name) else getattr(getattr(library, module), name, None)
    if not callable(found):
        raise InputError(
            f"{where}: pytorch_metric_learning.{module} has no such class; one of your own is module:class"
        )
    try:
        asked = inspect.signature(found).parameters
        return found(**{key: value for key, value in known.items() if key in asked} | arguments)
    except Exception as error:  # whatever somebody else's code does
        raise InputError(f"{where}: does not take its arguments ({one_line(error)})") from None
