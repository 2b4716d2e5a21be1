"""How well the clusters of an embedding space are the classes: NMI and F1 of k-means."""

import warnings
from typing import NamedTuple

import numpy as np

from dml_analysis.metrics.coordinates import unit


class Clustering(NamedTuple):
    nmi: float
    f1: float


def clustering(embeddings, labels, seed):
    """The Clustering of embeddings (n, d) with class labels (n,): k-means, once, with as many clusters as there are classes.

    On embeddings of length 1; what is random in it follows from the seed. Raises ValueError as coordinates.unit does.
    """
    from sklearn.cluster import KMeans

    means = KMeans(len(np.unique(labels)), n_init=1, random_state=seed % 2**32)
    with warnings.catch_warnings(action="ignore"):  # of fewer different points than classes
        clusters = means.fit_predict(unit(embeddings))
    return agreement(labels, clusters)


def agreement(labels, clusters):
    """The Clustering of class labels (n,) and clusters (n,).

    NMI is normalised by the arithmetic mean of both entropies. F1 is of pairs of images: 2 TP / (2 TP + FP + FN), where a pair
    is positive if it is in one cluster, and true if it is of one class; 0 where no pair is either.
    """
    from sklearn.metrics import normalized_mutual_info_score
    from sklearn.metrics.cluster import pair_confusion_matrix

    (_, false_positives), (false_negatives, true_positives) = pair_confusion_matrix(labels, clusters)
    wrong, right = int(false_positives) + int(false_negatives), 2 * int(true_positives)
    return Clustering(float(normalized_mutual_info_score(labels, clusters)), right / (right + wrong) if right else 0.0)
