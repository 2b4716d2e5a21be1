"""Files of arrays (.npz): written whole, and read by what each of their arrays has to be."""

import io
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from dml_analysis.errors import refused
from dml_analysis.files import atomic_files


class Array(NamedTuple):
    """What an array has for each row of a file."""

    dtype: str
    shape: tuple = ()
    finite: bool = True  # whether NaN and infinite numbers are wrong
    low: float | None = None  # what no number in it is below,
    high: float | None = None  # or above


@contextmanager
def opened(file, what, hint):
    """Yield what np.load gives of a file.

    All that is raised inside, of a broken file or by whoever looks at it, leaves as errors.refused says.
    """
    with refused(file, what, hint):
        atomic_files.check_growth(file)
        with warnings.catch_warnings(action="ignore"), np.load(file, allow_pickle=False) as arrays:
            yield arrays


def checked(name, array, expected, rows):
    """The array, if it is what is expected (an Array) for so many rows. Raises ValueError if it is not."""
    dtype, shape = np.dtype(expected.dtype), (rows, *expected.shape)
    if (array.dtype, array.shape) != (dtype, shape):
        raise ValueError(f"{name} is {array.dtype} {array.shape}, not {dtype} {shape}")
    if expected.low == 0 and dtype.kind == "f" and _surely_up_to(array, expected.high):
        return array
    if expected.finite and dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"contains NaN or infinite values in {name}")
    if expected.low is not None and ((array < expected.low) | (array > expected.high)).any():
        raise ValueError(
            f"{name} has values that are not between {expected.low} and {expected.high}"
        )
    return array


def _surely_up_to(array, high):
    """Whether all bits, as a whole number, are those of a float from 0 to `high`: in a tenth of the time that the rest takes.

    Bits of floats that are not negative order as these do, and those of all others, of infinity and NaN, are higher.
    """
    kind = f"u{array.dtype.itemsize}"
    return array.size == 0 or array.view(kind).max() <= np.array(high, array.dtype).view(kind)


def write(file, **arrays):
    """Write arrays by name."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    atomic_files.write_bytes(file, content.getbuffer())
