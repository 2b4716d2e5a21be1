"""The demo's networks: one trunk that is never trained, and per model and fold an embedder trained on its features.

Two stages: the trunk's features of all training images, then the embedders. Their shelves are in the models folder, where
their checkpoints, in the Reality Check's layout, are written from them.
"""

from functools import partial
from itertools import product
from typing import NamedTuple

from common import checksums, safe_files
from common.array_files import Array
from common.errors import InputError
from common.seeds import derived_seed, described
from common.settings import BN_INCEPTION, Settings, unlike_defaults
from common.shelf import Job, Shelf, Stage, View, blocks, no_trial
from data import checkpoint_files, contents, datasets
from reality_check import sources
from reality_check.hyperparameters import hyperparameters
from reality_check.networks import networks_of, seen, trunk_source

BATCH_SIZE = 25  # no setting: rounding depends on it, and training makes other networks of other rounding
BATCHES_PER_PART = 4
FEWEST_CLASSES = 2  # to train on, and to validate by
LOG_COLUMNS = {"loss": str, "dataset": str, "fold": int, "validation_map_at_r": float, "iteration": int}


# ---------------------------------------------------------------------------------------------------------------------
# The trunk and its features.
# ---------------------------------------------------------------------------------------------------------------------
def training_items(settings, dataset):
    """The images of all classes for training and validation. Raises InputError if the settings train nothing."""
    if settings.training is None:
        raise InputError(f"settings {settings.name!r} have no `training:` block: their networks are downloaded")
    return [item for part in ("train", "validation") for item in datasets.load_items(settings, dataset, part, fold=0)]


def trunk_made_of(settings):
    """What the shared trunk is made of: BN-Inception's ImageNet file, or whatever builds another."""
    source = trunk_source(settings)
    if source.network == BN_INCEPTION:
        return {"trunk": checksums.short(settings, settings.paths["imagenet_trunk"])}
    found = source.description(settings)
    return source.made_of(settings) | seen(found) | {"weights": found.weights}


def features_shelf(settings, dataset):
    """The features (f,) that the trunk gives, a row for each image of all classes for training and validation."""
    items = training_items(settings, dataset)
    ids, features = datasets.ids_of(items), trunk_source(settings).description(settings).outputs
    arrays = {"features": Array("f4", (features,))}
    made_of = {"images": contents.described(settings, items), **trunk_made_of(settings)}
    folder = settings.paths["models"] / "training" / "features" / dataset
    return Shelf(folder, made_of, blocks(ids, BATCH_SIZE * BATCHES_PER_PART), arrays, items)


def features_stage(settings):
    """The features of all datasets' training images. Raises InputError if a fold has too few classes."""
    for dataset in settings.datasets:
        _check_classes(settings, dataset)
    shelves = [features_shelf(settings, dataset) for dataset in settings.datasets]
    items = [item for shelf in shelves for item in shelf.of]
    # A trial would make the trunk.
    jobs = [Job([shelf], partial(make_features, settings), trial=no_trial) for shelf in shelves]
    keep = partial(_keep, settings, [shelf.of for shelf in shelves])
    return Stage("trunk features", "image", jobs, keep=keep, check=lambda todo: datasets.check_images(items))


def _check_classes(settings, dataset):
    training_items(settings, dataset)  # of settings that train nothing it says so
    for fold, part in product(settings.folds, ("train", "validation")):
        if len({item.label for item in datasets.some_items(settings, dataset, part, fold)}) < FEWEST_CLASSES:
            raise InputError(f"{settings.paths[dataset]}: fold {fold} has fewer than {FEWEST_CLASSES} {part} classes")


def _keep(settings, lists):
    """What is known of the images and of the trunk, for when they are gone."""
    contents.keep(settings, lists)
    sources.keep(settings, [trunk_source(settings)])


def make_features(settings, shelves, number, tick):
    """A part of the features; see Job.make."""
    import torch  # it takes seconds to load

    from reality_check.loading import load_trunk
    from reality_check.modules import features_of
    from reality_check.transforms import network_inputs

    (shelf,), features = shelves, []
    source = trunk_source(settings)
    trunk = load_trunk(source, source.description(settings), shared_trunk(settings))
    for some in blocks(blocks(shelf.of, BATCH_SIZE * BATCHES_PER_PART)[number], BATCH_SIZE):
        features.append(features_of(trunk.module, torch.stack(list(network_inputs(some, trunk.transform)))))
        tick(len(some))
    return [{"features": torch.cat(features)}]


def shared_trunk(settings):
    """The file of the trunk that all demo networks share, made if it does not exist yet.

    Raises InputError if it was made of something else, or is not the file that was made.
    """
    from reality_check import checkpoints, loading

    file, folder = checkpoint_files.shared_trunk_file(settings), settings.paths["models"] / "training" / "trunk"
    shelf = Shelf(folder, trunk_made_of(settings), [[file.name]], {"sha256": Array("U64")})
    with safe_files.locked(file):
        if shelf.is_whole() and file.is_file():
            status = file.stat()
            if checksums.sha256(file, status.st_size, status.st_mtime_ns) != shelf.get(0)["sha256"][0]:
                raise InputError(f"{file}: not the file that was made; delete it, and it is made again")
            return file
        trunk, _ = loading.build(trunk_source(settings))
        if settings.trunk == BN_INCEPTION:
            checkpoints.fill(trunk, settings.paths["imagenet_trunk"])
        checkpoints.save(trunk.state_dict(), file)
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
    arrays = {"weight": Array("f4", (network.dimensions, network.features)), "bias": Array("f4", (network.dimensions,)),
              "validation_map_at_r": Array("f8"), "iteration": Array("i8")}  # fmt: skip
    folder = settings.paths["models"] / "training" / "embedders" / network.path
    return Shelf(folder, made_of, [[network.name]], arrays, network, network.labels)


def shelves_of(settings):
    """(shelf of the features, shelf of the embedder) of every network that is trained here."""
    features = {dataset: features_shelf(settings, dataset) for dataset in settings.datasets}
    networks = [each for dataset in settings.datasets for each in networks_of(settings, dataset, settings.folds)]
    trained = [each for each in networks if each.model.trained and not each.model.is_own]
    return [(features[each.dataset], shelf_of(each, features[each.dataset])) for each in trained]


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
        files = [*self.shelf.of.files(), checkpoint_files.shared_trunk_file(self.settings)]
        if self.shelf.is_whole() and not all(file.is_file() for file in files):
            import torch

            from reality_check import checkpoints, modules

            arrays = {name: torch.from_numpy(array) for name, array in self.shelf.get(0, "weight", "bias").items()}
            embedder = modules.Embedder(*reversed(arrays["weight"][0].shape))
            embedder.net[0].load_state_dict({name: array[0] for name, array in arrays.items()})
            trunk = shared_trunk(self.settings)
            checkpoints.save_checkpoint(self.shelf.of.files()[0].parent, trunk, embedder)
