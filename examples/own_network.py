"""A network of one's own, as settings name it: `network: examples.own_network:build`."""

from torch import nn
from torchvision import transforms


class MeanColours(nn.Module):
    """Images (n, 3, h, w) to the mean colours of 8 x 8 fields, (n, 192): what an image gives without any learning."""

    def __init__(self):
        super().__init__()
        self.fields = nn.AdaptiveAvgPool2d(8)

    def forward(self, images):
        return self.fields(images).flatten(1)


def build():
    """(network, transform)"""
    colours = transforms.Normalize(
        (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    )  # black must not be zero, which has no direction
    transform = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), colours]
    return MeanColours(), transforms.Compose(transform)
