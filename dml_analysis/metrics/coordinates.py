"""Coordinates in which the Euclidean distance orders neighbours as a model's distance does.

All distances of Table 1 normalise embeddings to unit length first. Two kinds do not: "Raw Euclidean Distance", and a function
that settings name by module:function.
"""

import numpy as np

from dml_analysis.imports import is_name
from dml_analysis.paper import RAW_EUCLIDEAN


class ZeroEmbedding(ValueError):
    """An embedding that is to be normalised is zero, so that it has no direction."""

    def __init__(self, row):
        super().__init__(f"embedding {row} is zero, so it has no direction")
        self.row = row


def normalises(distance):
    """Whether a model's distance brings embeddings to unit length first."""
    return distance != RAW_EUCLIDEAN and not is_name(distance)


def unit(embeddings):
    """Return embeddings (n, d), each divided by its length, in float64.

    Raises ZeroEmbedding if one is zero, ValueError if one is not finite.
    """
    embeddings = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError("an embedding has NaN or infinite numbers")
    if not lengths.all():
        raise ZeroEmbedding(int((lengths == 0).argmax()))
    return embeddings / lengths


def coordinates_of(embeddings, distance):
    """Return coordinates (n, k) of embeddings (n, d) for a distance: a name of Table 1, RAW_EUCLIDEAN, or module:function."""
    if is_name(distance):
        from dml_analysis.networks.distances import coordinates  # torch takes seconds to load

        return coordinates(distance, embeddings)
    return euclidean_coordinates(embeddings, distance)


def euclidean_coordinates(embeddings, name):
    """Return coordinates (n, d) whose Euclidean distances order the neighbours of every query as the named distance does.

    All distances of Table 1 normalise embeddings to unit length. On the unit sphere cosine, dot product, Euclidean and
    squared Euclidean distance agree in order. The SNR distance var(a - b) / var(a) has a denominator that is the same
    for all neighbours of the query a, and var(a - b) is the squared Euclidean distance of a and b with each embedding's
    mean over its dimensions taken off. RAW_EUCLIDEAN takes embeddings as they are.
    """
    if name == RAW_EUCLIDEAN:
        return embeddings
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    coordinates = embeddings / np.maximum(norms, np.finfo(embeddings.dtype).tiny)
    if name == "SNR Distance":
        coordinates = coordinates - coordinates.mean(axis=1, keepdims=True)
    return coordinates


def scaled(coordinates):
    """Return coordinates (n, k) in float64, centred, none above 1 in size; the order of their distances stays the same.

    A power of two as the unit keeps squares from running over. Centring keeps the digits that a large common offset would
    cost, by a rounded mean, so that numbers on a grid keep their ties.
    """
    coordinates = np.ldexp(coordinates.astype(np.float64), -_exponent(coordinates))
    coordinates -= np.round(coordinates.mean(axis=0) * 1024) / 1024
    return np.ldexp(coordinates, -_exponent(coordinates))


def _exponent(numbers):
    return np.frexp(np.abs(numbers).max())[1]
