"""Saliency maps on disk: per network a folder of blocks, each an .npz of float16 maps and the ids of their images."""

import zipfile
from contextlib import contextmanager

import numpy as np

import utils
from utils import InputError

MAPS_PER_BLOCK = 64  # 6.6 MB a block; a stopped run loses at most this many maps of one network


def blocks(items):
    """(block number, its items) for a network's items in their fixed order."""
    return [(i // MAPS_PER_BLOCK, items[i : i + MAPS_PER_BLOCK]) for i in range(0, len(items), MAPS_PER_BLOCK)]


def block_file(folder, number):
    return folder / f"block_{number:05d}.npz"


def has_maps(folder):
    return any(folder.glob("block_*.npz"))


def note_file(folder):
    """Which checkpoint files the maps were made with."""
    return folder / "network.json"


def write_block(file, maps, image_ids):
    """Write maps (n, H, W) in [0, 1], kept as float16, and their image ids; aside first, so never half."""
    with utils.written_aside(file) as aside:
        np.savez(aside, maps=np.asarray(maps, dtype=np.float16), image_ids=np.asarray(image_ids, dtype=str))


@contextmanager
def opened(file):
    """The arrays of a block, read when asked for. Raises InputError naming a file that is no block of maps."""
    try:
        with np.load(file) as block:
            yield block
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: not a readable block of maps ({error}); delete it and compute it again") from None


def read_ids(file):
    with opened(file) as block:
        return block["image_ids"].tolist()


def read_block(file):
    """The maps of a block by image id: id -> (H, W) float16."""
    with opened(file) as block:
        maps, ids = block["maps"], block["image_ids"].tolist()
    if maps.ndim != 3 or len(maps) != len(set(ids)):
        raise InputError(f"{file}: {maps.shape} maps for {len(set(ids))} images; delete it and compute it again")
    return dict(zip(ids, maps))


class MapFolder:
    """The maps of one network by image id, read block by block."""

    def __init__(self, folder):
        self.files = sorted(folder.glob("block_*.npz"))
        self.where = {image_id: file for file in self.files for image_id in read_ids(file)}
        self._read_last = (None, {})

    def __len__(self):
        return len(self.where)

    def __contains__(self, image_id):
        return image_id in self.where

    def __getitem__(self, image_id):
        """The map (H, W) of an image. Raises KeyError if it has none."""
        file = self.where[image_id]
        if self._read_last[0] != file:
            self._read_last = (file, read_block(file))
        return self._read_last[1][image_id]
