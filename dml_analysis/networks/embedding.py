"""Embeddings of many images by many networks whose trunk is the same: they share its forward pass."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from dml_analysis.datasets.readers import Item
from dml_analysis.errors import InputError
from dml_analysis.networks.loading import Ready
from dml_analysis.networks.modules import device_of, features_of, in_eval_mode
from dml_analysis.networks.transforms import network_inputs
from dml_analysis.store import blocks


def embedded(wanted, items, batch_size, tick):
    """The arrays (n, d) of the items' images by each network.

    wanted: (network, whether its embeddings are wanted, or else its trunk's features) of networks whose trunk is the same.
    Raises InputError if a network gives anything but finite numbers.
    """
    (first, _), names = wanted[0], [network.name for network, _ in wanted]
    arrays = (
        SharedTrunk.load(wanted, batch_size).embedded(items, tick) if first.has_maps else [first.embedded(items, tick)]
    )
    for name, array in zip(names, arrays):
        bad = ~np.isfinite(array).all(axis=1)
        if bad.any():
            raise InputError(f"{name}: gives NaN or infinite numbers for {items[bad.argmax()].path}; check its weights")
    return arrays


def embeddings_of(
    network: nn.Module, transform: Callable, paths: Sequence[str | PathLike], batch_size: int = 10
) -> Float[np.ndarray, "n d"]:
    """Return the embeddings of image files, as the network gives them: float32, not normalised.

    network: images (n, 3, h, w) to embeddings (n, d); it works in eval mode, and is left as it was. transform: from an RGB image of PIL
    to a tensor (3, h, w). Images are read as the Reality Check read them: RGB, an EXIF rotation ignored. Source: Musgrave et al., "A
    Metric Learning Reality Check" (ECCV 2020). Raises InputError on an image that cannot be read.

    >>> import torch, torchvision
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 8))
    >>> transform = torchvision.transforms.Compose([torchvision.transforms.Resize((32, 32)), torchvision.transforms.ToTensor()])
    >>> embeddings_of(network, transform, [f"data/sample_cars/images/{frame}.jpg" for frame in (1, 2, 3)]).shape
    (3, 8)
    """
    items = [Item(str(path), Path(path), 0) for path in paths]
    with in_eval_mode(network):
        return SharedTrunk(Ready(network, transform), [torch.nn.Identity()], batch_size).embedded(items)[0]


class SharedTrunk:
    """A trunk, on any device, and the embedders, on the CPU, that share its features; Identity keeps the features."""

    def __init__(self, trunk, embedders, batch_size):
        self.trunk, self.embedders, self.batch_size = trunk, embedders, batch_size

    @classmethod
    def load(cls, wanted, batch_size):
        """See embedded."""
        trunk = wanted[0][0].trunk(device_of(wanted[0][0].settings))
        embedders = [network.embedder() if whole else torch.nn.Identity() for network, whole in wanted]
        return cls(trunk, embedders, batch_size)

    def embedded(self, items, tick=lambda ticks: None):
        """The embeddings (n, d) of the items' images by each embedder; tick(n) is called for every n images."""
        inputs, batches = network_inputs(items, self.trunk.transform), []
        some = (torch.stack([next(inputs) for _ in each]) for each in blocks(items, self.batch_size))
        for images in some:
            batches.append(self._of_batch(images))
            tick(len(images))
        return [np.concatenate(rows) for rows in zip(*batches)]

    @torch.no_grad()
    def _of_batch(self, images):
        """The embeddings (n, d) of images (n, 3, h, w) by each embedder, as arrays."""
        features = features_of(self.trunk.module, images)
        return [embedder(features).numpy() for embedder in self.embedders]
