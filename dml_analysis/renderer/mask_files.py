"""Writer of masks, which tell car, ground and backdrop apart, as small PNG files.

`dml_analysis/datasets/masks.py` reads them. Standard library and numpy alone, for both
environments.
"""

import struct
import zlib
from pathlib import Path

import numpy as np

from dml_analysis.files import atomic_files

BACKDROP, GROUND, CAR = 0, 1, 2  # the wall behind; the ground and its shadows; the car
COLORS = ((70, 90, 160), (190, 180, 150), (200, 40, 40))  # in which viewers show them, RGB
BITS = 2  # per pixel
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write(path: Path, mask: np.ndarray) -> None:
    """Write a mask (h, w) of BACKDROP, GROUND and CAR. Raise ValueError for other values."""
    atomic_files.write_bytes(path, packed(mask))


def packed(mask: np.ndarray) -> bytes:
    """Return a palette PNG of a mask (h, w), compressed with the smaller of two PNG filters.

    Raise ValueError if the mask has other values than BACKDROP, GROUND and CAR.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or not mask.size or not np.isin(mask, (BACKDROP, GROUND, CAR)).all():
        raise ValueError("a mask must be an array (h, w) of 0, 1 and 2")
    height, width = mask.shape
    rows = _rows(mask.astype(np.uint8))
    filtered = (_unfiltered(rows), _minus_row_above(rows))
    pixels = min((zlib.compress(content, 9) for content in filtered), key=len)
    header = struct.pack(">IIBBBBB", width, height, BITS, 3, 0, 0, 0)  # 3: palette
    palette = bytes(value for color in COLORS for value in color)
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", pixels), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _rows(mask: np.ndarray) -> np.ndarray:
    """Return a mask (h, w) as bytes (h, ceil(w / 4)) of four pixels, the first in the high bits."""
    padded = np.pad(mask, ((0, 0), (0, -mask.shape[1] % 4)))
    quadruples = padded.reshape(len(mask), -1, 4)
    return (quadruples << np.array([6, 4, 2, 0], dtype=np.uint8)).sum(axis=2, dtype=np.uint8)


def _unfiltered(rows: np.ndarray) -> bytes:
    """Return rows (h, n) of bytes under PNG's filter 0, which leaves them unchanged."""
    return np.insert(rows, 0, 0, axis=1).tobytes()


def _minus_row_above(rows: np.ndarray) -> bytes:
    """Return rows (h, n) of bytes under PNG's filter 2: each byte minus the one above."""
    differences = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    return np.insert(differences, 0, 2, axis=1).tobytes()


def _chunk(name: bytes, content: bytes) -> bytes:
    """Return a PNG chunk: length, name, content, checksum."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
