"""Run the paper's two settings on mock versions of all real inputs.

mock_run.py FOLDER: clones the repository into FOLDER and puts mock inputs in place, in the real formats, counts and
names, but with random checkpoints and tiny pictures. Then it runs the commands of docs/paper.md
there, for settings/paper.yaml and settings/released.yaml as they are. Ends with exit status 1 unless every table
of the paper is made without a missing cell. Only some of the listed images exist, so that it does not take years:
hence --allow-partial. The numbers mean nothing.
"""

import argparse
import random
import re
import subprocess
import sys
from pathlib import Path

import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dml_analysis import paper
from dml_analysis.config import DIMENSIONS
from dml_analysis.networks import bn_inception, checkpoints, modules
from dml_analysis.networks.descriptions import BN_INCEPTION
from dml_analysis.reality_check.input_checks import CONFIG_NAMES
from dml_analysis.training.losses import training_loss
from tests import fake_data, mock_inputs
from tests.networks import seeded_trunk


def make(folder, images=None, cars=None, trunks=4):
    """All inputs at the default paths below `folder`.

    images, cars: how many picture files of each dataset's test classes, and of the rendered cars, are there; all that
    the annotations list by default. trunks: how many different trunks the 168 checkpoints share.
    """
    data = folder / "data"
    mock_inputs.make_cars196(data / "Cars196", images)
    mock_inputs.make_cub200(data / "CUB_200_2011", images)
    mock_inputs.make_sop(data / "Stanford_Online_Products", images)
    make_rendered_cars(data / "rendered_cars" / "3D cars dataset", cars)
    make_checkpoints(folder / "reality_check" / "models", trunks)
    (folder / "MOCK_RUN.txt").write_text(
        "Random networks and made-up pictures: no number in this folder means anything.\n"
    )


# ---------------------------------------------------------------------------------------------------------------------
# Inputs.
# ---------------------------------------------------------------------------------------------------------------------
def make_rendered_cars(folder, count):
    """The authors' folder: 100,000 rows; the first `count` frames have a picture of what their row says."""
    fake_data.make_cars(folder, count or 1)
    rng = random.Random("rows")
    with open(folder / "samples.csv", "a", newline="") as file:
        for frame in range((count or 1) + 1, mock_inputs.FRAMES + 1):
            file.write(
                ",".join(map(str, [frame, *(rng.choice(prop.values) for prop in paper.PROPERTIES)]))
                + "\n"
            )
    if count is None:
        mock_inputs.link_frames(folder / "images")


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
    networks = [
        (model, dataset, fold)
        for model in paper.MODELS
        for dataset in model.runs
        for fold in paper.FOLDS
    ]
    for number, (model, dataset, fold) in enumerate(networks):
        experiment = models / paper.experiment_folder(model, dataset)
        saved = experiment / paper.FOLD_FOLDER.format(fold=fold) / "saved_models"
        embedder = modules.seeded(
            number, lambda: modules.Embedder(BN_INCEPTION.outputs, DIMENSIONS)
        )
        checkpoints.save_checkpoint(saved, shared[number % trunks], embedder)
        write_config(experiment / "configs", model, dataset)
    for file in shared:
        file.unlink()


def checkpoint_input(number):
    return bn_inception.network_input(mock_inputs.picture(random.Random(number)))


def imagenet_state(trunk):
    """As some copies have it: with the classification layer, and BatchNorm tensors of shape [1, C]."""
    state = {
        name: v[None] if "_bn." in name and v.ndim == 1 else v
        for name, v in trunk.state_dict().items()
    }
    layer = torch.nn.Linear(BN_INCEPTION.outputs, 1000)
    return state | {
        "last_linear.weight": layer.weight.detach(),
        "last_linear.bias": layer.bias.detach(),
    }


def write_config(folder, model, dataset):
    folder.mkdir(parents=True, exist_ok=True)
    function = type(training_loss(model, dataset, classes=2, dimensions=2).function).__name__
    blocks = {
        "loss_funcs": {"metric_loss": {function: {}}},
        "dataset": {CONFIG_NAMES[dataset]: None},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(blocks))


# ---------------------------------------------------------------------------------------------------------------------
# The paper's runs.
# ---------------------------------------------------------------------------------------------------------------------
def documented_commands():
    """The scripts of docs/paper.md, in order, without those that put inputs in place."""
    text = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    return list(dict.fromkeys(re.findall(r"python ((?!data)\w+/\d\w+\.py)", text)))


def run_paper(clone, settings):
    """Run the commands of docs/paper.md in the clone; raises RuntimeError at the first that fails."""
    for script in documented_commands():
        print(
            f"\n$ python {script} --settings settings/{settings}.yaml --allow-partial", flush=True
        )
        command = [
            sys.executable,
            script,
            "--settings",
            f"settings/{settings}.yaml",
            "--allow-partial",
        ]
        done = subprocess.run(command, cwd=clone, stdout=subprocess.PIPE, text=True)
        print("".join(done.stdout.splitlines(keepends=True)[-25:]), flush=True)
        expected = 1 if script == "reality_check/1_check_inputs.py" else 0
        broken = [
            line for line in done.stdout.splitlines() if line.startswith(("MISSING", "BROKEN"))
        ]
        if done.returncode != expected or (
            expected and not (len(broken) == 1 and "not 52deb4733" in broken[0])
        ):
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of the clone; must not exist")
    parser.add_argument(
        "--images", type=int, default=2, help="test images of each dataset [%(default)s]"
    )
    parser.add_argument("--cars", type=int, default=120, help="rendered cars [%(default)s]")
    parser.add_argument(
        "--trunks", type=int, default=4, help="different trunks (41 MB each) [%(default)s]"
    )
    parser.add_argument(
        "--settings", nargs="+", default=["released", "paper"], help="[%(default)s]"
    )
    options = parser.parse_args()
    subprocess.run(["git", "clone", "--quiet", ROOT, options.folder], check=True)
    make(options.folder, options.images, options.cars, options.trunks)
    for settings in options.settings:
        run_paper(options.folder, settings)
        check_tables(options.folder, settings)


if __name__ == "__main__":
    main()
