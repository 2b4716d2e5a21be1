"""The measures of the embedding spaces of all networks, and of all looks of their trainings: two stages, two kinds of CSV.

A space is that of a network's own training images or of test images, both as whoever uses the network would show them to it.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from dml_analysis.datasets import image_digests, readers
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import ZeroEmbedding
from dml_analysis.metrics.embedding_measures import ARRAYS, COLUMNS, measured
from dml_analysis.metrics.geometry import ZeroMean
from dml_analysis.networks.specifications import (
    ALL_FOLDS,
    by_trunk,
    network_stage,
    networks_of,
    no_direction,
)
from dml_analysis.seeds import derived_seed, described
from dml_analysis.stages import Job, Stage
from dml_analysis.store import ResultStore
from dml_analysis.training import training_runs
from dml_analysis.training.training_logs import LOG_COLUMNS, log_file
from dml_analysis.views import View

PART = csv_files.one_of(training_runs.SPLITS)
SIZES = {"n_images": int, "n_classes": int}
SPACES = {"loss": str, "type": str, "dataset": str, "fold": int, "part": PART, **SIZES, **COLUMNS}
LOOKS = {"loss": str, "type": str, "dataset": str, "fold": int, "learning_rate": float, "iteration": int, "part": PART,
         **SIZES, **COLUMNS}  # fmt: skip
ARRAYS_OF = dict.fromkeys(SIZES, Array("i8")) | ARRAYS


def folder(settings):
    return settings.results / "embedding_space"


def _measures(embeddings, items, seed, where):
    """The arrays of a row: see measures.measured; if they cannot be measured, an InputError that begins with `where`."""
    labels = np.array([item.label for item in items])
    try:
        values = measured(embeddings, labels, seed)
    except ZeroEmbedding as error:
        return no_direction(where, items, error)
    except ZeroMean as error:
        return InputError(f"{where}: {error}; check the network's weights")
    except ValueError as error:
        return InputError(f"{where}: {error}")
    return {"n_images": len(labels), "n_classes": len(set(labels)), **values}


# ---------------------------------------------------------------------------------------------------------------------
# Networks.
# ---------------------------------------------------------------------------------------------------------------------
def spaces_file(settings):
    return folder(settings) / "embedding_space.csv"


def _spaces(settings, dataset):
    """Yield (part, items, networks): which networks are measured on which images.

    Somebody else's embeddings are of test images alone. A network for all folds has seen all that is not for testing.
    """
    networks = networks_of(settings, dataset, settings.folds)
    yield "test", readers.some_items(settings, dataset, "test"), networks
    networks = [network for network in networks if network.has_maps]
    for fold in dict.fromkeys(network.fold for network in networks):
        parts, number = (("train", "validation"), 0) if fold == ALL_FOLDS else (("train",), fold)
        items = [
            item for part in parts for item in readers.some_items(settings, dataset, part, number)
        ]
        yield "train", items, [network for network in networks if network.fold == fold]


def store_of(network, part, items):
    """The measures of a network on the images of a part, in a single row."""
    settings = network.settings
    provenance = {
        "images": image_digests.described(settings.records, items),
        "classes": described([item.label for item in items]),
    }
    provenance |= {}
    labels = network.labels | {"part": part}
    return ResultStore(folder(settings) / "spaces" / part / network.path, provenance | network.provenance(), [[network.name]],
                 ARRAYS_OF, network, labels)  # fmt: skip


def stage(settings):
    """The measures of all networks, on their training images and on test images."""
    spaces = [space for dataset in settings.datasets for space in _spaces(settings, dataset)]
    jobs = [
        Job([store_of(each, part, items) for each in group], partial(make, items), len(items))
        for part, items, networks in spaces for group in by_trunk(networks)
    ]  # fmt: skip
    networks = {network.path: network for _, _, some in spaces for network in some}
    return network_stage("embedding spaces", "image", jobs, networks.values(), [items for _, items, _ in spaces],
                         lambda store: [store.subject], views=views(settings))  # fmt: skip


def make(items, stores, number, tick):
    """The measures of networks that share a trunk; see Job.make."""
    from dml_analysis.networks.embedding import embedded  # torch takes seconds to load

    wanted = [(store.subject, True) for store in stores]
    arrays = embedded(wanted, items, stores[0].subject.settings.properties.batch_size, tick)
    found = []
    for store, array in zip(stores, arrays):
        network, part = store.subject, store.labels["part"]
        seed = derived_seed(network.settings.seed, "k-means", part, *network.path.parts)
        values = _measures(array, items, seed, f"{network.name}, {part} images")
        if not isinstance(values, InputError):
            values = {name: [value] for name, value in values.items()}
        found.append(values)
    return found


def views(settings):
    """embedding_space.csv, of the whole run but for datasets that are not there."""
    whole, stores = settings.whole, []
    for dataset in whole.datasets:
        try:
            spaces = list(_spaces(whole, dataset))
        except MissingFile:
            continue
        stores += [store_of(network, part, items) for part, items, networks in spaces
                    for network in networks if network.is_known()]  # fmt: skip
    return [View(spaces_file(settings), SPACES, stores)]


# ---------------------------------------------------------------------------------------------------------------------
# Looks: the same networks in the course of their training.
# ---------------------------------------------------------------------------------------------------------------------
class Look(NamedTuple):
    """A run at an iteration; of the embeddings that it kept there."""

    run: training_runs.TrainingRun
    iteration: int
    kept: ResultStore  # training_runs.embeddings_store


def file_of_looks(settings, dataset):
    return folder(settings) / f"looks_{dataset}.csv"


def look_stores(settings, dataset):
    """The measures of every look of the runs whose networks were taken, a row for each part of the images."""
    log = csv_files.read(
        log_file(settings, dataset), LOG_COLUMNS, key=["loss", "fold", "learning_rate", "iteration"]
    )
    stores = []
    for run_store in training_runs.chosen_stores(
        settings.model_copy(update={"datasets": [dataset]})
    ):
        run, parts = run_store.subject, run_store.subject.splits
        network = run.network
        of_run = (
            (log.loss == network.model.name)
            & (log.fold == network.fold)
            & (log.learning_rate == run.rate)
        )
        for iteration in log[of_run].iteration:
            kept = training_runs.embeddings_store(run_store, int(iteration))
            classes = {
                f"{part} classes": described([item.label for item in items])
                for part, items in parts.items()
            }
            at = (
                folder(settings)
                / "looks"
                / network.path
                / f"rate{run.rate:g}"
                / f"iteration{iteration}"
            )
            stores.append(ResultStore(at, {"embeddings": kept.digest, **classes}, [list(training_runs.SPLITS)], ARRAYS_OF,
                                 Look(run, int(iteration), kept), run.labels | {"iteration": int(iteration)}))  # fmt: skip
    return stores


def keeps_looks(settings):
    return settings.training is not None and settings.training.keep_embeddings


def looks_stage(settings):
    """The measures of all looks, of settings that train networks and keep the looks' embeddings."""
    if not keeps_looks(settings):
        return Stage("looks at trainings", "look", [])
    stores = [store for dataset in settings.datasets for store in look_stores(settings, dataset)]
    jobs = [Job([store], make_look) for store in stores if store.subject.kept.is_complete()]
    lacking = [store for store in stores if not store.subject.kept.is_complete()]
    what = (
        f"no embeddings of {len(lacking)} looks, the first is {lacking[0].subject.kept.folder}"
        if lacking
        else ""
    )
    return Stage("looks at trainings", "look", jobs, look_views(settings), lacking=what)


def make_look(stores, number, tick):
    """The measures of a look; see Job.make."""
    (store,), rows = stores, []
    (run, iteration, kept), network = store.subject, store.subject.run.network
    for place, (part, items) in enumerate(run.splits.items()):
        embeddings = kept.load(place)["embeddings"].astype(np.float32)
        seed = derived_seed(network.settings.seed, "k-means", part, *network.path.parts)
        rows.append(
            _measures(embeddings, items, seed, f"{run.name}, iteration {iteration}, {part} images")
        )
        tick(1)
    if problem := next((row for row in rows if isinstance(row, InputError)), None):
        return [problem]
    return [{name: [row[name] for row in rows] for name in ARRAYS_OF}]


def look_views(settings):
    """looks_<dataset>.csv, of all models and folds."""
    return [View(file_of_looks(settings, dataset), LOOKS, look_stores(settings.whole, dataset))
            for dataset in settings.datasets]  # fmt: skip
