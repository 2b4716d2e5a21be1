"""Coordinates whose Euclidean distances rank neighbours as a model's distance does.

All distances of Table 1 first normalise embeddings to unit length. Two do not: "Raw Euclidean
Distance", and a function that the settings name by module:function.
"""

import numpy as np
from jaxtyping import Float

from dml_analysis.imports import is_name
from dml_analysis.metrics.inputs import checked_embeddings
from dml_analysis.paper import RAW_EUCLIDEAN


class ZeroEmbedding(ValueError):
    """An embedding to be normalised is zero, so it has no direction."""

    def __init__(self, row: int):
        super().__init__(f"embedding {row} is zero, so it has no direction")
        self.row = row


def normalises(distance: str) -> bool:
    """Return whether a model's distance first normalises embeddings to unit length."""
    return distance != RAW_EUCLIDEAN and not is_name(distance)


def unit(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return the embeddings in float64, each divided by its length.

    Raises ZeroEmbedding if one is zero, ValueError as checked_embeddings.
    """
    embeddings = checked_embeddings(embeddings).astype(np.float64, copy=False)
    largest = np.abs(embeddings).max(axis=1, keepdims=True)
    if not largest.all():
        raise ZeroEmbedding(int((largest == 0).argmax()))
    # Scaling by a power of two keeps squares from overflowing, and from vanishing.
    embeddings = np.ldexp(embeddings, -np.frexp(largest)[1])
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def coordinates_of(embeddings: Float[np.ndarray, "n d"], distance: str) -> Float[np.ndarray, "n k"]:
    """Return the coordinates of embeddings for a distance.

    distance: a name of Table 1, RAW_EUCLIDEAN, or module:function. Raises InputError if that
    function cannot be imported, fails, or returns anything but finite coordinates, ZeroEmbedding
    for a zero embedding that the distance normalises.
    """
    if is_name(distance):
        from dml_analysis.networks.distances import coordinates  # torch takes seconds to load

        return coordinates(distance, embeddings)
    return euclidean_coordinates(embeddings, distance)


def euclidean_coordinates(
    embeddings: Float[np.ndarray, "n d"], name: str
) -> Float[np.ndarray, "n d"]:
    """Return coordinates whose Euclidean distances rank neighbours as the named distance does.

    All distances of Table 1 normalise embeddings to unit length. On the unit sphere, cosine, dot
    product, Euclidean and squared Euclidean distance rank alike. The SNR distance is
    var(a - b) / var(a). Its denominator is the same for all neighbours of a query a. Its
    numerator is the squared Euclidean distance of a and b after each embedding's mean over its
    dimensions is subtracted. RAW_EUCLIDEAN takes embeddings as they are. Raises ZeroEmbedding if
    an embedding to be normalised is zero.
    """
    if name == RAW_EUCLIDEAN:
        return embeddings
    coordinates = unit(embeddings)
    if name == "SNR Distance":
        coordinates = coordinates - coordinates.mean(axis=1, keepdims=True)
    return coordinates


def scaled(coordinates: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Return coordinates in float64, centred, with no absolute value above 1.

    The order of their distances stays the same. Scaling by a power of two keeps squares from
    overflowing. Centring keeps the digits that a large common offset would cost; the subtracted
    mean is rounded, so that numbers on a grid keep their ties.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    coordinates = np.ldexp(coordinates, -_exponent(coordinates))
    coordinates -= np.round(coordinates.mean(axis=0) * 1024) / 1024
    return np.ldexp(coordinates, -_exponent(coordinates))


def _exponent(numbers: Float[np.ndarray, "n k"]) -> int:
    """Return the smallest e such that all absolute values are below 2^e."""
    return np.frexp(np.abs(numbers).max())[1]
