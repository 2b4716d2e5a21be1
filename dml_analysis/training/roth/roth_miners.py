"""The tuple miners that Roth et al. (ICML 2020, arXiv 2002.08473) compare: one triplet for each anchor.

All are called as the library's: miner(embeddings (n, d), labels (n,)) gives (anchors, positives, negatives), each (t,), without
gradient. An anchor is any image that has another of its class and one of another class in the batch; where there is none, the
three are empty. Distances are Euclidean on embeddings of length 1. Random draws are those of torch's global generator, which
a training seeds before each step.
"""

import math

import torch
from pytorch_metric_learning.miners import BaseMiner
from pytorch_metric_learning.utils import common_functions


def drawn(weights):
    """A random column (t,) for each row of weights (t, n) >= 0, which may be a mask; every row needs one above zero."""
    return torch.multinomial(weights.float(), 1).squeeze(1)


class _OnePerAnchor(BaseMiner):
    """What the miners share. They differ in `draw`."""

    def mine(self, embeddings, labels, ref_emb, ref_labels):
        common_functions.ref_not_supported(embeddings, labels, ref_emb, ref_labels)
        same = labels.unsqueeze(1) == labels
        positives = same.clone().fill_diagonal_(False)
        anchors = torch.where(positives.any(dim=1) & ~same.all(dim=1))[0]
        distances = self.distance(embeddings)[anchors]
        return anchors, *self.draw(distances, positives[anchors], ~same[anchors], embeddings.shape[1])

    def draw(self, distances, positives, negatives, dimensions):
        """(positives (t,), negatives (t,)) for t anchors.

        distances (t, n): from the anchors to all images; positives, negatives (t, n): which of these are.
        """
        raise NotImplementedError


class RandomMiner(_OnePerAnchor):
    """A random positive and a random negative."""

    def draw(self, distances, positives, negatives, dimensions):
        return drawn(positives), drawn(negatives)


class SemihardMiner(_OnePerAnchor):
    """A random positive p, and a random negative with d(a, p) < d(a, n) < d(a, p) + margin; any where there is none."""

    def __init__(self, margin=0.2):
        super().__init__()
        self.margin = margin

    def draw(self, distances, positives, negatives, dimensions):
        chosen = drawn(positives)
        bound = distances.gather(1, chosen.unsqueeze(1))
        semihard = negatives & (distances > bound) & (distances < bound + self.margin)
        return chosen, drawn(_or_else(semihard, negatives))


class SofthardMiner(_OnePerAnchor):
    """A random hard positive and a random hard negative; any where there is no hard one.

    A positive is hard if it is farther than the nearest negative, a negative if it is nearer than the farthest positive.
    """

    def draw(self, distances, positives, negatives, dimensions):
        nearest = distances.masked_fill(~negatives, math.inf).amin(dim=1, keepdim=True)
        farthest = distances.masked_fill(~positives, -math.inf).amax(dim=1, keepdim=True)
        hard_positives = positives & (distances > nearest)
        hard_negatives = negatives & (distances < farthest)
        return drawn(_or_else(hard_positives, positives)), drawn(_or_else(hard_negatives, negatives))


class DistanceWeightedMiner(_OnePerAnchor):
    """A random positive, and a negative with probability inverse to the density of its distance (Wu et al. 2017).

    cutoff: nearer negatives count as this far; nonzero_loss_cutoff: negatives at least this far are not drawn, unless there
    are no others; None for no such bound. The study states 1.4, but its public code has the bound commented out, in this miner
    and in the regularised one; beyond root 2 the weights then rise again.

    pytorch_metric_learning.miners.DistanceWeightedMiner has the same weights. It draws as many triplets for an anchor as its
    class has images, and none for an anchor whose negatives are all beyond the bound, so that this is not pulled either. It
    takes the weights relative to the largest of the batch instead of the anchor's: in 512 dimensions anchors that
    have no near negative lose theirs by underflow.
    """

    def __init__(self, cutoff=0.5, nonzero_loss_cutoff=1.4):
        super().__init__()
        self.cutoff = cutoff
        self.nonzero_loss_cutoff = math.inf if nonzero_loss_cutoff is None else nonzero_loss_cutoff

    def draw(self, distances, positives, negatives, dimensions):
        eligible = _or_else(negatives & (distances < self.nonzero_loss_cutoff), negatives)
        return drawn(positives), drawn(inverse_density(distances, eligible, dimensions, self.cutoff))


def inverse_density(distances, eligible, dimensions, cutoff):
    """(t, n): probabilities, by row, of the eligible (t, n) by distances (t, n) between points of the unit sphere.

    The distance d of two random points of a sphere in `dimensions` has a density in proportion to
    d^(dimensions - 2) (1 - d^2 / 4)^((dimensions - 3) / 2); probabilities are in proportion to its inverse (Wu et al. 2017,
    section 4). Distances below `cutoff` count as it. Every row needs one that is eligible.
    """
    distances = distances.clamp(min=cutoff)
    # Opposite points have a density of zero; kept above it, their weight is large and finite.
    rest = (1 - distances**2 / 4).clamp(min=torch.finfo(distances.dtype).eps)
    log_density = (dimensions - 2) * distances.log() + (dimensions - 3) / 2 * rest.log()
    return torch.softmax((-log_density).masked_fill(~eligible, -math.inf), dim=1)


def _or_else(some, all_of_them):
    """The rows of a mask (t, n), and of another where a row has none."""
    return torch.where(some.any(dim=1, keepdim=True), some, all_of_them)
