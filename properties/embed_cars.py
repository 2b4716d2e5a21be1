"""From networks and rendered cars to embeddings on disk."""

from tqdm import tqdm

import utils
from properties.embedding_files import is_done, write_embeddings
from reality_check import checkpoints
from reality_check.checkpoint_files import note_made_with
from reality_check.embedding import by_trunk, embedded, seconds_per_image
from reality_check.network import EMBEDDING, FEATURES, device_of
from report.workload import Workload


def embed(settings, todo, items, script):
    """Embed the items with the networks of todo, a list of (loss, dataset, fold); keep the features of None's trunk."""
    checkpoints.check_networks(settings, todo)
    device = device_of(settings)
    utils.record_run(settings, script, str(device))
    claims = utils.Claims(utils.trunk_features_file(settings).parent)
    groups = by_trunk(settings, todo)
    with tqdm(total=len(groups) * len(items), desc="embedding", unit="image") as bar:
        for group in groups:
            mine = [cell for cell in group if claims.take_cell(*cell) and not is_done(settings, *cell)]
            if mine:
                embed_group(settings, mine, items, device, bar)
            else:
                bar.update(len(items))


def embed_group(settings, group, items, device, bar):
    """The embeddings of networks that share a trunk."""
    embeddings, features = embedded(settings, group, items, device, bar)
    if any(loss.type == "None" for loss, *_ in group):
        write_embeddings(utils.trunk_features_file(settings), features, items)
    for (loss, dataset, fold), rows in zip(group, embeddings):
        file = utils.embeddings_file(settings, fold, loss)
        note_made_with(utils.made_with_file(file), settings, loss, dataset, fold, items)
        write_embeddings(file, rows, items)


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
