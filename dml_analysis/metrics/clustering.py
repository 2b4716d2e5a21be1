"""Agreement of the clusters of an embedding space with its classes: NMI and F1 of k-means."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from dml_analysis.metrics.coordinates import unit


class Clustering(NamedTuple):
    """The agreement of clusters with classes, in [0, 1]."""

    nmi: float  # normalised mutual information
    f1: float  # of pairs of images


def clustering(
    embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"], seed: int
) -> Clustering:
    """Return the agreement of class labels with the clusters of one run of k-means.

    k-means sees embeddings of unit length and makes as many clusters as there are classes. The
    seed determines all of its random numbers. Raises ValueError as coordinates.unit does.
    """
    from sklearn.cluster import KMeans

    means = KMeans(len(np.unique(labels)), n_init=1, random_state=seed % 2**32)
    with warnings.catch_warnings(action="ignore"):  # of fewer distinct points than classes
        clusters = means.fit_predict(unit(embeddings))
    return agreement(labels, clusters)


def agreement(labels: Shaped[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Clustering:
    """Return the agreement of class labels with clusters.

    NMI is normalised by the arithmetic mean of both entropies. F1 is of pairs of images:
    2 TP / (2 TP + FP + FN). A pair is positive if both images are in one cluster, and true if
    both are of one class. F1 is 0 if there are no true positives.
    """
    from sklearn.metrics import normalized_mutual_info_score
    from sklearn.metrics.cluster import pair_confusion_matrix

    (_, false_positives), (false_negatives, true_positives) = pair_confusion_matrix(
        labels, clusters
    )
    wrong, right = int(false_positives) + int(false_negatives), 2 * int(true_positives)
    nmi = float(normalized_mutual_info_score(labels, clusters))
    return Clustering(nmi, right / (right + wrong) if right else 0.0)
