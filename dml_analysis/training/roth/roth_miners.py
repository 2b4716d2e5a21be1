"""Tuple miners that Roth et al. (ICML 2020, arXiv 2002.08473) compare: one triplet per anchor.

They are called like the library's miners: miner(embeddings (n, d), labels (n,)) returns (anchors,
positives, negatives), each (t,), without gradients. An anchor is an image with another one of its
class and one of another class in the batch; without anchors the three are empty. Distances are
Euclidean on embeddings of length 1. Random numbers come from torch's global generator, which
training seeds before each step.
"""

import math

import torch
from jaxtyping import Bool, Float, Int, Shaped
from pytorch_metric_learning.distances import LpDistance

Embeddings = Float[torch.Tensor, "n d"]
Labels = Int[torch.Tensor, " n"]
Indices = Int[torch.Tensor, " t"]  # of images in a batch
Distances = Float[torch.Tensor, "t n"]  # from anchors to all images
Mask = Bool[torch.Tensor, "t n"]  # which images are candidates, for each anchor
Pair = tuple[Indices, Indices]  # a positive and a negative for each anchor


def sampled(weights: Shaped[torch.Tensor, "t n"]) -> Indices:
    """Return a random column index for each row, with probability proportional to its weight.

    weights: non-negative, or a mask; every row needs one above zero.
    """
    return torch.multinomial(weights.float(), 1).squeeze(1)


class _OnePerAnchor:
    """The common part of the miners; subclasses define `pick`."""

    @torch.no_grad()
    def __call__(self, embeddings: Embeddings, labels: Labels) -> tuple[Indices, Indices, Indices]:
        """Return (anchors, positives, negatives), indices into the batch."""
        same = labels.unsqueeze(1) == labels
        positives = same.clone().fill_diagonal_(False)
        anchors = torch.where(positives.any(dim=1) & ~same.all(dim=1))[0]
        distances, dimensions = LpDistance()(embeddings)[anchors], embeddings.shape[1]
        return anchors, *self.pick(distances, positives[anchors], ~same[anchors], dimensions)

    def pick(self, distances: Distances, positives: Mask, negatives: Mask, dimensions: int) -> Pair:
        """Return one positive and one negative for each of t anchors.

        distances: from the anchors to all images; positives, negatives: which images are
        candidates; dimensions: of the embeddings.
        """
        raise NotImplementedError


class RandomMiner(_OnePerAnchor):
    """Sample a random positive and a random negative."""

    def pick(self, distances: Distances, positives: Mask, negatives: Mask, dimensions: int) -> Pair:
        """Return a random positive and a random negative per anchor."""
        return sampled(positives), sampled(negatives)


class SemihardMiner(_OnePerAnchor):
    """Sample a random positive p, and a negative n with d(a, p) < d(a, n) < d(a, p) + margin.

    An anchor without such a negative takes a random one.
    """

    def __init__(self, margin: float = 0.2) -> None:
        """Set the margin, a Euclidean distance on embeddings of length 1."""
        self.margin = margin

    def pick(self, distances: Distances, positives: Mask, negatives: Mask, dimensions: int) -> Pair:
        """Return a random positive and a semihard negative per anchor."""
        positive = sampled(positives)
        bound = distances.gather(1, positive.unsqueeze(1))
        semihard = negatives & (distances > bound) & (distances < bound + self.margin)
        return positive, sampled(_rows_or(semihard, negatives))


class SofthardMiner(_OnePerAnchor):
    """Sample a random hard positive and a random hard negative.

    A positive is hard if it is farther than the nearest negative, a negative if it is nearer than
    the farthest positive. An anchor without a hard one takes a random one.
    """

    def pick(self, distances: Distances, positives: Mask, negatives: Mask, dimensions: int) -> Pair:
        """Return a hard positive and a hard negative per anchor."""
        nearest = distances.masked_fill(~negatives, math.inf).amin(dim=1, keepdim=True)
        farthest = distances.masked_fill(~positives, -math.inf).amax(dim=1, keepdim=True)
        positive = sampled(_rows_or(positives & (distances > nearest), positives))
        return positive, sampled(_rows_or(negatives & (distances < farthest), negatives))


class DistanceWeightedMiner(_OnePerAnchor):
    """Sample a random positive, and a negative by distance (Wu et al. 2017).

    The probability of a negative is inverse to the density of its distance. pytorch-metric-learning
    has a miner with the same weights, which differs in three ways. It samples as many triplets per
    anchor as its class has images. It samples none for an anchor whose negatives are all beyond
    the bound, so that such an anchor is not pulled either. Its weights are relative to the largest
    of the batch instead of the anchor's: in 512 dimensions, the weights of anchors without a near
    negative underflow.
    """

    def __init__(self, cutoff: float = 0.5, nonzero_loss_cutoff: float | None = 1.4) -> None:
        """Set the bounds of the distances.

        cutoff: nearer negatives count as this far. nonzero_loss_cutoff: negatives at least this
        far are sampled only if there are no others; None for no bound. Roth et al. state 1.4, but
        in their public code the bound is commented out, in this miner and in the regularised one;
        beyond root 2 the weights then increase again.
        """
        self.cutoff = cutoff
        self.nonzero_loss_cutoff = math.inf if nonzero_loss_cutoff is None else nonzero_loss_cutoff

    def pick(self, distances: Distances, positives: Mask, negatives: Mask, dimensions: int) -> Pair:
        """Return a random positive and a distance-weighted negative per anchor."""
        eligible = _rows_or(negatives & (distances < self.nonzero_loss_cutoff), negatives)
        weights = inverse_density(distances, eligible, dimensions, self.cutoff)
        return sampled(positives), sampled(weights)


def inverse_density(
    distances: Distances, eligible: Mask, dimensions: int, cutoff: float
) -> Float[torch.Tensor, "t n"]:
    """Return the sampling probabilities of the eligible points, by row.

    The distance d of two random points of the unit sphere in `dimensions` dimensions has a density
    proportional to d^(dimensions - 2) (1 - d^2 / 4)^((dimensions - 3) / 2); probabilities are
    proportional to its inverse (Wu et al. 2017, section 4). Distances below `cutoff` are raised to
    it. Every row needs an eligible point.
    """
    distances = distances.clamp(min=cutoff)
    # Opposite points have the density zero; a minimum above zero keeps their weight finite.
    rest = (1 - distances**2 / 4).clamp(min=torch.finfo(distances.dtype).eps)
    log_density = (dimensions - 2) * distances.log() + (dimensions - 3) / 2 * rest.log()
    return torch.softmax((-log_density).masked_fill(~eligible, -math.inf), dim=1)


def _rows_or(mask: Mask, fallback: Mask) -> Mask:
    """Return the rows of a mask, and the fallback's where a row is empty."""
    return torch.where(mask.any(dim=1, keepdim=True), mask, fallback)
