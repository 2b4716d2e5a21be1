"""Checks of all inputs of a settings file, before the long work begins."""

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dml_analysis import checksums
from dml_analysis.config import BN_INCEPTION, Settings
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError, MissingFile, printable
from dml_analysis.files import csv_files, yaml_files
from dml_analysis.networks import checkpoint_files, sources
from dml_analysis.networks.specifications import (
    GivenEmbeddings,
    LayoutNetwork,
    Network,
    check_distance,
    networks_of,
    trunk_source,
)
from dml_analysis.paper import Model

FOUND, MISSING, BROKEN, TO_TRAIN = "found", "MISSING", "BROKEN", "to train"
PROBLEMS = (MISSING, BROKEN)
# How the Reality Check's configuration files spell the datasets.
CONFIG_NAMES = {"SOP": "StanfordOnlineProducts", "Cars196": "Cars196", "CUB200": "CUB200"}


class Input(NamedTuple):
    """A row of inputs.csv."""

    kind: str  # "network", "embeddings", "trunk of None", "dataset", "rendered cars" or other images with properties
    name: str
    file: str
    state: str
    why: str  # what is wrong, or how many images and classes there are


def checked(settings: Settings, deep: bool = False) -> Iterator[Input]:
    """Yield an Input for everything that the settings need.

    deep: read every checkpoint and every image.
    """
    checked_trunks: set[Hashable] = set()
    for network in _networks(settings):
        yield _network(settings, network, deep, checked_trunks)
    if any(model.is_none for model in settings.models):
        yield _untrained_trunk(settings)
    for dataset in settings.datasets:
        state, why, samples = _state(_test_samples, settings, dataset, deep)
        if samples:
            why = f"{len(samples)} test images of {len({s.label for s in samples})} classes"
        yield Input("dataset", dataset, str(settings.paths[dataset]), state, why)
    state, why, images = _state(_property_images, settings, deep)
    why = f"{len(images)} images" if images else why
    called, options = settings.properties.images_called, settings.properties
    yield Input(called, "", str(settings.paths[options.dataset]), state, why)


def write(settings: Settings, rows: Sequence[Input]) -> None:
    """Write results/<settings>/inputs.csv."""
    csv_files.write_rows(settings.results / "inputs.csv", [Input._fields, *rows])


def _state(check: Callable[..., Any], *arguments: Any) -> tuple[str, str, Any]:
    """Return the state of an input, what is wrong, and the result of check(*arguments)."""
    try:
        return FOUND, "", check(*arguments)
    except MissingFile as error:
        return MISSING, printable(str(error)), None
    except InputError as error:
        return BROKEN, printable(str(error)), None


# -------------------------------------------------------------------------------------------------
# Networks.
# -------------------------------------------------------------------------------------------------
def _networks(settings: Settings) -> Iterator[Network]:
    """Yield all networks but "None", and the embeddings of images with properties that files give."""
    mapped = [
        fold
        for fold in settings.folds
        if any(fold in protocol.table_folds for protocol in settings.protocols)
    ]
    for_cars = settings.properties.networks
    folds = dict.fromkeys(settings.datasets, mapped) | {for_cars: settings.folds}
    for dataset in folds:
        for network in networks_of(settings, dataset, folds[dataset]):
            if not network.model.is_none:
                yield network
    dataset = settings.properties.dataset
    for network in networks_of(settings, for_cars, settings.folds, dataset):
        if network.model.embeddings and dataset not in folds:
            yield network


def _network(
    settings: Settings, network: Network, deep: bool, checked_trunks: set[Hashable]
) -> Input:
    model = network.model
    if isinstance(network, LayoutNetwork):
        state, why, _ = _state(_check_checkpoints, network, deep, checked_trunks)
        if state == MISSING and settings.training and (model.loss or not model.is_own):
            state, why = TO_TRAIN, ""
        return Input("network", network.name, str(network.files[0].parent), state, why)
    # Built even if not deep, because everything that follows needs its shapes.
    state, why, _ = _state(_check_own, network, settings)
    if isinstance(network, GivenEmbeddings):
        name, file = f"{model.name}, {network.images}", str(network.source.file)
        return Input("embeddings", name, file, state, why)
    return Input("network", network.name, network.source.network, state, why)


def _check_own(network: Network, settings: Settings) -> None:
    """Raise InputError if a network of the user's, or a file of embeddings, is wrong."""
    samples: list[Sample] = []  # that scripts may request from a file of embeddings
    if not network.has_maps and network.images == network.dataset:
        samples += readers.load_samples(settings, network.images, "test")
    if not network.has_maps and network.images == settings.properties.dataset:
        if network.dataset == settings.properties.networks:
            samples += readers.property_images(settings)[0]
    network.check(set(), samples)
    check_distance(network)
    sources.keep(network.records, [network.source])


def _check_checkpoints(network: LayoutNetwork, deep: bool, checked_trunks: set[Hashable]) -> None:
    """Raise InputError if a checkpoint is missing, or of another loss; deep: if it is broken."""
    checkpoint_files.check_exist(network.files)
    files = [file for file in network.files if file]
    for folder in files[0].parents[1:3]:  # of the fold, of the experiment
        if not network.model.is_own:
            check_configs(folder / "configs", network.model, network.dataset)
    for file in files:
        if file.stat().st_size == 0:
            raise InputError(f"{file}: empty; fetch it again")
    if deep:
        network.check(checked_trunks)


def check_configs(folder: Path, model: Model, dataset: str) -> None:
    """Raise InputError if a run's configuration names another loss or dataset than its folder.

    The Reality Check's files have the loss under loss_funcs: metric_loss, and the dataset under
    dataset; keys may end in "~OVERRIDE~" and the like. A file without them says nothing.
    """
    from dml_analysis.training.losses import training_loss  # slow to import

    for file in sorted(folder.glob("*.yaml")):
        blocks = _without_marks(yaml_files.read(file, dict, "fetch it again"))
        losses = blocks.get("loss_funcs")
        if isinstance(losses, dict):
            loss = type(training_loss(model, dataset, classes=2, dimensions=2).function).__name__
            names = _names(_without_marks(losses).get("metric_loss"))
            _compare(file, names, loss, model.name)
        if dataset in CONFIG_NAMES:
            _compare(file, _names(blocks.get("dataset")), CONFIG_NAMES[dataset], dataset)


def _without_marks(block: dict) -> dict[str, Any]:
    """Return a block whose keys lack what follows a "~"."""
    return {str(key).split("~")[0]: value for key, value in block.items()}


def _names(value: Any) -> list[str]:
    """Return what a block names, sorted: its keys, or itself if it is a word."""
    values = value if isinstance(value, (list, dict)) else [value] if value else []
    return sorted({str(name) for name in values})


def _compare(file: Path, names: Sequence[str], expected: str, folder: str) -> None:
    """Raise InputError if a file names something, but not what is expected."""
    if names and expected.lower() not in {name.lower() for name in names}:
        raise InputError(
            f"{file}: names {', '.join(names)}, but the folder is for {folder} ({expected}); "
            "was it moved?"
        )


def _untrained_trunk(settings: Settings) -> Input:
    """Return the row of the trunk of "None", which 2_train_models.py may still have to write."""
    file = checkpoint_files.untrained_trunk_file(settings)
    if not settings.training or file.is_file():
        state, why, _ = _state(_check_untrained_trunk, settings, file)
    elif settings.trunk == BN_INCEPTION:
        imagenet = settings.paths["imagenet_trunk"]
        state, why, _ = _state(_check_untrained_trunk, settings, imagenet)
    else:
        state, why, _ = _state(sources.keep, settings.records, [trunk_source(settings)])
    if settings.training and not file.is_file() and state == FOUND:
        state = TO_TRAIN
    return Input("trunk of None", settings.trunk, str(file), state, why)


def _check_untrained_trunk(settings: Settings, file: Path) -> None:
    """Raise InputError if a file is not the trunk that its name promises.

    A name that ends in -<hexadecimal digits> contains the start of the file's sha256.
    """
    from dml_analysis.networks import checkpoints, loading  # torch takes seconds to load

    checkpoint_files.check_exist([file])
    promised = re.search(r"-([0-9a-f]{8,})$", file.stem)
    checksum = checksums.sha256(file) if promised else ""
    if promised and not checksum.startswith(promised[1]):
        raise InputError(
            f"{file}: its sha256 begins {checksum[: len(promised[1])]}, not {promised[1]}; "
            "fetch it again, or, if it is meant to be another file, give it another name"
        )
    checkpoints.fill(loading.build(trunk_source(settings))[0], file)


# -------------------------------------------------------------------------------------------------
# Images.
# -------------------------------------------------------------------------------------------------
def _test_samples(settings: Settings, dataset: str, deep: bool) -> list[Sample]:
    samples = readers.required_samples(settings, dataset, "test")
    readers.check_images(samples, open_image if deep else None)
    return samples


def _property_images(settings: Settings, deep: bool) -> Sequence[Sample]:
    samples, _ = readers.all_property_images(settings)
    if deep:
        readers.check_images(samples, open_image)
    return samples
