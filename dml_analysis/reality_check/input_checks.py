"""Checks of all inputs of a settings file, before the long work begins."""

import os
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from dml_analysis import checksums
from dml_analysis.config import BN_INCEPTION, Settings
from dml_analysis.datasets import class_folders, image_digests, readers
from dml_analysis.datasets.images import is_turned
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
from dml_analysis.training.training_runs import training_samples

FOUND, MISSING, BROKEN, TO_TRAIN = "found", "MISSING", "BROKEN", "to train"
PROBLEMS = (MISSING, BROKEN)
NEAR = "; is it "
# How the Reality Check's configuration files spell the datasets.
CONFIG_NAMES = {"SOP": "StanfordOnlineProducts", "Cars196": "Cars196", "CUB200": "CUB200"}
# How the sha256 of another file of BN-Inception's ImageNet weights begins, which is around as well.
OTHER_CONVERSION = "239d2248"


class Input(NamedTuple):
    """A row of inputs.csv."""

    kind: str  # "network", "embeddings", "trunk of None", "dataset", "rendered cars" or other images with properties
    name: str
    file: str
    state: str
    why: str  # what is wrong, or how many images and classes there are


class Checked(NamedTuple):
    """What was read of other networks."""

    trunks: set[Hashable]  # their keys
    embedders: dict[str, Path]  # by their sha256


def checked(settings: Settings, deep: bool = False) -> Iterator[Input]:
    """Yield an Input for everything that the settings need.

    deep: read every checkpoint and every image.
    """
    read = Checked(set(), {})
    for network in _networks(settings):
        yield _network(settings, network, deep, read)
    if any(model.is_none for model in settings.models):
        yield _untrained_trunk(settings)
    for dataset in settings.datasets:
        folder = settings.paths[dataset]
        state, why, remarks = _state(_dataset_remarks, settings, dataset, deep)
        why = remarks or why + (near_miss(folder) if state == MISSING else "")
        yield Input("dataset", dataset, str(folder), state, why)
    state, why, remarks = _state(_property_remarks, settings, deep)
    options = settings.properties
    yield Input(
        options.images_called, "", str(settings.paths[options.dataset]), state, remarks or why
    )


def group_of(row: Input) -> Hashable:
    """Return what inputs have in common that one line is enough for; most have it for themselves."""
    if row.kind == "network" and row.state in (MISSING, TO_TRAIN):
        return row.state, _dataset_of(row)
    return row


def line(rows: Sequence[Input]) -> str:
    """Return the line about the inputs of a group, with the most helpful of their reasons."""
    row = next((row for row in rows if NEAR in row.why), rows[0])
    what = (
        f"{row.kind} {row.name}"
        if len(rows) == 1
        else f"{len(rows)} networks of {_dataset_of(row)}"
    )
    return f"{row.state:9}{what}{': ' if row.why else ''}{row.why}"


def _dataset_of(row: Input) -> str:
    """Return the dataset of a network's row, whose name is "model, dataset, fold 0"."""
    return re.sub(r", fold \d+$", "", row.name).rpartition(", ")[2]


def near_miss(path: Path) -> str:
    """Return a hint at what may be a missing file or folder under another path; may be empty.

    That has its name one folder deeper, or lies next to it under a longer name, such as "... (1)".
    """
    folder = next(parent for parent in path.parents if parent.is_dir())
    name = path.relative_to(folder).parts[0]
    entries = sorted(folder.iterdir())
    if folder / name in entries:
        return ""
    deeper = [entry / name for entry in entries if os.path.exists(entry / name)]
    stem = Path(name).stem.lower()
    similar = deeper + [entry for entry in entries if entry.name.lower().startswith(stem)]
    return f"{NEAR}{similar[0]}?" if similar else ""


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


def _network(settings: Settings, network: Network, deep: bool, checked: Checked) -> Input:
    model = network.model
    if isinstance(network, LayoutNetwork):
        state, why, _ = _state(_check_checkpoints, network, deep, checked)
        if state == MISSING and network.trained_here:
            state, why, _ = _state(_check_loss, network)
            state = TO_TRAIN if state == FOUND else state
        elif state == MISSING:
            missing = (file for file in network.files if file and not file.is_file())
            why += "".join(near_miss(file) for file in islice(missing, 1))
        return Input("network", network.name, str(network.files[0].parent), state, why)
    # Built even if not deep, because everything that follows needs its shapes.
    state, why, _ = _state(_check_own, network, settings)
    if isinstance(network, GivenEmbeddings):
        name, file = f"{model.name}, {network.images}", str(network.source.file)
        return Input("embeddings", name, file, state, why)
    return Input("network", network.name, network.source.network, state, why)


def _check_loss(network: Network) -> None:
    """Raise InputError if the loss that a network is to be trained by cannot be built."""
    from dml_analysis.training.losses import training_loss  # slow to import

    training_loss(network.model, network.dataset, classes=2, dimensions=network.dimensions)


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


def _check_checkpoints(network: LayoutNetwork, deep: bool, checked: Checked) -> None:
    """Raise InputError if a checkpoint is missing, broken, or of another loss.

    Trunks, which are large, are read only if deep. Else their ends are looked at.
    """
    trunk, embedder = network.files
    checkpoint_files.check_exist(network.files, network.trained_here)
    for folder in trunk.parents[1:3]:  # of the fold, of the experiment
        if not network.model.is_own:
            check_configs(folder / "configs", network.model, network.dataset)
    checkpoint_files.check_ends(trunk)
    try:
        if deep:
            network.check(checked.trunks)
        elif embedder:
            network.embedder()
    except InputError as error:
        if not embedder or embedder.stat().st_size < trunk.stat().st_size:
            raise
        raise InputError(f"{error}; or exchange {trunk.name} and {embedder.name}") from None
    if embedder and not network.model.is_own:
        file = checked.embedders.setdefault(checksums.sha256(embedder), embedder)
        if checkpoint_files.same_file_key(file) != checkpoint_files.same_file_key(embedder):
            raise InputError(
                f"{embedder}: equal to {file}; was a folder copied? Fetch the one it stands for"
            )


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
    if checksum.startswith(OTHER_CONVERSION) and settings.trunk == BN_INCEPTION:
        raise InputError(
            f"{file}: another conversion of BN-Inception's weights ({OTHER_CONVERSION}) than the "
            "Reality Check's (52deb4733); fetch bn_inception-52deb4733.pth (see docs/inputs.md)"
        )
    if promised and not checksum.startswith(promised[1]):
        raise InputError(
            f"{file}: its sha256 begins {checksum[: len(promised[1])]}, not {promised[1]}; "
            "fetch it again, or, if it is meant to be another file, give it another name"
        )
    checkpoints.fill(loading.build(trunk_source(settings))[0], file)


# -------------------------------------------------------------------------------------------------
# Images.
# -------------------------------------------------------------------------------------------------
def _dataset_remarks(settings: Settings, dataset: str, deep: bool) -> str:
    """Return what to know of a dataset: its numbers, and what may be unexpected in it.

    Training and validation images are looked at if networks are trained on them.
    """
    test = readers.required_samples(settings, dataset, "test")
    samples = test + (training_samples(settings, dataset) if settings.training else [])
    readers.check_images(samples)
    remarks = [f"{len(test)} test images of {len({s.label for s in test})} classes"]
    folder = readers.found(settings.paths[dataset], dataset)
    if dataset == "Cars196" and readers.is_by_class(folder, dataset):
        remarks.append(
            "no annotations, so its classes have the order of their folders' names: training and "
            "test classes are the Reality Check's, but not the folds among the former"
        )
    if readers.is_in_class_folders(folder, dataset):
        kinds = Counter(path.suffix or path.name for path in class_folders.other_files(folder))
        if kinds:
            counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
            remarks.append(f"files that are no images of a class are left out: {counts}")
    return "; ".join(remarks + (_image_remarks(samples) if deep else []))


def _property_remarks(settings: Settings, deep: bool) -> str:
    """Return what to know of the images with properties, as _dataset_remarks does."""
    samples, _ = readers.all_property_images(settings)
    return "; ".join([f"{len(samples)} images", *(_image_remarks(samples) if deep else [])])


def _image_remarks(samples: Sequence[Sample]) -> list[str]:
    """Read all images, and return what may be unexpected in them.

    Raise InputError if one is not readable.
    """
    copies: dict[bytes, list[Sample]] = {}
    for sample, digest in zip(samples, image_digests.file_digests(samples), strict=True):
        copies.setdefault(digest, []).append(sample)
    doubles = [group for group in copies.values() if len({s.label for s in group}) > 1]
    turned = sum(is_turned(sample.path) for sample in samples)
    remarks = []
    if turned:
        remarks.append(f"{turned} images have an EXIF orientation, which is ignored")
    if doubles:
        first, second = doubles[0][0], next(s for s in doubles[0] if s.label != doubles[0][0].label)
        remarks.append(
            f"{sum(map(len, doubles))} images are also in another class, byte by byte, "
            f"such as {first.image_id} and {second.image_id}"
        )
    return remarks
