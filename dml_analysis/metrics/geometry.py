"""The shape of an embedding space: how much room classes take, and how many directions are in use (Roth et al., ICML 2020).

All is of embeddings brought to length 1, in float64.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from scipy.sparse import csr_array

from dml_analysis.metrics.coordinates import unit


class EmbeddingGeometry(NamedTuple):
    pi_intra: float  # mean distance of two images of a class
    pi_inter: float  # mean distance of two class means
    pi_ratio: float  # pi_intra / pi_inter, "density"
    rho_1: float  # spectral decay: KL(uniform || singular values); low for a flat spectrum
    rho_2: float  # without the largest singular value; the one in Roth et al.'s figures


class ZeroMean(ValueError):
    """The mean of a class is zero, so that it has no direction."""

    def __init__(self, label: object):
        super().__init__(f"the mean of class {label} is zero, so it has no direction")
        self.label = label


def embedding_geometry(embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> EmbeddingGeometry:
    """Return density and spectral decay of embeddings with class labels, by cosine distance (1 - cos).

    NaN where a measure is undefined: pi_intra if no class has two images, pi_inter with one class, rho_2 with one singular value.
    Source: Roth et al. 2020, section 5. Raises ZeroEmbedding or ZeroMean for an embedding or class mean without direction, ValueError if
    an embedding is not finite.

    >>> embedding_geometry(np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]), np.array([0, 0, 1, 1])).pi_ratio
    0.5
    """
    spectrum, intra, inter = singular_values(embeddings), pi_intra(embeddings, labels), pi_inter(embeddings, labels)
    decays = [decay_of(spectrum, m) if m <= len(spectrum) else np.nan for m in (1, 2)]
    return EmbeddingGeometry(intra, inter, ratio(intra, inter), *decays)


def pi_intra(embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Mean over classes of the mean cosine distance of two of its images; classes of one image are left out.

    embeddings (n, d), labels (n,). NaN if no class has two images. Raises ValueError as `unit` does.
    """
    sums, counts = _class_sums(unit(embeddings), labels)
    several = counts > 1
    return float(_mean_distance(sums[several], counts[several]).mean()) if several.any() else np.nan


def pi_inter(embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Mean cosine distance of two class means, which are those of the embeddings, brought to length 1 again.

    NaN with one class. Raises ValueError as `unit` does, and ZeroMean if that of a class is zero but for rounding.
    """
    embeddings = unit(embeddings)
    sums, counts = _class_sums(embeddings, labels)
    if len(sums) < 2:
        return np.nan
    # A sum of m vectors of length 1, d numbers each, is off by no more than m (m + d) eps.
    zero = np.linalg.norm(sums, axis=1) <= counts * (counts + embeddings.shape[1]) * np.finfo(np.float64).eps
    if zero.any():
        raise ZeroMean(np.unique(labels)[zero.argmax()])
    return float(_mean_distance(unit(sums).sum(axis=0), len(sums)))


def pi_ratio(embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """pi_intra by pi_inter, the study's "density"; NaN where all class means are one, but for rounding."""
    return ratio(pi_intra(embeddings, labels), pi_inter(embeddings, labels))


def ratio(intra: float, inter: float) -> float:
    """pi_ratio of the two."""
    return intra / inter if inter > 1e-12 else np.nan


def _class_sums(
    embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "c d"], Float[np.ndarray, " c"]]:
    """(sums (c, d), counts (c,)) of the embeddings of every class."""
    place = np.unique(np.asarray(labels), return_inverse=True)[1]
    members = csr_array((np.ones(len(place)), (place, np.arange(len(place)))))  # (c, n), 1 where an image is of a class
    return members @ embeddings, np.bincount(place)


def _mean_distance(sums: Float[np.ndarray, "*c d"], counts: Float[np.ndarray, "*c"] | int) -> Float[np.ndarray, "*c"]:
    """Mean of 1 - cos over all pairs of m vectors of length 1 with this sum: their cosines add up to (|sum|^2 - m) / 2."""
    return 1 - ((sums**2).sum(axis=-1) - counts) / (counts * (counts - 1))


def singular_values(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " k"]:
    """The min(n, d) singular values of the embeddings (n, d), not centred, the largest first. Raises ValueError as `unit` does."""
    return np.linalg.svd(unit(embeddings), compute_uv=False)


def spectral_decay(embeddings: Float[np.ndarray, "n d"], m: int = 1, reverse: bool = False) -> float:
    """rho@m of embeddings (n, d); see decay_of."""
    return decay_of(singular_values(embeddings), m, reverse)


def decay_of(values: Float[np.ndarray, " k"], m: int = 1, reverse: bool = False) -> float:
    """KL(uniform || s), or with reverse KL(s || uniform), natural logarithm, of singular values (k,), the largest first.

    s is what is left without the m - 1 largest, divided by its sum. Values that are zero but for rounding count as zero: then
    KL(uniform || s) is infinite. NaN if nothing but zeros is left. Raises ValueError unless m is from 1 to k.
    """
    values = np.asarray(values, dtype=np.float64)
    if not 1 <= m <= len(values):
        raise ValueError(f"m is {m}, but must be from 1 to the {len(values)} singular values")
    rest = np.where(values > values[0] * 1000 * len(values) * np.finfo(np.float64).eps, values, 0)[m - 1 :]
    if not rest.any():
        return np.nan
    shares, count = rest / rest.sum(), len(rest)
    if reverse:
        return float(np.log(count) + sum(share * np.log(share) for share in shares if share))
    with np.errstate(divide="ignore"):
        return float(-np.log(count) - np.log(shares).mean())
