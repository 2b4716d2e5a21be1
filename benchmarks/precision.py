"""What the networks' precision does to saliency maps and to the tables."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from dml_analysis.config import PRECISIONS
from dml_analysis.datasets import readers
from dml_analysis.files import csv_files
from dml_analysis.metrics.inputs import property_codes
from dml_analysis.metrics.map_similarity import all_pairs, fisher_mean
from dml_analysis.metrics.smoothgrad import saliency_map
from dml_analysis.networks.specifications import by_trunk, device_of, networks_of
from dml_analysis.networks.transforms import network_inputs
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import car_embeddings
from dml_analysis.properties.property_scores import Scored, score
from dml_analysis.saliency.saliency_maps import Noise, gradients_of, with_black_image

COLUMNS = ("measure", "of", "precision", "value")


def measure(settings, images, cars, file):
    """Print and write (measure, of what, precision, value) for the settings' networks of their
    first fold.
    """
    precisions = [
        each for each in PRECISIONS if each != "tf32" or device_of(settings).startswith("cuda")
    ]
    rows = [*map_rows(settings, precisions, images), *table_6_rows(settings, precisions, cars)]
    csv_files.write(file, rows, COLUMNS)
    table = pd.DataFrame(rows, columns=COLUMNS)
    wide = table.pivot_table(
        index=["measure", "of"], columns="precision", values="value", sort=False
    )
    print(wide.to_string(float_format="{:.4f}".format))


def map_rows(settings, precisions, images):
    """How alike the maps of a network are to its float32 maps, and those of two networks to each
    other.
    """
    items = readers.load_samples(settings, settings.datasets[0], "test")
    items = readers.evenly_spaced(items, images)
    maps = {
        each: maps_of(settings.model_copy(update={"precision": each}), items) for each in precisions
    }
    for precision in precisions:
        same = [
            all_pairs(np.stack(pair), 2)[0][:, 0, 1]
            for pair in zip(maps["float32"], maps[precision])
        ]
        yield "correlation with the float32 map", "mean", precision, fisher_mean(same, axis=None)
        yield "correlation with the float32 map", "least", precision, np.min(same)
        if len(settings.models) > 1:
            upper = np.triu_indices(len(settings.models), 1)
            between = all_pairs(maps[precision], 2)[0][:, *upper]
            yield "correlation between networks", "mean", precision, fisher_mean(between, axis=None)


def maps_of(settings, items):
    """Saliency maps (networks, items, h, w) of the settings' networks, by their first protocol."""
    networks, found = networks_of(settings, settings.datasets[0], settings.folds[:1]), []
    options = settings.saliency
    noise = Noise(options.noise_samples, options.noise_sigma, settings.seed)
    for network in tqdm(networks, desc=f"saliency maps, {settings.precision}", unit="network"):
        loaded = with_black_image(network, network.load(device_of(network)))
        images = zip(items, network_inputs(items, loaded.ready.transform))
        gradients = (gradients_of(loaded, [each], noise, options.batch_size)[0] for each in images)
        found.append([saliency_map(each, settings.protocols[0].name) for each in gradients])
    return np.array(found)


def table_6_rows(settings, precisions, cars):
    """The NR-Precision of every property among some of the cars, as the mean over the networks."""
    items, table = readers.chosen_cars(settings)
    chosen = readers.evenly_spaced(range(len(items)), cars)
    items, codes = [items[i] for i in chosen], property_codes(table)[chosen]
    for precision in precisions:
        scores = []
        for network, embedded in embeddings_of(
            settings.model_copy(update={"precision": precision}), items
        ):
            scores.append(
                score(embedded, codes, Scored(network, settings.protocols[0])).nr_precision
            )
        for prop, value in zip(PROPERTIES, np.mean(scores, axis=0)):
            yield "NR-Precision", prop.name, precision, value


def embeddings_of(settings, items):
    """Yield (network, the embeddings (n, d) of the items) for the settings' networks of their first
    fold.
    """
    for group in by_trunk(networks_of(settings, settings.properties.networks, settings.folds[:1])):
        with tqdm(total=len(items), desc=f"embedding, {settings.precision}", unit="image") as bar:
            stores = [car_embeddings.store_of(network, items) for network in group]
            arrays = car_embeddings.arrays_of(
                stores, items, settings.properties.batch_size, bar.update
            )
        yield from zip(group, (each["embeddings"] for each in arrays))
