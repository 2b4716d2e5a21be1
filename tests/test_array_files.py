"""Arrays of a damaged file, and what passes as in range."""

import numpy as np
import pytest

from dml_analysis.datasets import embedding_files
from dml_analysis.errors import InputError
from dml_analysis.files import array_files
from dml_analysis.files.array_files import Array

MAPS = np.linspace(0, 1, 24, dtype=np.float16).reshape(2, 3, 4)


def test_a_damaged_array(tmp_path):
    file = tmp_path / "part.npz"
    array_files.write(file, maps=MAPS)
    content = bytearray(file.read_bytes())
    content[content.index(MAPS.tobytes()) + 10] ^= 1
    file.write_bytes(content)
    with (
        pytest.raises(InputError, match="part.npz: not a file"),
        array_files.opened(file, "a file", "mend it") as arrays,
    ):
        arrays["maps"]


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


# ---------------------------------------------------------------------------------------------------------------------
# Files of embeddings.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ids", [["a/1", "ü"], [b"a/1", "ü".encode()]])
def test_ids_may_be_bytes(tmp_path, ids):
    np.savez(tmp_path / "given.npz", embeddings=np.array([[1.0, 2], [3, 4]]), image_ids=ids)
    read = embedding_files.read(tmp_path / "given.npz", ["ü", "a/1"])
    assert read.tolist() == [[3, 4], [1, 2]] and read.dtype == np.float32


def test_a_single_array_is_no_file_of_embeddings(tmp_path):
    np.save(tmp_path / "given.npy", np.ones((2, 3)))
    with pytest.raises(InputError, match="an .npy file, of a single array; write an .npz"):
        embedding_files.read(tmp_path / "given.npy")
