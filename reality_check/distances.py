"""The distance of each loss (Table 1), and coordinates in which plain Euclidean distance ranks neighbours alike."""

import numpy as np
from pytorch_metric_learning import distances


def distance_function(name):
    """The distance or similarity named in Table 1, from pytorch-metric-learning; normalises its embeddings.

    Called with (n, d) and (m, d) it gives (n, m). For "SNR Distance" the first argument is the anchor.
    """
    return {
        "Euclidean Distance": lambda: distances.LpDistance(),
        "Squared Euclidean": lambda: distances.LpDistance(power=2),
        "Cosine Similarity": lambda: distances.CosineSimilarity(),
        "Dot Product Similarity": lambda: distances.DotProductSimilarity(),
        "SNR Distance": lambda: distances.SNRDistance(),
    }[name]()


def euclidean_coordinates(embeddings, name):
    """Coordinates (n, d) whose Euclidean distances order the neighbours of every query as the named distance does.

    All distances of Table 1 normalise embeddings to unit length. On the unit sphere cosine, dot product, Euclidean and
    squared Euclidean distance agree in order. The SNR distance var(a - b) / var(a) has a denominator that is the same
    for all neighbours of the query a, and var(a - b) is the squared Euclidean distance of a and b with each embedding's
    mean over its dimensions taken off.
    """
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    coordinates = embeddings / np.maximum(norms, np.finfo(embeddings.dtype).tiny)
    if name == "SNR Distance":
        coordinates = coordinates - coordinates.mean(axis=1, keepdims=True)
    return coordinates
