"""The similarity of saliency maps, and means of similarities (Kobs et al., section 3.1)."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Bool, Float, Num

from dml_analysis.metrics.inputs import Data, as_array

PIXELS = (-2, -1)


def pearson(a: Num[Data, "*n h w"], b: Num[Data, "*n h w"]) -> Float[np.ndarray, "*n"]:
    """Return the Pearson correlation, in [-1, 1], of each map of a with its map of b.

    Leading axes broadcast. A constant map has no correlation: NaN. Identical maps give exactly 1.
    Source: Kobs et al., section 3.1. Raises ValueError on maps that do not broadcast.

    >>> float(pearson([[0, 1], [2, 3]], [[3, 2], [1, 0]]))
    -1.0
    """
    a, b = _centred(a), _centred(b)
    # The root of the product, not the product of the roots: so identical maps give exactly 1.
    with np.errstate(invalid="ignore"):
        return np.clip(_dot(a, b) / np.sqrt(_dot(a, a) * _dot(b, b)), -1, 1)


def jensen_shannon(
    a: Num[Data, "*n h w"], b: Num[Data, "*n h w"], base: float = 2
) -> Float[np.ndarray, "*n"]:
    """Return the Jensen-Shannon divergence (not its root, the distance) of each map of a and of b.

    Leading axes broadcast. Each map is divided by its sum. The divergence is 0 for equal
    distributions and at most log_base(2), 1 for base 2. A map that sums to zero is no distribution:
    NaN. Source: Kobs et al., section 3.1. Raises ValueError on a negative value.

    >>> float(jensen_shannon([[1.0, 0.0]], [[0.0, 2.0]]))
    1.0
    """
    a, b = _distribution(a), _distribution(b)
    # JSD(a, b) = H((a + b) / 2) - (H(a) + H(b)) / 2, with H the entropy
    return _in_bounds(_entropy((a + b) / 2) - (_entropy(a) + _entropy(b)) / 2, base)


def all_pairs(maps: Float[np.ndarray, "l n h w"], base: float) -> Float[np.ndarray, "2 n l l"]:
    """Return `pearson` and `jensen_shannon` of all pairs of l maps of the same image, for n images.

    A map with itself has correlation 1 and divergence 0, unless they are undefined. NaN maps have
    NaN for both. Raises ValueError on a negative value.
    """
    return np.swapaxes([_pairs_of_image(image, base) for image in np.swapaxes(maps, 0, 1)], 0, 1)


def _pairs_of_image(
    maps: Float[np.ndarray, "l h w"], base: float
) -> tuple[Float[np.ndarray, "l l"], Float[np.ndarray, "l l"]]:
    """Return (correlation, JSD) of all pairs. Each map is centred and normalised only once."""
    centred, p = _centred(maps), _distribution(maps)
    dots, entropies = np.einsum("ahw,bhw->ab", centred, centred), np.empty((len(p), len(p)))
    for a, b in combinations_with_replacement(range(len(p)), 2):
        entropies[a, b] = entropies[b, a] = _entropy((p[a] + p[b]) / 2)
    squares, own = np.diag(dots), np.diag(entropies)
    correlation = np.clip(dots / np.sqrt(np.multiply.outer(squares, squares)), -1, 1)
    return correlation, _in_bounds(entropies - np.add.outer(own, own) / 2, base)


def _in_bounds(divergence: Float[np.ndarray, "*n"], base: float) -> Float[np.ndarray, "*n"]:
    """Return a divergence in nats to another base, clipped, as rounding can leave its bounds."""
    return np.clip(divergence, 0, np.log(2)) / np.log(base)


def fisher_mean(r: Num[Data, "..."], axis: int = -1) -> Float[np.ndarray, "..."]:
    """Return the mean of correlations by Fisher's z: tanh(mean(arctanh(r))), without NaN values.

    r = 1 has an infinite z, so one perfect correlation makes the mean 1; together with r = -1 the
    mean is NaN. Source: Kobs et al., section 3.1. Raises numpy.exceptions.AxisError on an axis that
    does not exist.

    >>> round(float(fisher_mean([0.0, 0.8])), 3)
    0.5
    """
    with _quiet():
        return np.tanh(np.nanmean(np.arctanh(_float64(r)), axis=axis))


def fisher_std(r: Num[Data, "..."], axis: int = -1) -> Float[np.ndarray, "..."]:
    """Return the "±" of the paper's tables: tanh of the standard deviation (ddof 0) of arctanh(r).

    NaN values are left out. Equal correlations have 0, also if all are 1. The result is NaN if some
    are ±1, which have no finite spread, or without values. Source: Kobs et al., Tables 2-4. Raises
    numpy.exceptions.AxisError on an axis that does not exist.

    >>> round(float(fisher_std([0.0, 0.8])), 3)
    0.5
    """
    with _quiet():
        z = np.arctanh(_float64(r))
        if not z.shape[axis]:
            return np.nanmean(z, axis=axis)
        alike = np.nanmax(z, axis=axis) == np.nanmin(z, axis=axis)
        return np.where(alike, 0.0, np.tanh(np.nanstd(z, axis=axis)))


def constant(maps: Float[np.ndarray, "*n h w"]) -> Bool[np.ndarray, "*n"]:
    """Return which maps are constant, so that they have no correlation."""
    return np.max(maps, axis=PIXELS) == np.min(maps, axis=PIXELS)


def _float64(values: Num[Data, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return as_array(values).astype(np.float64, copy=False)


def _centred(maps: Num[Data, "*n h w"]) -> Float[np.ndarray, "*n h w"]:
    """Return maps minus their means; NaN if constant, as rounding would look like a pattern."""
    maps = _float64(maps)
    return np.where(
        constant(maps)[..., None, None], np.nan, maps - maps.mean(axis=PIXELS, keepdims=True)
    )


def _dot(a: Float[np.ndarray, "*n h w"], b: Float[np.ndarray, "*n h w"]) -> Float[np.ndarray, "*n"]:
    return np.einsum("...hw,...hw->...", a, b)


def _distribution(maps: Num[Data, "*n h w"]) -> Float[np.ndarray, "*n h w"]:
    maps = _float64(maps)
    if (maps < 0).any():
        raise ValueError("a saliency map has negative values, so it is no distribution")
    with np.errstate(invalid="ignore", divide="ignore"):
        return maps / maps.sum(axis=PIXELS, keepdims=True)


def _entropy(p: Float[np.ndarray, "*n h w"]) -> Float[np.ndarray, "*n"]:
    """Return the entropy in nats of distributions; 0 log 0 is 0."""
    return -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=PIXELS)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings: NaN and infinity are valid results here."""
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
