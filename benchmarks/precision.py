"""What the networks' precision does to saliency maps and to the tables."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from properties.embedding_files import chosen_cars
from properties.score_properties import score_rows
from reality_check import checkpoints, datasets
from reality_check.datasets import property_codes
from reality_check.embedding import SharedTrunk, by_trunk
from reality_check.network import device_of
from reality_check.transforms import network_inputs
from report import csv_tables
from saliency.compute_maps import base_embedding, image_map
from saliency.similarity import all_pairs, fisher_mean
from settings.reader import PRECISIONS


def measure(settings, images, cars, file):
    """Print and write (measure, of what, precision, value) for the settings' networks of their first fold."""
    precisions = [each for each in PRECISIONS if each != "tf32" or device_of(settings).type == "cuda"]
    rows = [*map_rows(settings, precisions, images), *table_6_rows(settings, precisions, cars)]
    table = pd.DataFrame(rows, columns=["measure", "of", "precision", "value"])
    csv_tables.write(file, table)
    wide = table.pivot_table(index=["measure", "of"], columns="precision", values="value", sort=False)
    print(wide.to_string(float_format="{:.4f}".format))


def map_rows(settings, precisions, images):
    """How alike the maps of a network are to its float32 maps, and those of two networks to each other."""
    dataset = settings.datasets[0]
    items = datasets.load_items(settings, dataset, "test")
    items = datasets.evenly_spaced(items, images)
    maps = {each: maps_of(settings._replace(precision=each), dataset, items) for each in precisions}
    for precision in precisions:
        same = [all_pairs(np.stack(pair), 2)[0][:, 0, 1] for pair in zip(maps["float32"], maps[precision])]
        yield "correlation with the float32 map", "mean", precision, fisher_mean(same, axis=None)
        yield "correlation with the float32 map", "least", precision, np.min(same)
        if len(settings.losses) > 1:
            upper = np.triu_indices(len(settings.losses), 1)
            between = all_pairs(maps[precision], 2)[0][:, *upper]
            yield "correlation between networks", "mean", precision, fisher_mean(between, axis=None)


def maps_of(settings, dataset, items):
    """Saliency maps (losses, items, H, W) of the settings' networks."""
    device, fold, maps = device_of(settings), settings.folds[0], []
    for loss in tqdm(settings.losses, desc=f"saliency maps, {settings.precision}", unit="network"):
        network = checkpoints.load_network(settings, loss, dataset, fold, device)
        base = base_embedding(network, device)
        maps.append(
            [
                image_map(settings, network, base, loss, dataset, fold, item.image_id, image)
                for item, image in zip(items, network_inputs(items))
            ]
        )
    return np.array(maps)


def table_6_rows(settings, precisions, cars):
    """The NR-Precision of every property among some of the cars, as the mean over the networks."""
    items, table = chosen_cars(settings)
    chosen = datasets.evenly_spaced(range(len(items)), cars)
    items, codes = [items[i] for i in chosen], property_codes(table)[chosen]
    fold = settings.folds[0]
    cells = [(loss, settings.properties.networks, fold) for loss in settings.losses]
    for precision in precisions:
        scores = []
        for (loss, *_), embeddings in zip(cells, embeddings_of(settings._replace(precision=precision), cells, items)):
            scores += score_rows(settings, loss, fold, embeddings, codes)
        means = pd.DataFrame(scores).groupby("property", sort=False).nr_precision.mean()
        for name, value in means.items():
            yield "NR-Precision", name, precision, value


def embeddings_of(settings, cells, items):
    """The embeddings (n, d) of the items by each of the cells' networks, in the cells' order."""
    found, device = {}, device_of(settings)
    for group in by_trunk(settings, cells):
        with tqdm(total=len(items), desc=f"embedding, {settings.precision}", unit="image") as bar:
            names = [loss.name for loss, *_ in group]
            found |= zip(names, SharedTrunk.load(settings, group, device).embedded(items, bar))
    return [found[loss.name] for loss, *_ in cells]
