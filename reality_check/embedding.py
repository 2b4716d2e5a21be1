"""Embeddings of many images by many networks; those whose trunk is the same file share its forward pass."""

import time
from itertools import groupby

import numpy as np
import torch
from tqdm import tqdm

import utils
from reality_check import checkpoint_files, checkpoints
from reality_check.network import features_of
from reality_check.transforms import network_inputs


def by_trunk(settings, cells):
    """The cells (loss, dataset, fold) in groups whose trunk is the same file."""

    def trunk_of(cell):
        return checkpoint_files.same_file_key(checkpoint_files.files_of(settings, *cell)[0])

    return [list(group) for _, group in groupby(sorted(cells, key=trunk_of), key=trunk_of)]


class SharedTrunk:
    """A trunk, on any device, and the embedders, on the CPU, that share its features."""

    def __init__(self, trunk, embedders, batch_size):
        self.trunk, self.embedders, self.batch_size = trunk, embedders, batch_size

    @classmethod
    def load(cls, settings, cells, device):
        """The networks (loss, dataset, fold) whose trunk is the same file."""
        files = [checkpoint_files.files_of(settings, *cell) for cell in cells]
        trunk = checkpoints.load_trunk(files[0][0], device, settings.precision)
        embedders = [checkpoints.load_embedder(settings, file[1], fold) for file, (*_, fold) in zip(files, cells)]
        return cls(trunk, embedders, settings.properties.batch_size)

    def batches(self, items, bar):
        """Yield (features (m, f), embeddings (m, d) of each network) for batches of the items' images.

        `bar` is a progress bar that counts images.
        """
        inputs = network_inputs(items)
        for _, some in utils.blocks(items, self.batch_size):
            features = features_of(self.trunk, torch.stack([next(inputs) for _ in some]))
            yield features.numpy(), [embedder(features).numpy() for embedder in self.embedders]
            bar.update(len(some))

    def embedded(self, items, bar):
        """The embeddings (n, d) of each network."""
        return [np.concatenate(rows) for rows in zip(*(embeddings for _, embeddings in self.batches(items, bar)))]


def seconds_per_image(settings, cell, items, device):
    """Seconds that an image takes from its file to its embedding, once the network is loaded."""
    networks, some = SharedTrunk.load(settings, [cell], device), items[: 2 * settings.properties.batch_size]
    for _ in range(2):  # the first is slower
        begin = time.perf_counter()
        networks.embedded(some, tqdm(disable=True))
    return (time.perf_counter() - begin) / len(some)
