"""The rho-regularisation of Roth et al. (ICML 2020, arXiv 2002.08473): a share of all negatives is of the anchor's own class.

It keeps the images of a class apart, so that the embeddings' spectrum of singular values stays flat. There are two forms, and
they are not the same loss. A tuple (a, p, n) becomes, with probability rho and independently of all others,

    "push"  (a, a, n') - what the study's public code does: nothing is pulled, a and n' are pushed apart;
    "swap"  (a, p, n') - what the article says: the negative alone is swapped, a and p are pulled together as before,

where n' is a random other image of a's class. The public code has the first form only, as a part of one miner of triplets,
the distance-weighted one; here either form goes with any miner and with none. With two images of a class in a batch, as in
the study, n' of "swap" is p itself: the tuple's pull and push are of one pair and cancel, so that it does nearly nothing.
What is to be compared is a loss with a miner, the same with "push", and the same with "swap", all else equal.
"""

import torch
from pytorch_metric_learning.miners import BaseMiner
from pytorch_metric_learning.utils import common_functions
from pytorch_metric_learning.utils import loss_and_miner_utils as tuples_of

from dml_analysis.config import RHO_FORMS
from dml_analysis.training.losses import instance_of
from dml_analysis.training.roth.roth_miners import sampled

ALL_TUPLES = {"triplets": tuples_of.get_all_triplets_indices, "pairs": tuples_of.get_all_pairs_indices}


class RhoMiner(BaseMiner):
    """A miner whose tuples are switched with probability rho; see the module's text for `form`.

    miner: a class of pytorch_metric_learning.miners or module:class, built with `arguments`; or a miner; or None, for all
    tuples of a batch, which are `tuples`: "triplets" or "pairs". Losses of either kind take both, but triplets made into
    pairs have each pair many times, and pairs made into triplets have a switched negative beside every positive.

    With rho = 0 it gives what the miner gives, None without one, and draws nothing: the loss is the plain one, bit for bit.
    Else it gives three or four tensors as the miner does. Random draws are those of torch's global generator.

    "swap" may make a pair both a positive and a negative one, which the library's losses on whole matrices refuse
    (MultiSimilarityLoss, GeneralizedLiftedStructureLoss).

    Raises ValueError if rho is not in [0, 1], the form or tuples are unknown, or arguments are given without a named miner.
    """

    def __init__(self, miner=None, rho=0.2, form="swap", tuples="triplets", **arguments):
        super().__init__()
        if not 0 <= rho <= 1:
            raise ValueError(f"rho is {rho}, but must be a probability, from 0 to 1")
        if form not in RHO_FORMS:
            raise ValueError(f"unknown form {form!r}; known: {', '.join(RHO_FORMS)}")
        if tuples not in ALL_TUPLES:
            raise ValueError(f"unknown tuples {tuples!r}; known: {', '.join(ALL_TUPLES)}")
        if arguments and not isinstance(miner, str):
            raise ValueError(f"{', '.join(arguments)}: only a miner that is named takes arguments")
        if isinstance(miner, str):
            miner = instance_of(f"miner {miner}", miner, "miners", arguments, {})
        self.miner, self.rho, self.form, self.tuples = miner, rho, form, tuples

    def forward(self, embeddings, labels, ref_emb=None, ref_labels=None):
        if self.rho == 0:
            return self.miner(embeddings, labels) if self.miner else None
        return super().forward(embeddings, labels, ref_emb, ref_labels)

    def mine(self, embeddings, labels, ref_emb, ref_labels):
        common_functions.ref_not_supported(embeddings, labels, ref_emb, ref_labels)
        found = self.miner(embeddings, labels) if self.miner else ALL_TUPLES[self.tuples](labels)
        switched = switched_triplets if len(found) == 3 else switched_pairs
        return switched(found, labels, self.rho, self.form)


def switched_triplets(triplets, labels, rho, form):
    """Triplets (a, p, n), each (t,), of which each is switched with probability rho. labels (n,): of the batch.

    An image that has no other of its class is an anchor as before.
    """
    anchors, positives, negatives = triplets
    switched, others = _others(anchors, labels, rho)
    if form == "push":
        positives = torch.where(switched, anchors, positives)
    return anchors, positives, negatives.masked_scatter(switched, others)


def switched_pairs(pairs, labels, rho, form):
    """Pairs (a1, p, a2, n), positive ones (s,) and negative ones (t,), of which each is switched with probability rho.

    Of a negative pair n is replaced. With "push" each positive pair is dropped with probability rho too: a switched triplet
    loses its pull and its negative together, so of all pulls a share of 1 - rho is left, and of all pushes a share of rho is
    inside a class. Pairs, which have no partner, keep these shares if each is switched by itself.
    """
    pulled, positives, pushed, negatives = pairs
    switched, others = _others(pushed, labels, rho)
    if form == "push":
        kept = torch.rand(len(pulled), device=labels.device) >= rho
        pulled, positives = pulled[kept], positives[kept]
    return pulled, positives, pushed, negatives.masked_scatter(switched, others)


def _others(anchors, labels, rho):
    """Which tuples (t,) are switched, and for each of those a random other image of its anchor's class."""
    same = (labels.unsqueeze(1) == labels).fill_diagonal_(False)
    switched = (torch.rand(len(anchors), device=labels.device) < rho) & same.any(dim=1)[anchors]
    return switched, sampled(same[anchors[switched]])
