"""t-SNE coordinates of the embeddings of one network, for Figure 3."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from dml_analysis.config import FEWEST_TSNE_IMAGES, unlike_defaults
from dml_analysis.datasets import readers
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import ZeroEmbedding, coordinates_of
from dml_analysis.networks.specifications import Network, code_of
from dml_analysis.properties import car_embeddings
from dml_analysis.seeds import derived_seed, described
from dml_analysis.store import ResultStore

if TYPE_CHECKING:
    from dml_analysis.config import Settings

COLUMNS = {"image_id": str, "loss": str, "fold": int, "x": float, "y": float}


def csv_file(settings: "Settings") -> Path:
    """Return the path of tsne.csv."""
    return settings.results / "properties" / "tsne.csv"


def store_of(settings: "Settings") -> ResultStore:
    """Return the store of the coordinates, with a row for each of some images."""
    samples, network = readers.property_images(settings)[0], shown_network(settings)
    image_ids = readers.ids_of(readers.evenly_spaced(samples, settings.properties.tsne_images))
    provenance: dict[str, Any] = {
        "embeddings": car_embeddings.store_of(network, samples).digest,
        "images": described(image_ids),
        "distance": network.model.distance,
    }
    provenance |= code_of(settings.records, network.model.distance)
    provenance |= unlike_defaults(settings, "seed")
    folder, arrays = settings.results / "properties" / "tsne", {"x": Array("f4"), "y": Array("f4")}
    return ResultStore(folder, provenance, [image_ids], arrays, network, network.labels)


def shown_network(settings: "Settings") -> Network:
    """Return the network whose embeddings are plotted.

    It is that of the model `tsne_model` in the first fold, or else of the first model. Raises
    InputError if no network embeds the images.
    """
    whole, name = settings.whole, settings.properties.tsne_model
    first_fold = whole.model_copy(update={"folds": whole.folds[:1]})
    networks = car_embeddings.embedding_networks(first_fold)
    if not networks:
        raise InputError(
            f"settings {settings.name!r}: no model has embeddings of the "
            f"{settings.properties.images_called}"
        )
    return next((network for network in networks if network.model.name == name), networks[0])


def embeddings_shown(settings: "Settings", store: ResultStore) -> ResultStore:
    """Return the store of the embeddings behind these coordinates.

    Raises InputError if it is not complete, or of too few images.
    """
    network: Any = store.subject
    embedded = car_embeddings.store_of(network, readers.property_images(settings)[0])
    if len(store.rows) < FEWEST_TSNE_IMAGES:
        raise InputError(
            f"{settings.paths[settings.properties.dataset]}: t-SNE takes at least {FEWEST_TSNE_IMAGES} images, "
            f"not {len(store.rows)}"
        )
    if not embedded.is_complete():
        raise InputError(
            f"{embedded.folder}: not complete; run properties/2_embed_cars.py "
            f"(tsne_model is {network.model.name!r})"
        )
    return embedded


def tsne(
    network: Network, embeddings: Float[np.ndarray, "n d"], seed: int
) -> Float[np.ndarray, "n 2"]:
    """Return t-SNE coordinates, float32, of a network's embeddings, by its model's distance.

    seed: the settings'. Raises InputError if the embeddings are all alike, zero or not finite.
    """
    from sklearn.manifold import TSNE  # slow to import

    hint = "set another properties: tsne_model"
    try:
        points = coordinates_of(embeddings, network.model.distance)
    except ZeroEmbedding as error:
        raise InputError(f"{network.name}: {error}; {hint}") from None
    if not np.isfinite(points).all() or not np.ptp(points, axis=0).any():
        raise InputError(f"{network.name}: its embeddings are all alike; {hint}")
    seed = derived_seed(seed, "t-SNE", network.model.name, network.fold_name) % 2**32
    perplexity = min(30, (len(points) - 1) / 3)
    init = "pca" if points.shape[1] > 1 else "random"
    return TSNE(random_state=seed, init=init, perplexity=perplexity).fit_transform(points)
