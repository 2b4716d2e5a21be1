"""What part of an image a transform shows, and maps of networks that see other parts of it brought together."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from dml_analysis.datasets.images import Crop, cropped, part_seen
from dml_analysis.metrics.map_alignment import (
    brought_together,
    framed,
    laid_on_grid,
    scaled,
    similarities,
)
from dml_analysis.metrics.map_similarity import all_pairs
from dml_analysis.networks.bn_inception import network_input
from dml_analysis.networks.crops import measured_crop
from dml_analysis.networks.efficientnet_lite import transform as lite_transform

BN_INCEPTION, RESNET, WHOLE = Crop(256, (227, 227)), Crop(256, (224, 224)), Crop(224, (224, 224))
SMALL, SQUEEZED, WIDE = Crop(24, (20, 20)), Crop((160, 160), (160, 160)), Crop((64, 128), (60, 120))
CROPS = [BN_INCEPTION, RESNET, WHOLE, SMALL, SQUEEZED, WIDE]


def torchvision(crop, *more, interpolation=InterpolationMode.BILINEAR):
    steps = [
        transforms.Resize(crop.resized, interpolation),
        transforms.CenterCrop(crop.size),
        transforms.ToTensor(),
    ]
    return transforms.Compose([*steps, *more])


@pytest.mark.parametrize(
    "crop",
    [
        *CROPS,
        Crop(292, (260, 260)),
        Crop(235, (224, 224)),
        Crop(512, (448, 448)),
        Crop(33, (17, 31)),
    ],
)
@pytest.mark.parametrize(
    "interpolation",
    [InterpolationMode.BILINEAR, InterpolationMode.BICUBIC, InterpolationMode.NEAREST],
)
def test_crop_is_measured(crop, interpolation):
    normalized = torchvision(
        crop,
        transforms.Normalize((0.48, 0.45, 0.4), (0.22, 0.23, 0.2)),
        interpolation=interpolation,
    )
    assert measured_crop(normalized) == crop


def test_crop_of_the_papers_and_of_the_demos_network():
    assert measured_crop(network_input) == BN_INCEPTION
    assert measured_crop(lite_transform(183, 160)) == Crop(183, (160, 160))


@pytest.mark.parametrize(
    "transform, message",
    [(transforms.Compose([transforms.RandomResizedCrop(50), transforms.ToTensor()]), "each time|resize an image"),
     (torchvision(SMALL, lambda image: image + torch.rand(1)), "each time"),
     (torchvision(SMALL, lambda image: image.flip(2)), "more than to resize"),
     (torchvision(SMALL, lambda image: image.rot90(1, (1, 2))), "more than to resize"),
     (torchvision(SMALL, transforms.Pad(4)), "more than to resize"),
     (torchvision(SMALL, lambda image: image[:, :14, :14]), "more than to resize"),
     (transforms.Compose([transforms.Resize(24), transforms.ToTensor()]), "several sizes"),
     (torchvision(SMALL, lambda image: image[0]), "gives torch.float32 \\(20, 20\\)"),
     (torchvision(SMALL, lambda image: image.double()), "gives torch.float64"),
     (lambda image: image, "gives Image"),
     (lambda image: 1 / 0, "fails \\(division by zero\\)")],
)  # fmt: skip
def test_transforms_that_do_more(transform, message):
    with pytest.raises(ValueError, match=message):
        measured_crop(transform)


def test_part_seen_by_hand():
    # 400 x 300 becomes 341 x 256, of which CenterCrop(224) leaves out 58 columns (58.5, rounded to even) and 16 rows.
    box = part_seen((400, 300), RESNET)
    assert box == pytest.approx((58 * 400 / 341, 16 * 300 / 256, 282 * 400 / 341, 240 * 300 / 256))
    assert part_seen((400, 300), SQUEEZED) == (0, 0, 400, 300)


def square_map(image_size, crop, box):
    """The map (h, w) that is bright in a box of the image, and dark elsewhere."""
    image = Image.new("L", image_size)
    ImageDraw.Draw(image).rectangle(box, fill=255)
    return np.asarray(cropped(image, crop), dtype=np.float32) / 255


@pytest.mark.parametrize("image_size", [(500, 500), (640, 480), (333, 500)])
@pytest.mark.parametrize("crops", list(itertools.combinations(CROPS, 2)))
def test_a_bright_square_comes_out_in_the_same_place(image_size, crops):
    """Off the middle, so that no mirror image and no other size would do."""
    left, top = 0.3 * image_size[0], 0.4 * image_size[1]
    box = (left, top, left + 0.2 * min(image_size), top + 0.25 * min(image_size))
    part, grid = brought_together(crops, image_size)
    first, second = (
        laid_on_grid(square_map(image_size, crop, box), crop, image_size, part, grid)
        for crop in crops
    )
    assert first.shape == second.shape == grid
    centers = [(np.indices(grid) * each).sum(axis=(1, 2)) / each.sum() for each in (first, second)]
    assert np.abs(centers[0] - centers[1]).max() < 0.5  # of a pixel of the coarser map
    x, y = ((edge - start) / (end - start) * n for edge, start, end, n in
            (((box[0] + box[2]) / 2, part.left, part.right, grid[1]), ((box[1] + box[3]) / 2, part.top, part.bottom, grid[0])))  # fmt: skip
    assert np.abs(centers[0] + 0.5 - (y, x)).max() < 0.5
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.93


def test_the_grid_is_that_of_the_coarser_map():
    part, grid = brought_together((RESNET, SMALL), (500, 500))
    assert grid == (20, 20)  # 20 of 24 is less than 224 of 256
    assert part == pytest.approx((500 / 12, 500 / 12, 500 * 11 / 12, 500 * 11 / 12))
    assert brought_together((BN_INCEPTION, RESNET), (256, 256))[1] == (224, 224)


def test_stripes_finer_than_the_grid_are_averaged_not_sampled():
    stripes = np.tile([0.0, 1.0], (224, 112))
    part, grid = brought_together((RESNET, SMALL), (256, 256))
    assert np.abs(laid_on_grid(stripes, RESNET, (256, 256), part, grid) - 0.5).max() < 0.06


def test_scaled():
    np.testing.assert_allclose(scaled(np.array([[2.0, 3.0], [4.0, 6.0]])), [[0, 0.25], [0.5, 1]])
    assert not scaled(np.full((2, 2), 0.3)).any()


def test_pairs_of_one_crop_stay_as_they_are():
    """Other crops beside them change no digit; pairs across crops are compared where both see the image."""
    rng, sizes = np.random.default_rng(0), [(300, 200), (200, 300), (256, 256)]
    boxes = [(0.3 * w, 0.4 * h, 0.5 * w, 0.6 * h) for w, h in sizes]
    crops = [RESNET, SMALL, RESNET, BN_INCEPTION]
    maps = [np.stack([square_map(size, crop, box) + 0.2 * rng.random(crop.size) for size, box in zip(sizes, boxes)])
            for crop in crops]  # fmt: skip
    correlation, jsd = similarities(maps, 2, crops, sizes)
    for found, alone in zip((correlation, jsd), all_pairs(np.array([maps[0], maps[2]]), 2)):
        np.testing.assert_array_equal(
            found[:, [0, 0, 2], [0, 2, 2]], alone[:, [0, 0, 1], [0, 1, 1]]
        )
    assert (correlation[:, 0, 1] > 0.9).all() and (correlation[:, 1, 3] > 0.9).all()
    np.testing.assert_array_equal(correlation, correlation.swapaxes(1, 2))
    np.testing.assert_array_equal(np.einsum("naa->na", correlation), 1)
    assert 0 < jsd[:, 0, 3].min() and jsd.max() < 1


def test_a_map_lies_where_it_belongs_in_a_picture():
    size, box = (400, 300), (160, 120, 240, 170)
    small = framed(square_map(size, SMALL, box), SMALL, RESNET, size)
    picture = square_map(size, RESNET, box)
    assert small.shape == (224, 224) and np.isnan(small[0]).all() and np.isnan(small[:, 0]).all()
    seen = ~np.isnan(small)
    assert np.corrcoef(small[seen], picture[seen])[0, 1] > 0.9
    assert framed(picture, RESNET, RESNET, size) is picture
