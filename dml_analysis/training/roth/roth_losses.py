"""Losses as the study of Roth et al. (ICML 2020, arXiv 2002.08473) has them, where the library's classes alone are not those.

Each is called as the library's: loss(embeddings (n, d), labels (n,), indices_tuple=None), the last being what a miner gives.
The functions compose parts of the library, whose classes take distances and reducers that settings cannot write down;
what they say of the study is of its public code. Of its other losses the margin loss is the library's MarginLoss.
"""

import math

import torch
from pytorch_metric_learning import distances, losses, reducers, regularizers
from pytorch_metric_learning.losses import BaseMetricLossFunction
from pytorch_metric_learning.utils import common_functions
from pytorch_metric_learning.utils import loss_and_miner_utils as tuples_of
from torch import nn
from torch.nn import functional

from dml_analysis.training.losses import ZeroMean
from dml_analysis.training.roth.roth_miners import sampled


# ---------------------------------------------------------------------------------------------------------------------
# Of pairs and triplets.
# ---------------------------------------------------------------------------------------------------------------------
def contrastive(pos_margin=0, neg_margin=1):
    """The contrastive loss, averaged over all positive and all negative pairs.

    The library by itself averages over the pairs with a loss above zero. A pair (a, a) of rho-regularisation is one of these
    or not by rounding: its distance is computed as up to 1e-3.
    """
    return losses.ContrastiveLoss(pos_margin=pos_margin, neg_margin=neg_margin, reducer=reducers.MeanReducer())


def triplet(margin=0.2):
    """The triplet loss on squared Euclidean distances, averaged over all triplets."""
    return losses.TripletMarginLoss(
        margin=margin, distance=distances.LpDistance(power=2), reducer=reducers.MeanReducer()
    )


def multi_similarity(alpha=2, beta=40, base=0.5):
    """The Multi Similarity loss, averaged over the anchors for which MultiSimilarityMiner finds something."""
    return losses.MultiSimilarityLoss(alpha=alpha, beta=beta, base=base, reducer=reducers.AvgNonZeroReducer())


def snr_triplet(margin=0.2, regularizer_weight=0.005):
    """The triplet loss on SNR distances, averaged over the triplets with a loss above zero (Yuan et al. 2019).

    The SNR distance is var(a - b) / var(a) over dimensions (unbiased). regularizer_weight: of the mean |sum of an embedding's
    entries|; the study drops it with distance-weighted mining, and not with the regularised one. All on embeddings of length 1.
    """
    return losses.TripletMarginLoss(
        margin=margin,
        distance=distances.SNRDistance(),
        embedding_regularizer=ZeroMean() if regularizer_weight else None,
        embedding_reg_weight=regularizer_weight,
    )


class QuadrupletLoss(BaseMetricLossFunction):
    """Mean of relu(d(a, p) - d(a, n) + margin_1) over triplets, and of relu(d(a, p) - d(n, n') + margin_2) (Chen et al. 2017).

    Distances are Euclidean on embeddings of length 1. n' is a random image of a class other than a's and n's, by torch's global
    generator, which a training seeds before each step; the study takes any image but n. A triplet without such an image has
    the first term only. All triplets of the batch where no miner gives some.
    """

    def __init__(self, margin_1=0.2, margin_2=0.2):
        super().__init__()
        self.margin_1, self.margin_2 = margin_1, margin_2

    def compute_loss(self, embeddings, labels, indices_tuple, ref_emb, ref_labels):
        common_functions.ref_not_supported(embeddings, labels, ref_emb, ref_labels)
        a, p, n = tuples_of.convert_to_triplets(indices_tuple, labels, t_per_anchor="all")
        terms = self.zero_losses()
        if not len(a):
            return terms
        distance = self.distance(embeddings)
        terms["triplet_loss"] = _of_triplets(distance[a, p] - distance[a, n] + self.margin_1, (a, p, n))
        of_third_class = (labels != labels[a].unsqueeze(1)) & (labels != labels[n].unsqueeze(1))
        has_one = of_third_class.any(dim=1)
        if has_one.any():
            a, p, n, fourth = a[has_one], p[has_one], n[has_one], sampled(of_third_class[has_one])
            terms["quadruplet_loss"] = _of_triplets(distance[a, p] - distance[n, fourth] + self.margin_2, (a, p, n))
        return terms

    def _sub_loss_names(self):
        return ["triplet_loss", "quadruplet_loss"]


def _of_triplets(violation, triplets):
    return {"losses": functional.relu(violation), "indices": triplets, "reduction_type": "triplet"}


# ---------------------------------------------------------------------------------------------------------------------
# Of whole batches.
# ---------------------------------------------------------------------------------------------------------------------
class HistogramLoss(BaseMetricLossFunction):
    """The probability that a negative pair is more alike than a positive one, by histograms (Ustinova and Lempitsky 2016).

    n_bins: nodes of the histograms, from cosine -1 to 1; a pair counts for the two nodes beside it, by nearness. All pairs of
    the batch; zero where there are none of a kind. Raises ValueError if a miner's tuples are given.

    The library's HistogramLoss(n_bins=64) has 65 nodes. It fails on two images that are alike: their cosine is 1, for which
    it looks for a node beyond the last.
    """

    def __init__(self, n_bins=65):
        super().__init__()
        self.n_bins = n_bins

    def compute_loss(self, embeddings, labels, indices_tuple, ref_emb, ref_labels):
        common_functions.ref_not_supported(embeddings, labels, ref_emb, ref_labels)
        common_functions.indices_tuple_not_supported(indices_tuple)
        first, second = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
        cosines, same = self.distance(embeddings)[first, second], labels[first] == labels[second]
        if same.all() or not same.any():
            return self.zero_losses()
        positive, negative = self._histogram(cosines[same]), self._histogram(cosines[~same])
        loss = (negative * positive.cumsum(dim=0)).sum()
        return {"loss": {"losses": loss, "indices": None, "reduction_type": "already_reduced"}}

    def _histogram(self, cosines):
        last = self.n_bins - 1
        place = (cosines.clamp(-1, 1) + 1) * last / 2
        below = place.detach().floor().clamp(max=last - 1).long()
        share = place - below
        histogram = torch.zeros(self.n_bins, dtype=cosines.dtype, device=cosines.device)
        return histogram.index_add(0, below, 1 - share).index_add(0, below + 1, share) / len(cosines)

    def get_default_distance(self):
        return distances.CosineSimilarity()


def lifted(neg_margin=1, l2_weight=0.005):
    """The generalised lifted structure loss (Hermans et al. 2017) on embeddings as they are.

    Mean over anchors of relu(log sum exp d(a, p) + log sum exp(neg_margin - d(a, n))), and l2_weight times the embeddings'
    mean length.
    """
    return losses.GeneralizedLiftedStructureLoss(
        neg_margin=neg_margin, distance=distances.LpDistance(normalize_embeddings=False), **_mean_length(l2_weight)
    )


def npair(l2_weight=0.005):
    """The N-pair loss on embeddings as they are: every image is an anchor, all images of other classes are its negatives.

    Mean over positive pairs of log(1 + sum exp(a n - a p)), which is NTXentLoss at temperature 1, and l2_weight times the
    embeddings' mean length. NPairsLoss is that of Sohn (2016): one anchor a class, and one negative of each other class. The
    study divides embeddings of BN-Inception by 4.
    """
    return losses.NTXentLoss(
        temperature=1, distance=distances.DotProductSimilarity(normalize_embeddings=False), **_mean_length(l2_weight)
    )


def angular_npair(alpha=45, angular_weight=2, l2_weight=0.005):
    """`npair` on embeddings as they are, and angular_weight times the angular loss on those of length 1 (Wang et al. 2017).

    alpha: in degrees. The study bounds the exponents of its N-pair term by 50.
    """
    return losses.MultipleLosses(
        {"npair": npair(l2_weight), "angular": _Angular(alpha)}, weights={"npair": 1, "angular": angular_weight}
    )


class _Angular(losses.AngularLoss):
    """The library's, which leaves negatives as long as they are."""

    def forward(self, embeddings, *others):
        return super().forward(functional.normalize(embeddings), *others)


def _mean_length(weight):
    """Arguments of a loss that add `weight` times the embeddings' mean length."""
    return {"embedding_regularizer": regularizers.LpRegularizer(), "embedding_reg_weight": weight}


# ---------------------------------------------------------------------------------------------------------------------
# With a vector for each class. They are of length 1 where they are used, so the smaller they begin, the further a step of a
# learning rate turns them: the library's have entries of standard deviation 1.
# ---------------------------------------------------------------------------------------------------------------------
def softmax(num_classes, embedding_size, temperature=0.05):
    """The normalised softmax on embeddings and class vectors of length 1 (Zhai and Wu 2018), which the study calls softmax."""
    return losses.NormalizedSoftmaxLoss(
        num_classes, embedding_size, temperature=temperature, weight_init_func=_uniform(embedding_size)
    )


def arcface(num_classes, embedding_size, margin=28.6479, scale=16):
    """ArcFace (Deng et al. 2019); margin: in degrees, .5 radians by default. The study clamps cosines to >= 0."""
    return losses.ArcFaceLoss(
        num_classes, embedding_size, margin=margin, scale=scale, weight_init_func=_uniform(embedding_size)
    )


def proxy_nca(num_classes, embedding_size, softmax_scale=9):
    """ProxyNCA (Movshovitz-Attias et al. 2017) by squared distances, nine times as large: the study has lengths of 3.

    The denominator is the library's, a sum over all proxies; the study's is over those of other classes.
    """
    initial = common_functions.TorchInitWrapper(nn.init.normal_, std=1 / 8)
    return losses.ProxyNCALoss(num_classes, embedding_size, softmax_scale=softmax_scale, weight_init_func=initial)


def soft_triple(num_classes, embedding_size, centers_per_class=2, la=8, gamma=0.1, margin=0.01, reg_weight=0.2):
    """SoftTriple with its regulariser of centres (Qian et al. 2019).

    The study weighs centres by a softmax over classes, of similarities times gamma; the article over centres, divided by it.
    """
    return losses.SoftTripleLoss(
        num_classes,
        embedding_size,
        centers_per_class=centers_per_class,
        la=la,
        gamma=gamma,
        margin=margin,
        weight_regularizer=regularizers.SparseCentersRegularizer(num_classes, centers_per_class),
        weight_reg_weight=reg_weight,
    )


def _uniform(embedding_size):
    bound = 1 / math.sqrt(embedding_size)
    return common_functions.TorchInitWrapper(nn.init.uniform_, a=-bound, b=bound)


class SoftmaxLoss(nn.Module):
    """A linear layer with a bias, and cross entropy, on embeddings as they are. A miner's tuples make no difference."""

    def __init__(self, num_classes, embedding_size):
        super().__init__()
        self.linear = nn.Linear(embedding_size, num_classes)

    def forward(self, embeddings, labels, indices_tuple=None):
        return functional.cross_entropy(self.linear(embeddings), labels)
