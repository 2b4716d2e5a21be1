"""From networks and rendered cars to embeddings on disk."""

from itertools import groupby

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

import utils
from properties.embedding_files import chosen_cars, write_embeddings
from reality_check import checkpoints
from reality_check.images import open_image
from reality_check.network import device_of, features_of
from reality_check.transforms import network_input


def embed(settings, todo, script):
    """Embed the cars with the networks of todo, a list of (loss, fold)."""
    items, _ = chosen_cars(settings)
    dataset = settings.properties.networks
    checkpoints.check_networks(settings, [(loss, dataset, fold) for loss, fold in todo])
    device = device_of(settings)
    utils.record_run(settings, script, str(device))

    def trunk_of(cell):
        return checkpoints.same_file_key(checkpoints.checkpoint_files(settings, cell[0], dataset, cell[1])[0])

    groups = [list(cells) for _, cells in groupby(sorted(todo, key=trunk_of), key=trunk_of)]
    with tqdm(total=len(groups) * len(items), desc="embedding", unit="image") as bar:
        for cells in groups:
            embed_with_shared_trunk(settings, cells, items, device, bar)


def embed_with_shared_trunk(settings, cells, items, device, bar):
    """Write the embeddings of networks whose trunk is the same file: its features are computed once for all of them."""
    files = [checkpoints.checkpoint_files(settings, loss, settings.properties.networks, fold) for loss, fold in cells]
    trunk = checkpoints.load_trunk(files[0][0], device)
    embedders = [checkpoints.load_embedder(settings, file[1], fold) for file, (_, fold) in zip(files, cells)]
    embeddings, all_features = [[] for _ in cells], []
    untrained = any(loss.type == "None" for loss, _ in cells)
    for images in DataLoader(CarImages(items), batch_size=settings.properties.batch_size):
        features = features_of(trunk, images)
        all_features += [features.numpy()] if untrained else []
        for rows, embedder in zip(embeddings, embedders):
            rows.append(embedder(features).numpy())
        bar.update(len(images))
    if untrained:
        write_embeddings(utils.trunk_features_file(settings), np.concatenate(all_features), items)
    for (loss, fold), rows in zip(cells, embeddings):
        write_embeddings(utils.embeddings_file(settings, fold, loss), np.concatenate(rows), items)


class CarImages(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return network_input(open_image(self.items[index].path))
