"""The fourteen training losses, as pytorch-metric-learning has them, with the Reality Check's best hyperparameters."""

from typing import NamedTuple

from pytorch_metric_learning import losses, miners, regularizers
from torch import nn

from reality_check.hyperparameters import hyperparameters

CENTERS_PER_CLASS = 10  # of SoftTriple
LEARNING_RATES = ("proxy_lr", "weights_lr", "beta_lr")  # of a loss's own parameters


class TrainingLoss(NamedTuple):
    function: nn.Module
    miner: nn.Module | None
    learning_rate: float | None  # of the loss's own parameters, None where it has none
    images_per_class: int  # in a batch of the Reality Check


def training_loss(model, dataset, classes, dimensions):
    """Build a model's loss for `classes` classes and embeddings of `dimensions`; the miner only where it has one."""
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
    has_proxies = any(parameter.ndim > 1 for parameter in function.parameters())
    return TrainingLoss(function, miner, rate, 1 if has_proxies else 4)


def _margin(values, classes):
    """Margin loss with a learned boundary beta: one for all classes, or one per class."""
    return losses.MarginLoss(margin=values["margin"], beta=values["init_beta"], learn_beta=True, num_classes=classes)


def _snr_contrastive(pos_margin, neg_margin, regularizer_weight):
    regularizer = regularizers.ZeroMeanRegularizer() if regularizer_weight else None
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
        weight_reg_weight=reg_weight or 1,
    )
