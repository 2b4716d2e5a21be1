"""Losses that networks are trained with: the paper's fourteen, and classes that settings name.

The fourteen are pytorch-metric-learning's, with the best hyperparameters of the Reality Check.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from pytorch_metric_learning import losses, miners, regularizers
from torch import nn

from dml_analysis.errors import InputError, one_line
from dml_analysis.imports import imported, is_name
from dml_analysis.paper import Model
from dml_analysis.training.hyperparameters import hyperparameters

LEARNING_RATES = ("proxy_lr", "weights_lr", "beta_lr")  # of a loss's own parameters
# What to do about a loss that fails in a step.
FAILURE = "mend the loss, or set sampler: strict if it needs equally many images of each class"


class TrainingLoss(NamedTuple):
    """A loss, its miner, and how they are used in training."""

    function: nn.Module
    miner: Callable | None
    learning_rate: float | None  # of the loss's own parameters; None if it has none
    images_per_class: int  # in a batch
    decays: bool = True  # whether weight decay applies to the loss's own parameters


def training_loss(
    model: Model, dataset: str, classes: int, dimensions: int, rate_factor: float = 1
) -> TrainingLoss:
    """Return a model's loss for `classes` classes and embeddings of `dimensions` dimensions.

    dataset: the one whose hyperparameters the paper's fourteen losses use. rate_factor: of the
    learning rate for the parameters of the loss. Raises InputError if a class
    that the settings name cannot be imported, or does not take its arguments.
    """
    if model.loss:
        return _named_loss(model, classes, dimensions, rate_factor)
    values = hyperparameters(model, dataset)
    rates = [values.pop(name) for name in LEARNING_RATES if name in values]
    rate = rates[0] * rate_factor if rates else None
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
        "SoftTriple": lambda: soft_triple(classes, dimensions, centers_per_class=10, **values),
    }
    function = build[model.name]()
    # Losses with a vector per class compare images with it, the others images of a class.
    images_per_class = 1 if has_proxies(function) else 4
    decays = "no_weight_decay" not in model.key
    return TrainingLoss(function, miner, rate, images_per_class, decays)


def has_proxies(function: nn.Module) -> bool:
    """Return whether a loss has a vector for each class."""
    return any(parameter.ndim > 1 for parameter in function.parameters())


def _margin(values: Mapping[str, float], classes: int | None) -> nn.Module:
    """Return the margin loss with a learned boundary beta: one per class, or one if None."""
    margin, beta = values["margin"], values["init_beta"]
    return losses.MarginLoss(margin=margin, beta=beta, learn_beta=True, num_classes=classes)


class NormalizedZeroMean(regularizers.ZeroMeanRegularizer):
    """Regularise the sum of the entries of embeddings of length 1.

    The Reality Check searched its weight with a version of the library that normalised first.
    """

    def compute_loss(self, embeddings: Float[torch.Tensor, "n d"]) -> dict[str, Any]:
        """Return the library's loss dictionary for the normalised embeddings."""
        return super().compute_loss(nn.functional.normalize(embeddings))


def _snr_contrastive(pos_margin: float, neg_margin: float, regularizer_weight: float) -> nn.Module:
    """Return the SNR contrastive loss, regularised unless the weight is zero."""
    return losses.SignalToNoiseRatioContrastiveLoss(
        pos_margin=pos_margin, neg_margin=neg_margin, **zero_mean(regularizer_weight)
    )


def zero_mean(weight: float) -> dict[str, Any]:
    """Return the arguments of a loss that add `weight` times NormalizedZeroMean, unless it is zero."""
    regularizer = NormalizedZeroMean() if weight else None
    return {"embedding_regularizer": regularizer, "embedding_reg_weight": weight}


def soft_triple(
    num_classes: int,
    embedding_size: int,
    centers_per_class: int,
    la: float,
    gamma: float,
    margin: float,
    reg_weight: float | None = None,
) -> nn.Module:
    """Return SoftTriple (Qian et al. 2019).

    reg_weight: of its regulariser of centres, None for no regulariser.
    """
    sizes = {"num_classes": num_classes, "centers_per_class": centers_per_class}
    regularizer = {}
    if reg_weight is not None:
        centers = regularizers.SparseCentersRegularizer(**sizes)
        regularizer = {"weight_regularizer": centers, "weight_reg_weight": reg_weight}
    return losses.SoftTripleLoss(
        **sizes, embedding_size=embedding_size, la=la, gamma=gamma, margin=margin, **regularizer
    )


# -------------------------------------------------------------------------------------------------
# Losses that settings name.
# -------------------------------------------------------------------------------------------------
class SoftmaxLoss(nn.Module):
    """The cross-entropy of a linear classifier, with a bias for each class."""

    def __init__(self, num_classes: int, embedding_size: int) -> None:
        """Create the classifier with random weights."""
        super().__init__()
        self.classifier = nn.Linear(embedding_size, num_classes)

    def forward(
        self,
        embeddings: Float[torch.Tensor, "n d"],
        labels: Int[torch.Tensor, " n"],
        _: None = None,
    ) -> Float[torch.Tensor, ""]:
        """Return the mean cross-entropy of embeddings, as they are, and their classes."""
        return nn.functional.cross_entropy(self.classifier(embeddings), labels)


NAMED = {  # by their names in settings
    "losses": {**vars(losses), "SoftmaxLoss": SoftmaxLoss},
    "miners": vars(miners),
}


def _named_loss(model: Model, classes: int, dimensions: int, rate_factor: float) -> TrainingLoss:
    """Return the loss and the miner that a model names in the settings.

    Raises InputError if the loss is not an nn.Module, or `loss_learning_rate` does not fit it, and
    as instance_of does.
    """
    known = {"num_classes": classes, "embedding_size": dimensions, "descriptors_dim": dimensions}
    where = f"models: {model.name!r}: loss {model.loss}"
    function = instance_of(where, model.loss, "losses", model.loss_arguments, known)
    if not isinstance(function, nn.Module):
        raise InputError(f"{where}: must be a torch.nn.Module, called with embeddings and labels")
    if any(True for _ in function.parameters()) != (model.loss_learning_rate is not None):
        if model.loss_learning_rate is None:
            problem = "has parameters of its own: give"
        else:
            problem = "has no parameters: remove"
        raise InputError(f"{where}: {problem} `loss_learning_rate`")
    miner = None
    if model.miner:
        where = f"models: {model.name!r}: miner {model.miner}"
        miner = instance_of(where, model.miner, "miners", model.miner_arguments, known)
    rate = None if model.loss_learning_rate is None else model.loss_learning_rate * rate_factor
    return TrainingLoss(function, miner, rate, model.images_per_class)


def check_loss(
    model: Model, kit: TrainingLoss, dimensions: int, batches: Iterable[Int[torch.Tensor, " n"]]
) -> None:
    """Raise InputError unless a loss that the settings name can be trained on random embeddings.

    kit: the model's loss; dimensions: of the embeddings; batches: the labels of each batch. The
    paper's losses are not checked.
    """
    if not model.loss:
        return
    where, random = f"models: {model.name!r}: loss {model.loss}", torch.Generator().manual_seed(0)
    for labels in batches:
        embeddings = torch.randn(len(labels), dimensions, generator=random).requires_grad_()
        try:
            tuples = kit.miner(embeddings, labels) if kit.miner else None
            value = kit.function(embeddings, labels, tuples)
            is_number = isinstance(value, torch.Tensor) and value.numel() == 1
            if is_number:
                value.backward()
        except Exception as error:  # any, because it is the user's code
            raise InputError(
                f"{where}: fails for embeddings ({len(labels)}, {dimensions}), their labels and "
                f"{'what the miner gives' if kit.miner else 'None'} ({one_line(error)}); {FAILURE}"
            ) from None
        if not is_number:
            raise InputError(f"{where}: must give a tensor of one number for a batch")


def instance_of(
    where: str, name: str, module: str, arguments: Mapping[str, Any], known: Mapping[str, Any]
) -> Any:
    """Return an instance of a class of NAMED[module], or of module:class.

    where: how messages begin; arguments: its arguments; known: arguments that it gets if it takes
    them. Raises InputError if there is no such class, or it fails.
    """
    function = imported(name) if is_name(name) else NAMED[module].get(name)
    if not callable(function):
        names = [key for key, value in NAMED[module].items() if inspect.isclass(value)]
        nearest = get_close_matches(name, names, cutoff=0.5)
        hint = f"did you mean {', '.join(nearest)}?" if nearest else "is it one of your own?"
        raise InputError(
            f"{where}: pytorch_metric_learning.{module} has no such class; {hint} "
            "Write those of your own as module:class"
        )
    try:
        taken = parameters_of(function)
        defaults = {key: value for key, value in known.items() if key in taken}
        return function(**(defaults | dict(arguments)))
    except Exception as error:  # any, because it is the user's code
        raise InputError(f"{where}: does not take its arguments ({one_line(error)})") from None


def parameters_of(function: Callable) -> set[str]:
    """Return the names of the parameters of a function, or of a class.

    If a class passes **kwargs on to the class that it is derived from, it has those parameters too.
    """
    names: set[str] = set()
    for each in inspect.getmro(function) if inspect.isclass(function) else (function,):
        parameters = inspect.signature(each).parameters
        names |= parameters.keys()
        if all(value.kind is not value.VAR_KEYWORD for value in parameters.values()):
            break
    return names
