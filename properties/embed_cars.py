"""Embeddings of the rendered cars on disk."""

from itertools import groupby

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

import utils
from reality_check import checkpoints, datasets
from reality_check.network import device_of, features_of
from reality_check.transforms import network_input, open_image
from utils import InputError


def chosen_cars(settings):
    """The settings' rendered cars: (items, table of their properties)."""
    items, table = datasets.rendered_cars(settings.paths["RenderedCars"])
    chosen = datasets.evenly_spaced(range(len(items)), settings.properties.images)
    return [items[i] for i in chosen], table.iloc[chosen]


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
    embeddings = [[] for _ in cells]
    loader = DataLoader(CarImages(items), batch_size=settings.properties.batch_size)
    for images in loader:
        features = features_of(trunk, images)
        for rows, embedder in zip(embeddings, embedders):
            rows.append(embedder(features).numpy())
        bar.update(len(images))
    for (loss, fold), rows in zip(cells, embeddings):
        write_embeddings(utils.embeddings_file(settings, fold, loss), np.concatenate(rows), items)


class CarImages(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return network_input(open_image(self.items[index].path))


def write_embeddings(file, embeddings, items):
    """The ids first: embeddings without ids would be taken for finished."""
    utils.write_text(file.with_suffix(".txt"), "".join(f"{item.image_id}\n" for item in items))
    with utils.written_aside(file) as aside:
        np.save(aside, embeddings.astype(np.float32))


def read_embeddings(file, image_ids):
    """Embeddings (n, d) in the order of image_ids, joined by id.

    Raises InputError if the file is broken, has NaN values, or embeds other images.
    """
    try:
        embeddings = np.load(file, allow_pickle=False)
        ids = file.with_suffix(".txt").read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: not readable ({error}); delete it and run properties/2_embed_cars.py") from None
    if embeddings.ndim != 2 or len(embeddings) != len(ids):
        raise InputError(f"{file}: shape {embeddings.shape} for {len(ids)} image ids; delete it and embed again")
    if not np.isfinite(embeddings).all():
        raise InputError(f"{file}: contains NaN or infinite embeddings; check the network, delete it and embed again")
    rows = {image_id: row for row, image_id in enumerate(ids)}
    if set(rows) != set(image_ids):
        raise InputError(f"{file}: embeds other images than samples.csv lists; delete it and embed again")
    return embeddings[[rows[image_id] for image_id in image_ids]]
