"""t-SNE coordinates of the embeddings of one network, for Figure 3."""

import numpy as np

from dml_analysis.config import FEWEST_TSNE_IMAGES, unlike_defaults
from dml_analysis.datasets import readers
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import coordinates_of
from dml_analysis.networks.specifications import code_of
from dml_analysis.properties import car_embeddings
from dml_analysis.seeds import derived_seed, described
from dml_analysis.store import ResultStore

COLUMNS = {"image_id": str, "loss": str, "fold": int, "x": float, "y": float}


def csv_file(settings):
    return settings.results / "properties" / "tsne.csv"


def store_of(settings):
    """The coordinates (x, y) of some rendered cars, by the embeddings of the network that the settings name."""
    options = settings.properties
    items, network = readers.chosen_cars(settings)[0], shown_network(settings)
    shown = readers.ids_of(readers.evenly_spaced(items, options.tsne_images))
    provenance = {
        "embeddings": car_embeddings.store_of(network, items).digest,
        "images": described(shown),
    }
    provenance |= {
        "distance": network.model.distance,
        **code_of(settings.records, network.model.distance),
    }
    provenance |= unlike_defaults(settings, "seed")
    arrays = {"x": Array("f4"), "y": Array("f4")}
    return ResultStore(
        settings.results / "properties" / "tsne",
        provenance,
        [shown],
        arrays,
        network,
        network.labels,
    )


def shown_network(settings):
    """The network whose embeddings are shown: the named model's in the first fold, or that of the first model."""
    whole, wanted = settings.whole, settings.properties.tsne_model
    networks = car_embeddings.embedding_networks(
        whole.model_copy(update={"folds": whole.folds[:1]})
    )
    if not networks:
        raise InputError(
            f"settings {settings.name!r}: no model has embeddings of the rendered cars"
        )
    return next((each for each in networks if each.model.name == wanted), networks[0])


def embeddings_shown(settings, store):
    """The store of the embeddings that these coordinates are of. Raises InputError if it is not complete, or of too few images."""
    embedded = car_embeddings.store_of(store.subject, readers.chosen_cars(settings)[0])
    if len(store.rows) < FEWEST_TSNE_IMAGES:
        raise InputError(
            f"{settings.paths[readers.CARS]}: t-SNE takes at least {FEWEST_TSNE_IMAGES} images, not {len(store.rows)}"
        )
    if not embedded.is_complete():
        raise InputError(
            f"{embedded.folder}: not complete; run properties/2_embed_cars.py (tsne_model is {store.subject.model.name!r})"
        )
    return embedded


def tsne(network, embeddings):
    """The t-SNE coordinates (n, 2), float32, of embeddings (n, d) of a network, by its model's distance."""
    from sklearn.manifold import TSNE  # slow to import

    points = coordinates_of(embeddings, network.model.distance)
    if not np.isfinite(points).all() or not np.ptp(points, axis=0).any():
        raise InputError(
            f"{network.name}: its embeddings are all alike, or zero; set another properties: tsne_model"
        )
    seed = (
        derived_seed(network.settings.seed, "t-SNE", network.model.name, network.fold_name) % 2**32
    )
    perplexity = min(30, (len(points) - 1) / 3)
    init = "pca" if points.shape[1] > 1 else "random"
    return TSNE(random_state=seed, init=init, perplexity=perplexity).fit_transform(points)
