"""What networks trained with different metric learning losses learn, and how alike it is.

Metrics and comparisons for your own networks and embeddings:

>>> import numpy as np, dml_analysis
>>> embeddings, labels = np.random.default_rng(0).normal(size=(200, 16)), np.arange(200) % 4
>>> abs(dml_analysis.nr_precision(embeddings, labels[:, None]).nr_precision[0]) < 0.5
np.True_

Arrays may be of NumPy, torch on any device, or pandas, of any float type; none is changed. All
functions of embeddings and labels check them alike (metrics/inputs.py).

Source: Kobs et al., "Do Different Deep Metric Learning Losses Lead to Similar Learned Features?"
(ICCV 2021), and Roth et al., "Revisiting Training Strategies and Generalization Performance in Deep
Metric Learning" (ICML 2020).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dml_analysis.metrics.geometry import embedding_geometry
    from dml_analysis.metrics.inputs import property_codes
    from dml_analysis.metrics.map_similarity import fisher_mean, fisher_std, jensen_shannon, pearson
    from dml_analysis.metrics.nr_precision import nr_precision
    from dml_analysis.metrics.permutation_null import permutation_null
    from dml_analysis.metrics.representation_similarity import representation_similarity
    from dml_analysis.metrics.retrieval import retrieval_scores
    from dml_analysis.metrics.significance import mann_whitney
    from dml_analysis.metrics.smoothgrad import saliency_map
    from dml_analysis.networks.embedding import embeddings_of
    from dml_analysis.saliency.network_comparison import compare_networks, smoothgrad
    from dml_analysis.saliency.pair_explanations import explain_pair

MODULES = {
    "compare_networks": "saliency.network_comparison",
    "embedding_geometry": "metrics.geometry",
    "embeddings_of": "networks.embedding",
    "explain_pair": "saliency.pair_explanations",
    "fisher_mean": "metrics.map_similarity",
    "fisher_std": "metrics.map_similarity",
    "jensen_shannon": "metrics.map_similarity",
    "mann_whitney": "metrics.significance",
    "nr_precision": "metrics.nr_precision",
    "pearson": "metrics.map_similarity",
    "permutation_null": "metrics.permutation_null",
    "property_codes": "metrics.inputs",
    "representation_similarity": "metrics.representation_similarity",
    "retrieval_scores": "metrics.retrieval",
    "saliency_map": "metrics.smoothgrad",
    "smoothgrad": "saliency.network_comparison",
}

__version__ = "1.0.0"
__all__ = [
    "compare_networks",
    "embedding_geometry",
    "embeddings_of",
    "explain_pair",
    "fisher_mean",
    "fisher_std",
    "jensen_shannon",
    "mann_whitney",
    "nr_precision",
    "pearson",
    "permutation_null",
    "property_codes",
    "representation_similarity",
    "retrieval_scores",
    "saliency_map",
    "smoothgrad",
]


def __getattr__(name: str) -> Any:
    """Return a public function, whose module is imported only now: torch and compiled code take
    seconds to load.
    """
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
