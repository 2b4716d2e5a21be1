"""Losses of Roth et al. (ICML 2020, arXiv 2002.08473) that differ from the library's defaults.

They are called like pytorch-metric-learning's: loss(embeddings (n, d), labels (n,),
indices_tuple=None), the last being a miner's result. The functions combine parts of the library
that settings cannot name, such as distances and reducers. Remarks on Roth et al. are about their
public code. Their margin loss is the library's MarginLoss.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from pytorch_metric_learning import distances, losses, reducers, regularizers
from pytorch_metric_learning.utils import common_functions
from pytorch_metric_learning.utils import loss_and_miner_utils as tuples_of
from torch import nn
from torch.nn import functional

from dml_analysis.training import losses as paper_losses
from dml_analysis.training.roth.roth_miners import Embeddings, Labels, sampled

Scalar = Float[torch.Tensor, ""]


# -------------------------------------------------------------------------------------------------
# Pairs and triplets.
# -------------------------------------------------------------------------------------------------
def contrastive(pos_margin: float = 0, neg_margin: float = 1) -> nn.Module:
    """Return the contrastive loss, averaged over all positive and all negative pairs.

    The library by default averages over pairs with a loss above zero. Rounding decides whether a
    pair (a, a) of rho-regularisation is one of these: its distance is computed as up to 1e-3.
    """
    return losses.ContrastiveLoss(
        pos_margin=pos_margin, neg_margin=neg_margin, reducer=reducers.MeanReducer()
    )


def triplet(margin: float = 0.2) -> nn.Module:
    """Return the triplet loss on squared Euclidean distances, averaged over all triplets."""
    return losses.TripletMarginLoss(
        margin=margin, distance=distances.LpDistance(power=2), reducer=reducers.MeanReducer()
    )


def multi_similarity(alpha: float = 2, beta: float = 40, base: float = 0.5) -> nn.Module:
    """Return the Multi Similarity loss, averaged over anchors with tuples of its miner."""
    return losses.MultiSimilarityLoss(
        alpha=alpha, beta=beta, base=base, reducer=reducers.AvgNonZeroReducer()
    )


def snr_triplet(margin: float = 0.2, regularizer_weight: float = 0.005) -> nn.Module:
    """Return the triplet loss on SNR distances, averaged over triplets with a loss above zero.

    The SNR distance is var(a - b) / var(a) over dimensions, unbiased (Yuan et al. 2019), on
    embeddings of length 1. regularizer_weight: of the mean absolute sum of an embedding's entries.
    Roth et al. omit the regulariser with distance-weighted mining, but not with the regularised
    form of that mining.
    """
    return losses.TripletMarginLoss(
        margin=margin,
        distance=distances.SNRDistance(),
        **paper_losses.zero_mean(regularizer_weight),
    )


class QuadrupletLoss(nn.Module):
    """The quadruplet loss on Euclidean distances of embeddings of length 1 (Chen et al. 2017).

    It is the mean of relu(d(a, p) - d(a, n) + margin_1) over triplets, plus the mean of
    relu(d(a, p) - d(n, n') + margin_2). n' is a random image of a class other than a's and n's, by
    torch's global generator, which training seeds before each step; Roth et al. take any image
    except n. A triplet without such an image has the first term only. Without a miner all triplets
    of the batch are used.
    """

    def __init__(self, margin_1: float = 0.2, margin_2: float = 0.2) -> None:
        """Set the margins of the two terms."""
        super().__init__()
        self.margin_1, self.margin_2 = margin_1, margin_2

    def forward(self, embeddings: Embeddings, labels: Labels, indices_tuple: Any = None) -> Scalar:
        """Return the loss of a batch."""
        a, p, n = tuples_of.convert_to_triplets(indices_tuple, labels, t_per_anchor="all")
        if not len(a):
            return 0 * embeddings.sum()
        distance = distances.LpDistance()(embeddings)
        loss = functional.relu(distance[a, p] - distance[a, n] + self.margin_1).mean()
        of_third_class = (labels != labels[a].unsqueeze(1)) & (labels != labels[n].unsqueeze(1))
        has_one = of_third_class.any(dim=1)
        if has_one.any():
            a, p, n = a[has_one], p[has_one], n[has_one]
            violation = distance[a, p] - distance[n, sampled(of_third_class[has_one])]
            loss = loss + functional.relu(violation + self.margin_2).mean()
        return loss


# -------------------------------------------------------------------------------------------------
# Complete batches.
# -------------------------------------------------------------------------------------------------
class HistogramLoss(nn.Module):
    """The histogram loss on cosine similarities (Ustinova and Lempitsky 2016).

    It estimates the probability that a negative pair is more similar than a positive one, over all
    pairs of a batch. A pair counts for its two nearest nodes, in proportion to nearness.

    The library's HistogramLoss(n_bins=64) has 65 nodes. It fails on two equal images: their cosine
    is 1, for which it uses a node beyond the last.
    """

    def __init__(self, n_bins: int = 65) -> None:
        """Set the number of nodes of the histograms, from cosine -1 to 1."""
        super().__init__()
        self.n_bins = n_bins

    def forward(self, embeddings: Embeddings, labels: Labels, indices_tuple: Any = None) -> Scalar:
        """Return the loss of a batch; zero unless there are pairs of both kinds.

        Raises ValueError if a miner's tuples are given.
        """
        common_functions.indices_tuple_not_supported(indices_tuple)
        first, second = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
        cosines = distances.CosineSimilarity()(embeddings)[first, second]
        same = labels[first] == labels[second]
        if same.all() or not same.any():
            return 0 * embeddings.sum()
        positive, negative = self._histogram(cosines[same]), self._histogram(cosines[~same])
        return (negative * positive.cumsum(dim=0)).sum()

    def _histogram(self, cosines: Float[torch.Tensor, " pairs"]) -> Float[torch.Tensor, " bins"]:
        """Return the share of pairs at each node."""
        last = self.n_bins - 1
        position = (cosines.clamp(-1, 1) + 1) * last / 2
        below = position.detach().floor().clamp(max=last - 1).long()
        share = position - below
        histogram = torch.zeros(self.n_bins, dtype=cosines.dtype, device=cosines.device)
        histogram = histogram.index_add(0, below, 1 - share).index_add(0, below + 1, share)
        return histogram / len(cosines)


def lifted(neg_margin: float = 1, l2_weight: float = 0.005) -> nn.Module:
    """Return the generalised lifted structure loss, embeddings not normalised.

    It is the mean over anchors of relu(log sum exp d(a, p) + log sum exp(neg_margin - d(a, n)))
    (Hermans et al. 2017), plus l2_weight times the embeddings' mean length.
    """
    return losses.GeneralizedLiftedStructureLoss(
        neg_margin=neg_margin,
        distance=distances.LpDistance(normalize_embeddings=False),
        **_mean_length(l2_weight),
    )


def npair(l2_weight: float = 0.005) -> nn.Module:
    """Return the N-pair loss, embeddings not normalised.

    Every image is an anchor, and all images of other classes are its negatives. It is the mean
    over positive pairs of log(1 + sum exp(a n - a p)), which is NTXentLoss at temperature 1, plus
    l2_weight times the embeddings' mean length. The library's NPairsLoss is that of Sohn (2016):
    one anchor per class, and one negative of each other class. Roth et al. divide embeddings of
    BN-Inception by 4.
    """
    return losses.NTXentLoss(
        temperature=1,
        distance=distances.DotProductSimilarity(normalize_embeddings=False),
        **_mean_length(l2_weight),
    )


def angular_npair(
    alpha: float = 45, angular_weight: float = 2, l2_weight: float = 0.005
) -> nn.Module:
    """Return `npair` plus angular_weight times the angular loss (Wang et al. 2017).

    The angular loss takes embeddings of length 1. alpha: in degrees. Roth et al. limit the
    exponents of the N-pair term to 50.
    """
    return losses.MultipleLosses(
        {"npair": npair(l2_weight), "angular": _Angular(alpha)},
        weights={"npair": 1, "angular": angular_weight},
    )


class _Angular(losses.AngularLoss):
    """The angular loss on normalised embeddings; the library's does not normalise negatives."""

    def forward(self, embeddings: Embeddings, *others: Any) -> torch.Tensor:
        """Return the loss of a batch; others: labels and tuples."""
        return super().forward(functional.normalize(embeddings), *others)


def _mean_length(weight: float) -> dict[str, Any]:
    """Return the arguments of a loss that add `weight` times the embeddings' mean length."""
    return {"embedding_regularizer": regularizers.LpRegularizer(), "embedding_reg_weight": weight}


# -------------------------------------------------------------------------------------------------
# A vector per class. Vectors are normalised before use, so smaller initial vectors turn further in
# a step of the same learning rate. The library's entries have standard deviation 1.
# -------------------------------------------------------------------------------------------------
def softmax(num_classes: int, embedding_size: int, temperature: float = 0.05) -> nn.Module:
    """Return the normalised softmax loss, which Roth et al. call softmax (Zhai and Wu 2018).

    Embeddings and class vectors have length 1.
    """
    initial = _uniform(embedding_size)
    return losses.NormalizedSoftmaxLoss(
        num_classes, embedding_size, temperature=temperature, weight_init_func=initial
    )


def arcface(
    num_classes: int, embedding_size: int, margin: float = 28.6479, scale: float = 16
) -> nn.Module:
    """Return ArcFace (Deng et al. 2019).

    margin: in degrees, by default 0.5 radians. Roth et al. clamp cosines to be at least 0.
    """
    initial = _uniform(embedding_size)
    return losses.ArcFaceLoss(
        num_classes, embedding_size, margin=margin, scale=scale, weight_init_func=initial
    )


def proxy_nca(num_classes: int, embedding_size: int, softmax_scale: float = 9) -> nn.Module:
    """Return ProxyNCA on squared distances (Movshovitz-Attias et al. 2017).

    softmax_scale: by default 9, because vectors have length 3 in Roth et al. The denominator is
    the library's, a sum over all proxies; theirs is over those of other classes.
    """
    initial = common_functions.TorchInitWrapper(nn.init.normal_, std=1 / 8)
    return losses.ProxyNCALoss(
        num_classes, embedding_size, softmax_scale=softmax_scale, weight_init_func=initial
    )


def soft_triple(
    num_classes: int,
    embedding_size: int,
    centers_per_class: int = 2,
    la: float = 8,
    gamma: float = 0.1,
    margin: float = 0.01,
    reg_weight: float = 0.2,
) -> nn.Module:
    """Return SoftTriple with its regulariser of centres (Qian et al. 2019).

    Roth et al. weight centres by a softmax over classes, of similarities times gamma. The original
    article uses a softmax over centres, of similarities divided by gamma.
    """
    return paper_losses.soft_triple(
        num_classes, embedding_size, centers_per_class, la, gamma, margin, reg_weight
    )


def _uniform(embedding_size: int) -> common_functions.TorchInitWrapper:
    """Return the initialisation that is uniform within +-1 / sqrt(embedding_size)."""
    bound = 1 / math.sqrt(embedding_size)
    return common_functions.TorchInitWrapper(nn.init.uniform_, a=-bound, b=bound)


class SoftmaxLoss(nn.Module):
    """A linear classifier with cross entropy, embeddings not normalised; tuples are ignored."""

    def __init__(self, num_classes: int, embedding_size: int) -> None:
        """Create the classifier, which has a bias."""
        super().__init__()
        self.linear = nn.Linear(embedding_size, num_classes)

    def forward(self, embeddings: Embeddings, labels: Labels, indices_tuple: Any = None) -> Scalar:
        """Return the mean cross entropy of a batch."""
        return functional.cross_entropy(self.linear(embeddings), labels)
