"""The trainings of the networks that are trained here: which there are, and the stores that hold what they give.

A run is the training of a network with one learning rate. Where settings give several rates, each is tried on their first
fold, and the one that is best by the fold's validation classes is taken for all folds: the same budget for every model.
Below the models folder, training/runs/<dataset>/<fold>/<model>/<rate>/ holds a run's best weights, its log and, for every
look at the validation classes, the embeddings of all images.
"""

from typing import NamedTuple

import numpy as np

from dml_analysis import checksums, imports
from dml_analysis.config import unlike_defaults
from dml_analysis.datasets import image_digests, readers
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.methods import find
from dml_analysis.networks import checkpoint_files
from dml_analysis.networks.specifications import LayoutNetwork, networks_of, start_source
from dml_analysis.seeds import described
from dml_analysis.store import ResultStore
from dml_analysis.training import trunk_features
from dml_analysis.training.hyperparameters import hyperparameters

# All other settings make other weights. A learning rate is a run's own, and so are the hyperparameters.
NOT_MAKING = ("learning_rate", "hyperparameters", "keep_embeddings", "workers", "decoded")
PARTS = ("train", "validation", "test")
# What the last two columns show has chosen nothing: neither iterations nor learning rates.
LOOKS = {"iteration": int, "training_loss": float, "validation_precision_at_1": csv_files.between(0, 1),
         "validation_map_at_r": csv_files.between(0, 1), "best": csv_files.one_of(["yes", "no"]), "trunk_rate": float,
         "embedder_rate": float, "loss_rate": float, "seconds": float,
         "test_precision_at_1_only_shown": csv_files.between(0, 1),
         "test_map_at_r_only_shown": csv_files.between(0, 1)}  # fmt: skip


class Run(NamedTuple):
    """The training of a network with a learning rate."""

    network: LayoutNetwork
    rate: float

    @property
    def name(self):
        return f"{self.network.name}, learning rate {self.rate:g}"

    @property
    def folder(self):
        return (
            self.network.settings.paths["models"]
            / "training"
            / "runs"
            / self.network.path
            / f"rate{self.rate:g}"
        )

    @property
    def labels(self):
        return self.network.labels | {"learning_rate": self.rate}

    @property
    def state_file(self):
        """From which a stopped run goes on."""
        return self.folder / "state.pth"

    @property
    def log_file(self):
        return self.folder / "log.csv"

    def files(self):
        """The files of its best weights: (trunk, embedder). A frozen trunk is the one that it began with."""
        settings = self.network.settings
        frozen = settings.training.frozen == "trunk"
        trunk = (
            checkpoint_files.start_trunk_file(settings, self.network.model)
            if frozen
            else self.folder / "trunk.pth"
        )
        return trunk, self.folder / "embedder.pth"


def training_items(settings, dataset):
    """The images of all classes for training and validation. Raises InputError if the settings train nothing."""
    if settings.training is None:
        raise InputError(
            f"settings {settings.name!r} have no `training:` block: their networks are downloaded"
        )
    return [
        item for part in PARTS[:2] for item in readers.load_items(settings, dataset, part, fold=0)
    ]


def parts_of(network):
    """Part -> its items, of a network's fold."""
    settings, dataset, fold = network.settings, network.dataset, network.fold
    return {part: readers.load_items(settings, dataset, part, fold) for part in PARTS}


# ---------------------------------------------------------------------------------------------------------------------
# Stores.
# ---------------------------------------------------------------------------------------------------------------------
def trained_networks(settings):
    """The networks that are trained here."""
    found = [
        each
        for dataset in settings.datasets
        for each in networks_of(settings, dataset, settings.folds)
    ]
    return [
        each for each in found if each.model.trained and (not each.model.is_own or each.model.loss)
    ]


def store_of(run):
    """How well a run did, in a single row: the best look at its validation classes."""
    network, settings, training = run.network, run.network.settings, run.network.settings.training
    items = training_items(settings, network.dataset)
    provenance = {
        "images": image_digests.described(settings.records, items),
        "classes": described([item.label for item in items]),
        **trunk_features.trunk_provenance(settings, start_source(settings, network.model)),
        **_loss_provenance(settings, network.model, network.dataset),
        "learning_rate": run.rate,
        **unlike_defaults(
            training, *(name for name in type(training).model_fields if name not in NOT_MAKING)
        ),
        **({"rhythm": list(training.rhythm(network.dataset))} if training.hyperparameters else {}),
        **unlike_defaults(settings, "seed", "precision"),
    }
    arrays = {"validation_map_at_r": Array("f8", low=0, high=1), "iteration": Array("i8")}
    return ResultStore(run.folder, provenance, [[run.name]], arrays, run, run.labels)


def tuned_as(settings, dataset):
    """The dataset whose hyperparameters the losses take."""
    return settings.training.hyperparameters or dataset


def _loss_provenance(settings, model, dataset):
    if not model.loss:
        return {"hyperparameters": hyperparameters(model, tuned_as(settings, dataset))}
    names = (
        "loss",
        "loss_arguments",
        "miner",
        "miner_arguments",
        "loss_learning_rate",
        "images_per_class",
    )
    given = {name: getattr(model, name) for name in names if getattr(model, name)}
    code = [name for name in (model.loss, model.miner) if imports.is_name(name)]
    return given | {
        f"code of {name}": checksums.short(settings.records, imports.code_file(name))
        for name in code
    }


def trials_of(settings, model, dataset):
    """The stores of the runs by which a model's learning rate is chosen; a single one where there is nothing to choose."""
    whole = settings.whole
    first = [
        each
        for each in networks_of(whole, dataset, whole.folds[:1])
        if each.model.name == model.name
    ]
    return [store_of(Run(first[0], rate)) for rate in whole.training.learning_rates]


def chosen_rate(settings, model, dataset):
    """The learning rate of a model: the best of its trials by their validation classes; None if a trial is missing."""
    if len(rates := settings.training.learning_rates) == 1:
        return rates[0]
    trials = trials_of(settings, model, dataset)
    if not all(store.is_complete() for store in trials):
        return None
    return rates[int(np.argmax([store.read()["validation_map_at_r"][0] for store in trials]))]


def chosen_stores(settings):
    """The stores of the runs whose weights are the networks', but of those whose learning rate is not chosen yet."""
    rates = {(each.model.name, each.dataset): None for each in trained_networks(settings)}
    rates = {key: chosen_rate(settings, find(key[0], settings.models), key[1]) for key in rates}
    runs = [Run(each, rates[each.model.name, each.dataset]) for each in trained_networks(settings)]
    return [store_of(run) for run in runs if run.rate is not None]


def all_stores(settings):
    """The stores of all runs, those that were not chosen too, each once."""
    trials = [store for key in dict.fromkeys((each.model.name, each.dataset) for each in trained_networks(settings))
              for store in trials_of(settings, find(key[0], settings.models), key[1])]  # fmt: skip
    return list({store.folder: store for store in [*trials, *chosen_stores(settings)]}.values())


def looks_store(store, iteration, parts):
    """The embeddings (d,) of a run's images at a look, as float16: a part each for training, validation and test images."""
    settings = store.subject.network.settings
    listed = {
        f"{part} images": image_digests.described(settings.records, items)
        for part, items in parts.items()
    }
    ids = [readers.ids_of(items) for items in parts.values()]
    folder = store.folder / "looks" / f"iteration{iteration}"
    return ResultStore(
        folder,
        {"run": store.digest, **listed},
        ids,
        {"embeddings": Array("f2", (settings.dimensions,))},
        store.subject,
    )


def features_of(network):
    """The stores of the features that a network's training on a frozen trunk takes."""
    settings, dataset = network.settings, network.dataset
    lists = {"training": training_items(settings, dataset)}
    if settings.training.keep_embeddings:
        lists["test"] = readers.load_items(settings, dataset, "test")
    return [
        trunk_features.features_store(settings, dataset, network.model, items, name)
        for name, items in lists.items()
    ]
