"""Embeddings of images by networks; networks with the same trunk share its forward pass."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.networks.loading import Ready
from dml_analysis.networks.modules import device_of, features_of, in_eval_mode
from dml_analysis.networks.specifications import GivenEmbeddings, Network
from dml_analysis.networks.transforms import Float32, Transform, network_inputs
from dml_analysis.store import blocks


def embedded(
    requests: Sequence[tuple[Network, bool]],
    samples: Sequence[Sample],
    batch_size: int,
    tick: Callable[[int], None],
) -> list[Float[np.ndarray, "n d"]]:
    """Return one array per request: the images' embeddings, or their trunk features.

    requests: (network, whether its embeddings are requested rather than its trunk's features), of
    networks with the same trunk. tick(n) is called after every n images. Raises InputError if a
    network gives NaN or infinite numbers.
    """
    first, _ = requests[0]
    if isinstance(first, GivenEmbeddings):
        arrays = [first.read(samples)]
        tick(len(samples))
    else:
        arrays = SharedTrunk.load(requests, batch_size).embedded(samples, tick)
    for (network, _), array in zip(requests, arrays):
        bad = ~np.isfinite(array).all(axis=1)
        if bad.any():
            raise InputError(
                f"{network.name}: gives NaN or infinite numbers for {samples[bad.argmax()].path}; check its weights"
            )
    return arrays


def embeddings_of(
    network: nn.Module, transform: Transform, paths: Sequence[str | PathLike], batch_size: int = 10
) -> Float[np.ndarray, "n d"]:
    """Return the embeddings of image files, as the network gives them: float32, not normalised.

    network: maps images (n, 3, h, w) to embeddings (n, d); it runs in eval mode, and its modes are
    restored. transform: maps an RGB image of PIL to a tensor (3, h, w). Images are read as the
    Reality Check read them: RGB, an EXIF rotation ignored. Source: Musgrave et al., "A Metric
    Learning Reality Check" (ECCV 2020). Raises InputError on an image that cannot be read.

    >>> import torch, torchvision
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 8))
    >>> steps = [torchvision.transforms.Resize((32, 32)), torchvision.transforms.ToTensor()]
    >>> transform = torchvision.transforms.Compose(steps)
    >>> paths = [f"data/sample_cars/images/{frame}.jpg" for frame in (1, 2, 3)]
    >>> embeddings_of(network, transform, paths).shape
    (3, 8)
    """
    samples = [Sample(str(path), Path(path), 0) for path in paths]
    with in_eval_mode(network):
        trunk = SharedTrunk(Ready(network, Float32(transform)), [torch.nn.Identity()], batch_size)
        return trunk.embedded(samples)[0]


class SharedTrunk:
    """A trunk on any device, and the embedders on the CPU that share its features.

    An Identity among the embedders gives the features themselves.
    """

    def __init__(self, trunk: Ready, embedders: Sequence[nn.Module], batch_size: int) -> None:
        """Join a trunk and its embedders. batch_size: images per forward pass."""
        self.trunk, self.embedders, self.batch_size = trunk, embedders, batch_size

    @classmethod
    def load(cls, requests: Sequence[tuple[Network, bool]], batch_size: int) -> "SharedTrunk":
        """Load the trunk and the embedders of these requests; see embedded."""
        first, _ = requests[0]
        trunk = first.trunk(str(device_of(first.device)))
        embedders = [
            network.embedder() if with_embedder else torch.nn.Identity()
            for network, with_embedder in requests
        ]
        return cls(trunk, embedders, batch_size)

    def embedded(
        self, samples: Sequence[Sample], tick: Callable[[int], None] = lambda ticks: None
    ) -> list[Float[np.ndarray, "n d"]]:
        """Return the images' embeddings by each embedder; tick(n) is called for every n images."""
        inputs = network_inputs(samples, self.trunk.transform)
        rows = []
        for block in blocks(samples, self.batch_size):
            images = torch.stack([next(inputs) for _ in block])
            rows.append(self._embed_batch(images))
            tick(len(images))
        return [np.concatenate(arrays) for arrays in zip(*rows)]

    @torch.no_grad()
    def _embed_batch(
        self, images: Float[torch.Tensor, "n 3 h w"]
    ) -> list[Float[np.ndarray, "n d"]]:
        """Return the embeddings of a batch by each embedder."""
        features = features_of(self.trunk.module, images)
        return [embedder(features).numpy() for embedder in self.embedders]
