"""The shape of an embedding space: density and spectral decay (Roth et al., ICML 2020).

All measures are of embeddings normalised to unit length, in float64.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num, Shaped
from scipy.sparse import csr_array

from dml_analysis.metrics.coordinates import unit
from dml_analysis.metrics.inputs import Data, checked_embeddings, class_labels


class EmbeddingGeometry(NamedTuple):
    """Density and spectral decay; distances are 1 - cos."""

    pi_intra: float  # mean distance of two images of a class
    pi_inter: float  # mean distance of two class means
    pi_ratio: float  # pi_intra / pi_inter, "density"
    rho_1: float  # spectral decay: KL(uniform || singular values); low for a flat spectrum
    rho_2: float  # without the largest singular value, as in Roth et al.'s figures


class ZeroMean(ValueError):
    """The mean of a class is zero, so it has no direction."""

    def __init__(self, label: object):
        super().__init__(f"the mean of class {label} is zero, so it has no direction")
        self.label = label


def embedding_geometry(
    embeddings: Num[Data, "n d"], labels: Shaped[Data, " n"]
) -> EmbeddingGeometry:
    """Return density and spectral decay of embeddings with class labels, by cosine distance.

    An undefined measure is NaN: pi_intra if no class has two images, pi_inter with one class,
    rho_2 with one singular value. Arrays may be of NumPy, torch on any device, or pandas; labels
    integers, texts or other values.

    Source: Roth et al. 2020, section 5. Raises ZeroEmbedding or ZeroMean for a zero embedding or
    class mean, ValueError on other shapes, missing labels, or an embedding that is not finite.

    >>> embeddings = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    >>> embedding_geometry(embeddings, np.array([0, 0, 1, 1])).pi_ratio
    0.5
    """
    embeddings = checked_embeddings(embeddings)
    labels = class_labels(labels, len(embeddings))
    spectrum = singular_values(embeddings)
    intra, inter = pi_intra(embeddings, labels), pi_inter(embeddings, labels)
    decays = [decay_of(spectrum, m) if m <= len(spectrum) else np.nan for m in (1, 2)]
    return EmbeddingGeometry(intra, inter, ratio(intra, inter), *decays)


def pi_intra(embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Return the mean over classes of the mean cosine distance of two images of the class.

    Classes of one image are left out; NaN if no class has two images. Raises ValueError as `unit`.
    """
    sums, counts = _class_sums(unit(embeddings), labels)
    several = counts > 1
    if not several.any():
        return np.nan
    return float(_mean_distance(sums[several], counts[several]).mean())


def pi_inter(embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Return the mean cosine distance of two class means of unit embeddings; NaN with one class.

    Raises ValueError as `unit`, and ZeroMean if a class mean is zero up to rounding.
    """
    embeddings = unit(embeddings)
    sums, counts = _class_sums(embeddings, labels)
    if len(sums) < 2:
        return np.nan
    # A sum of m unit vectors of d numbers has an error of at most m (m + d) eps.
    bounds = counts * (counts + embeddings.shape[1]) * np.finfo(np.float64).eps
    zero = np.linalg.norm(sums, axis=1) <= bounds
    if zero.any():
        raise ZeroMean(np.unique(labels)[zero.argmax()])
    return float(_mean_distance(unit(sums).sum(axis=0), len(sums)))


def pi_ratio(embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Return pi_intra / pi_inter, Roth et al.'s "density"; NaN if all class means are equal.

    Raises ValueError and ZeroMean as pi_inter.
    """
    return ratio(pi_intra(embeddings, labels), pi_inter(embeddings, labels))


def ratio(intra: float, inter: float) -> float:
    """Return intra / inter; NaN if inter is zero up to rounding."""
    return intra / inter if inter > 1e-12 else np.nan


def _class_sums(
    embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "c d"], Int[np.ndarray, " c"]]:
    """Return the sum of the embeddings of every class, and its number of images."""
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    members = csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))))  # (c, n) of 0 and 1
    return members @ embeddings, np.bincount(codes)


def _mean_distance(
    sums: Float[np.ndarray, "*c d"], counts: Int[np.ndarray, "*c"] | int
) -> Float[np.ndarray, "*c"]:
    """Return the mean of 1 - cos over all pairs of m unit vectors with this sum.

    Their cosines add up to (|sum|^2 - m) / 2.
    """
    return 1 - ((sums**2).sum(axis=-1) - counts) / (counts * (counts - 1))


def singular_values(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " k"]:
    """Return the min(n, d) singular values of the unit embeddings, not centred, largest first.

    Raises ValueError as `unit`.
    """
    return np.linalg.svd(unit(embeddings), compute_uv=False)


def spectral_decay(
    embeddings: Float[np.ndarray, "n d"], m: int = 1, reverse: bool = False
) -> float:
    """Return rho@m of embeddings; see decay_of."""
    return decay_of(singular_values(embeddings), m, reverse)


def decay_of(values: Float[np.ndarray, " k"], m: int = 1, reverse: bool = False) -> float:
    """Return rho@m of singular values, the largest first, in nats.

    rho@m is KL(uniform || s), or KL(s || uniform) if reversed. s is the values without the m - 1
    largest, divided by their sum. Values that are zero up to rounding count as zero, and make
    KL(uniform || s) infinite. NaN if only zeros remain. Raises ValueError unless m is from 1 to k.
    """
    values = np.asarray(values, dtype=np.float64)
    if not 1 <= m <= len(values):
        raise ValueError(f"m is {m}, but must be from 1 to the {len(values)} singular values")
    smallest = values[0] * 1000 * len(values) * np.finfo(np.float64).eps
    rest = np.where(values > smallest, values, 0)[m - 1 :]
    if not rest.any():
        return np.nan
    shares, count = rest / rest.sum(), len(rest)
    if reverse:
        return float(np.log(count) + sum(share * np.log(share) for share in shares if share))
    with np.errstate(divide="ignore"):
        return float(-np.log(count) - np.log(shares).mean())
