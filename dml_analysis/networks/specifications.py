"""Specifications of networks: a model trained on a dataset in one fold, and how to load it.

A network is one of three kinds: two checkpoints in the Reality Check's layout, a network that the
settings name by the code that builds it, or a file of embeddings. Names, files and shapes are
known without torch, which is imported only when a network is loaded.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float

from dml_analysis import checksums, imports
from dml_analysis.checkout import ROOT
from dml_analysis.checksums import Records
from dml_analysis.config import BN_INCEPTION, DIMENSIONS, Settings
from dml_analysis.datasets import embedding_files, image_digests, readers
from dml_analysis.datasets.images import Crop, check_header
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.methods import TIMM, is_folder, slug
from dml_analysis.networks import checkpoint_files, sources
from dml_analysis.networks.descriptions import Description
from dml_analysis.networks.sources import EmbeddingFile, Source
from dml_analysis.paper import Model

if TYPE_CHECKING:  # these import torch, which takes seconds
    from torch import nn

    from dml_analysis.networks.loading import Ready

ALL_FOLDS = -1  # the fold of a model with one network for all folds, also in CSV files


@dataclass(frozen=True, eq=False)
class Network(ABC):
    """What the three kinds of networks share; the subclasses say how each kind is loaded."""

    has_maps: ClassVar[bool] = True  # whether it has gradients, and so saliency maps

    model: Model
    dataset: str  # whose training classes it was trained on
    fold: int  # or ALL_FOLDS
    images: str  # the dataset whose images it embeds
    records: Records  # of the digests and descriptions of its files
    device: str  # as in the settings
    source: Any  # the Source that builds its trunk, or all of it; or the EmbeddingFile instead

    @property
    def name(self) -> str:
        """Return its name in messages: model, dataset and fold."""
        fold = f", fold {self.fold}" if self.fold != ALL_FOLDS else ""
        return f"{self.model.name}, {self.dataset}{fold}"

    @property
    def fold_name(self) -> str | int:
        """Return its fold for texts and random seeds: "all" for ALL_FOLDS."""
        return "all" if self.fold == ALL_FOLDS else self.fold

    @property
    def labels(self) -> dict[str, Any]:
        """Return the columns that identify it in CSV files, name -> value."""
        model = {"loss": self.model.name, "type": self.model.group}
        return model | {"dataset": self.dataset, "fold": self.fold}

    @property
    def path(self) -> Path:
        """Return the path of its results, relative to an analysis's folder."""
        fold = f"fold{self.fold}" if self.fold != ALL_FOLDS else "all_folds"
        return Path(self.dataset) / fold / slug(self.model.name)

    @property
    def description(self) -> Description:
        """Return the Description of its source."""
        return self.source.description(self.records)

    @property
    def crop(self) -> Crop | None:
        """Return the part of an image that it sees; None for given embeddings."""
        return self.description.crop

    @property
    def dimensions(self) -> int:
        """Return the number of dimensions of its embeddings."""
        return self.description.outputs

    def inputs(self) -> list[Path]:
        """Return the files that it is loaded from."""
        return self.source.inputs()

    def trunk_key(self) -> Hashable:
        """Return a key that is equal for networks that can share one trunk and its features."""
        return self.path

    @abstractmethod
    def provenance(self) -> dict[str, Any]:
        """Return the digests of its inputs and its options, for the provenance of its results.

        Raises MissingFile if a file is missing and its checksum was never recorded.
        """

    def is_known(self) -> bool:
        """Return whether its files exist, or existed when results were computed from them."""
        try:
            return bool(self.provenance())
        except MissingFile:
            return False

    @abstractmethod
    def check(self, checked_trunks: set[Hashable], samples: Sequence[Sample] = ()) -> None:
        """Raise InputError if one of its files is missing or broken.

        checked_trunks: the keys of trunks that were read before; a new one is added. samples: the
        images that it is going to embed.
        """

    @abstractmethod
    def trunk(self, device: str = "cpu", folded: bool = True) -> "Ready":
        """Return its trunk, ready for inference; folded: see loading.for_inference.

        Raises InputError if one of its files is missing or broken.
        """

    def embedder(self, device: str = "cpu") -> "nn.Module":
        """Return the module from its trunk's features to its embeddings."""
        from torch import nn

        return nn.Identity()

    def load(
        self, device: str = "cpu", folded: bool = True, trunk: "Ready | None" = None
    ) -> "Ready":
        """Return the complete network, ready for inference.

        trunk: the result of `trunk` for a network of the same trunk_key, if it is loaded already.
        """
        from dml_analysis.networks.modules import EmbeddingNetwork

        trunk = trunk or self.trunk(device, folded)
        return trunk._replace(module=EmbeddingNetwork(trunk.module, self.embedder(device)).eval())


@dataclass(frozen=True, eq=False)
class LayoutNetwork(Network):
    """A trunk and an embedder from two checkpoint files in the Reality Check's layout."""

    files: tuple[Path, Path | None]  # trunk and embedder; None: an untrained embedder
    seed: int  # of an untrained embedder
    embedder_outputs: int
    trained_here: bool = False  # by reality_check/2_train_models.py

    @property
    def dimensions(self) -> int:
        return self.embedder_outputs

    @property
    def features(self) -> int:
        """Return the number of features of its trunk."""
        return self.description.outputs

    def inputs(self) -> list[Path]:
        return [*(file for file in self.files if file), *self.source.inputs()]

    def trunk_key(self) -> Hashable:
        trunk = self.files[0]
        return checkpoint_files.same_file_key(trunk) if trunk.is_file() else (str(trunk),)

    def provenance(self) -> dict[str, Any]:
        try:
            trunk, embedder = (
                checksums.short(self.records, file) if file else "" for file in self.files
            )
        except MissingFile:
            checkpoint_files.check_exist(self.files, self.trained_here)
            raise
        provenance: dict[str, Any] = {
            "trunk": trunk,
            "embedder": embedder or f"random, seed {self.seed}, fold {self.fold}",
        }
        if self.source.network != BN_INCEPTION:  # the paper's, which older results did not record
            architecture = self.source._replace(checkpoint=None)
            provenance |= architecture.provenance(self.records) | seen(self.description)
        if self.dimensions != DIMENSIONS:
            provenance["embedding_dimensions"] = self.dimensions
        return provenance

    def check(self, checked_trunks: set[Hashable], samples: Sequence[Sample] = ()) -> None:
        from dml_analysis.networks import checkpoints, loading  # torch takes seconds to load

        trunk, embedder = self.files
        checkpoint_files.check_exist(self.files, self.trained_here)
        if self.trunk_key() not in checked_trunks:
            checkpoints.fill(loading.build(self.source)[0], trunk)
            checked_trunks.add(self.trunk_key())
        if embedder:
            self.embedder()

    def trunk(self, device: str = "cpu", folded: bool = True) -> "Ready":
        from dml_analysis.networks import loading

        checkpoint_files.check_exist(self.files, self.trained_here)
        return loading.load_trunk(self.source, self.description, self.files[0], device, folded)

    def embedder(self, device: str = "cpu") -> "nn.Module":
        from dml_analysis.networks import loading

        return loading.load_embedder(
            self.files[1], self.features, self.dimensions, self.seed, self.fold, device
        )


class NamedNetwork(Network):
    """A network that the settings name by the code that builds it; all of it is its trunk."""

    def provenance(self) -> dict[str, Any]:
        description = self.description
        provenance = self.source.provenance(self.records) | seen(description)
        return provenance | {"weights": description.weights}

    def check(self, checked_trunks: set[Hashable], samples: Sequence[Sample] = ()) -> None:
        self.trunk()

    def trunk(self, device: str = "cpu", folded: bool = True) -> "Ready":
        from dml_analysis.networks import loading

        return loading.load_source(self.source, self.description, device, folded)


class GivenEmbeddings(Network):
    """A file of embeddings that were computed elsewhere, instead of a network."""

    has_maps = False

    def provenance(self) -> dict[str, Any]:
        return self.source.provenance(self.records)

    def check(self, checked_trunks: set[Hashable], samples: Sequence[Sample] = ()) -> None:
        embedding_files.read(self.source.file, list(dict.fromkeys(readers.ids_of(samples))))

    def trunk(self, device: str = "cpu", folded: bool = True) -> "Ready":
        raise TypeError(f"{self.name}: a file of embeddings has no trunk")

    def read(self, samples: Sequence[Sample]) -> Float[np.ndarray, "n d"]:
        """Return the embeddings of these images. Raises InputError as embedding_files.read does."""
        return embedding_files.read(self.source.file, readers.ids_of(samples))


def seen(description: Description) -> dict[str, Any]:
    """Return the provenance of what goes into a network: its crop and its transform's digest."""
    crop = description.crop
    assert crop is not None  # only embeddings given as a file have none
    return {"crop seen": crop._asdict(), "transformed": description.transformed}


def trunk_source(settings: Settings) -> Source:
    """Return the Source of the settings' trunk; a timm trunk needs a file of weights."""
    needs_weights = settings.trunk.startswith(TIMM)
    weights = settings.paths["imagenet_trunk"] if needs_weights else None
    return Source(settings.trunk, weights, "drop" if needs_weights else "")


def start_source(settings: Settings, model: Model) -> Source:
    """Return the Source of the trunk that a model's training starts from.

    It is the settings' trunk, unless the model names a loss and a network of its own.
    """
    if not (model.loss and model.network):
        return trunk_source(settings)
    checkpoint = ROOT / model.checkpoint if model.checkpoint else None
    head = "drop" if model.network.startswith(TIMM) else ""
    return Source(model.network, checkpoint, head, model.crop)


def network_of(
    settings: Settings, model: Model, dataset: str, fold: int, images: str | None = None
) -> Network:
    """Return a model's network for a fold, of which a model may have one for all folds.

    images: the dataset whose images it embeds, by default `dataset`.
    """
    own_fold = fold if model.per_fold else ALL_FOLDS
    shared = model, dataset, own_fold, images or dataset, settings.records, settings.device
    if model.loss or is_folder(model.network) or not (model.embeddings or model.network):
        source = start_source(settings, model)
        files = checkpoint_files.files_of(settings, model, dataset, own_fold)
        trained_here = settings.training is not None and bool(model.loss or not model.is_own)
        return LayoutNetwork(
            *shared, source, files, settings.seed, settings.dimensions, trained_here
        )
    if model.embeddings:
        path = model.embeddings[images or dataset].format(fold=own_fold, dataset=dataset)
        return GivenEmbeddings(*shared, EmbeddingFile(ROOT / path))
    source = Source(model.network, None, model.head, model.crop)
    if model.is_random:
        source = source._replace(seed=sources.random_seed(settings.seed, model.name))
    elif model.checkpoint:
        path = model.checkpoint.format(fold=own_fold, dataset=dataset)
        source = source._replace(checkpoint=ROOT / path)
    return NamedNetwork(*shared, source)


def networks_of(
    settings: Settings, dataset: str, folds: Iterable[int], images: str | None = None
) -> list[Network]:
    """Return the networks of all models, trained on a dataset, by fold and then by model.

    A network for all folds is there once. Models whose embeddings are given, but not for these
    images, are left out, and with `checkpoint: reached` the trainings that never reached the score.
    """
    return [
        network
        for network in all_networks_of(settings, dataset, folds, images)
        if checkpoint_files.has_network(settings, network.model, dataset, network.fold)
    ]


def all_networks_of(
    settings: Settings, dataset: str, folds: Iterable[int], images: str | None = None
) -> list[Network]:
    """Return networks_of, and those of trainings that never reached `training.reached`."""
    networks: dict[Path, Network] = {}
    for fold in folds:
        for model in settings.models:
            if not model.embeddings or (images or dataset) in model.embeddings:
                network = network_of(settings, model, dataset, fold, images)
                networks.setdefault(network.path, network)
    return list(networks.values())


def code_of(records: Records, distance: str) -> dict[str, str]:
    """Return the provenance of a distance's code; empty unless it has the form module:function."""
    if not imports.is_name(distance):
        return {}
    return {"distance's code": checksums.short(records, imports.code_file(distance))}


def check_distance(network: Network) -> None:
    """Raise InputError if the distance of a network's model does not work for its embeddings."""
    distance = network.model.distance
    if distance == "SNR Distance" and network.dimensions < 2:
        raise InputError(
            f"{network.name}: SNR Distance needs embeddings of at least two dimensions; choose another distance"
        )
    if imports.is_name(distance):
        from dml_analysis.networks import distances

        rng = np.random.default_rng(0)
        embeddings = rng.normal(size=(3, network.dimensions)).astype(np.float32)
        distances.check(distance, embeddings, gradients=network.has_maps)


def no_direction(name: str, image_ids: Sequence[str], error: Any) -> InputError:
    """Return the InputError for a network, by name, with a zero embedding among these images.

    error: the ZeroEmbedding, whose `row` is the image's index.
    """
    return InputError(
        f"{name}: the embedding of image {image_ids[error.row]} is zero, so it has no "
        "direction; check the network's weights"
    )


def by_trunk(networks: Iterable[Network]) -> list[list[Network]]:
    """Return the networks in groups that share a trunk, ordered by each group's first network."""
    groups: dict[Hashable, list[Network]] = {}
    for network in networks:
        groups.setdefault(network.trunk_key(), []).append(network)
    return list(groups.values())


def loader(
    networks: Iterable[Network], remembered: int = 1, device: str | None = None, folded: bool = True
) -> "Callable[[Path], Ready]":
    """Return load(path), which loads the network of that path.

    remembered: how many networks, and how many trunks, stay loaded. device: by default the
    settings'. folded: see loading.for_inference.
    """
    by_path = {network.path: network for network in networks}
    keys = {path: network.trunk_key() for path, network in by_path.items()}
    by_key = {keys[path]: network for path, network in by_path.items()}

    @lru_cache(maxsize=remembered)
    def trunk(key: Hashable) -> "Ready":
        return by_key[key].trunk(device or device_of(by_key[key]), folded)

    @lru_cache(maxsize=remembered)
    def load(path: Path) -> "Ready":
        network = by_path[path]
        return network.load(device or device_of(network), folded, trunk(keys[path]))

    return load


def device_of(of: "Settings | Network") -> str:
    """Return the name of the device that settings ask for, or a network's settings.

    Raises InputError if it is not available.
    """
    from dml_analysis.networks import modules  # torch takes seconds to load

    return str(modules.device_of(of.device))


def prepare(shown: Iterable[tuple[Network, Sequence[Sample]]]) -> None:
    """Read the files of networks and the header of every image that they are shown.

    shown: (network, its images); a pair that comes again is read once. What is read is recorded,
    so that results can be read without their inputs. Raises InputError for the first file that is
    missing or broken.
    """
    pairs = {(network, id(samples)): (network, samples) for network, samples in shown}
    lists = {id(samples): samples for _, samples in pairs.values()}
    checked_trunks: set[Hashable] = set()
    for network, samples in pairs.values():
        network.check(checked_trunks, samples)
        check_distance(network)
    readers.check_images(list(dict.fromkeys(chain(*lists.values()))), check_header)
    for records in {network.records for network, _ in pairs}:
        of_records = [pair for pair in pairs if pair[0].records == records]
        networks, ids = (dict.fromkeys(column) for column in zip(*of_records))
        checksums.keep(records, {file for network in networks for file in network.inputs()})
        sources.keep(records, {network.source for network in networks})
        image_digests.keep(records, [lists[each] for each in ids])
