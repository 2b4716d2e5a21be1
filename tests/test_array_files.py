"""Arrays that are read into memory that is there already, and what passes as in range."""

import numpy as np
import pytest

from dml_analysis.errors import InputError
from dml_analysis.files import array_files
from dml_analysis.files.array_files import Array

MAPS = np.linspace(0, 1, 24, dtype=np.float16).reshape(2, 3, 4)


def read(file, room):
    with array_files.opened(file, "a file", "mend it") as arrays:
        return arrays.read("maps", room)


def test_an_array_is_read_into_its_room(tmp_path):
    array_files.write(tmp_path / "part.npz", rows=np.array(["a", "b"]), maps=MAPS)
    room = np.empty_like(MAPS)
    assert read(tmp_path / "part.npz", room) is room and np.array_equal(room, MAPS)


@pytest.mark.parametrize(
    "room", [np.empty((3, 2, 4), np.float16), np.empty((2, 3, 4), np.uint16), np.empty(24, np.float16)]
)
def test_an_array_that_has_no_room_there_is_read_elsewhere(tmp_path, room):
    array_files.write(tmp_path / "part.npz", maps=MAPS)
    found = read(tmp_path / "part.npz", room)
    assert found is not room and found.dtype == MAPS.dtype and np.array_equal(found, MAPS)


@pytest.mark.parametrize("save", [np.savez_compressed, lambda file, maps: np.savez(file, maps=np.asfortranarray(maps))])
def test_an_array_that_lies_otherwise_is_read_elsewhere(tmp_path, save):
    save(tmp_path / "part.npz", maps=MAPS)
    assert np.array_equal(read(tmp_path / "part.npz", np.empty_like(MAPS)), MAPS)


def test_a_damaged_array(tmp_path):
    file = tmp_path / "part.npz"
    array_files.write(file, maps=MAPS)
    content = bytearray(file.read_bytes())
    content[content.index(MAPS.tobytes()) + 10] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="part.npz: not a file .*checksum"):
        read(file, np.empty_like(MAPS))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize(
    "value, passes", [(0, True), (-0.0, True), (1, True), (1.01, False), (-0.01, False), (np.nan, False), (-np.nan, False),
                      (np.inf, False), (-np.inf, False)],
)  # fmt: skip
def test_range(dtype, value, passes):
    array, expected = np.array([0.5, value], dtype), Array(dtype, low=0, high=1)
    if passes:
        assert array_files.checked("maps", array, expected, 2) is array
    else:
        with pytest.raises(ValueError, match="maps"):
            array_files.checked("maps", array, expected, 2)
