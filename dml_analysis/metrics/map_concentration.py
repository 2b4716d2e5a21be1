"""How concentrated saliency maps are: their Gini coefficient and entropy."""

import numpy as np
from jaxtyping import Float


def gini(maps: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, " n"]:
    """Return the Gini coefficient of each map's values.

    It is 0 if all pixels have the same value, and 1 - 1 / (h w) if one pixel has all of them (Hurley
    and Rickard, IEEE Trans. Information Theory 55, 2009). NaN for a map of zeros.

    >>> gini(np.array([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 3.0]]]))
    array([0.  , 0.75])
    """
    values = np.sort(np.asarray(maps, dtype=np.float64).reshape(len(maps), -1), axis=1)
    n = values.shape[1]
    with np.errstate(invalid="ignore"):
        shares = values / values.sum(axis=1, keepdims=True)
    ranks = np.arange(1, n + 1)
    return 2 * (shares @ ranks) / n - (n + 1) / n


def entropy(maps: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, " n"]:
    """Return the entropy of each map as a distribution over pixels, as a share of its maximum.

    It is 1 if all pixels have the same value, and 0 if one pixel has all of them. NaN for a map of
    zeros.

    >>> entropy(np.array([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [2.0, 2.0]]]))
    array([1. , 0.5])
    """
    values = np.asarray(maps, dtype=np.float64).reshape(len(maps), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = values / values.sum(axis=1, keepdims=True)
        terms = np.where(shares > 0, -shares * np.log(shares), 0 * shares)
    return terms.sum(axis=1) / np.log(values.shape[1])
