"""The demo's networks: one trunk that is never trained, and per model and fold an embedder trained on its features.

Two stages: the trunk's features of all training images, then the networks, whose shelves are in the models folder and whose
checkpoints, in the Reality Check's layout, are written from these.
"""

from functools import partial
from typing import NamedTuple

import yaml

from common import safe_files
from common.errors import InputError
from common.seeds import derived_seed, described
from common.settings import unlike_defaults
from common.shelf import Array, Job, Shelf, Stage, View, blocks
from data import checkpoint_files, datasets
from data.images import open_image
from reality_check.architecture import BN_INCEPTION
from reality_check.hyperparameters import hyperparameters
from reality_check.networks import networks_of

BATCH_SIZE = 25  # no setting: rounding depends on it, and training makes other networks of other rounding
BATCHES_PER_PART = 4
LOG_COLUMNS = {"loss": str, "dataset": str, "fold": int, "validation_map_at_r": float, "iteration": int}


def stages(settings):
    """Yield the stages, in their order."""
    for dataset in settings.datasets:
        yield features_stage(settings, dataset)
    yield networks_stage(settings)


def _folder(settings):
    return settings.paths["models"] / "training"


# ---------------------------------------------------------------------------------------------------------------------
# The trunk and its features.
# ---------------------------------------------------------------------------------------------------------------------
def training_items(settings, dataset):
    """The images of all classes that are for training and validation."""
    return [item for part in ("train", "validation") for item in datasets.load_items(settings, dataset, part, fold=0)]


def features_shelf(settings, dataset):
    """The features (f,) that the trunk gives, a row for each training image."""
    items = training_items(settings, dataset)
    ids = datasets.ids_of(items)
    made_of = {"images": described(ids), "trunk": settings.trunk, **unlike_defaults(settings, "seed")}
    if settings.trunk == "seeded":
        made_of |= unlike_defaults(settings.training, "calibration_images")
    arrays = {"features": Array("f4", (BN_INCEPTION.features,))}
    return Shelf(_folder(settings) / "features" / dataset, made_of, blocks(ids, BATCH_SIZE * BATCHES_PER_PART), arrays, items)


def features_stage(settings, dataset):
    """The features of a dataset's training images; before them the trunk, if it does not exist."""
    shelf = features_shelf(settings, dataset)
    check = partial(datasets.check_images, shelf.of)
    return Stage("trunk features", "image", [Job([shelf], partial(make_features, settings))], check=check)


def make_features(settings, shelves, number, tick):
    """A part of the features; see Job.make."""
    import torch  # it takes seconds to load

    from reality_check.bn_inception import features_of, ready_for_inference
    from reality_check.checkpoints import read_trunk
    from reality_check.transforms import network_inputs

    (shelf,) = shelves
    trunk = ready_for_inference(read_trunk(shared_trunk(settings, shelf.of)))
    features = []
    for some in blocks(blocks(shelf.of, BATCH_SIZE * BATCHES_PER_PART)[number], BATCH_SIZE):
        features.append(features_of(trunk, torch.stack(list(network_inputs(some)))))
        tick(len(some))
    return [{"features": torch.cat(features)}]


def shared_trunk(settings, items):
    """The file of the trunk that all demo networks share, made by means of the items' images if it does not exist yet."""
    import torch

    from reality_check import bn_inception, checkpoints
    from reality_check.transforms import network_input

    file = settings.paths["models"] / f"{settings.trunk}_trunk.pth"
    with safe_files.locked(file):
        if file.is_file():
            return file
        if settings.trunk == "imagenet":
            source = checkpoint_files.untrained_trunk_file(settings)
            if not source.is_file():
                raise InputError(f"{source}: missing; `trunk: imagenet` needs it, `trunk: seeded` does not")
            trunk = checkpoints.read_trunk(source)
        else:
            some = datasets.evenly_spaced(items, settings.training.calibration_images)
            trunk = bn_inception.seeded_trunk(derived_seed(settings.seed, "seeded trunk"))
            images = torch.stack([network_input(open_image(item.path)) for item in some])
            bn_inception.calibrate_batchnorm(trunk, images)
        checkpoints.save(bn_inception.ready_for_inference(trunk).state_dict(), file)
    return file


# ---------------------------------------------------------------------------------------------------------------------
# Networks.
# ---------------------------------------------------------------------------------------------------------------------
def trained_networks(settings):
    """The networks that are trained here."""
    found = [network for dataset in settings.datasets for network in networks_of(settings, dataset, settings.folds)]
    return [network for network in found if network.model.trained]


def shelf_of(network, features):
    """A trained embedder and how well it does, in a single row; features: the shelf that it is trained on."""
    settings, labels = network.settings, [item.label for item in features.of]
    made_of = {
        "features": features.fingerprint,
        "classes": described(labels),
        "hyperparameters": hyperparameters(network.model, network.dataset),
        **unlike_defaults(settings.training, "iterations", "batch_size", "learning_rate", "check_every"),
        **unlike_defaults(settings, "seed"),
    }
    dimensions = network.architecture.dimensions
    arrays = {"weight": Array("f4", (dimensions, network.architecture.features)), "bias": Array("f4", (dimensions,)),
              "validation_map_at_r": Array("f8"), "iteration": Array("i8")}  # fmt: skip
    return Shelf(_folder(settings) / "embedders" / network.path, made_of, [[network.name]], arrays, network)


def networks_stage(settings):
    """The networks of all trained models, their log and their checkpoints."""
    features = {dataset: features_shelf(settings, dataset) for dataset in settings.whole.datasets}
    jobs = [
        Job([shelf_of(network, features[network.dataset])], partial(train, features[network.dataset]))
        for network in trained_networks(settings)
    ]
    shelves = [shelf_of(network, features[network.dataset]) for network in trained_networks(settings.whole)]
    log = View(settings.paths["models"] / "training.csv", LOG_COLUMNS, shelves, log_rows)
    return Stage("networks", "network", jobs, [log, Checkpoints(settings, features, shelves)])


def train(features, shelves, number, tick):
    """Train an embedder and write its checkpoint; see Job.make."""
    from reality_check.training import train_embedder

    (shelf,) = shelves
    network, settings = shelf.of, shelf.of.settings
    parts = [labelled_features(network, part, features) for part in ("train", "validation")]
    seed = derived_seed(settings.seed, "training", network.model.name, network.dataset, network.fold)
    embedder, score, iteration = train_embedder(network.model, network.dataset, *parts, settings.training, seed)
    layer = embedder.net[0]
    arrays = {"weight": layer.weight.detach()[None], "bias": layer.bias.detach()[None]}
    write_checkpoint(network, shared_trunk(settings, features.of), arrays["weight"][0], arrays["bias"][0])
    tick(1)
    return [arrays | {"validation_map_at_r": [score], "iteration": [iteration]}]


def labelled_features(network, part, features):
    """(features (n, f), labels (n,)) of a fold's "train" or "validation" images."""
    import torch

    by_id = dict(zip(features.rows, torch.from_numpy(features.read()["features"])))
    items = datasets.load_items(network.settings, network.dataset, part, network.fold)
    return torch.stack([by_id[item.image_id] for item in items]), torch.tensor([item.label for item in items])


def write_checkpoint(network, trunk_file, weight, bias):
    """The checkpoint, and beside it how it was made, in the run's configs folder."""
    import torch

    from reality_check import bn_inception, checkpoints

    settings, folder = network.settings, checkpoint_folder(network)
    config = {
        "loss": network.model.name,
        "dataset": network.dataset,
        "hyperparameters": hyperparameters(network.model, network.dataset),
        "trunk": settings.trunk,
        "training": settings.training._asdict(),
    }
    safe_files.write_text(folder.parents[1] / "configs" / "demo.yaml", yaml.safe_dump(config, sort_keys=False))
    embedder = bn_inception.Embedder(*reversed(weight.shape))
    with torch.no_grad():
        embedder.net[0].weight.copy_(torch.as_tensor(weight))
        embedder.net[0].bias.copy_(torch.as_tensor(bias))
    checkpoints.save_checkpoint(folder, trunk_file, embedder)


def checkpoint_folder(network):
    return checkpoint_files.saved_models_folder(network.settings, network.model, network.dataset, network.fold)


class Checkpoints(NamedTuple):
    """A View of shelves: the checkpoints of trained networks, where they do not exist."""

    settings: object
    features: dict  # dataset -> shelf
    shelves: list

    def write(self):
        for shelf in self.shelves:
            network = shelf.of
            if shelf.is_whole() and not all(file.is_file() for file in network.files()):
                arrays = shelf.get(0)
                trunk = shared_trunk(self.settings, self.features[network.dataset].of)
                write_checkpoint(network, trunk, arrays["weight"][0], arrays["bias"][0])


def log_rows(shelves):
    """One row per network."""
    for shelf in shelves:
        network, arrays = shelf.of, shelf.get(0, "validation_map_at_r", "iteration")
        score, iteration = arrays["validation_map_at_r"][0], arrays["iteration"][0]
        yield network.model.name, network.dataset, network.fold, round(score, 4), iteration
