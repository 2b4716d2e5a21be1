"""Networks: a model, trained on a dataset, in one of its folds. What is asked of one needs no torch until it is loaded.

There are three kinds: checkpoints in the Reality Check's layout, networks that settings name by what builds them, and
embeddings that somebody else has computed.
"""

from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dml_analysis import checksums, imports
from dml_analysis.checkout import ROOT
from dml_analysis.config import BN_INCEPTION, Settings, TrainingSettings, unlike_defaults
from dml_analysis.datasets import embedding_files, image_digests, readers
from dml_analysis.datasets.images import check_header
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.methods import TIMM, is_folder, slug
from dml_analysis.networks import checkpoint_files, sources
from dml_analysis.networks.sources import EmbeddingFile, Source
from dml_analysis.paper import Model
from dml_analysis.stages import Stage

ALL_FOLDS = -1  # in the place of a fold, also in CSV files: the model has one network for all of them


class Network(NamedTuple):
    """What all three kinds have. Its subclasses say what they are made of and how they are loaded."""

    settings: Settings
    model: Model
    dataset: str
    fold: int  # or ALL_FOLDS
    images: str  # the dataset whose images it is shown

    @property
    def name(self):
        return f"{self.model.name}, {self.dataset}" + (f", fold {self.fold}" if self.fold != ALL_FOLDS else "")

    @property
    def fold_name(self):
        """Its fold in words and in the purpose of random numbers."""
        return "all" if self.fold == ALL_FOLDS else self.fold

    @property
    def labels(self):
        """What CSV files call it."""
        return {"loss": self.model.name, "type": self.model.group, "dataset": self.dataset, "fold": self.fold}

    @property
    def path(self):
        """Where its results are, below a stage's folder."""
        return (
            Path(self.dataset) / (f"fold{self.fold}" if self.fold != ALL_FOLDS else "all_folds") / slug(self.model.name)
        )

    @property
    def crop(self):
        """The Crop of an image that it sees."""
        return self.source.description(self.settings).crop

    @property
    def dimensions(self):
        """Of its embeddings."""
        return self.source.description(self.settings).outputs

    @property
    def has_maps(self):
        """Whether there are gradients to make saliency maps of."""
        return True

    def is_known(self):
        """Whether its files exist, or did when results were made of them."""
        try:
            return bool(self.provenance())
        except MissingFile:
            return False


class LayoutNetwork(Network):
    """A trunk and an embedder from two checkpoint files in the Reality Check's layout."""

    @property
    def source(self):
        """Of its trunk."""
        return start_source(self.settings, self.model)

    @property
    def dimensions(self):
        return self.settings.dimensions

    @property
    def features(self):
        """How many its trunk gives."""
        return self.source.description(self.settings).outputs

    def files(self):
        """(trunk file, embedder file), which need not exist; an untrained embedder has no file and is None."""
        return checkpoint_files.files_of(self.settings, self.model, self.dataset, self.fold)

    def inputs(self):
        """The files that it is loaded from."""
        return [*(file for file in self.files() if file), *self.source.inputs()]

    def trunk_key(self):
        """Equal for networks whose trunk is the same file, so that they share its forward pass."""
        trunk = self.files()[0]
        return checkpoint_files.same_file_key(trunk) if trunk.is_file() else (str(trunk),)

    def provenance(self):
        """Its fingerprints, for the provenance of its results. Raises MissingFile if a file is missing and was never read."""
        trunk, embedder = self.files()
        random = f"random, seed {self.settings.seed}, fold {self.fold}"
        return {
            "trunk": checksums.short(self.settings, trunk),
            "embedder": checksums.short(self.settings, embedder) if embedder else random,
            **self._architecture(),
            **unlike_defaults(self.settings, "precision"),
            **unlike_defaults(self.settings.training or TrainingSettings(), "embedding_dimensions"),
        }

    def _architecture(self):
        """For provenance, where it is not the paper's: results of old did not say so."""
        if self.source.network == BN_INCEPTION:
            return {}
        provenance = self.source._replace(checkpoint=None).provenance(self.settings)
        return provenance | seen(self.source.description(self.settings))

    def check(self, good):
        """Read its files. Raises InputError if one is missing or broken. good: a set of what was found good before."""
        from dml_analysis.networks import (
            checkpoints,
            loading,  # torch takes seconds to load
        )

        trunk, embedder = self.files()
        checkpoint_files.check_exist([trunk, embedder])
        if self.trunk_key() not in good:
            checkpoints.fill(loading.build(self.source)[0], trunk)
            good.add(self.trunk_key())
        if embedder:
            self.embedder()

    def trunk(self, device="cpu", folded=True):
        """Its trunk, Ready for inference on a device; folded: see loading.for_inference."""
        from dml_analysis.networks import loading

        checkpoint_files.check_exist(self.files())
        source, described = self.source, self.source.description(self.settings)
        return loading.load_trunk(source, described, self.files()[0], device, self.settings.precision, folded)

    def embedder(self, device="cpu"):
        """From its trunk's features to embeddings."""
        from dml_analysis.networks import loading

        return loading.load_embedder(
            self.files()[1], self.features, self.dimensions, self.settings.seed, self.fold, device
        )

    def load(self, device="cpu", folded=True, trunk=None):
        """The whole, Ready; trunk: what `trunk` gave for a network of the same trunk_key, if it is at hand."""
        from dml_analysis.networks.modules import EmbeddingNetwork

        trunk = trunk or self.trunk(device, folded)
        return trunk._replace(module=EmbeddingNetwork(trunk.module, self.embedder(device)).eval())


class NamedNetwork(Network):
    """A network that settings name by what builds it."""

    @property
    def source(self):
        model = self.model
        place = {"fold": self.fold, "dataset": self.dataset}
        checkpoint = ROOT / model.checkpoint.format(**place) if model.checkpoint and not model.is_random else None
        seed = sources.random_seed(self.settings, model.name) if model.is_random else None
        return Source(model.network, checkpoint, model.head, model.crop, seed)

    def inputs(self):
        return self.source.inputs()

    def trunk_key(self):
        """It shares its forward pass with nobody."""
        return self.path

    def provenance(self):
        provenance = self.source.provenance(self.settings)
        found = self.source.description(self.settings)
        return provenance | seen(found) | {"weights": found.weights} | unlike_defaults(self.settings, "precision")

    def check(self, good):
        from dml_analysis.networks import loading

        loading.load_source(self.source, self.source.description(self.settings))

    def trunk(self, device="cpu", folded=True):
        return self.load(device, folded)

    def embedder(self, device="cpu"):
        """All of it is in the trunk."""
        from torch import nn

        return nn.Identity()

    def load(self, device="cpu", folded=True, trunk=None):
        """The whole, Ready, which is its trunk."""
        from dml_analysis.networks import loading

        described, precision = self.source.description(self.settings), self.settings.precision
        return trunk or loading.load_source(self.source, described, device, precision, folded)


class GivenEmbeddings(Network):
    """Embeddings that somebody else has computed, instead of a network."""

    @property
    def source(self):
        return EmbeddingFile(ROOT / self.model.embeddings[self.images].format(fold=self.fold, dataset=self.dataset))

    @property
    def has_maps(self):
        return False

    def inputs(self):
        return self.source.inputs()

    def trunk_key(self):
        return self.path

    def provenance(self):
        return self.source.provenance(self.settings)

    def check(self, good):
        """Whether the file has all images that any script asks it for."""
        items, options = [], self.settings.properties
        if self.images == self.dataset:
            items += readers.load_items(self.settings, self.images, "test")
        if self.images == readers.CARS and self.dataset == options.networks:
            items += readers.chosen_cars(self.settings)[0]
        embedding_files.read(self.source.file, list(dict.fromkeys(readers.ids_of(items))))  # each once

    def embedded(self, items, tick):
        """The embeddings (n, d) of these items; tick(n) is called once."""
        tick(len(items))
        return embedding_files.read(self.source.file, readers.ids_of(items))


def seen(described):
    """For provenance: what goes into a network."""
    return {"crop seen": described.crop._asdict(), "transformed": described.transformed}


def trunk_source(settings):
    """The Source of the trunk that the Reality Check's layout holds."""
    needs_weights = settings.trunk.startswith(TIMM)
    return Source(settings.trunk, settings.paths["imagenet_trunk"] if needs_weights else None, "drop" * needs_weights)


def start_source(settings, model):
    """The Source of the trunk that a model in the layout has: the settings', or that of a model that is trained from its own."""
    if not (model.loss and model.network):
        return trunk_source(settings)
    checkpoint = ROOT / model.checkpoint if model.checkpoint else None
    return Source(model.network, checkpoint, "drop" * model.network.startswith(TIMM), model.crop)


def network_of(settings, model, dataset, fold, images=None):
    """A model's network, which is the same for all folds where the model has only one; images: as in Network."""
    kind = GivenEmbeddings if model.embeddings else NamedNetwork if model.network else LayoutNetwork
    kind = LayoutNetwork if model.loss or is_folder(model.network) else kind
    return kind(settings, model, dataset, fold if model.per_fold else ALL_FOLDS, images or dataset)


def networks_of(settings, dataset, folds, images=None):
    """The networks of all models, trained on a dataset, but those given as embeddings of other images alone."""
    found = [network_of(settings, model, dataset, fold, images) for fold in folds for model in settings.models]
    first = {network.path: network for network in reversed(found)}  # one network for all folds is there once
    return [each for each in found if first[each.path] is each
            and (not each.model.embeddings or each.images in each.model.embeddings)]  # fmt: skip


def code_of(settings, distance):
    """For the provenance of results that hang on a distance: the code of one that is module:function."""
    return (
        {"distance's code": checksums.short(settings, imports.code_file(distance))} if imports.is_name(distance) else {}
    )


def check_distance(network):
    """Raise InputError if its model's distance does not work for its embeddings."""
    if network.model.distance == "SNR Distance" and network.dimensions < 2:
        raise InputError(f"{network.name}: SNR Distance takes embeddings of two dimensions or more")
    if imports.is_name(network.model.distance):
        from dml_analysis.networks import distances

        some = np.random.default_rng(0).normal(size=(3, network.dimensions)).astype(np.float32)
        distances.check(network.model.distance, some, gradients=network.has_maps)


def no_direction(name, items, error):
    """Return the InputError for a network, by its name, that gives a zero embedding (ZeroEmbedding) for one of these items."""
    return InputError(
        f"{name}: the embedding of image {items[error.row].image_id} is zero, so it has no direction; "
        "check the network's weights"
    )


def by_trunk(networks):
    """The networks in groups whose trunk is the same file, in the order of their first."""
    groups = {}
    for network in networks:
        groups.setdefault(network.trunk_key(), []).append(network)
    return list(groups.values())


def loader(networks, remembered=1, device=None, folded=True):
    """load(path): the network of that path, Ready; the last few stay loaded, and of trunks that are one file only one is.

    device: the settings' by default; folded: see loading.for_inference.
    """
    by_path = {network.path: network for network in networks}
    keys = {network.path: network.trunk_key() for network in networks}
    first = {keys[network.path]: network for network in networks}

    @lru_cache(maxsize=remembered)
    def trunk(key):
        return first[key].trunk(device or device_of(first[key].settings), folded)

    @lru_cache(maxsize=remembered)
    def load(path):
        network = by_path[path]
        return network.load(device or device_of(network.settings), folded, trunk(keys[path]))

    return load


def device_of(settings):
    """The name of the device that the settings ask for."""
    from dml_analysis.networks import modules  # torch takes seconds to load

    return str(modules.device_of(settings))


def network_stage(what, unit, jobs, networks, lists, loads, **more):
    """A Stage whose jobs load some of these networks, and show them the images of these items.

    loads: a function from a store to the networks that it takes to make it; more: the Stage's other fields.
    """
    networks, items = list(networks), list(chain(*lists))
    if not networks:
        raise InputError(
            f"{what}: none of the models has any to give here; see `network` and `embeddings` of the settings' models"
        )
    return Stage(what, unit, jobs, keep=partial(_keep, networks, lists), check=partial(check, loads, items),
                 device=partial(device_of, networks[0].settings), **more)  # fmt: skip


def _keep(networks, lists):
    """What is known of the files and shapes of networks, and of the images, for when they are gone."""
    settings = networks[0].settings
    checksums.keep(settings, {file for network in networks for file in network.inputs()})
    sources.keep(settings, {network.source for network in networks})
    image_digests.keep(settings, lists)


def prepare(networks: list, lists: list) -> None:
    """Read the files of networks and the beginning of all images in lists of items; keep what is known of them, for when they are gone.

    Raises InputError for the first that is missing or broken.
    """
    good: set = set()
    for network in networks:
        network.check(good)
        check_distance(network)
    readers.check_images(list(chain(*lists)), check_header)
    _keep(networks, lists)


def check(loads, items, todo):
    """Read the checkpoints that todo takes, and the beginning of all images; the first InputError stops a run."""
    lacking = [store for job, number in todo for store in job.stores if store.lacks(number)]
    networks = {network.path: network for store in lacking for network in loads(store)}
    good = set()
    for network in networks.values():
        network.check(good)
        check_distance(network)
    readers.check_images(items, check_header)
