"""Files of arrays (.npz): written atomically, and checked when they are read."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from dml_analysis.errors import refused
from dml_analysis.files import atomic_files


class Array(NamedTuple):
    """What an array has for each row of a file."""

    dtype: str
    shape: tuple[int, ...] = ()
    finite: bool = True  # whether NaN and infinite numbers are wrong
    low: float | None = None  # the smallest
    high: float | None = None  # and the largest number allowed


@contextmanager
def opened(file: Path, what: str, hint: str) -> Iterator[Any]:
    """Yield the content of a file as from np.load.

    Anything raised inside is reported as by errors.refused.
    """
    with refused(file, what, hint):
        atomic_files.check_growth(file)
        with warnings.catch_warnings(action="ignore"):
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                raise ValueError("an .npy file, of a single array; write an .npz by np.savez")
            with content as arrays:
                yield arrays


def checked(
    name: str, array: Shaped[np.ndarray, "..."], expected: Array, rows: int
) -> Shaped[np.ndarray, "..."]:
    """Return the array. Raise ValueError if it is not what is expected for this many rows."""
    dtype, shape = np.dtype(expected.dtype), (rows, *expected.shape)
    if (array.dtype, array.shape) != (dtype, shape):
        raise ValueError(f"{name} is {array.dtype} {array.shape}, not {dtype} {shape}")
    low, high = expected.low, expected.high
    if low == 0 and high is not None and dtype.kind == "f" and _is_up_to(array, high):
        return array
    if expected.finite and dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"contains NaN or infinite values in {name}")
    if low is not None and ((array < low) | (array > high)).any():
        raise ValueError(f"{name} has values that are not between {low} and {high}")
    return array


def _is_up_to(array: Shaped[np.ndarray, "..."], high: float) -> bool:
    """Return whether all values are certainly between 0 and `high`, by comparing their bits.

    This takes a tenth of the time of comparing floats. The bits of non-negative floats, read as
    integers, have the order of the floats; those of all other floats, infinity and NaN are larger.
    """
    bits = f"u{array.dtype.itemsize}"
    return array.size == 0 or bool(array.view(bits).max() <= np.array(high, array.dtype).view(bits))


def write(file: Path, **arrays: Any) -> None:
    """Write arrays by name."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    atomic_files.write_bytes(file, content.getbuffer())
