"""The distance of each loss (Table 1), for training and saliency maps."""

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
