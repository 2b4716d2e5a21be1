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
def training_items(settings, dataset):
    """The images of all classes for training and validation. Raises InputError if the settings train nothing."""
    if settings.training is None:
        raise InputError(f"settings {settings.name!r} have no `training:` block: their networks are downloaded")
    return [item for part in ("train", "validation") for item in datasets.load_items(settings, dataset, part, fold=0)]


def calibration_items(settings):
    """The images that set the statistics of a seeded trunk, whichever dataset is trained on."""
    items = training_items(settings, settings.whole.datasets[0])
    return datasets.evenly_spaced(items, settings.training.calibration_images)


def trunk_made_of(settings):
    """What the shared trunk is made of: the ImageNet file, or a seed and the images that it was calibrated on."""
    if settings.trunk == "imagenet":
        source = checkpoint_files.untrained_trunk_file(settings)
        return {"trunk": checksums.checksum(settings, source)[:16]}
    number, images = unlike_defaults(settings.training, "calibration_images"), calibration_items(settings)
    calibrated = {"calibrated on": described(datasets.ids_of(images))}
    return {"trunk": settings.trunk, **unlike_defaults(settings, "seed"), **number, **calibrated}


def features_shelf(settings, dataset):
    """The features (f,) that the trunk gives, a row for each image of all classes for training and validation."""
    items = training_items(settings, dataset)
    ids, arrays = datasets.ids_of(items), {"features": Array("f4", (BN_INCEPTION.features,))}
    made_of = {"images": described(ids), **trunk_made_of(settings)}
    folder = settings.paths["models"] / "training" / "features" / dataset
    return Shelf(folder, made_of, blocks(ids, BATCH_SIZE * BATCHES_PER_PART), arrays, items)


def features_stage(settings):
    """The features of all datasets' training images."""
    shelves = [features_shelf(settings, dataset) for dataset in settings.datasets]
    items = [item for shelf in shelves for item in shelf.of]
    # A trial would make the trunk.
    jobs = [Job([shelf], partial(make_features, settings), trial=no_trial) for shelf in shelves]
    return Stage("trunk features", "image", jobs, check=lambda todo: datasets.check_images(items))


def make_features(settings, shelves, number, tick):
    """A part of the features; see Job.make."""
    import torch  # it takes seconds to load

    from reality_check.bn_inception import features_of, ready_for_inference
    from reality_check.checkpoints import read_trunk
    from reality_check.transforms import network_inputs

    (shelf,), features = shelves, []
    trunk = ready_for_inference(read_trunk(shared_trunk(settings)))
    for some in blocks(blocks(shelf.of, BATCH_SIZE * BATCHES_PER_PART)[number], BATCH_SIZE):
        features.append(features_of(trunk, torch.stack(list(network_inputs(some)))))
        tick(len(some))
    return [{"features": torch.cat(features)}]


def trunk_file(settings):
    """Where the trunk is that all demo networks share."""
    return settings.paths["models"] / f"{settings.trunk}_trunk.pth"


def shared_trunk(settings):
    """The file of the trunk that all demo networks share, made if it does not exist yet.

    Raises InputError if it was made of something else, or is not the file that was made.
    """
    import torch

    from reality_check import bn_inception, checkpoints
    from reality_check.transforms import network_input

    file, folder = trunk_file(settings), settings.paths["models"] / "training" / "trunk"
    shelf = Shelf(folder, trunk_made_of(settings), [[file.name]], {"sha256": Array("U64")})
    with safe_files.locked(file):
        if shelf.is_whole() and file.is_file():
            status = file.stat()
            if checksums.sha256(file, status.st_size, status.st_mtime_ns) != shelf.get(0)["sha256"][0]:
                raise InputError(f"{file}: not the file that was made; delete it, and it is made again")
            return file
        if settings.trunk == "imagenet":
            source = checkpoint_files.untrained_trunk_file(settings)
            checkpoint_files.check_exist([source])
            trunk = checkpoints.read_trunk(source)
        else:
            trunk = bn_inception.seeded_trunk(derived_seed(settings.seed, "seeded trunk"))
            images = torch.stack([network_input(open_image(item.path)) for item in calibration_items(settings)])
            bn_inception.calibrate_batchnorm(trunk, images)
        checkpoints.save(bn_inception.ready_for_inference(trunk).state_dict(), file)
        status = file.stat()
        shelf.put(0, sha256=[checksums.sha256(file, status.st_size, status.st_mtime_ns)])
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
    return Stage("networks", "network", jobs, [log, *(Checkpoint(settings, shelf) for _, shelf in whole)])


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
            trunk = shared_trunk(self.settings)
            checkpoints.save_checkpoint(self.shelf.of.files()[0].parent, trunk, embedder)
