"""The rendered cars of a run, and their embeddings on disk: per network an .npy file and the image ids as .txt."""

import hashlib
import shutil

import numpy as np

import safe_files
import utils
from reality_check import datasets
from reality_check.checkpoint_files import check_made_with, sha256
from utils import InputError

IMAGES_PER_PART = 1000  # what a stopped run loses at most of a network


def chosen_cars(settings):
    """The settings' rendered cars: (items, table of their properties)."""
    items, table = datasets.rendered_cars(settings)
    chosen = datasets.evenly_spaced(range(len(items)), settings.properties.images)
    return [items[i] for i in chosen], table.iloc[chosen]


def is_done(settings, loss, dataset, fold):
    """Whether a network's embeddings are there; with "None" its trunk's features as well."""
    features = utils.trunk_features_file(settings)
    return utils.embeddings_file(settings, fold, loss).is_file() and (loss.type != "None" or features.is_file())


def check_begun(settings, cells, items=None):
    """Raise InputError if embeddings that are there are of other checkpoints than there are now, or not of `items`."""
    for loss, dataset, fold in cells:
        file = utils.embeddings_file(settings, fold, loss)
        if file.is_file() or has_parts(file):
            check_made_with(utils.made_with_file(file), settings, loss, dataset, fold, items)


# ---------------------------------------------------------------------------------------------------------------------
# Parts: what a network has embedded so far.
# ---------------------------------------------------------------------------------------------------------------------
def parts(items):
    """(number, its items) for the items in their order."""
    return utils.blocks(items, IMAGES_PER_PART)


def part_file(file, number):
    """Where a part of the embeddings in `file` is kept until all parts are there."""
    return _parts_folder(file) / f"part_{number:05d}.npy"


def _parts_folder(file):
    return file.with_suffix(".parts")


def has_parts(file):
    return _parts_folder(file).is_dir()


def write_part(file, number, embeddings):
    with safe_files.written_aside(part_file(file, number)) as aside:
        np.save(aside, embeddings.astype(np.float32))


def join_parts(file, items):
    """Make `file` of its parts, part by part; its ids first: embeddings without ids would be taken for finished."""
    safe_files.write_text(file.with_suffix(".txt"), "".join(f"{item.image_id}\n" for item in items))
    numbers = [number for number, _ in parts(items)]
    dimensions = np.load(part_file(file, 0), mmap_mode="r").shape[1]
    with safe_files.written_aside(file) as aside:
        whole = np.lib.format.open_memmap(aside, "w+", np.float32, (len(items), dimensions))
        for number in numbers:
            rows = np.load(part_file(file, number))
            whole[number * IMAGES_PER_PART :][: len(rows)] = rows
        whole.flush()
        del whole  # lets go of the file
    shutil.rmtree(_parts_folder(file))


def discard_joined(settings, cells):
    """Delete parts that a run has joined, but was stopped before it deleted them."""
    files = [utils.embeddings_file(settings, fold, loss) for loss, _, fold in cells]
    for file in [*files, utils.trunk_features_file(settings)]:
        if file.is_file():
            shutil.rmtree(_parts_folder(file), ignore_errors=True)


# ---------------------------------------------------------------------------------------------------------------------
# Whole embeddings.
# ---------------------------------------------------------------------------------------------------------------------
def digest(file):
    """What tells embeddings and their ids from others: 16 hexadecimal digits."""
    ids = file.with_suffix(".txt")
    if not ids.is_file():
        raise InputError(f"{ids}: missing; delete {file.name} beside it and run properties/2_embed_cars.py")
    both = sha256(file) + sha256(ids)
    return hashlib.sha256(both.encode()).hexdigest()[:16]


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
