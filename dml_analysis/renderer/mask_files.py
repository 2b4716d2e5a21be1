"""What is where in a rendered picture: its mask, an array of three numbers, and the small PNG file that holds it.

`dml_analysis/datasets/masks.py` reads the files. Standard library and numpy alone, for both environments.
"""

import struct
import zlib

import numpy as np

from dml_analysis.files import atomic_files

BACKDROP, GROUND, CAR = 0, 1, 2  # the wall behind; the ground, with its shadows; the car
COLORS = ((70, 90, 160), (190, 180, 150), (200, 40, 40))  # by which a viewer shows them, RGB
BITS = 2  # of a pixel
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write(path, mask):
    """Writes a mask (h, w) of BACKDROP, GROUND and CAR."""
    atomic_files.write_bytes(path, packed(mask))


def packed(mask):
    """The bytes of a palette PNG with this mask (h, w), as small as one of PNG's filters makes them.

    Raises ValueError if the mask has other values.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or not mask.size or not np.isin(mask, (BACKDROP, GROUND, CAR)).all():
        raise ValueError("a mask is an array (h, w) of 0, 1 and 2")
    height, width = mask.shape
    rows = _rows(mask.astype(np.uint8))
    pixels = min((zlib.compress(each, 9) for each in (_unfiltered(rows), _less_above(rows))), key=len)
    header = struct.pack(">IIBBBBB", width, height, BITS, 3, 0, 0, 0)  # 3: by palette
    chunks = [(b"IHDR", header), (b"PLTE", bytes(sum(COLORS, ()))), (b"IDAT", pixels), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _rows(mask):
    """(h, ceil(w / 4)) bytes of four pixels each, the first in the highest bits."""
    padded = np.pad(mask, ((0, 0), (0, -mask.shape[1] % 4)))
    return (padded.reshape(len(mask), -1, 4) << np.array([6, 4, 2, 0], dtype=np.uint8)).sum(axis=2, dtype=np.uint8)


def _unfiltered(rows):
    return np.insert(rows, 0, 0, axis=1).tobytes()


def _less_above(rows):
    """PNG's filter 2: of each byte the one above is taken away."""
    return np.insert(np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1])), 0, 2, axis=1).tobytes()


def _chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
