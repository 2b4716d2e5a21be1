"""Networks: a model, trained on a dataset, in one of its folds. What is asked of one needs no torch until it is loaded."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from common import checksums
from common.errors import MissingFile
from common.models import slug
from common.settings import Settings, unlike_defaults
from common.shelf import Stage
from data import checkpoint_files, datasets
from data.images import check_header
from reality_check.architecture import BN_INCEPTION
from utils import Model


class Network(NamedTuple):
    settings: Settings
    model: Model
    dataset: str
    fold: int

    @property
    def name(self):
        return f"{self.model.name}, {self.dataset}, fold {self.fold}"

    @property
    def labels(self):
        """What CSV files call it."""
        return {"loss": self.model.name, "type": self.model.group, "dataset": self.dataset, "fold": self.fold}

    @property
    def path(self):
        """Where its results are, below a stage's folder."""
        return Path(self.dataset) / f"fold{self.fold}" / slug(self.model.name)

    @property
    def architecture(self):
        return BN_INCEPTION

    def files(self):
        """(trunk file, embedder file), which need not exist; an untrained embedder has no file and is None."""
        return checkpoint_files.files_of(self.settings, self.model, self.dataset, self.fold)

    def inputs(self):
        """The files that it is loaded from."""
        return [file for file in self.files() if file]

    def trunk_key(self):
        """Equal for networks whose trunk is the same file, so that they share its forward pass."""
        trunk = self.files()[0]
        return checkpoint_files.same_file_key(trunk) if trunk.is_file() else (str(trunk),)

    def made_of(self):
        """Its fingerprints, for the made_of of its results. Raises MissingFile if a file is missing and was never read."""
        trunk, embedder = self.files()
        random = f"random, seed {self.settings.seed}, fold {self.fold}"
        return {
            "trunk": _short_checksum(self.settings, trunk),
            "embedder": _short_checksum(self.settings, embedder) if embedder else random,
            **unlike_defaults(self.settings, "precision"),
        }

    def is_known(self):
        """Whether its files exist, or did when results were made of them."""
        try:
            return bool(self.made_of())
        except MissingFile:
            return False

    def load(self, device="cpu", gradients=False):
        """The network on a device, ready for inference; gradients: whether those of images are wanted."""
        from reality_check import checkpoints  # torch takes seconds to load

        files, settings = self.files(), self.settings
        return checkpoints.load_network(files, settings.seed, self.fold, device, settings.precision, gradients)


def _short_checksum(settings, file):
    return checksums.checksum(settings, file)[:16]


def networks_of(settings, dataset, folds):
    """The networks of all models, trained on a dataset."""
    return [Network(settings, model, dataset, fold) for fold in folds for model in settings.models]


def by_trunk(networks):
    """The networks in groups whose trunk is the same file, in the order of their first."""
    groups = {}
    for network in networks:
        groups.setdefault(network.trunk_key(), []).append(network)
    return list(groups.values())


def device_of(settings):
    """The name of the device that the settings ask for."""
    from reality_check import bn_inception  # torch takes seconds to load

    return str(bn_inception.device_of(settings))


def network_stage(what, unit, jobs, networks, items, loads, **more):
    """A Stage whose jobs load some of these networks, and show them the images of these items.

    loads: a function from a shelf to the networks that it takes to make it; more: the Stage's other fields.
    """
    networks, items = list(networks), list(items)
    inputs = [file for network in networks for file in network.inputs()]
    device = partial(device_of, networks[0].settings)
    return Stage(what, unit, jobs, inputs=inputs, check=partial(check, loads, items), device=device, **more)


def check(loads, items, todo):
    """Read the checkpoints that todo takes, and the beginning of all images; the first InputError stops a run."""
    from reality_check import checkpoints

    lacking = [shelf for job, number in todo for shelf in job.shelves if shelf.lacks(number)]
    networks = {network.path: network for shelf in lacking for network in loads(shelf)}
    good_trunks = set()
    for network in networks.values():
        checkpoints.check_files(network.files(), good_trunks)
    datasets.check_images(items, check_header)
