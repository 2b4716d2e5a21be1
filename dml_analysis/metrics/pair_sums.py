"""Sums over the pixels of all pairs of maps, from which their correlations and divergences follow; compiled.

Most of the time is logarithms, of which a library takes one at a time. Here they are written out, so that the compiler
can take as many at once as the processor has room for.
"""

import numpy as np
from numba import prange
from numpy.polynomial import Chebyshev, Polynomial

from dml_analysis.metrics.compiled import as_float64, bits_of, compiled, from_bits

TILE = 1024  # pixels at a time: with fifteen maps they stay in the processor's cache
# Of a float64's bits: the exponent's, those of 1, and what takes the root of 1/2 to 1.
EXPONENT, ONE = np.int64(2047 << 52), np.int64(1023 << 52)
SHIFT = ONE - np.float64(np.sqrt(0.5)).view(np.int64)
LN2 = float(np.log(2))
LARGEST = ((np.sqrt(2) - 1) / (np.sqrt(2) + 1)) ** 2  # z = s^2 for f at either end


def _twice_artanh(z):
    """2 artanh(s) / s for z = s^2."""
    s = np.sqrt(z)
    return 2 * np.arctanh(s) / s


# The polynomial that takes its place, exact to 1e-16
SERIES = tuple(Chebyshev.interpolate(_twice_artanh, 7, [0, LARGEST]).convert(kind=Polynomial).coef)
# Sums may be taken in any order, but NaN stays NaN.
FAST = {"reassoc", "contract"}


@compiled(parallel=True)
def map_sums(maps):
    """(sum, whether all pixels are the same, whether one is negative) of maps (l, n, pixels), each (l, n).

    Maps are of numbers, or of the bits of float16 as uint16.
    """
    networks, images, _ = maps.shape
    totals = np.empty((networks, images))
    constant, negative = np.empty((networks, images), np.bool_), np.empty((networks, images), np.bool_)
    for i in prange(images):
        for a in range(networks):
            totals[a, i], constant[a, i], negative[a, i] = _sums_of_map(maps[a, i])
    return totals, constant, negative


@compiled(fastmath=FAST)
def _sums_of_map(pixels):
    total, other, negative = 0.0, np.uint32(0), np.uint32(0)
    for i in range(len(pixels)):
        total += as_float64(pixels[i])
    for i in range(len(pixels)):  # by itself, and in numbers of the pixels' size, so that one instruction takes many
        other += np.uint32(as_float64(pixels[i]) != as_float64(pixels[0]))
        negative += np.uint32(as_float64(pixels[i]) < 0)
    return total, other == 0, negative > 0


@compiled(parallel=True)
def pair_sums(maps, totals):
    """(dots, logs), each (n, l, l) with the upper triangle filled, for maps (l, n, pixels) of l networks and n images.

    maps: as in map_sums; totals: of each map, (l, n). dots: sums of the products of two centred maps. logs: sums of m ln(m),
    where m is the mean of two maps that are each divided by its total; 0 ln(0) is 0.
    """
    networks, images = totals.shape
    dots, logs = np.zeros((images, networks, networks)), np.zeros((images, networks, networks))
    for i in prange(images):
        _sums_of_image(maps[:, i], totals[:, i], dots[i], logs[i])
    return dots, logs


@compiled(fastmath=FAST, error_model="numpy")
def _sums_of_image(maps, totals, dots, logs):
    networks, pixels = maps.shape
    centred, halves = np.empty((networks, TILE)), np.empty((networks, TILE))
    for start in range(0, pixels, TILE):
        size = min(TILE, pixels - start)
        for a in range(networks):
            for t in range(size):
                value = as_float64(maps[a, start + t])
                centred[a, t] = value - totals[a] / pixels
                halves[a, t] = 0.5 * value / totals[a]
        for a in range(networks):
            for b in range(a, networks):
                dot, of_logs = 0.0, 0.0
                for t in range(size):
                    dot += centred[a, t] * centred[b, t]
                    of_logs += _x_log_x(halves[a, t] + halves[b, t])
                dots[a, b] += dot
                logs[a, b] += of_logs


@compiled(fastmath=FAST, error_model="numpy")
def _x_log_x(x):
    """x ln(x) of x >= 0.

    With x = 2^p f, f from the root of 1/2 to the root of 2, and s = (f - 1) / (f + 1): ln(x) = p ln(2) + 2 artanh(s).
    """
    bits = bits_of(x)
    shifted = bits + SHIFT
    power = np.float64(np.int32(shifted >> 52) - np.int32(1023))
    f = from_bits(bits - (shifted & EXPONENT) + ONE)
    s = (f - 1.0) / (f + 1.0)
    z = s * s
    series = SERIES[7]
    series = SERIES[6] + z * series
    series = SERIES[5] + z * series
    series = SERIES[4] + z * series
    series = SERIES[3] + z * series
    series = SERIES[2] + z * series
    series = SERIES[1] + z * series
    series = SERIES[0] + z * series
    return x * (power * LN2 + s * series)
