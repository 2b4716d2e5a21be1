"""Embeddings of many images by many networks; those whose trunk is the same file share its forward pass."""

import time
from itertools import groupby

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from reality_check import checkpoint_files, checkpoints
from reality_check.images import open_image
from reality_check.network import features_of
from reality_check.transforms import network_input


class ImageInputs(torch.utils.data.Dataset):
    """The items' images as the network takes them, (3, 227, 227) each."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return network_input(open_image(self.items[index].path))


def by_trunk(settings, cells):
    """The cells (loss, dataset, fold) in groups whose trunk is the same file."""

    def trunk_of(cell):
        return checkpoint_files.same_file_key(checkpoint_files.files_of(settings, *cell)[0])

    return [list(group) for _, group in groupby(sorted(cells, key=trunk_of), key=trunk_of)]


class SharedTrunk:
    """Networks (loss, dataset, fold) whose trunk is the same file, loaded."""

    def __init__(self, settings, cells, device):
        files = [checkpoint_files.files_of(settings, *cell) for cell in cells]
        self.trunk = checkpoints.load_trunk(files[0][0], device)
        self.embedders = [checkpoints.load_embedder(settings, file[1], fold) for file, (*_, fold) in zip(files, cells)]
        self.batch_size = settings.properties.batch_size

    def batches(self, items, bar):
        """Yield (features (m, f), embeddings (m, d) of each network) for batches of the items' images.

        `bar` is a progress bar that counts images.
        """
        for images in DataLoader(ImageInputs(items), batch_size=self.batch_size):
            features = features_of(self.trunk, images)
            yield features.numpy(), [embedder(features).numpy() for embedder in self.embedders]
            bar.update(len(images))

    def embedded(self, items, bar):
        """The embeddings (n, d) of each network."""
        return [np.concatenate(rows) for rows in zip(*(embeddings for _, embeddings in self.batches(items, bar)))]


def seconds_per_image(settings, cell, items, device):
    """Seconds that an image takes from its file to its embedding, once the network is loaded."""
    networks, some = SharedTrunk(settings, [cell], device), items[: 2 * settings.properties.batch_size]
    for _ in range(2):  # the first is slower
        begin = time.perf_counter()
        networks.embedded(some, tqdm(disable=True))
    return (time.perf_counter() - begin) / len(some)
