"""The gradients of convolutions that take images: as torch's own, and only where they may be taken so."""

import copy

import pytest
import torch
from torch import nn

from reality_check.image_gradients import ImageConvolution, with_fast_image_gradients
from reality_check.loading import for_inference


def gradients(network, images):
    images = images.clone().requires_grad_()
    return torch.autograd.grad((network(images) ** 3).sum(), images)[0]


def frozen(convolution, kind=torch.float64):
    torch.manual_seed(0)
    convolution.reset_parameters()
    return nn.Sequential(convolution, nn.ReLU()).to(kind).requires_grad_(False)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 8, 7, stride=2, padding=3),
        nn.Conv2d(3, 5, 3, bias=False),
        nn.Conv2d(1, 4, (3, 2), stride=(1, 3), padding=(0, 1)),
        nn.Conv2d(4, 6, 4, stride=4),
    ],
)
def test_gradients_are_torchs(convolution, memory_format):
    theirs = frozen(convolution)
    ours = with_fast_image_gradients(copy.deepcopy(theirs))
    assert type(ours[0]) is ImageConvolution
    images = torch.randn(2, convolution.in_channels, 21, 18, dtype=torch.float64).contiguous(
        memory_format=memory_format
    )
    assert torch.equal(ours(images), theirs(images))
    torch.testing.assert_close(gradients(ours, images), gradients(theirs, images), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(16, 8, 3),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(3, 4, 3, dilation=2),
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        type("Own", (nn.Conv2d,), {})(3, 4, 3),
    ],
)
def test_others_stay_as_they_are(convolution):
    kind = type(convolution)
    assert type(with_fast_image_gradients(nn.Sequential(convolution))[0]) is kind


@pytest.mark.parametrize("folded, kind", [(True, ImageConvolution), (False, nn.Conv2d)])
def test_layers_that_are_to_stay_as_they_were_trained_do(folded, kind):
    assert type(for_inference(frozen(nn.Conv2d(3, 4, 3), torch.float32), folded=folded)[0]) is kind


def test_gradients_in_bfloat16():
    network = frozen(nn.Conv2d(3, 8, 7, stride=2, padding=3), torch.float32)
    images = torch.randn(2, 3, 20, 20)
    theirs = gradients(network, images)
    ours = gradients(for_inference(copy.deepcopy(network), precision="bf16"), images)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=0.1, atol=0.1 * float(theirs.abs().max()))
