"""Embedding images from disk: ours, and a plain loader and network."""

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.measure import Row, fastest, medians
from benchmarks.saliency_maps import IMAGES, fresh_network, our_network
from dml_analysis.datasets.readers import Item
from dml_analysis.networks.bn_inception import network_input
from dml_analysis.networks.embedding import SharedTrunk
from dml_analysis.networks.loading import Ready

BATCH_SIZE = 10  # ours
PLAIN_BATCH_SIZES = (10, 25, 50)  # of which the plain way gets its best


class PlainImages(Dataset):
    """Image files through torchvision's transforms, as the Reality Check composes them."""

    transform = transforms.Compose(
        [
            transforms.Lambda(lambda image: Image.merge("RGB", image.split()[::-1])),
            transforms.Resize(256),
            transforms.CenterCrop(227),
            transforms.ToTensor(),
            transforms.Lambda(lambda tensor: 255 * tensor),
            transforms.Normalize((104, 117, 128), (1, 1, 1)),
        ]
    )

    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, index):
        return self.transform(Image.open(IMAGES[index]).convert("RGB"))


@torch.no_grad()
def plain_embeddings(network, batch_size):
    return torch.cat([network(images) for images in DataLoader(PlainImages(), batch_size=batch_size)]).numpy()


def our_embeddings(networks):
    return networks.embedded([Item(path.name, path, 0) for path in IMAGES])[0]


def rows(rounds=9):
    plain, network = fresh_network(), our_network()
    ours = SharedTrunk(Ready(network.trunk, network_input), [network.embedder], BATCH_SIZE)
    difference = np.abs(plain_embeddings(plain, BATCH_SIZE) - our_embeddings(ours)).max()
    tried = {size: lambda size=size: plain_embeddings(plain, size) for size in PLAIN_BATCH_SIZES}
    best = fastest(tried)
    seconds = medians({"plain": tried[best], "ours": lambda: our_embeddings(ours)}, rounds)
    per_image = {name: each / len(IMAGES) for name, each in seconds.items()}
    return [
        Row("embedding an image from disk", "plain loader and network", "cpu", "s", 1.5, per_image["ours"],
            per_image["plain"], rounds, difference, batch_size=best)
    ]  # fmt: skip
