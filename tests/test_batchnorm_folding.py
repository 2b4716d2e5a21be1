"""BatchNorm folded into convolutions: the same function, wherever it is folded and wherever it had better not be."""

import copy

import pytest
import timm
import torch
from torch import nn

from dml_analysis.networks.folding import with_folded_batchnorm
from dml_analysis.networks.modules import calibrate_batchnorm, seeded


class Standardised(nn.Conv2d):
    """Does something to its weights, as timm's StdConv2d does."""

    def forward(self, images):
        weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        return self._conv_forward(images, weight, self.bias)


class Net(nn.Module):
    """A convolution and a BatchNorm, used as `how` says."""

    def __init__(self, how, conv=nn.Conv2d):
        super().__init__()
        self.how, self.conv, self.norm = how, conv(3, 3, 3), nn.BatchNorm2d(3)

    def forward(self, images):
        found = self.conv(images)
        if self.how == "looks at numbers" and found.mean() > 1e9:
            return found.mean(dim=(2, 3))
        if self.how == "takes numbers":
            found = found * float(found.detach().mean())
        if self.how == "twice":
            found = self.conv(self.norm(found))
        normed = self.norm(found + 1 if self.how == "not after it" else found)
        return (normed + found if self.how == "both" else normed).mean(dim=(2, 3))


class Looking(nn.Module):
    """Looks at numbers, without a BatchNorm in it."""

    def forward(self, features):
        return features if features.mean() < 1e9 else -features


def hooked(net):
    net.conv.register_forward_hook(lambda module, inputs, found: 2 * found)
    return net


def without_statistics(net):
    net.norm = nn.BatchNorm2d(3, track_running_stats=False)
    return net


NETS = {
    "plain": (lambda: Net("plain"), 0),
    "in a list": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten()),
        0,
    ),
    "its output used twice": (lambda: Net("both"), 1),
    "used twice": (lambda: Net("twice"), 1),
    "something between": (lambda: Net("not after it"), 1),
    "torch.fx cannot follow": (lambda: Net("looks at numbers"), 1),
    "torch.fx cannot take": (lambda: Net("takes numbers"), 1),
    "torch.fx need not follow": (lambda: nn.Sequential(Net("plain"), Looking()), 0),
    "weights that are standardised": (lambda: Net("plain", Standardised), 1),
    "weights that are parametrised": (lambda: normalised(Net("plain")), 1),
    "a hook": (lambda: hooked(Net("plain")), 1),
    "no statistics": (lambda: without_statistics(Net("plain")), 1),
    "after a linear layer": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5), nn.BatchNorm1d(5)),
        1,
    ),
    "timm's EfficientNet-Lite": (
        lambda: timm.create_model("tf_efficientnet_lite0", num_classes=0),
        0,
    ),
    "timm's ResNet": (lambda: timm.create_model("resnet18", num_classes=0), 0),
    "timm's EfficientNet": (lambda: timm.create_model("efficientnet_b0", num_classes=0), 0),
}


def normalised(net):
    nn.utils.parametrizations.weight_norm(net.conv)
    return net


def outputs_and_gradients(net, images):
    images = images.clone().requires_grad_()
    found = net(images)
    return found.detach(), torch.autograd.grad(found.square().sum(), images)[0]


@pytest.mark.parametrize("name", NETS)
def test_the_same_function(name):
    """In float64 up to its rounding; what is folded is gone, and what is not is still there."""
    build, left = NETS[name]
    size = 8 if not name.startswith("timm") else 64
    images = torch.randn(
        (4, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    net = seeded(0, build).double().eval()
    if name != "no statistics":
        calibrate_batchnorm(net, images + 1)
    folded = with_folded_batchnorm(copy.deepcopy(net))
    for ours, theirs in zip(
        outputs_and_gradients(folded, images), outputs_and_gradients(net, images)
    ):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * theirs.abs().max().item())
    assert (
        sum(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in folded.modules()) == left
    )
