"""Embeddings of many images by many networks whose trunk is the same: they share its forward pass."""

import numpy as np
import torch

from common.shelf import blocks
from reality_check import checkpoints
from reality_check.bn_inception import device_of, features_of
from reality_check.transforms import network_inputs


class SharedTrunk:
    """A trunk, on any device, and the embedders, on the CPU, that share its features; Identity keeps the features."""

    def __init__(self, trunk, embedders, batch_size):
        self.trunk, self.embedders, self.batch_size = trunk, embedders, batch_size

    @classmethod
    def load(cls, wanted, batch_size):
        """wanted: (network, whether its embedder comes after the trunk) of networks whose trunk is the same file."""
        settings, trunk_file = wanted[0][0].settings, wanted[0][0].files()[0]
        trunk = checkpoints.load_trunk(trunk_file, device_of(settings), settings.precision)
        embedders = [
            checkpoints.load_embedder(network.files()[1], settings.seed, network.fold)
            if embedded
            else torch.nn.Identity()
            for network, embedded in wanted
        ]
        return cls(trunk, embedders, batch_size)

    def embedded(self, items, tick=lambda ticks: None):
        """The embeddings (n, d) of the items' images by each embedder; tick(n) is called for every n images."""
        inputs, batches = network_inputs(items), []
        for some in blocks(items, self.batch_size):
            features = features_of(self.trunk, torch.stack([next(inputs) for _ in some]))
            batches.append([embedder(features).numpy() for embedder in self.embedders])
            tick(len(some))
        return [np.concatenate(rows) for rows in zip(*batches)]
