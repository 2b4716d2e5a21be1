"""Stand-ins for all real inputs, and the paper's two runs on them.

stand_in.py FOLDER: clones the repository into FOLDER, puts into the clone what data/README.md asks for, in the real
formats, counts and names, but with random checkpoints and tiny pictures, and runs the commands of the README's section
"Run it for the paper" there, for settings/paper.yaml and settings/released.yaml as they are. Ends with exit status 1
unless every table of the paper is made without a missing cell. Of the images listed only some are there, lest it take
years: hence --allow-partial. The numbers mean nothing.
"""

import argparse
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import utils
from common.settings import DIMENSIONS
from data.datasets import SPLITS, evenly_spaced
from reality_check import bn_inception, checkpoints, modules
from reality_check.architecture import BN_INCEPTION
from reality_check.inputs import CONFIG_NAMES
from reality_check.losses import training_loss
from tests import fake_data
from tests.networks import seeded_trunk

SOP_KINDS = "bicycle cabinet chair coffee_maker fan kettle lamp mug sofa stapler table toaster".split()
LINKS = 20_000  # names of one file, of which file systems allow only so many


def make(folder, images=None, cars=None, trunks=4):
    """All inputs at the default paths below `folder`.

    images, cars: how many picture files of each dataset's test classes, and of the rendered cars, are there; all that
    the annotations list by default. trunks: how many different trunks the 168 checkpoints share.
    """
    data = folder / "data"
    for make_dataset in (make_cars196, make_cub200, make_sop):
        make_pictures(*make_dataset(data), images)
    make_rendered_cars(data / "rendered_cars" / "3D cars dataset", cars)
    make_checkpoints(folder / "reality_check" / "models", trunks)
    (folder / "STAND_IN.txt").write_text(
        "Random networks and made-up pictures: no number in this folder means anything.\n"
    )


# ---------------------------------------------------------------------------------------------------------------------
# Datasets. Each returns the folder of its pictures, their names, their classes, and the first class for testing.
# ---------------------------------------------------------------------------------------------------------------------
def labels_of(dataset):
    """A class (from 1) for every image of a dataset, in order, with its true numbers of images and of test images."""
    split = SPLITS[dataset]
    first, n = split.first_test_class, split.images - split.test_images
    training = [1 + i * first // n for i in range(n)]
    classes, n = split.classes - first, split.test_images
    return training + [1 + first + i * classes // n for i in range(n)]


def make_cars196(data):
    folder, labels = data / "Cars196", labels_of("Cars196")
    names = [f"car_ims/{i:06}.jpg" for i in range(1, len(labels) + 1)]
    boxes = {name: [1] * len(names) for name in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")}
    classes = {"class": labels, "test": [i % 2 for i in range(len(names))]}
    models = np.array([f"Maker Model {c} 20{c % 13:02}" for c in range(1, 197)], dtype=object)
    extra = {"class_names": models.reshape(1, -1)}
    fake_data.annotations(folder / "cars_annos.mat", extra, relative_im_path=names, **boxes, **classes)
    return folder, names, labels, SPLITS["Cars196"].first_test_class + 1


def make_cub200(data):
    folder, labels = data / "CUB_200_2011", labels_of("CUB200")
    names = [f"{label:03}.Grey_Bird_{label}/Grey_Bird_{i:04}_{796000 + i}.jpg" for i, label in enumerate(labels, 1)]
    folder.mkdir(parents=True)
    columns = {
        "images.txt": names,
        "image_class_labels.txt": labels,
        "train_test_split.txt": [i % 2 for i in range(len(names))],
        "bounding_boxes.txt": ["1.0 1.0 60.0 40.0"] * len(names),
    }
    for file, values in columns.items():
        (folder / file).write_text("".join(f"{i} {value}\n" for i, value in enumerate(values, 1)))
    (folder / "classes.txt").write_text("".join(f"{c} {c:03}.Grey_Bird_{c}\n" for c in range(1, 201)))
    return folder / "images", names, labels, SPLITS["CUB200"].first_test_class + 1


def make_sop(data):
    folder, labels = data / "Stanford_Online_Products", labels_of("SOP")
    rows = [
        (i, label, 1 + label % 12, f"{SOP_KINDS[label % 12]}_final/{111085122871 + label}_{i % 8}.JPG")
        for i, label in enumerate(labels, 1)
    ]
    folder.mkdir(parents=True)
    for name, tested in (("Ebay_train.txt", False), ("Ebay_test.txt", True)):
        lines = [" ".join(map(str, row)) for row in rows if (row[1] > SPLITS["SOP"].first_test_class) == tested]
        (folder / name).write_text("image_id class_id super_class_id path\n" + "\n".join(lines) + "\n")
    return folder, [row[3] for row in rows], labels, SPLITS["SOP"].first_test_class + 1


def make_pictures(folder, names, labels, first_test_class, count):
    """Tiny pictures under the names of `count` test images, two of a class each; without a count, under all names."""
    chosen = names
    if count is not None:
        pairs = [i for i, (a, b) in enumerate(zip(labels, labels[1:])) if a == b >= first_test_class]
        chosen = [names[i + j] for i in evenly_spaced(pairs, -(-count // 2)) for j in (0, 1)][:count]
    for number, name in enumerate(chosen):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if count is None and number % LINKS:
            os.link(folder / chosen[number - number % LINKS], folder / name)
        else:
            picture(random.Random(name)).save(folder / name, format="JPEG")


def picture(rng):
    """64 x 48 pixels of smooth colours."""
    pixels = bytes(rng.randrange(256) for _ in range(4 * 3 * 3))
    return Image.frombytes("RGB", (4, 3), pixels).resize((64, 48), Image.Resampling.BICUBIC)


def make_rendered_cars(folder, count, listed=100_000):
    """The authors' folder: 100,000 rows; the first `count` frames have a picture of what their row says."""
    fake_data.make_cars(folder, count or 1)
    rng = random.Random("rows")
    with open(folder / "samples.csv", "a", newline="") as file:
        for frame in range((count or 1) + 1, listed + 1):
            file.write(",".join(map(str, [frame, *(rng.choice(prop.values) for prop in utils.PROPERTIES)])) + "\n")
    for frame in range(2, listed + 1) if count is None else ():
        first = folder / "images" / f"{1 + (frame - 1) // LINKS * LINKS}.png"
        if frame % LINKS == 1:
            first.write_bytes((folder / "images" / "1.png").read_bytes())
        else:
            os.link(first, folder / "images" / f"{frame}.png")


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints.
# ---------------------------------------------------------------------------------------------------------------------
def make_checkpoints(models, trunks):
    """42 experiments of four folds each, and the ImageNet file, which can have the true one's name but not its sha256."""
    models.mkdir(parents=True, exist_ok=True)
    shared = [models / f".trunk{number}.pth" for number in range(trunks + 1)]
    pictures = torch.stack([checkpoint_input(number) for number in range(20)])
    for number, file in enumerate(shared):
        trunk = modules.calibrate_batchnorm(seeded_trunk(number), pictures)
        checkpoints.save(trunk.state_dict() if file != shared[-1] else imagenet_state(trunk), file)
    shared.pop().rename(models / "bn_inception-52deb4733.pth")
    networks = [(model, dataset, fold) for model in utils.MODELS for dataset in model.runs for fold in utils.FOLDS]
    for number, (model, dataset, fold) in enumerate(networks):
        experiment = models / utils.experiment_folder(model, dataset)
        saved = experiment / utils.FOLD_FOLDER.format(fold=fold) / "saved_models"
        embedder = modules.seeded(number, lambda: modules.Embedder(BN_INCEPTION.outputs, DIMENSIONS))
        checkpoints.save_checkpoint(saved, shared[number % trunks], embedder)
        write_config(experiment / "configs", model, dataset)
    for file in shared:
        file.unlink()


def checkpoint_input(number):
    return bn_inception.network_input(picture(random.Random(number)))


def imagenet_state(trunk):
    """As some copies have it: with the classification layer, and BatchNorm tensors of shape [1, C]."""
    state = {name: v[None] if "_bn." in name and v.ndim == 1 else v for name, v in trunk.state_dict().items()}
    layer = torch.nn.Linear(BN_INCEPTION.outputs, 1000)
    return state | {"last_linear.weight": layer.weight.detach(), "last_linear.bias": layer.bias.detach()}


def write_config(folder, model, dataset):
    folder.mkdir(parents=True, exist_ok=True)
    function = type(training_loss(model, dataset, classes=2, dimensions=2).function).__name__
    blocks = {"loss_funcs": {"metric_loss": {function: {}}}, "dataset": {CONFIG_NAMES[dataset]: None}}
    (folder / "config.yaml").write_text(yaml.safe_dump(blocks))


# ---------------------------------------------------------------------------------------------------------------------
# The paper's runs.
# ---------------------------------------------------------------------------------------------------------------------
def readme_commands():
    """The scripts of the README's section on the paper's run, in order, without those that put inputs in place."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Run it for the paper")[1].split("\n## ")[0]
    return list(dict.fromkeys(re.findall(r"python ((?!data)\w+/\d\w+\.py)", section)))


def run_paper(clone, settings):
    """Run the README's commands in the clone; raises RuntimeError at the first that fails."""
    for script in readme_commands():
        print(f"\n$ python {script} --settings settings/{settings}.yaml --allow-partial", flush=True)
        command = [sys.executable, script, "--settings", f"settings/{settings}.yaml", "--allow-partial"]
        done = subprocess.run(command, cwd=clone, stdout=subprocess.PIPE, text=True)
        print("".join(done.stdout.splitlines(keepends=True)[-25:]), flush=True)
        expected = 1 if script == "reality_check/1_check_inputs.py" else 0
        broken = [line for line in done.stdout.splitlines() if line.startswith(("MISSING", "BROKEN"))]
        if done.returncode != expected or (expected and not (len(broken) == 1 and "not 52deb4733" in broken[0])):
            raise RuntimeError(f"{script} ended with status {done.returncode}")


def check_tables(clone, settings):
    """Every table of the paper is there, and has no missing cell. Raises RuntimeError."""
    protocol = settings  # the two files are named by theirs
    for number in range(1, 7):
        file = clone / "results" / settings / protocol / "tables" / f"table{number}.md"
        if not file.is_file() or "missing" in file.read_text(encoding="utf-8"):
            raise RuntimeError(f"{file}: does not exist, or has missing cells")
    print(f"settings/{settings}.yaml: Tables 1 to 6 exist, without a missing cell")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the clone; must not exist")
    parser.add_argument("--images", type=int, default=2, help="test images of each dataset [%(default)s]")
    parser.add_argument("--cars", type=int, default=120, help="rendered cars [%(default)s]")
    parser.add_argument("--trunks", type=int, default=4, help="different trunks (41 MB each) [%(default)s]")
    parser.add_argument("--settings", nargs="+", default=["released", "paper"], help="[%(default)s]")
    options = parser.parse_args()
    subprocess.run(["git", "clone", "--quiet", ROOT, options.folder], check=True)
    make(options.folder, options.images, options.cars, options.trunks)
    for settings in options.settings:
        run_paper(options.folder, settings)
        check_tables(options.folder, settings)


if __name__ == "__main__":
    main()
