"""The demo's networks: one trunk that is never trained, and per model and fold an embedder trained on its features.

Two stages: the trunk's features of all training images, then the embedders. Their shelves are in the models folder, where
their checkpoints, in the Reality Check's layout, are written from them.
"""

from functools import partial
from typing import NamedTuple

from common import checksums, safe_files
from common.errors import InputError
from common.seeds import derived_seed, described
from common.settings import Settings, unlike_defaults
from common.shelf import Array, Job, Shelf, Stage, View, blocks, no_trial
from data import checkpoint_files, datasets
from data.images import open_image
from reality_check.architecture import BN_INCEPTION
from reality_check.hyperparameters import hyperparameters
from reality_check.networks import networks_of

BATCH_SIZE = 25  # no setting: rounding depends on it, and training makes other networks of other rounding
BATCHES_PER_PART = 4
LOG_COLUMNS = {"loss": str, "dataset": str, "fold": int, "validation_map_at_r": float, "iteration": int}


# ---------------------------------------------------------------------------------------------------------------------
# The trunk and its features.
# ---------------------------------------------------------------------------------------------------------------------
def features_shelf(settings, dataset):
    """The features (f,) that the trunk gives, a row for each image of all classes for training and validation."""
    if settings.training is None:
        raise InputError(f"settings {settings.name!r} have no `training:` block: their networks are downloaded")
    items = [item for part in ("train", "validation") for item in datasets.load_items(settings, dataset, part, fold=0)]
    ids = datasets.ids_of(items)
    made_of = {"images": described(ids), "trunk": settings.trunk, **unlike_defaults(settings, "seed")}
    if settings.trunk == "seeded":
        made_of |= unlike_defaults(settings.training, "calibration_images")
    folder, arrays = (
        settings.paths["models"] / "training" / "features",
        {"features": Array("f4", (BN_INCEPTION.features,))},
    )
    return Shelf(folder / dataset, made_of, blocks(ids, BATCH_SIZE * BATCHES_PER_PART), arrays, items)


def features_stage(settings):
    """The features of all datasets' training images."""
    shelves = [features_shelf(settings, dataset) for dataset in settings.datasets]
    check = partial(datasets.check_images, [item for shelf in shelves for item in shelf.of])
    jobs = [
        Job([shelf], partial(make_features, settings), trial=no_trial) for shelf in shelves
    ]  # it would make the trunk
    return Stage("trunk features", "image", jobs, check=check)


def make_features(settings, shelves, number, tick):
    """A part of the features; see Job.make."""
    import torch  # it takes seconds to load

    from reality_check.bn_inception import features_of, ready_for_inference
    from reality_check.checkpoints import read_trunk
    from reality_check.transforms import network_inputs

    (shelf,), features = shelves, []
    trunk = ready_for_inference(read_trunk(shared_trunk(settings, shelf.of)))
    for some in blocks(blocks(shelf.of, BATCH_SIZE * BATCHES_PER_PART)[number], BATCH_SIZE):
        features.append(features_of(trunk, torch.stack(list(network_inputs(some)))))
        tick(len(some))
    return [{"features": torch.cat(features)}]


def trunk_file(settings):
    """Where the trunk is that all demo networks share."""
    return settings.paths["models"] / f"{settings.trunk}_trunk.pth"


def shared_trunk(settings, items):
    """The file of the trunk that all demo networks share, made by means of the items' images if it does not exist yet.

    Raises InputError if the file was made by means of others, or from another seed.
    """
    import torch

    from reality_check import bn_inception, checkpoints
    from reality_check.transforms import network_input

    file, some = trunk_file(settings), datasets.evenly_spaced(items, settings.training.calibration_images)
    made_of = {"trunk": settings.trunk, "images": described(datasets.ids_of(some)), **unlike_defaults(settings, "seed")}
    folder, row = settings.paths["models"] / "training" / "trunk", [[file.name]]
    shelf = Shelf(folder, made_of, row, {"sha256": Array("U64")})  # of the file, which is no array
    with safe_files.locked(file):
        if shelf.is_whole() and file.is_file():
            return file
        if settings.trunk == "imagenet":
            source = checkpoint_files.untrained_trunk_file(settings)
            checkpoint_files.check_exist([source])
            trunk = checkpoints.read_trunk(source)
        else:
            trunk = bn_inception.seeded_trunk(derived_seed(settings.seed, "seeded trunk"))
            images = torch.stack([network_input(open_image(item.path)) for item in some])
            bn_inception.calibrate_batchnorm(trunk, images)
        checkpoints.save(bn_inception.ready_for_inference(trunk).state_dict(), file)
        shelf.put(0, sha256=[checksums.sha256(file)])
    return file


# ---------------------------------------------------------------------------------------------------------------------
# Embedders.
# ---------------------------------------------------------------------------------------------------------------------
def shelf_of(network, features):
    """A trained embedder and how well it does, in a single row; features: the shelf that it is trained on."""
    settings, classes = network.settings, [item.label for item in features.of]
    made_of = {
        "features": features.fingerprint,
        "classes": described(classes),
        "hyperparameters": hyperparameters(network.model, network.dataset),
        **unlike_defaults(settings.training, "iterations", "batch_size", "learning_rate", "check_every"),
        **unlike_defaults(settings, "seed"),
    }
    dimensions = network.architecture.dimensions
    arrays = {"weight": Array("f4", (dimensions, network.architecture.features)), "bias": Array("f4", (dimensions,)),
              "validation_map_at_r": Array("f8"), "iteration": Array("i8")}  # fmt: skip
    folder = settings.paths["models"] / "training" / "embedders" / network.path
    return Shelf(folder, made_of, [[network.name]], arrays, network, network.labels)


def shelves_of(settings):
    """(shelf of the features, shelf of the embedder) of every network that is trained here."""
    features = {dataset: features_shelf(settings, dataset) for dataset in settings.datasets}
    networks = [each for dataset in settings.datasets for each in networks_of(settings, dataset, settings.folds)]
    return [(features[each.dataset], shelf_of(each, features[each.dataset])) for each in networks if each.model.trained]


def networks_stage(settings):
    """The embedders, their log and their checkpoints."""
    jobs = [
        Job([shelf], partial(train, features), trial=no_trial)  # there may be no features yet
        for features, shelf in shelves_of(settings)
    ]
    whole = shelves_of(settings.whole)
    log = View(settings.paths["models"] / "training.csv", LOG_COLUMNS, [shelf for _, shelf in whole])
    return Stage("networks", "network", jobs, [log, *(Checkpoint(settings, *each) for each in whole)])


def train(features, shelves, number, tick):
    """Train an embedder; see Job.make."""
    from reality_check.training import train_embedder

    network, settings = shelves[0].of, shelves[0].of.settings
    parts = [labelled_features(network, part, features) for part in ("train", "validation")]
    seed = derived_seed(settings.seed, "training", network.model.name, network.dataset, network.fold)
    embedder, score, iteration = train_embedder(network.model, network.dataset, *parts, settings.training, seed)
    network.files()[1].unlink(missing_ok=True)  # a checkpoint that was not written from what comes now
    tick(1)
    weight, bias = (each.detach()[None] for each in (embedder.net[0].weight, embedder.net[0].bias))
    return [{"weight": weight, "bias": bias, "validation_map_at_r": [score], "iteration": [iteration]}]


def labelled_features(network, part, features):
    """(features (n, f), labels (n,)) of a fold's "train" or "validation" images."""
    import torch

    by_id = dict(zip(features.rows, torch.from_numpy(features.read()["features"])))
    items = datasets.load_items(network.settings, network.dataset, part, network.fold)
    return torch.stack([by_id[item.image_id] for item in items]), torch.tensor([item.label for item in items])


class Checkpoint(NamedTuple):
    """The checkpoint of a network: like View, written from a shelf, where it does not exist."""

    settings: Settings
    features: Shelf
    shelf: Shelf

    @property
    def shelves(self):
        return [self.shelf]

    def write(self):
        files = [*self.shelf.of.files(), trunk_file(self.settings)]
        if self.shelf.is_whole() and not all(file.is_file() for file in files):
            import torch

            from reality_check import bn_inception, checkpoints

            arrays = {name: torch.from_numpy(array) for name, array in self.shelf.get(0, "weight", "bias").items()}
            embedder = bn_inception.Embedder(*reversed(arrays["weight"][0].shape))
            embedder.net[0].load_state_dict({name: array[0] for name, array in arrays.items()})
            trunk = shared_trunk(self.settings, self.features.of)
            checkpoints.save_checkpoint(self.shelf.of.files()[0].parent, trunk, embedder)
