"""Everything that a settings file needs before the long work can begin."""

import re
from pathlib import Path
from typing import NamedTuple

from dml_analysis import checksums
from dml_analysis.config import BN_INCEPTION
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import open_image
from dml_analysis.errors import InputError, MissingFile, printable
from dml_analysis.files import csv_files, yaml_files
from dml_analysis.networks import checkpoint_files, sources
from dml_analysis.networks.specifications import (
    GivenEmbeddings,
    NamedNetwork,
    check_distance,
    networks_of,
    trunk_source,
)

FOUND, MISSING, BROKEN, TO_TRAIN = "found", "MISSING", "BROKEN", "to train"
PROBLEMS = (MISSING, BROKEN)
# How the Reality Check's configuration files spell the datasets.
CONFIG_NAMES = {"SOP": "StanfordOnlineProducts", "Cars196": "Cars196", "CUB200": "CUB200"}


class Input(NamedTuple):
    """A row of inputs.csv."""

    kind: str  # "network", "trunk of None", "dataset", "rendered cars"
    name: str
    file: str
    state: str
    why: str  # what is wrong, or how much of it there is


def checked(settings, deep=False):
    """Yield an Input for all that the settings ask for; `deep` reads every checkpoint and opens every image."""
    mapped = [
        fold
        for fold in settings.folds
        if any(fold in each.table_folds for each in settings.protocols)
    ]
    folds = dict.fromkeys(settings.datasets, mapped) | {
        settings.properties.networks: settings.folds
    }
    good_trunks = set()
    for dataset in folds:
        for network in networks_of(settings, dataset, folds[dataset]):
            if not network.model.is_none:
                yield _network(network, deep, good_trunks)
    for network in networks_of(
        settings, settings.properties.networks, settings.folds, readers.CARS
    ):
        if network.model.embeddings and readers.CARS not in folds:
            yield _network(network, deep, good_trunks)
    if any(model.is_none for model in settings.models):
        yield _untrained_trunk(settings)
    for dataset in settings.datasets:
        yield _dataset(settings, dataset, deep)
    yield _rendered_cars(settings, deep)


def write(settings, rows):
    """results/<settings>/inputs.csv"""
    csv_files.write_rows(settings.results / "inputs.csv", [Input._fields, *rows])


def _state(check, *arguments):
    """(state, what is wrong) of an input that check(*arguments) is about, and what check returned."""
    try:
        return FOUND, "", check(*arguments)
    except MissingFile as error:
        return MISSING, printable(str(error)), None
    except InputError as error:
        return BROKEN, printable(str(error)), None


# ---------------------------------------------------------------------------------------------------------------------
# Networks.
# ---------------------------------------------------------------------------------------------------------------------
def _network(network, deep, good_trunks):
    if isinstance(network, GivenEmbeddings):
        state, why, _ = _state(_check_own, network)
        return Input(
            "embeddings",
            f"{network.model.name}, {network.images}",
            str(network.source.file),
            state,
            why,
        )
    if isinstance(
        network, NamedNetwork
    ):  # built, deep or not: its shapes are needed for all that follows
        state, why, _ = _state(_check_own, network)
        return Input("network", network.name, network.source.network, state, why)
    state, why, _ = _state(_check_checkpoints, network, deep, good_trunks)
    if (
        state == MISSING
        and network.settings.training
        and (network.model.loss or not network.model.is_own)
    ):
        state, why = TO_TRAIN, ""
    return Input("network", network.name, str(network.files[0].parent), state, why)


def _samples(settings, network):
    """The images that scripts may ask a file of embeddings for."""
    samples = []
    if network.images == network.dataset:
        samples += readers.load_items(settings, network.images, "test")
    if network.images == readers.CARS and network.dataset == settings.properties.networks:
        samples += readers.chosen_cars(settings)[0]
    return samples


def _check_own(network):
    network.check(set(), [] if network.has_maps else _samples(network.settings, network))
    check_distance(network)
    sources.keep(network.records, [network.source])


def _check_checkpoints(network, deep, good_trunks):
    files = network.files
    checkpoint_files.check_exist(files)
    for folder in files[0].parents[1:3]:  # of the fold, of the experiment
        if not network.model.is_own:
            check_configs(folder / "configs", network.model, network.dataset)
    for file in files:
        if file.stat().st_size == 0:
            raise InputError(f"{file}: empty; fetch it again")
    if deep:
        network.check(good_trunks)


def check_configs(folder, model, dataset):
    """Raise InputError if a run's configuration names another loss or dataset than the folder that it lies in.

    The Reality Check's files have the loss under loss_funcs: metric_loss, and the dataset under dataset; keys may end in
    "~OVERRIDE~" and the like. A file without them says nothing.
    """
    for file in sorted(folder.glob("*.yaml")):
        blocks = _without_marks(yaml_files.read(file, dict, "fetch it again"))
        losses, names = blocks.get("loss_funcs"), blocks.get("dataset")
        if isinstance(losses, dict):
            named = _names(_without_marks(losses).get("metric_loss"))
            from dml_analysis.training.losses import training_loss  # slow to import

            expected = type(
                training_loss(model, dataset, classes=2, dimensions=2).function
            ).__name__
            _compare(file, named, expected, f"the folder is for {model.name}")
        if dataset in CONFIG_NAMES:
            _compare(file, _names(names), CONFIG_NAMES[dataset], f"the folder is for {dataset}")


def _without_marks(block):
    return {str(key).split("~")[0]: value for key, value in block.items()}


def _names(value):
    """What a block names: its keys, or itself where it is a word."""
    return {
        str(each)
        for each in (value if isinstance(value, (list, dict)) else [value] if value else [])
    }


def _compare(file, named, expected, folder):
    if named and expected.lower() not in {name.lower() for name in named}:
        raise InputError(
            f"{file}: names {', '.join(sorted(named))}, but {folder} ({expected}); was it moved?"
        )


def _untrained_trunk(settings):
    file = checkpoint_files.untrained_trunk_file(settings)
    if settings.training and not file.is_file():
        state, why, _ = _state(_check_trunk_to_be, settings)
        return Input(
            "trunk of None", settings.trunk, str(file), TO_TRAIN if state == FOUND else state, why
        )
    state, why, _ = _state(_check_untrained_trunk, settings, file)
    return Input("trunk of None", settings.trunk, str(file), state, why)


def _check_trunk_to_be(settings):
    """What the trunk will be made of."""
    if settings.trunk == BN_INCEPTION:
        _check_untrained_trunk(settings, settings.paths["imagenet_trunk"])
    else:
        sources.keep(settings.records, [trunk_source(settings)])


def _check_untrained_trunk(settings, file):
    """Whatever its name promises: a name that ends in -<hexadecimal digits> holds the start of the file's sha256."""
    from dml_analysis.networks import (
        checkpoints,
        loading,  # torch takes seconds to load
    )

    checkpoint_files.check_exist([file])
    promised = re.search(r"-([0-9a-f]{8,})$", file.stem)
    if promised:
        checksum = checksums.sha256(file)
        if not checksum.startswith(promised[1]):
            raise InputError(
                f"{file}: its sha256 begins {checksum[: len(promised[1])]}, not {promised[1]}; "
                "fetch it again, or, if it is meant to be another file, give it another name"
            )
    checkpoints.fill(loading.build(trunk_source(settings))[0], file)


# ---------------------------------------------------------------------------------------------------------------------
# Images.
# ---------------------------------------------------------------------------------------------------------------------
def _dataset(settings, dataset, deep):
    state, why, items = _state(_test_items, settings, dataset, deep)
    if items:
        why = f"{len(items)} test images of {len({item.label for item in items})} classes"
    return Input("dataset", dataset, str(settings.paths[dataset]), state, why)


def _test_items(settings, dataset, deep):
    items = readers.some_items(settings, dataset, "test")
    readers.check_images(items, open_image if deep else None)
    return items


def _rendered_cars(settings, deep):
    state, why, cars = _state(_cars, settings, deep)
    if cars:
        why = f"{len(cars)} images"
    return Input("rendered cars", "", str(Path(settings.paths[readers.CARS])), state, why)


def _cars(settings, deep):
    items, _ = readers.rendered_cars(settings)
    if deep:
        readers.check_images(items, open_image)
    return items
