"""What is said to the compiler itself, beside NumPy."""

import numpy as np
import pytest

from dml_analysis.metrics import simd
from dml_analysis.metrics.compiled import as_float64, bits_of, compiled, from_bits


@compiled()
def compared(numbers, begin, other):
    return simd.below(numbers, begin, other), simd.at_most(numbers, begin, other), simd.equal(numbers, begin, other)


@compiled()
def counted(bits):
    return simd.count(bits), simd.lowest(bits)


@compiled()
def added(table, rows, begin, end, wanted, counts):
    simd.add_equal(table, rows, begin, end, wanted, counts)


@compiled()
def converted(number):
    return as_float64(number)


@compiled()
def there_and_back(number):
    return bits_of(number), from_bits(bits_of(number))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_comparisons(dtype):
    numbers = np.random.default_rng(0).integers(0, 256, 200).astype(dtype)
    numbers[70], numbers[71] = np.iinfo(dtype).max, 0  # unsigned
    for begin in (0, 1, 64, 136):
        for other in (numbers[begin], dtype(0), np.iinfo(dtype).max):
            some, other = numbers[begin : begin + 64], dtype(other)
            for bits, expected in zip(compared(numbers, begin, other), (some < other, some <= other, some == other)):
                assert [bool(bits >> i & 1) for i in range(64)] == expected.tolist()


def test_bits():
    for bits in (1, 6, 2**63, 2**64 - 1, 0b1010000):
        assert counted(np.uint64(bits)) == (bits.bit_count(), (bits & -bits).bit_length() - 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_places_that_are_equal(dtype):
    rng = np.random.default_rng(0)
    table, rows = rng.integers(0, 3, (50, 64)).astype(dtype), rng.integers(0, 50, 20).astype(np.int32)
    wanted, counts = table[7].copy(), np.arange(64).astype(dtype)
    added(table, rows, 3, 17, wanted, counts)
    assert counts.tolist() == (np.arange(64) + (table[rows[3:17]] == wanted).sum(axis=0)).tolist()
    added(table, rows, 5, 5, wanted, counts)
    assert counts.tolist() == (np.arange(64) + (table[rows[3:17]] == wanted).sum(axis=0)).tolist()


def test_padded_length():
    assert [simd.padded_length(n) for n in (0, 1, 64, 65)] == [0, 64, 64, 128]


def test_float16_by_its_bits():
    for number in np.array([0, -0.0, 1, 6e-8, -65504, np.inf], np.float16):
        assert converted(number.view(np.uint16)) == float(number)
    assert np.isnan(converted(np.float16(np.nan).view(np.uint16)))
    assert converted(np.float32(0.1)) == float(np.float32(0.1)) and converted(7) == 7.0


def test_bits_of_floats():
    for number in (1.0, -0.1, 5e-324, np.inf):
        assert there_and_back(number) == (int(np.float64(number).view(np.int64)), number)
