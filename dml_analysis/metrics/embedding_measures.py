"""All measures of an embedding space by name: retrieval, clustering and shape."""

import numpy as np
from jaxtyping import Float, Shaped

from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array

# name -> label in figures and tables
PERFORMANCE = {
    "recall_at_1": "Recall@1",
    "recall_at_2": "Recall@2",
    "recall_at_4": "Recall@4",
    "map_at_r": "MAP@R",
    "mean_ap": "mAP",
    "mean_ap_1000": "mAP@1000",
    "nmi": "NMI",
    "f1": "F1",
}
DECAYS = {
    f"{'reverse_' * reverse}rho_{m}": (m, reverse) for reverse in (False, True) for m in (1, 2, 10)
}
SHAPE = {"pi_intra": "π intra", "pi_inter": "π inter", "pi_ratio": "π ratio"} | {
    name: f"ρ@{m}{' reverse' * reverse}" for name, (m, reverse) in DECAYS.items()
}
LABELS = PERFORMANCE | SHAPE
# name -> what values of it may be, in array files and in CSV files
ARRAYS = dict.fromkeys(PERFORMANCE, Array("f8", low=0, high=1))
ARRAYS |= dict.fromkeys(SHAPE, Array("f8", finite=False))
COLUMNS = dict.fromkeys(PERFORMANCE, csv_files.between(0, 1))
COLUMNS |= dict.fromkeys(SHAPE, csv_files.number_or_infinite)


def measured(
    embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"], seed: int
) -> dict[str, float]:
    """Return all measures of embeddings with class labels, by name.

    All are of embeddings normalised to unit length, as in Roth et al., whatever the model's
    distance; retrieval is by cosine. seed: of k-means. A decay that drops all singular values is
    NaN. Raises ValueError if no class has two images, an embedding is zero (ZeroEmbedding) or not
    finite, or a class mean is zero (ZeroMean).
    """
    from dml_analysis.metrics.clustering import clustering  # loading takes seconds
    from dml_analysis.metrics.coordinates import unit
    from dml_analysis.metrics.geometry import decay_of, pi_inter, pi_intra, ratio, singular_values
    from dml_analysis.metrics.retrieval import retrieval

    if np.unique(labels, return_counts=True)[1].max() < 2:
        raise ValueError("no class has two images")
    spectrum = singular_values(embeddings)
    intra, inter = pi_intra(embeddings, labels), pi_inter(embeddings, labels)
    decays = {
        name: decay_of(spectrum, m, reverse) if m <= len(spectrum) else np.nan
        for name, (m, reverse) in DECAYS.items()
    }
    scores = retrieval(unit(embeddings), labels)._asdict()
    scores |= clustering(embeddings, labels, seed)._asdict()
    return (
        {name: scores[name] for name in PERFORMANCE}
        | {"pi_intra": intra, "pi_inter": inter, "pi_ratio": ratio(intra, inter)}
        | decays
    )
