"""Sums over the pixels of all pairs of maps, from which their correlations and divergences follow; compiled.

Most of the time is logarithms, of which a library takes one at a time. Here they are written out, so that the compiler
can take as many at once as the processor has room for.
"""

import numpy as np
from numba import njit, prange

TILE = 1024  # pixels at a time: with fifteen maps they stay in the processor's cache
SERIES = tuple(1 / (2 * i + 1) for i in range(11))  # of artanh(s) / s in powers of s^2; exact to 1e-17 for |s| < 0.172
MANTISSA, ONE = np.int64(2**52 - 1), np.int64(1023 << 52)  # of a float64's bits
LN2, SQRT2 = float(np.log(2)), float(np.sqrt(2))
# Sums may be taken in any order, but NaN stays NaN.
FAST = {"reassoc", "contract"}


@njit(parallel=True, cache=True)
def pair_sums(maps, means, totals):
    """(dots, logs), each (n, l, l) with the upper triangle filled, for maps (l, n, pixels) of l networks and n images.

    means, totals: of each map, (l, n). dots: sums of the products of two centred maps. logs: sums of m ln(m), where m is
    the mean of two maps that are each divided by its total; 0 ln(0) is 0.
    """
    networks, images = means.shape
    dots, logs = np.zeros((images, networks, networks)), np.zeros((images, networks, networks))
    for i in prange(images):
        _sums_of_image(maps[:, i], means[:, i], totals[:, i], dots[i], logs[i])
    return dots, logs


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _sums_of_image(maps, means, totals, dots, logs):
    networks, pixels = maps.shape
    centred, halves = np.empty((networks, TILE)), np.empty((networks, TILE))
    mixed, scaled, powers = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    for start in range(0, pixels, TILE):
        size = min(TILE, pixels - start)
        for a in range(networks):
            for t in range(size):
                value = np.float64(maps[a, start + t])
                centred[a, t] = value - means[a]
                halves[a, t] = 0.5 * value / totals[a]
        for a in range(networks):
            for b in range(a, networks):
                dot = 0.0
                for t in range(size):
                    dot += centred[a, t] * centred[b, t]
                    mixed[t] = halves[a, t] + halves[b, t]
                dots[a, b] += dot
                logs[a, b] += _sum_of_x_log_x(mixed, scaled, powers, size)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def _sum_of_x_log_x(x, scaled, powers, size):
    """The sum of x ln(x) over the first `size` of x >= 0; scaled and powers are room to work in.

    With x = 2^p f and s = (f - 1) / (f + 1): ln(x) = p ln(2) + 2 artanh(s).
    """
    bits, scaled_bits = x.view(np.int64), scaled.view(np.int64)
    for t in range(size):
        powers[t] = np.float64(np.int32(bits[t] >> 52)) - 1023.0
        scaled_bits[t] = (bits[t] & MANTISSA) | ONE
    total = 0.0
    for t in range(size):
        f, power = scaled[t], powers[t]
        is_large = f > SQRT2
        f = 0.5 * f if is_large else f
        power = power + 1.0 if is_large else power
        s = (f - 1.0) / (f + 1.0)
        z = s * s
        series = SERIES[10]
        series = SERIES[9] + z * series
        series = SERIES[8] + z * series
        series = SERIES[7] + z * series
        series = SERIES[6] + z * series
        series = SERIES[5] + z * series
        series = SERIES[4] + z * series
        series = SERIES[3] + z * series
        series = SERIES[2] + z * series
        series = SERIES[1] + z * series
        series = SERIES[0] + z * series
        total += x[t] * (power * LN2 + 2.0 * s * series)
    return total
