"""Saliency maps on disk: per network a folder of blocks, each an .npz of float16 maps and the ids of their images."""

import zipfile
from contextlib import contextmanager

import numpy as np

import safe_files
import utils
from reality_check.datasets import evenly_spaced
from utils import InputError

MAPS_PER_BLOCK = 64  # 6.6 MB a block; a stopped run loses at most this many maps of one network
MAP_BYTES = 227 * 227 * 2
SHOWN_IMAGES = 6  # per dataset that the larger of the two figures of maps shows


def blocks(items):
    """(block number, its items) for a network's items in their fixed order."""
    return utils.blocks(items, MAPS_PER_BLOCK)


def shown_blocks(items):
    """The numbers of the blocks that hold the maps which the figures show: of images evenly spaced over all."""
    return {index // MAPS_PER_BLOCK for index in evenly_spaced(range(len(items)), SHOWN_IMAGES)}


def block_file(folder, number):
    return folder / f"block_{number:05d}.npz"


def block_numbers(folder):
    """The numbers of a folder's blocks, in order."""
    return sorted(int(file.stem.removeprefix("block_")) for file in folder.glob("block_*.npz"))


def note_file(folder):
    """Which checkpoint files the maps were made with."""
    return folder / "network.json"


def write_block(file, maps, image_ids):
    """Write maps (n, H, W) in [0, 1], kept as float16, and their image ids; aside first, so never half."""
    with safe_files.written_aside(file) as aside:
        np.savez(aside, maps=np.asarray(maps, dtype=np.float16), image_ids=np.asarray(image_ids, dtype=str))


def read_ids(file):
    with _opened(file) as block:
        return block["image_ids"].tolist()


def read_block(file):
    """The maps of a block by image id: id -> (H, W) float16."""
    with _opened(file) as block:
        maps, ids = block["maps"], block["image_ids"].tolist()
    if maps.ndim != 3 or len(maps) != len(set(ids)):
        raise InputError(f"{file}: {maps.shape} maps for {len(set(ids))} images; delete it and compute it again")
    return dict(zip(ids, maps))


@contextmanager
def _opened(file):
    """The arrays of a block, read when asked for. Raises InputError if the file is no block of maps."""
    try:
        with np.load(file) as block:
            yield block
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: not a readable block of maps ({error}); delete it and compute it again") from None
