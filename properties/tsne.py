"""t-SNE coordinates of the embeddings of one network, for Figure 3."""

from functools import partial

from common.errors import InputError
from common.models import find
from common.seeds import derived_seed, described
from common.settings import unlike_defaults
from common.shelf import Array, Job, Shelf, Stage, View
from data import datasets
from properties import embeddings
from reality_check.networks import Network
from utils import MODELS

COLUMNS = {"image_id": str, "loss": str, "fold": int, "x": float, "y": float}


def csv_file(settings):
    return settings.results / "properties" / "tsne.csv"


def shelf_of(settings):
    """The coordinates (x, y) of some rendered cars, by the embeddings of the network that the settings name."""
    options = settings.properties
    items, network = embeddings.chosen_cars(settings)[0], network_of(settings)
    shown = datasets.ids_of(datasets.evenly_spaced(items, options.tsne_images))
    made_of = {"embeddings": embeddings.shelf_of(network, items).fingerprint, "images": described(shown)}
    made_of |= {"distance": network.model.distance, **unlike_defaults(settings, "seed")}
    arrays = {"x": Array("f4"), "y": Array("f4")}
    return Shelf(settings.results / "properties" / "tsne", made_of, [shown], arrays, network, network.labels)


def network_of(settings):
    """The network whose embeddings are shown."""
    options = settings.properties
    return Network(settings, find(options.tsne_model, MODELS), options.networks, settings.whole.folds[0])


def stage(settings):
    """The coordinates. Raises InputError if the embeddings are not whole."""
    shelf = shelf_of(settings)
    embedded = embeddings.shelf_of(shelf.of, embeddings.chosen_cars(settings)[0])
    if not embedded.is_whole():
        raise InputError(
            f"{embedded.folder}: not whole; run properties/2_embed_cars.py (tsne_model is {shelf.of.model.name!r})"
        )
    view = View(csv_file(settings), COLUMNS, [shelf])
    return Stage("t-SNE coordinates", "image", [Job([shelf], partial(make, embedded))], [view])


def make(embedded, shelves, number, tick):
    """The coordinates; see Job.make."""
    from sklearn.manifold import TSNE  # slow to import

    from properties.nr_precision import euclidean_coordinates

    (shelf,) = shelves
    network, rows = shelf.of, {image_id: row for row, image_id in enumerate(embedded.rows)}
    coordinates = euclidean_coordinates(embeddings.read(embedded), network.model.distance)
    chosen = coordinates[[rows[image_id] for image_id in shelf.rows]]
    seed = derived_seed(network.settings.seed, "t-SNE", network.model.name, network.fold) % 2**32
    perplexity = min(30, (len(chosen) - 1) / 3)
    x, y = TSNE(random_state=seed, init="pca", perplexity=perplexity).fit_transform(chosen).T
    tick(len(x))
    return [{"x": x, "y": y}]
