"""The networks that are trained here: the stages that make their runs, and what is written of these.

The checkpoints in the Reality Check's layout are links to the best weights of the runs.
"""

import filecmp
from functools import partial
from itertools import product
from typing import NamedTuple

from dml_analysis import checksums, threads
from dml_analysis.config import BY_EMBEDDINGS, Settings
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.images import check_header
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import find
from dml_analysis.networks import checkpoint_files, sources, specifications
from dml_analysis.networks.specifications import start_source
from dml_analysis.stages import Job, Stage
from dml_analysis.store import ResultStore
from dml_analysis.training import batch_sampler, trunk_features
from dml_analysis.training.training_runs import (
    LOOKS,
    PARTS,
    all_stores,
    chosen_rate,
    chosen_stores,
    features_of,
    parts_of,
    trained_networks,
    training_items,
    trials_of,
    tuned_as,
)
from dml_analysis.views import View

FEWEST_CLASSES = 2  # to train on, and to validate by
RUNS = {"loss": str, "type": str, "dataset": str, "fold": int, "learning_rate": float, "iteration": int,
        "validation_map_at_r": csv_files.between(0, 1), "chosen": csv_files.one_of(["yes", "no"])}  # fmt: skip
LOG = {"loss": str, "type": str, "dataset": str, "fold": int, "learning_rate": float, **LOOKS}


# ---------------------------------------------------------------------------------------------------------------------
# Stages.
# ---------------------------------------------------------------------------------------------------------------------
def _check_classes(settings, dataset):
    training_items(settings, dataset)  # of settings that train nothing it says so
    for fold, part in product(settings.folds, PARTS[:2]):
        classes = [item.label for item in readers.some_items(settings, dataset, part, fold)]
        if len(set(classes)) < FEWEST_CLASSES:
            raise InputError(
                f"{settings.paths[dataset]}: fold {fold} has fewer than {FEWEST_CLASSES} {part} classes"
            )
        if len(set(classes)) == len(classes):
            raise InputError(
                f"{settings.paths[dataset]}: no {part} class of fold {fold} has two images"
            )


def features_stage(settings):
    """Where trunks are frozen, their features of all images. Raises InputError if there are no classes to train on."""
    for dataset in settings.datasets:
        _check_classes(settings, dataset)
    if settings.training.frozen != "trunk":
        return trunk_features.features_stage(settings, [])
    found = [store for network in trained_networks(settings) for store in features_of(network)]
    return trunk_features.features_stage(
        settings, list({store.folder: store for store in found}.values())
    )


def trials_stage(settings):
    """Where there are several learning rates: the runs by which one is chosen."""
    if len(settings.training.learning_rates) == 1:
        return _stage(settings, "trials of learning rates", [], [])
    names = dict.fromkeys((each.model.name, each.dataset) for each in trained_networks(settings))
    stores = [
        store
        for name, dataset in names
        for store in trials_of(settings, find(name, settings.models), dataset)
    ]
    return _stage(settings, "trials of learning rates", stores, [])


def networks_stage(settings):
    """The networks, their checkpoints, and the CSV files of all runs."""
    stores, whole = chosen_stores(settings), _whole(settings)
    checkpoints = [Checkpoint(store) for store in chosen_stores(whole)]
    views = [*csv_views(settings), StartTrunk(settings), *checkpoints, Tidied(all_stores(whole))]
    return _stage(settings, "networks", stores, views)


def _whole(settings):
    """The whole run of the settings, but for datasets that it is not asked for, which may not be there yet."""
    return settings.whole.model_copy(update={"datasets": settings.datasets})


def _stage(settings, what, stores, views):
    jobs = [Job([store], _make, settings.training.iterations) for store in stores]
    return Stage(what, "iteration", jobs, views, partial(_keep, settings, stores), partial(_check, stores),
                 partial(specifications.device_of, settings), hint="; or set keep_embeddings: false",
                 extra_bytes=sum(_bytes(store) for store in stores if not store.is_complete()))  # fmt: skip


def _make(stores, number, tick):
    """A run; see Job.make."""
    from dml_analysis.training import training_loop  # torch takes seconds to load

    with _threads_for(stores[0]):
        return training_loop.make(stores[0], tick)


def _threads_for(store):
    """Embedders alone are trained with one thread: more gain nothing, and what is trained would depend on how many there are."""
    return (
        threads.one()
        if store.subject.network.settings.training.frozen == "trunk"
        else threads.kept()
    )


def _bytes(store):
    """How much the embeddings of the looks take that a run has at least."""
    settings, network = store.subject.network.settings, store.subject.network
    every, patience = settings.training.rhythm(network.dataset)
    images = sum(map(len, parts_of(network).values())) if settings.training.keep_embeddings else 0
    return (
        images
        * settings.dimensions
        * 2
        * (1 + min(settings.training.iterations, patience) // every)
    )


def _keep(settings, stores):
    """What is known of the images and of the trunks, for when they are gone."""
    for dataset in settings.datasets:
        image_digests.keep(settings.records, [training_items(settings, dataset)])
    sources.keep(
        settings.records, {start_source(settings, store.subject.network.model) for store in stores}
    )
    checksums.keep(
        settings.records,
        {
            file
            for store in stores
            for file in start_source(settings, store.subject.network.model).inputs()
        },
    )


def _check(stores, todo):
    """Raise InputError, before anything is trained, if a batch cannot be made, a loss not be built, or an image is missing."""
    from dml_analysis.training.losses import check_loss, training_loss  # slow to import
    from dml_analysis.training.training_loop import adapted

    for store in stores:
        network = store.subject.network
        settings, parts = network.settings, parts_of(network)
        kit = training_loss(
            network.model, tuned_as(settings, network.dataset), FEWEST_CLASSES, settings.dimensions
        )
        kit = adapted(kit, settings.training, store.subject.name)
        check_loss(network.model, kit, settings.dimensions)
        labels = [item.label for item in parts["train"]]
        names = {item.label: f"the class of {item.path}" for item in parts["train"]}
        training = settings.training
        sampler = "strict" if training.filler in BY_EMBEDDINGS else training.sampler
        batch_sampler.check(
            store.subject.name, labels, names, kit.images_per_class, training.batch_size, sampler
        )
    lists = {store.subject.network.dataset: parts_of(store.subject.network) for store in stores}
    for dataset in lists:
        readers.some_items(stores[0].subject.network.settings, dataset, "test")
    readers.check_images(
        [item for parts in lists.values() for items in parts.values() for item in items],
        check_header,
    )


# ---------------------------------------------------------------------------------------------------------------------
# What is written of runs: CSV files, checkpoints.
# ---------------------------------------------------------------------------------------------------------------------
def runs_file(settings, dataset):
    return settings.results / "reality_check" / f"training_{dataset}.csv"


def looks_file(settings, dataset):
    return settings.results / "reality_check" / f"training_log_{dataset}.csv"


def read_looks(settings, dataset):
    """The rows of training_log_<dataset>.csv, with a column `chosen`: whether their run's learning rate is the network's."""
    runs = csv_files.read(runs_file(settings, dataset), RUNS, key=["loss", "fold", "learning_rate"])
    log = csv_files.read(
        looks_file(settings, dataset), LOG, key=["loss", "fold", "learning_rate", "iteration"]
    )
    return log.merge(runs[["loss", "fold", "learning_rate", "chosen"]])


def csv_views(settings):
    """training_<dataset>.csv, a row per run, and training_log_<dataset>.csv, a row per look, of all models and folds."""
    views = []
    for dataset in settings.datasets:
        stores = all_stores(settings.whole.model_copy(update={"datasets": [dataset]}))
        views += [View(runs_file(settings, dataset), RUNS, stores, _run_rows),
                  View(looks_file(settings, dataset), LOG, stores, _log_rows)]  # fmt: skip
    return views


def _run_rows(stores, columns):
    for store in stores:
        rate = chosen_rate(
            store.subject.network.settings,
            store.subject.network.model,
            store.subject.network.dataset,
        )
        values = store.labels | {name: array[0] for name, array in store.read().items()}
        values["chosen"] = "yes" if store.subject.rate == rate else "no"
        yield [values[column] for column in columns]


def _log_rows(stores, columns):
    for store in stores:
        for row in csv_files.read_rows(store.subject.log_file, LOOKS):
            yield [(store.labels | row)[column] for column in columns]


class Tidied(NamedTuple):
    """Like View: of runs that have come to their end, the state from which a stopped one goes on is deleted."""

    stores: list

    def write(self):
        for store in self.stores:
            if store.is_complete():
                store.subject.state_file.unlink(missing_ok=True)


class StartTrunk(NamedTuple):
    """The trunk that all networks begin with, which "None" has: like View, written where it does not exist."""

    settings: Settings
    stores: tuple = ()

    def write(self):
        for model in self.settings.whole.models:
            if model.is_none:
                trunk_features.start_trunk(self.settings, model)


def _is_same(file, source):
    """Whether a checkpoint is what a run has left; of a run whose weights are gone it is what there is."""
    if not (file.is_file() and source.is_file()):
        return file.is_file()
    return file.samefile(source) or filecmp.cmp(file, source, shallow=False)


class Checkpoint(NamedTuple):
    """The checkpoint of a network: like View, written from its run where it is not that of the run."""

    store: ResultStore

    @property
    def stores(self):
        return [self.store]

    def write(self):
        from dml_analysis.networks import checkpoints

        if not self.store.is_complete():
            return
        run = self.store.subject
        for file, source in zip(run.network.files, run.files()):
            if not _is_same(file, source):
                if run.network.settings.training.frozen == "trunk":
                    trunk_features.start_trunk(run.network.settings, run.network.model)
                checkpoint_files.check_exist([source])
                checkpoints.link(source, file)
