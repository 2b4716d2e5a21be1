"""The demo's networks: one trunk that is never trained, and per loss and fold an embedder trained on its features."""

import torch
import yaml
from tqdm import tqdm

import safe_files
import utils
from reality_check import checkpoint_files, checkpoints, datasets, training
from reality_check.images import open_image
from reality_check.losses import hyperparameters
from reality_check.network import calibrate_batchnorm, features_of, ready_for_inference, seeded_trunk
from reality_check.transforms import network_input
from utils import InputError

BATCH_SIZE = 25  # no setting: rounding depends on it, and training makes other networks of other rounding
LOG_COLUMNS = ("loss", "dataset", "fold", "validation_map_at_r", "iteration")


def train(settings, todo):
    """Train the networks of todo, a list of (loss, dataset, fold), and write their checkpoints.

    The validation MAP@R of each is added to training.csv in the models folder.
    """
    for dataset in dict.fromkeys(dataset for _, dataset, _ in todo):
        items = [
            item for part in ("train", "validation") for item in datasets.load_items(settings, dataset, part, fold=0)
        ]
        datasets.check_images(items)
        images = torch.stack([network_input(open_image(item.path)) for item in tqdm(items, desc="reading images")])
        trunk_file = shared_trunk(settings, images)
        trunk = ready_for_inference(checkpoints.read_trunk(trunk_file))
        features = trunk_features(trunk, images)
        by_id = {item.image_id: row for item, row in zip(items, features)}
        cells = [cell for cell in todo if cell[1] == dataset]
        parts = {
            fold: [labelled_features(settings, dataset, part, fold, by_id) for part in ("train", "validation")]
            for fold in dict.fromkeys(fold for *_, fold in cells)
        }
        for loss, _, fold in tqdm(cells, desc=f"training on {dataset}", unit="network"):
            seed = utils.derived_seed(settings.seed, "training", loss.name, dataset, fold)
            embedder, score, iteration = training.train_embedder(loss, dataset, *parts[fold], settings.training, seed)
            write_network(settings, loss, dataset, fold, trunk_file, embedder)
            add_to_log(settings, (loss.name, dataset, fold, round(score, 4), iteration))


def shared_trunk(settings, images):
    """The file of the trunk that all demo networks share, made from `images` (n, 3, H, W) if it is not there yet."""
    file = settings.paths["models"] / f"{settings.trunk}_trunk.pth"
    if not file.is_file():
        if settings.trunk == "imagenet":
            source = checkpoint_files.untrained_trunk_file(settings)
            if not source.is_file():
                raise InputError(f"{source}: missing; `trunk: imagenet` needs it, `trunk: seeded` does not")
            trunk = checkpoints.read_trunk(source)
        else:
            trunk = seeded_trunk(utils.derived_seed(settings.seed, "seeded trunk"))
            calibrate_batchnorm(
                trunk, torch.stack(datasets.evenly_spaced(images, settings.training.calibration_images))
            )
        checkpoints.save_trunk(ready_for_inference(trunk).state_dict(), file)
    return file


def trunk_features(trunk, images):
    """Features (n, 1024) of images (n, 3, H, W)."""
    batches = images.split(BATCH_SIZE)
    return torch.cat([features_of(trunk, batch) for batch in tqdm(batches, desc="trunk features", unit="batch")])


def labelled_features(settings, dataset, part, fold, features_by_id):
    items = datasets.load_items(settings, dataset, part, fold)
    features = torch.stack([features_by_id[item.image_id] for item in items])
    return features, torch.tensor([item.label for item in items])


def write_network(settings, loss, dataset, fold, trunk_file, embedder):
    """The checkpoint, and beside it how it was made, in the run's configs folder."""
    folder = utils.saved_models_folder(settings, loss, dataset, fold)
    config = {
        "loss": loss.name,
        "dataset": dataset,
        "hyperparameters": hyperparameters(loss, dataset),
        "trunk": settings.trunk,
        "training": settings.training._asdict(),
    }
    safe_files.write_text(folder.parents[1] / "configs" / "demo.yaml", yaml.safe_dump(config, sort_keys=False))
    checkpoints.save_checkpoint(folder, trunk_file, embedder)


def add_to_log(settings, row):
    """Add a row to training.csv in the models folder, in the place of an earlier row of the same network."""
    file = settings.paths["models"] / "training.csv"
    rows = [tuple(r.values()) for r in safe_files.read_rows(file)] if file.is_file() else []
    rows = [r for r in rows if r[:3] != tuple(map(str, row[:3]))] + [row]
    safe_files.write_rows(file, [LOG_COLUMNS, *rows])
