"""Layers that give the gradients by the images that a network is shown, on a CPU, in less time than torch's own.

- The first convolution: oneDNN, which torch asks for it, computes it in blocks of 16 channels, of which images have three; of
  BN-Inception's saliency maps it takes a tenth of the time. As a matrix product it takes two thirds of that.
- ReLU6 in place: torch keeps a copy of what it was given, though what it gave says as much; of EfficientNet-Lite0's maps that takes
  a twelfth of the time. The numbers are the same.
"""

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from dml_analysis.networks.tracing import CAPS, CONVOLUTIONS, IDENTITY, called_once, calls, is_plain

FEW = 4  # channels that oneDNN has too many lanes for


class ImageConvolution(nn.Conv2d):
    """A convolution without groups or dilation whose weights are not trained."""

    def forward(self, images):
        return _Convolution.apply(images, self.weight, self.bias, self.stride, self.padding)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, bias, stride, padding):
        ctx.save_for_backward(weight)
        ctx.size, ctx.how = images.shape[2:], {"stride": stride, "padding": padding}
        return functional.conv2d(images, weight, bias, **ctx.how)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradients):
        (weight,) = ctx.saved_tensors
        to_patches = weight.flatten(1).T
        found = [
            functional.fold(to_patches @ each.flatten(1), ctx.size, weight.shape[2:], **ctx.how)
            for each in gradients.to(weight.dtype)  # one at a time: its patches are a dozen times the image, and more
        ]
        return torch.stack(found), None, None, None, None


class CappedInPlace(nn.Hardtanh):
    """A Hardtanh, such as ReLU6, in place, where nobody changes in place what it gives."""

    def forward(self, values):
        return _Capped.apply(values, self.min_val, self.max_val)


class _Capped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, low, high):
        ctx.mark_dirty(values)
        ctx.save_for_backward(functional.hardtanh_(values, low, high))
        ctx.range = low, high
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx, gradients):
        (values,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradients, values, *ctx.range), None, None


def with_fast_image_gradients(network):
    """The network, whose weights are not trained, with such layers in the place of torch's: all that they have and are known by stays.

    The network is changed, and returned.
    """
    for module in _caps_between_convolutions(network):
        module.__class__ = CappedInPlace
    for module in network.modules():
        if type(module) is nn.Conv2d and _takes_images(module):
            module.__class__ = ImageConvolution
    return network


def _takes_images(convolution):
    simple = convolution.groups == 1 and set(convolution.dilation) == {1} and convolution.padding_mode == "zeros"
    return simple and convolution.in_channels <= FEW and not isinstance(convolution.padding, str)


def _caps_between_convolutions(network):
    """The Hardtanhs in place that have their values from a convolution, which gives them to no other, and give theirs to convolutions only.

    Nobody else has these values, so nobody changes them before the gradients are computed.
    """
    called = calls(network, CAPS)
    return [
        module
        for node, module in called_once(called).items()
        if is_plain(module, CAPS)
        and module.inplace
        and is_plain(_giver(node, called), CONVOLUTIONS)
        and all(is_plain(reader, CONVOLUTIONS) for reader in _readers(node, called))
    ]


def _giver(node, called):
    """The module that the values come from, if it and each Identity on the way give them to no other; otherwise None."""
    (before,) = node.args
    if before not in called or len(before.users) > 1:
        return None
    return _giver(before, called) if is_plain(called[before], IDENTITY) else called[before]


def _readers(node, called):
    """The modules that get the values, by way of Identities too; None for what is no module."""
    for user in node.users:
        if is_plain(called.get(user), IDENTITY):
            yield from _readers(user, called)
        else:
            yield called.get(user)
