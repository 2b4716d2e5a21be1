"""The masks of rendered cars: the files the renderer writes, and their reader."""

import numpy as np
import pytest
from PIL import Image

from dml_analysis.datasets import masks
from dml_analysis.datasets.masks import BACKDROP, CAR, GROUND
from dml_analysis.errors import InputError
from dml_analysis.renderer import mask_files


def scene_of(height, width):
    """A mask with a horizon, a box on the ground, and a pixel in each corner that tells them apart."""
    mask = np.full((height, width), GROUND, dtype=np.uint8)
    mask[: height // 3] = BACKDROP
    mask[height // 4 : height - 2, width // 3 : width // 2] = CAR
    mask[0, 0], mask[0, -1], mask[-1, -1] = CAR, GROUND, CAR
    return mask


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 7), (48, 48), (256, 256), (31, 200)])
def test_what_is_written_is_read(tmp_path, size):
    mask = scene_of(*size) if min(size) > 2 else np.full(size, CAR)
    mask_files.write(tmp_path / "1.png", mask)
    read = masks.read(tmp_path / "1.png")
    assert read.dtype == np.uint8 and np.array_equal(read, mask)


def test_noise_is_read_too(tmp_path):
    mask = np.random.default_rng(0).integers(0, 3, (37, 41))
    mask_files.write(tmp_path / "1.png", mask)
    assert np.array_equal(masks.read(tmp_path / "1.png"), mask)


def test_bytes_by_hand():
    """Two rows of five pixels: 2 bits each, four to a byte, the first highest."""
    packed = mask_files.packed([[0, 1, 2, 0, 2], [2, 2, 2, 2, 1]])
    assert mask_files._rows(np.array([[0, 1, 2, 0, 2], [2, 2, 2, 2, 1]])).tolist() == [[0b00011000, 0b10000000], [0b10101010, 0b01000000]]  # fmt: skip
    assert (
        packed[:16] == b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" and packed[16:26] == b"\0\0\0\5\0\0\0\2\2\3"
    )


def test_a_viewer_sees_three_colours(tmp_path):
    mask_files.write(tmp_path / "1.png", scene_of(48, 48))
    with Image.open(tmp_path / "1.png") as image:
        assert {color for _, color in image.convert("RGB").getcolors()} == set(mask_files.COLORS)


def test_a_mask_is_small():
    assert len(mask_files.packed(scene_of(256, 256))) < 1000


@pytest.mark.parametrize(
    "mask", [[[0, 3]], [[0.5, 1]], [0, 1], [[[0]]], np.zeros((0, 4)), [[-1, 0]]]
)
def test_what_is_no_mask_is_not_written(mask):
    with pytest.raises(ValueError, match="a mask must be an array"):
        mask_files.packed(mask)


def spoilt(name):
    """Files that are no masks: name -> bytes."""
    good = mask_files.packed(scene_of(48, 48))
    return {"empty": b"", "cut": good[:80], "no picture": b"frame,model\n"}[name]


@pytest.mark.parametrize("name", ["empty", "cut", "no picture"])
def test_broken_masks(tmp_path, name):
    (tmp_path / "7.png").write_bytes(spoilt(name))
    with pytest.raises(InputError, match=r"7\.png: not a mask of car, ground and backdrop"):
        masks.read(tmp_path / "7.png")


def test_pictures_that_are_no_masks(tmp_path):
    file = tmp_path / "7.png"
    for image in (Image.new("RGB", (8, 8)), Image.new("L", (8, 8), 2), Image.new("1", (8, 8))):
        image.save(file)
        with pytest.raises(InputError, match="mode .*, not a palette"):
            masks.read(file)
    image = Image.new("P", (8, 8), 3)
    image.putpalette(bytes(range(12)))
    image.save(file)
    with pytest.raises(InputError, match="value 3"):
        masks.read(file)
    Image.new("RGB", (8, 8)).save(file, format="JPEG")
    with pytest.raises(InputError, match="not a mask"):
        masks.read(file)
    with pytest.raises(InputError, match=r"8\.png: missing; render it again"):
        masks.read(tmp_path / "8.png")
