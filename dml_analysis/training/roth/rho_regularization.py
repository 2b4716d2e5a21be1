"""Rho-regularisation of Roth et al. (ICML 2020, arXiv 2002.08473): negatives of the anchor's class.

It keeps the images of a class apart, so that the spectrum of singular values of the embeddings
stays flat. A tuple (a, p, n) becomes, with probability rho and independently of all others,

    "push"  (a, a, n') - their public code: nothing is pulled, a and n' are pushed apart;
    "swap"  (a, p, n') - their article: only the negative is swapped, a and p are pulled together,

where n' is a random other image of a's class. The two are different losses. The public code has
"push" only, as part of one triplet miner, the distance-weighted one; here both forms work with any
miner, and without one. With two images per class in a batch, as in Roth et al., n' of "swap" is p
itself: pull and push of the tuple cancel, so that it has nearly no effect. A comparison should
train a loss with a miner, the same with "push", and the same with "swap", all else equal.
"""

from typing import Any

import torch
from jaxtyping import Bool, Int
from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices

from dml_analysis.config import RHO_FORMS
from dml_analysis.training.losses import instance_of
from dml_analysis.training.roth.roth_miners import Embeddings, Indices, Labels, sampled


class RhoMiner:
    """A miner whose tuples are switched with probability rho; the module's text defines the forms.

    With rho = 0 it returns the miner's result, None without a miner, and uses no random numbers:
    the loss is exactly the plain one. Otherwise it returns three or four tensors, as the miner
    does. Random numbers come from torch's global generator.

    "swap" may make a pair both positive and negative. The library's losses on complete matrices
    (MultiSimilarityLoss, GeneralizedLiftedStructureLoss) refuse such pairs.
    """

    def __init__(
        self, miner: Any = None, rho: float = 0.2, form: str = "swap", **arguments: Any
    ) -> None:
        """Set the miner and how its tuples are switched.

        miner: the name of a class of pytorch_metric_learning.miners or module:class, created with
        `arguments`; or a miner; or None for all triplets of a batch. Raises ValueError if rho is
        not in [0, 1], the form is unknown, or arguments are given without a miner's name.
        """
        if not 0 <= rho <= 1:
            raise ValueError(f"rho is {rho}, but must be between 0 and 1")
        if form not in RHO_FORMS:
            raise ValueError(f"unknown form {form!r}; known: {', '.join(RHO_FORMS)}")
        if arguments and not isinstance(miner, str):
            raise ValueError(f"{', '.join(arguments)}: only a miner that is named takes arguments")
        if isinstance(miner, str):
            miner = instance_of(f"miner {miner}", miner, "miners", arguments, {})
        self.miner, self.rho, self.form = miner, rho, form

    @torch.no_grad()
    def __call__(self, embeddings: Embeddings, labels: Labels) -> tuple[Indices, ...] | None:
        """Return the switched tuples of a batch."""
        tuples = self.miner(embeddings, labels) if self.miner else None
        if self.rho == 0:
            return tuples
        tuples = get_all_triplets_indices(labels) if tuples is None else tuples
        switched = switched_triplets if len(tuples) == 3 else switched_pairs
        return switched(tuples, labels, self.rho, self.form)


def switched_triplets(
    triplets: tuple[Indices, Indices, Indices], labels: Labels, rho: float, form: str
) -> tuple[Indices, Indices, Indices]:
    """Return triplets (a, p, n), of which each is switched with probability rho.

    labels: of the batch. Triplets whose anchor is alone in its class stay as they are.
    """
    anchors, positives, negatives = triplets
    switched, others = _others(anchors, labels, rho)
    if form == "push":
        positives = torch.where(switched, anchors, positives)
    return anchors, positives, negatives.masked_scatter(switched, others)


def switched_pairs(
    pairs: tuple[Indices, Indices, Indices, Indices], labels: Labels, rho: float, form: str
) -> tuple[Indices, Indices, Indices, Indices]:
    """Return positive pairs (a1, p) and negative pairs (a2, n), switched with probability rho.

    A switched negative pair has another n. With "push" each positive pair is also dropped with
    probability rho. A switched triplet loses its pull and its negative together: a share 1 - rho
    of all pulls remains, and a share rho of all pushes is within a class. Pairs are not linked, and
    keep these shares if each is switched by itself.
    """
    pulled, positives, pushed, negatives = pairs
    switched, others = _others(pushed, labels, rho)
    if form == "push":
        remaining = torch.rand(len(pulled), device=labels.device) >= rho
        pulled, positives = pulled[remaining], positives[remaining]
    return pulled, positives, pushed, negatives.masked_scatter(switched, others)


def _others(
    anchors: Indices, labels: Labels, rho: float
) -> tuple[Bool[torch.Tensor, " t"], Int[torch.Tensor, " switched"]]:
    """Return a mask of switched tuples, and for each a random other image of its class."""
    same = (labels.unsqueeze(1) == labels).fill_diagonal_(False)
    switched = (torch.rand(len(anchors), device=labels.device) < rho) & same.any(dim=1)[anchors]
    return switched, sampled(same[anchors[switched]])
