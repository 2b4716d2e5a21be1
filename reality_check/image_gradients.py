"""The gradient of a convolution by the images that it takes, on a CPU.

oneDNN, which torch asks for it, computes it in blocks of 16 channels, of which images have three; of BN-Inception's saliency maps
it takes a tenth of the time. As a matrix product it takes two thirds of that.
"""

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

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


def with_fast_image_gradients(network):
    """The network, whose weights are not trained, with each convolution that takes images being an ImageConvolution.

    The network is changed, and returned.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and _takes_images(module):
            module.__class__ = ImageConvolution  # all that it has and is known by stays
    return network


def _takes_images(convolution):
    simple = convolution.groups == 1 and set(convolution.dilation) == {1} and convolution.padding_mode == "zeros"
    return simple and convolution.in_channels <= FEW and not isinstance(convolution.padding, str)
