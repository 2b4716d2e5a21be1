"""The rendered cars of a run, and their embeddings on disk: per network an .npy file and the image ids as .txt."""

import numpy as np

import utils
from reality_check import datasets
from utils import InputError


def chosen_cars(settings):
    """The settings' rendered cars: (items, table of their properties)."""
    items, table = datasets.rendered_cars(settings)
    chosen = datasets.evenly_spaced(range(len(items)), settings.properties.images)
    return [items[i] for i in chosen], table.iloc[chosen]


def write_embeddings(file, embeddings, items):
    """The ids first: embeddings without ids would be taken for finished."""
    utils.write_text(file.with_suffix(".txt"), "".join(f"{item.image_id}\n" for item in items))
    with utils.written_aside(file) as aside:
        np.save(aside, embeddings.astype(np.float32))


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
