"""Augmentation: what part of an image is shown, at what size, and in what colours, for each kind."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, functional

from dml_analysis.datasets.images import Crop
from dml_analysis.networks import bn_inception, efficientnet_lite
from dml_analysis.training import augmentation
from dml_analysis.training.augmentation import KINDS, augmented

CROP = Crop(256, (227, 227))
SMALL = Crop(183, (160, 160))


def noise(height, width):
    return Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )


def pixels(image, crop=CROP, seed=0, kind="reality_check"):
    return np.asarray(augmented(image, crop, random.Random(seed), kind)).astype(int)


# ---------------------------------------------------------------------------------------------------------------------
# Parts.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "kind, scale, ratio",
    [("reality_check", (0.16, 1), (0.75, 1.33)), ("base", (0.08, 1), (3 / 4, 4 / 3))],
)
def test_parts_have_the_sizes_of_the_protocol(kind, scale, ratio):
    assert KINDS[kind][:2] == (scale, ratio)
    rng = random.Random(0)
    parts = np.array(
        [augmentation._part(341, 256, scale, ratio, rng) for _ in range(3000)], dtype=float
    )
    left, top, right, bottom = parts.T
    assert left.min() >= 0 and top.min() >= 0 and right.max() <= 341 and bottom.max() <= 256
    share, form = (right - left) * (bottom - top) / (341 * 256), (right - left) / (bottom - top)
    assert share.min() == pytest.approx(scale[0], abs=0.01) and share.max() > 0.95
    assert form.min() == pytest.approx(0.75, abs=0.02) and form.max() == pytest.approx(
        ratio[1], abs=0.03
    )
    small = share < 0.4  # where every form fits in
    assert share[small].mean() == pytest.approx((scale[0] + 0.4) / 2, abs=0.01)
    assert np.log(form[small]).mean() == pytest.approx(0, abs=0.02)
    assert left[small].mean() > 60  # anywhere


def test_a_part_that_does_not_fit_is_the_middle():
    scale, ratio, *_ = KINDS["reality_check"]
    assert augmentation._part(1000, 10, scale, ratio, random.Random(0)) == (
        493,
        0,
        506,
        10,
    )  # 1.33 of the height: 13 wide
    assert augmentation._part(10, 1000, scale, ratio, random.Random(0)) == (0, 493, 10, 506)


@pytest.mark.parametrize("kind", ["reality_check", "base", "big"])
@pytest.mark.parametrize("seed", range(4))
def test_of_which_pixels_a_part_is(kind, seed):
    """Of the image as it is for Roth et al., and of the resized one for the Reality Check's: 600 x 400 are 384 x 256 then."""
    image, side = noise(400, 600), {"big": 256}.get(kind, 227)
    seen = image.resize((384, 256), Image.Resampling.BILINEAR) if kind == "reality_check" else image
    left, top, right, bottom = augmentation._part(
        *seen.size, KINDS[kind].scale, KINDS[kind].ratio, random.Random(seed)
    )
    expected = functional.resized_crop(
        seen, top, left, bottom - top, right - left, [side, side], InterpolationMode.BILINEAR
    )
    found = pixels(image, seed=seed, kind=kind)
    assert any(
        np.array_equal(found, np.asarray(each)) for each in (expected, functional.hflip(expected))
    )


def test_red_cuts_out_a_window_and_does_not_scale():
    y, x = np.mgrid[:183, :240]
    image = Image.fromarray(
        np.stack([x, y, 0 * x], axis=2).astype(np.uint8)
    )  # a pixel's colour is its place
    corners = set()
    for seed in range(200):
        red, green, _ = np.moveaxis(pixels(image, SMALL, seed, "red"), 2, 0)
        assert red.shape == (160, 160) and (np.diff(green, axis=0) == 1).all()
        assert (np.diff(red, axis=1) == 1).all() or (np.diff(red, axis=1) == -1).all()
        corners.add((red[0, 0] > red[0, -1], red.min(), green.min()))
    mirrored, left, top = zip(*corners)
    assert set(mirrored) == {True, False}
    assert (
        min(left) < 5 and max(left) > 75 and max(left) <= 80 and set(top) == set(range(24))
    )  # 240 - 160, 183 - 160


def test_red_resizes_first():
    ramp = Image.fromarray(
        np.broadcast_to(np.arange(240, dtype=np.uint8)[None, :, None], (183, 240, 3)).copy()
    )
    steps = np.diff(pixels(ramp.resize((480, 366)), SMALL, kind="red")[:, 20:140, 0], axis=1)
    assert abs(steps.mean()) == pytest.approx(1, abs=0.02)  # half of that in the image as it is


def test_a_window_larger_than_the_image_has_it_inside():
    seen = pixels(Image.new("RGB", (50, 40), "white"), Crop(40, (60, 70)), kind="red")
    assert seen.shape == (60, 70, 3) and seen.sum() == 50 * 40 * 3 * 255


# ---------------------------------------------------------------------------------------------------------------------
# Sizes.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "size, big", [((224, 224), (256, 256)), ((227, 227), (256, 256)), ((160, 112), (183, 128))]
)
def test_sizes(kind, size, big):
    """160 * 256 / 224 = 182.9, and 112 * 256 / 224 = 128."""
    expected, crop = big if kind == "big" else size, Crop(256, size)
    assert augmentation.shown_size(crop, kind) == expected
    assert pixels(noise(90, 70), crop, kind=kind).shape == (*expected, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_depends_on_the_generator_alone(kind):
    image = noise(300, 400)
    first, again, other = (pixels(image, seed=seed, kind=kind) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


# ---------------------------------------------------------------------------------------------------------------------
# Colours.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_only_adv_changes_colours(kind):
    colour = (200, 120, 40)
    found = [
        pixels(Image.new("RGB", (256, 256), colour), SMALL, seed, kind)[80, 80]
        for seed in range(300)
    ]
    if kind != "adv":
        assert {tuple(each) for each in found} == {colour}
        return
    assert len({tuple(each) for each in found}) > 200
    gray = sum(len(set(each)) == 1 for each in found)
    assert 35 < gray < 85  # 300 * .2 = 60, with a standard deviation of 6.9


def test_how_far_colours_change():
    """Of an even gray only the brightness: 100, from 80 to 120."""
    found = {
        pixels(Image.new("RGB", (256, 256), (100, 100, 100)), SMALL, seed, "adv").max()
        for seed in range(300)
    }
    assert 79 <= min(found) <= 81 and 119 <= max(found) <= 121


# ---------------------------------------------------------------------------------------------------------------------
# To the network.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("more", [(0, 0), (29, 29), (1, 250)])
@pytest.mark.parametrize(
    "transform, crop",
    [(bn_inception.network_input, CROP), (efficientnet_lite.transform(183, 160), SMALL),
     (efficientnet_lite.transform(292, 260), Crop(292, (260, 260))),
     (efficientnet_lite.transform(182, 161), Crop(182, (161, 161)))],
)  # fmt: skip
def test_a_transform_takes_an_augmented_image_as_it_is(transform, crop, more):
    """Its Resize and CenterCrop do nothing to it, nor to a larger one: what is left of it is what it does to colours."""
    image = noise(*(side + each for side, each in zip(crop.size, more)))
    channels = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).astype(np.float32))
    if transform is bn_inception.network_input:
        expected = channels.flip(0) - torch.tensor([104.0, 117.0, 128.0])[:, None, None]
    else:
        expected = channels / 127.5 - 1
    torch.testing.assert_close(
        augmentation.network_input(image, transform, crop), expected, atol=1e-5, rtol=0
    )
    if more == (0, 0):
        torch.testing.assert_close(
            transform(augmentation.framed(image, crop)), expected, atol=1e-5, rtol=0
        )
