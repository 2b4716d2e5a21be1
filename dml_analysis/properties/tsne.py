"""t-SNE coordinates of the embeddings of one network, for Figure 3."""

from functools import partial

import numpy as np

from dml_analysis.config import FEWEST_TSNE_IMAGES, unlike_defaults
from dml_analysis.datasets import readers
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import coordinates_of
from dml_analysis.networks.specifications import code_of
from dml_analysis.properties import car_embeddings
from dml_analysis.seeds import derived_seed, described
from dml_analysis.stages import Job, Stage, View
from dml_analysis.store import Shelf

COLUMNS = {"image_id": str, "loss": str, "fold": int, "x": float, "y": float}


def csv_file(settings):
    return settings.results / "properties" / "tsne.csv"


def shelf_of(settings):
    """The coordinates (x, y) of some rendered cars, by the embeddings of the network that the settings name."""
    options = settings.properties
    items, network = readers.chosen_cars(settings)[0], shown_network(settings)
    shown = readers.ids_of(readers.evenly_spaced(items, options.tsne_images))
    made_of = {"embeddings": car_embeddings.shelf_of(network, items).fingerprint, "images": described(shown)}
    made_of |= {"distance": network.model.distance, **code_of(settings, network.model.distance)}
    made_of |= unlike_defaults(settings, "seed")
    arrays = {"x": Array("f4"), "y": Array("f4")}
    return Shelf(settings.results / "properties" / "tsne", made_of, [shown], arrays, network, network.labels)


def shown_network(settings):
    """The network whose embeddings are shown: the named model's in the first fold, or that of the first model."""
    whole, wanted = settings.whole, settings.properties.tsne_model
    networks = car_embeddings.embedding_networks(whole._replace(folds=whole.folds[:1]))
    if not networks:
        raise InputError(f"settings {settings.name!r}: no model has embeddings of the rendered cars")
    return next((each for each in networks if each.model.name == wanted), networks[0])


def stage(settings):
    """The coordinates. Raises InputError if the embeddings are not whole."""
    shelf = shelf_of(settings)
    embedded = car_embeddings.shelf_of(shelf.of, readers.chosen_cars(settings)[0])
    if len(shelf.rows) < FEWEST_TSNE_IMAGES:
        raise InputError(
            f"{settings.paths[readers.CARS]}: t-SNE takes at least {FEWEST_TSNE_IMAGES} images, not {len(shelf.rows)}"
        )
    if not embedded.is_whole():
        raise InputError(
            f"{embedded.folder}: not whole; run properties/2_embed_cars.py (tsne_model is {shelf.of.model.name!r})"
        )
    view = View(csv_file(settings), COLUMNS, [shelf])
    return Stage("t-SNE coordinates", "image", [Job([shelf], partial(make, embedded))], [view])


def make(embedded, shelves, number, tick):
    """The coordinates; see Job.make."""
    from sklearn.manifold import TSNE  # slow to import

    (shelf,) = shelves
    network, rows = shelf.of, {image_id: row for row, image_id in enumerate(embedded.rows)}
    coordinates = coordinates_of(car_embeddings.read(embedded), network.model.distance)
    chosen = coordinates[[rows[image_id] for image_id in shelf.rows]]
    if not np.isfinite(chosen).all() or not np.ptp(chosen, axis=0).any():
        raise InputError(f"{network.name}: its embeddings are all alike, or zero; set another properties: tsne_model")
    seed = derived_seed(network.settings.seed, "t-SNE", network.model.name, network.fold_name) % 2**32
    perplexity = min(30, (len(chosen) - 1) / 3)
    init = "pca" if chosen.shape[1] > 1 else "random"
    x, y = TSNE(random_state=seed, init=init, perplexity=perplexity).fit_transform(chosen).T
    tick(len(x))
    return [{"x": x, "y": y}]
