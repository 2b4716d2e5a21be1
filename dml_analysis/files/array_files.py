"""Files of arrays (.npz): written whole, and read by what each of their arrays has to be."""

import io
import struct
import warnings
import zipfile
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from isal import isal_zlib

from dml_analysis.errors import refused
from dml_analysis.files import atomic_files

LENGTHS_AT = 26  # of its name and what else comes before it, from its header on


class Array(NamedTuple):
    """What an array has for each row of a file."""

    dtype: str
    shape: tuple = ()
    finite: bool = True  # whether NaN and infinite numbers are wrong
    low: float | None = None  # what no number in it is below,
    high: float | None = None  # or above


@contextmanager
def opened(file, what, hint):
    """Yield the Arrays of a file.

    All that is raised inside, of a broken file or by whoever looks at it, leaves as errors.refused says.
    """
    with refused(file, what, hint):
        atomic_files.check_growth(file)
        with warnings.catch_warnings(action="ignore"), np.load(file, allow_pickle=False) as arrays:
            yield Arrays(file, arrays)


class Arrays:
    """The arrays of an open file by name, which are read when they are asked for."""

    def __init__(self, file, arrays):
        self.files, self._file, self._arrays = arrays.files, file, arrays

    def __getitem__(self, name):
        return self._arrays[name]

    def read(self, name, room):
        """The array of this name, which is written into `room` if it is of its type and shape.

        In half the time that NumPy takes, if it is not packed either.
        """
        entry = self._arrays.zip.getinfo(f"{name}.npy")
        with open(self._file, "rb") as file:
            file.seek(entry.header_offset + LENGTHS_AT)
            file.seek(sum(struct.unpack("<HH", file.read(4))), io.SEEK_CUR)
            begin, expected = file.tell(), io.BytesIO()
            np.lib.format.write_array_header_1_0(expected, np.lib.format.header_data_from_array_1_0(room))
            if entry.compress_type != zipfile.ZIP_STORED or file.read(expected.tell()) != expected.getvalue():
                return self[name]
            content = room.reshape(-1).view(np.uint8)
            file.readinto(content)
            checksum = isal_zlib.crc32(content, isal_zlib.crc32(expected.getvalue()))
            if file.tell() - begin != entry.file_size:
                return self[name]
        if checksum != entry.CRC:
            raise ValueError(f"the checksum of {name} is wrong")
        return room


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
        raise ValueError(f"{name} has values that are not between {expected.low} and {expected.high}")
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
