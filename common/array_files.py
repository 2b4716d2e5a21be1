"""Files of arrays (.npz): written whole, and read by what each of their arrays has to be."""

import io
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from common import safe_files
from common.errors import refused


class Array(NamedTuple):
    """What an array has for each row of a file."""

    dtype: str
    shape: tuple = ()
    finite: bool = True  # whether NaN and infinite numbers are wrong
    low: float | None = None  # what no number in it is below,
    high: float | None = None  # or above


@contextmanager
def opened(file, what, hint):
    """Yield the arrays of a file by name, which are read when they are asked for.

    All that is raised inside, of a broken file or by whoever looks at it, leaves as errors.refused says.
    """
    with refused(file, what, hint):
        safe_files.check_growth(file)
        with warnings.catch_warnings(action="ignore"), np.load(file, allow_pickle=False) as arrays:
            yield arrays


def checked(name, array, expected, rows):
    """The array, if it is what is expected (an Array) for so many rows. Raises ValueError if it is not."""
    dtype, shape = np.dtype(expected.dtype), (rows, *expected.shape)
    if (array.dtype, array.shape) != (dtype, shape):
        raise ValueError(f"{name} is {array.dtype} {array.shape}, not {dtype} {shape}")
    if expected.finite and dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"contains NaN or infinite values in {name}")
    if expected.low is not None and ((array < expected.low) | (array > expected.high)).any():
        raise ValueError(f"{name} has values that are not between {expected.low} and {expected.high}")
    return array


def write(file, **arrays):
    """Write arrays by name."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    safe_files.write_bytes(file, content.getbuffer())
