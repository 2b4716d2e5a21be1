"""Saliency maps on disk: per network a folder of blocks, each an .npz of float16 maps and the ids of their images."""

import numpy as np

import utils
from utils import InputError

MAPS_PER_BLOCK = 64  # 6.6 MB a block; a stopped run loses at most this many maps of one network


def blocks(items):
    """(block number, its items) for a network's items in their fixed order."""
    return [(i // MAPS_PER_BLOCK, items[i : i + MAPS_PER_BLOCK]) for i in range(0, len(items), MAPS_PER_BLOCK)]


def block_file(folder, number):
    return folder / f"block_{number:05d}.npz"


def write_block(file, maps, image_ids):
    """Write maps (n, H, W) in [0, 1], kept as float16, and their image ids; aside first, so never half."""
    with utils.written_aside(file) as aside:
        np.savez(aside, maps=np.asarray(maps, dtype=np.float16), image_ids=np.asarray(image_ids, dtype=str))


def read_block(file):
    """(maps (n, H, W) float16, image ids (n,)). Raises InputError naming a file that is no block of maps."""
    try:
        with np.load(file) as block:
            maps, ids = block["maps"], block["image_ids"]
    except Exception as error:  # zipfile and numpy raise many kinds for broken files
        raise InputError(f"{file}: not a readable block of maps ({error}); delete it and compute it again") from None
    if maps.ndim != 3 or len(maps) != len(ids) or len(set(ids)) != len(ids):
        raise InputError(f"{file}: {maps.shape} maps for {len(ids)} image ids; delete it and compute it again")
    return maps, ids


class MapFolder:
    """The maps of one network by image id, read block by block."""

    def __init__(self, folder):
        self.files = sorted(folder.glob("block_*.npz"))
        self.where = {}  # image id -> file
        for file in self.files:
            with np.load(file) as block:
                self.where |= dict.fromkeys(block["image_ids"].tolist(), file)
        self._open = (None, {})  # the block read last, and its maps by id

    def __len__(self):
        return len(self.where)

    def __contains__(self, image_id):
        return image_id in self.where

    def __getitem__(self, image_id):
        """The map (H, W) of an image. Raises KeyError if it has none."""
        file = self.where[image_id]
        if self._open[0] != file:
            maps, ids = read_block(file)
            self._open = (file, dict(zip(ids.tolist(), maps)))
        return self._open[1][image_id]
