"""The gradients by images of layers that are faster: as torch's own, and only where they may be taken so."""

import copy

import pytest
import torch
from torch import nn

from dml_analysis.networks.image_gradients import CappedInPlace, ImageConvolution, with_fast_image_gradients
from dml_analysis.networks.loading import for_inference


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


class Capped(nn.Module):
    """A cap between two convolutions, used as `how` says."""

    def __init__(self, cap, how="alone", reader=None):
        super().__init__()
        self.how, self.cap, self.between = how, cap, nn.Identity()
        self.giver, self.reader = nn.Conv2d(8, 8, 1), reader or nn.Conv2d(8, 8, 3)

    def forward(self, images):
        given = self.giver(images)
        if self.how == "of a part":
            return self.reader(self.cap(given[:, :4]).repeat(1, 2, 1, 1)) + given.mean()
        if self.how == "torch.fx cannot follow" and given.mean() > 1e9:
            return given
        capped = self.cap(self.between(given))
        if self.how == "added to in place":
            capped += 1
        if self.how == "added to in place, in another shape":
            capped.flatten(1).add_(1)
        if self.how == "added to in place by its old name":
            given += 1
        if self.how == "also given":
            return self.reader(self.between(capped)).mean() + capped
        found = self.reader(self.between(capped))
        return self.cap(found).add_(1) if self.how == "twice" else found


class AddsOne(nn.Conv2d):
    def forward(self, images):
        images += 1
        return super().forward(images)


def adding_one(convolution):
    convolution.register_forward_pre_hook(lambda module, inputs: (inputs[0].add_(1),))
    return convolution


def relu6():
    return nn.ReLU6(inplace=True)


CAPPED = {
    "ReLU6": (lambda: Capped(relu6()), True),
    "another range": (lambda: Capped(nn.Hardtanh(-0.5, 0.25, inplace=True)), True),
    "not in place": (lambda: Capped(nn.ReLU6()), False),
    "of a class of its own": (lambda: Capped(type("Own", (nn.ReLU6,), {})(inplace=True)), False),
    "of another kind": (lambda: Capped(nn.ReLU(inplace=True)), False),
    "a reader that adds in place": (lambda: Capped(relu6(), reader=AddsOne(8, 8, 3)), False),
    "a hook that adds in place": (lambda: Capped(relu6(), reader=adding_one(nn.Conv2d(8, 8, 3))), False),
    "a reader that is no convolution": (lambda: Capped(relu6(), reader=nn.AvgPool2d(3)), False),
}
CAPPED |= {
    how: (lambda how=how: Capped(relu6(), how), False)
    for how in ("of a part", "twice", "torch.fx cannot follow", "added to in place", "added to in place, in another shape",
                "added to in place by its old name", "also given")
}  # fmt: skip


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", CAPPED)
def test_caps_are_bit_by_bit_torchs(name, kind):
    build, ours_is_used = CAPPED[name]
    torch.manual_seed(0)
    theirs = build().to(kind).requires_grad_(False)
    theirs.giver.weight.copy_(torch.eye(8)[:, :, None, None])
    theirs.giver.bias.zero_()
    ours = with_fast_image_gradients(copy.deepcopy(theirs))
    assert isinstance(ours.cap, CappedInPlace) == ours_is_used
    images = 4 * torch.randn(2, 8, 30, 30, dtype=kind)
    for row, value in enumerate((-0.5, 0, 0.25, 6)):  # at the very ends, too
        images[:, :, row] = value
    assert torch.equal(ours(images), theirs(images))
    assert torch.equal(gradients(ours, images), gradients(theirs, images))
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


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
