"""From networks and rendered cars to embeddings on disk."""

import numpy as np
from tqdm import tqdm

import safe_files
import utils
from properties.embedding_files import has_parts, is_done, join_parts, part_file, parts, write_part
from reality_check import checkpoints, datasets
from reality_check.checkpoint_files import note_made_with
from reality_check.embedding import SharedTrunk, by_trunk, seconds_per_image
from reality_check.images import check_header
from reality_check.network import EMBEDDING, FEATURES, device_of
from report.workload import Workload
from settings import run_record

FEATURES_CLAIM = 0  # the claim to the features of None's trunk, which the folds of "None" share


def embed(settings, todo, items, script):
    """Embed the items with the networks of todo, a list of (loss, dataset, fold); keep the features of None's trunk."""
    device = device_of(settings)
    checkpoints.check_networks(settings, todo)
    datasets.check_images(items, check_header)
    run_record.note(settings, script, str(device))
    claims = safe_files.Claims(utils.trunk_features_file(settings).parent)
    groups = by_trunk(settings, todo)
    with tqdm(total=len(groups) * len(items), desc="embedding", unit="image") as bar:
        for group in groups:
            mine = [cell for cell in group if claims.take_cell(*cell) and not is_done(settings, *cell)]
            if mine:
                with_features = any(loss.type == "None" for loss, *_ in mine) and claims.take(FEATURES_CLAIM)
                embed_group(settings, mine, with_features, items, device, bar)
            else:
                bar.update(len(items))


def embed_group(settings, group, with_features, items, device, bar):
    """The embeddings of networks that share a trunk, in parts, so that a stopped run goes on after the last of them.

    with_features: keep what the trunk gives as well.
    """
    files = [utils.embeddings_file(settings, fold, loss) for loss, _, fold in group]
    for file, cell in zip(files, group):
        if not file.is_file() and not has_parts(file):
            note_made_with(utils.made_with_file(file), settings, *cell, items)
    files += [utils.trunk_features_file(settings)] if with_features else []
    networks = SharedTrunk.load(settings, group, device)
    for number, some in parts(items):
        if all(file.is_file() or part_file(file, number).is_file() for file in files):
            bar.update(len(some))
            continue
        features, embeddings = zip(*networks.batches(some, bar))
        for file, batches in zip(files, [*zip(*embeddings), features]):
            if not file.is_file():
                write_part(file, number, np.concatenate(batches))
    for file in files:
        if not file.is_file():
            join_parts(file, items)


def workload(settings, todo, items):
    """How much there is to do: networks that share a trunk count their images once."""
    features = FEATURES if any(loss.type == "None" for loss, *_ in todo) else 0
    disk = 4 * len(items) * (EMBEDDING * len(todo) + features)
    count = len(by_trunk(settings, todo)) * len(items)
    return Workload("embeddings", len(todo), len(items), count, "image", disk)


def timed(settings, cell, items):
    """(seconds that one image takes, on which device)."""
    device = device_of(settings)
    return seconds_per_image(settings, cell, items, device), str(device)
