"""From networks and rendered cars to embeddings on disk."""

from tqdm import tqdm

import utils
from properties.embedding_files import chosen_cars, write_embeddings
from reality_check import checkpoints
from reality_check.checkpoint_files import note_made_with
from reality_check.embedding import by_trunk, embedded
from reality_check.network import device_of


def embed(settings, todo, script):
    """Embed the cars with the networks of todo, a list of (loss, fold); keep the features of None's trunk."""
    items, _ = chosen_cars(settings)
    cells = [(loss, settings.properties.networks, fold) for loss, fold in todo]
    checkpoints.check_networks(settings, cells)
    device = device_of(settings)
    utils.record_run(settings, script, str(device))
    groups = by_trunk(settings, cells)
    with tqdm(total=len(groups) * len(items), desc="embedding", unit="image") as bar:
        for group in groups:
            embeddings, features = embedded(settings, group, items, device, bar)
            if any(loss.type == "None" for loss, *_ in group):
                write_embeddings(utils.trunk_features_file(settings), features, items)
            for (loss, dataset, fold), rows in zip(group, embeddings):
                file = utils.embeddings_file(settings, fold, loss)
                note_made_with(utils.made_with_file(file), settings, loss, dataset, fold)
                write_embeddings(file, rows, items)
