"""What a script says of bad input: one line, `error: ...`, that names the file or the setting and what is wrong.

Each case spoils one thing in a small project; a numbered script then has to end in that line with exit status 1, without
a traceback, and with the results of earlier scripts untouched. A case is (what is spoilt, script, what the line must say,
how to spoil it, options of the script). Networks of one's own have cases in test_own_models.py, archives in test_prepare.py,
the renderer in test_rendering.py, and results that were made of other things in test_survival.py.
"""

import io
import json
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
import torch
import yaml
from PIL import Image

from dml_analysis.config import load_settings
from dml_analysis.networks import sources
from dml_analysis.networks.specifications import network_of
from tests import fake_data, mock_inputs
from tests.conftest import ROOT, first_embedder, snapshot

PREPARE, LIST = "data/1_prepare.py", "data/4_list_images.py"
CHECK, TRAIN, EVALUATE = (
    f"reality_check/{name}.py" for name in ("1_check_inputs", "2_train_models", "3_evaluate_models")
)
MAPS, COMPARE, TABLES, PLOT = (
    f"saliency/{name}.py"
    for name in ("1_compute_maps", "2_compare_maps", "3_make_tables", "4_plot_maps")
)
EMBED, SCORE, SCORE_TABLES, PLOT_EMBEDDINGS, PROBE = (
    f"properties/{name}.py"
    for name in (
        "2_embed_cars",
        "3_score_properties",
        "4_make_tables",
        "5_plot_embeddings",
        "6_probe_features",
    )
)
REPORT = "report/1_list_results.py"
MARKER = "something was executed"  # the name of a file that would be there then


# ---------------------------------------------------------------------------------------------------------------------
# Settings: the whole file, in text or bytes.
# ---------------------------------------------------------------------------------------------------------------------
def bomb(levels=9):
    """Lists of lists of lists, by aliases: 10^levels words."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    return "\n".join(
        lines + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    )


def own(keys):
    """Settings with a model of one's own that has these keys."""
    return f"models: [{{name: A, group: B, {keys}}}]\n"


SETTINGS = {  # one for each kind of mistake; those in sweeps are in test_factors.py
    # The file.
    "a comment alone": ("# protocol: paper\n", "not a YAML file (empty"),
    "a tab": ("saliency:\n\timages: 3\n", "not a YAML file"),
    "Latin-1": ("# für alle\nseed: 1\n".encode("latin-1"), "not a YAML file"),
    "too large": ("# " + "x" * 10**6, "not a YAML file (1000002 bytes"),
    "bomb": (bomb(), "not a YAML file (more than 100000 values)"),
    "list in itself": ("datasets: &a [*a]\n", "not a YAML file (maximum recursion depth exceeded"),
    "code": (f"seed: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{MARKER}']]", "the tag"),
    "key twice": ("saliency: {images: 3, images: 4}\n", "line 1: the key 'images' is listed twice"),
    # A key, and its value.
    "unknown key": ("nois: 3\n", "nois: unknown key; known: protocol, seed"),
    "unknown key in a block": ("saliency: {noise_sample: 1}\n", "saliency.noise_sample: unknown key; did you mean noise_samples"),
    "key that is not the user's": ("unnarrowed: 3\n", "unnarrowed: unknown key; leave it out"),
    "no block": ("saliency: 3\n", "saliency: 3 is not allowed; give a block of `key: value` lines"),
    "word for a number": ("seed: 1:30\n", "seed: '1:30' is not allowed; give a whole number"),
    "true for a number": ("seed: true\n", "seed: True is not allowed; give a whole number"),
    "too few": ("saliency: {images: 0}\n", "saliency.images: 0 is not allowed; give a number of at least 1"),
    "NaN": ("saliency: {noise_sigma: .nan}\n", "saliency.noise_sigma: nan is not allowed; give a number above 0"),
    "not one of some": ("training: {optimizer: rmsprop}\n", "training.optimizer: 'rmsprop' is not allowed; give 'RMSprop', 'Adam'"),
    "text of another form": ("device: auto:5\n", "device: 'auto:5' is not allowed; give auto, cpu, cuda, cuda:<number> or mps"),
    "one for a list": ("datasets: SOP\n", "datasets: 'SOP' is not allowed; give a list"),
    "value twice": ("folds: [0, 1, 0]\n", "folds: [0, 1, 0] is not allowed; give a list of one or more, each once"),
    "a rate or a list of some": ("training: {learning_rate: [0.1, 0]}\n", "training.learning_rate: [0.1, 0] is not allowed; give a number above 0"),
    "wrong key of a mapping": ("tables: {7: SOP}\n", "tables.7: 7 is not allowed; give 2, 3 or 4"),
    "name that reads as missing": ("datasets: [NA]\npaths: {NA: c}\n", "datasets.0: 'NA' is not allowed; give a name of letters"),
    "number as a path": ("paths: {models: 5}\n", "paths.models: 5 is not allowed; give a path"),
    # Two keys that contradict each other.
    "path of no dataset": ("datasets: [SOP]\npaths: {SOPs: c}\n", "paths.SOPs: unknown key; did you mean SOP"),
    "dataset without a path": ("datasets: [Cars]\n", "datasets: 'Cars' is none of SOP, Cars196, CUB200, SyntheticCars, RenderedCars; for one of your own, give its folder"),
    "t-SNE of no model": ("properties: {tsne_model: Softmax}\n", "properties.tsne_model: 'Softmax' is not allowed; give one of Contrastive"),
    "networks that are not trained": ("datasets: [SOP]\ntraining: {iterations: 50}\n", "properties.networks: 'Cars196' is not allowed; give one of SOP, as only"),
    "never checked": ("training: {iterations: 5, check_every: 6}\n", "training.check_every: 6 is more than iterations (5)"),
    "filler without embeddings": ("training: {filler: fid_matched, keep_embeddings: false}\n", "training.filler: fid_matched needs the embeddings of validation steps"),
    # The models.
    "unknown model": ("models: [Contrastiv]\n", "unknown model 'Contrastiv'; known: Contrastive"),
    "model twice": ("models: [None, Untrained]\n", "models: 'Untrained' is listed twice; keep one"),
    "too many models": (f"models: [{'ArcFace, ' * 600}]\n", "models: 600 of them; give 1 to 500"),
    "file of models": ("models: models.yaml\n", "models.yaml: missing; it must contain a list of models"),
    "loss without training": (own("loss: c"), "models: A: a `loss` is for training; add a `training:` block"),
    "miner without loss": (own("network: 'a:b', miner: c"), "models.'A': `miner` is for models with a `loss`"),
    "loss on a folder": (own("loss: c, network: runs"), "training begins with module:function or timm:name"),
    "loss arguments in a list": (own("loss: c, loss_arguments: {a: [1]}"), "models.'A'.loss_arguments.a: [1] is not allowed; give a number or a word"),
}  # fmt: skip


@pytest.mark.parametrize("content, message", SETTINGS.values(), ids=SETTINGS)
def test_settings(tmp_path, fails, content, message):
    file = tmp_path / "tiny.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    line = fails(MAPS, file)
    assert line.startswith(f"error: {file}: ") or "models.yaml" in message
    assert message in line and len(line) < 1000
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"] and not (
        ROOT / MARKER
    ).exists()


def edit_settings(**changes):
    return lambda folder: fake_data.write_settings(folder, **changes)


def replaced(name, make):
    """Something else in the place of a file or folder: make(path) puts it there."""

    def spoil(folder):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        make(path)

    return spoil


def nowhere(path):
    path.symlink_to(path.with_name("nowhere"))


def loop(path):
    path.symlink_to(path)


def a_file(path):
    path.write_text("a file")


CASES = [
    ("settings that are not there", MAPS, "tiny.yaml: missing; see the folder settings/", lambda folder: (folder / "tiny.yaml").unlink()),
    ("settings that are a folder", MAPS, "tiny.yaml: not a YAML file (a folder)", replaced("tiny.yaml", Path.mkdir)),
    ("settings that are a pipe", MAPS, "tiny.yaml: not a YAML file (not a regular file)", replaced("tiny.yaml", os.mkfifo)),
    ("model that the settings lack", MAPS, "unknown model 'Triplet'; known: Contrastive, ArcFace, None", None, "--models", "Triplet"),
    ("fold that the protocol leaves out", MAPS, "protocol 'released' compares saliency maps of fold 0 only",
     edit_settings(protocol="released", folds=[0, 2]), "--folds", "2"),
    ("nothing to train", TRAIN, "settings 'tiny' have no `training:` block", edit_settings(training=None)),
    ("precision of another device", MAPS, "precision: tf32 needs an NVIDIA GPU", edit_settings(precision="tf32")),
    ("device that is not there", MAPS, "device: cuda:99 is not available", edit_settings(device="cuda:99")),
    ("results that are a file", MAPS, "results/tiny: Not a directory", replaced("results", a_file)),
    ("models that are a file", MAPS, "trunk_best.pth: missing", replaced("models", a_file)),
    ("cars that are a file", EMBED, "samples.csv: missing", replaced("cars", a_file)),
    ("images of cars that are a file", MAPS, "image is missing", replaced("cars/images", a_file)),
    ("downloads that are a file", PREPARE, "downloads: not a folder", lambda folder: a_file(folder / "downloads") or edit_settings(
        paths={"downloads": str(folder / "downloads")})(folder), "CUB200"),
]  # fmt: skip


@pytest.mark.parametrize("name", ["a\nb.yaml", ".hidden.yaml", "x" * 120 + ".yaml"])
def test_names_of_settings(tmp_path, fails, name):
    """The results have the same name."""
    (tmp_path / name).write_text("seed: 1\n")
    assert "the file's name is that of its results; rename it" in fails(MAPS, tmp_path / name)


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints.
# ---------------------------------------------------------------------------------------------------------------------
BIAS, WEIGHT, VARIANCE = "net.0.bias", "conv1_7x7_s2.weight", "conv1_7x7_s2_bn.running_var"


def own_trunk(folder):
    """The first network's trunk, as a file of its own instead of a link."""
    file = first_embedder(folder).with_name("trunk_best.pth")
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    return file


def edited(edit, of=first_embedder):
    """Spoil a checkpoint: edit(state) returns what to save instead."""

    def spoil(folder):
        file = of(folder)
        torch.save(edit(torch.load(file, weights_only=True)), file)

    return spoil


def tensor(change, names=(BIAS, "last_linear.bias"), of=first_embedder):
    """Put change(tensor) in the place of a tensor, which goes by these names."""
    return edited(lambda state: state | {name: change(state[name]) for name in names}, of)


def written(content, of=first_embedder):
    return lambda folder: of(folder).write_bytes(content)


def cut(file):
    file.write_bytes(file.read_bytes()[:-5000])


class Executed:
    def __reduce__(self):
        return Path.touch, (Path(MARKER),)


def epochs(folder):
    saved = first_embedder(folder).parent
    saved.joinpath("embedder_best.pth").rename(saved / "embedder_best10.pth")
    saved.joinpath("trunk_best.pth").rename(saved / "trunk_best20.pth")


def embedder_that_is(make):
    return lambda folder: replaced(first_embedder(folder).relative_to(folder), make)(folder)


def packed_bomb(folder):
    """What torch has written, packed again, with 200 MB of zeros in it."""
    file = first_embedder(folder)
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, bytes(2 * 10**8) if name.endswith("/0") else content)


NO_CHECKPOINT, NO_TENSOR = (
    "embedder_best.pth: not a readable checkpoint",
    f"({BIAS} is no plain tensor",
)
CASES += [
    ("trunk that is not there", MAPS, "trunk_best.pth: missing", lambda folder: own_trunk(folder).unlink()),
    ("embedder that is a folder", EMBED, "embedder_best.pth: missing", embedder_that_is(Path.mkdir)),
    ("cut trunk", MAPS, "trunk_best.pth: not a readable checkpoint", lambda folder: cut(own_trunk(folder))),
    ("web page for an embedder", EMBED, NO_CHECKPOINT, written(b"<!DOCTYPE html><html>Quota exceeded</html>")),
    ("pickle that executes", EMBED, NO_CHECKPOINT, written(pickle.dumps({"net.0.weight": Executed()}))),
    ("checkpoint that grows", EMBED, f"{NO_CHECKPOINT} (would grow to more than 200 times", packed_bomb),
    ("list for a checkpoint", MAPS, "(holds no state_dict, of tensors by name)", edited(lambda state: [1, 2])),
    ("checkpoint that keeps an epoch", MAPS, "(epoch is no tensor but a int)", edited(lambda state: state | {"epoch": 3})),
    ("tensor that is not there", MAPS, f"has no tensor {BIAS!r}", edited(lambda state: {name: state[name] for name in state if name != BIAS})),
    ("tensor too many", MAPS, "has unknown tensor 'extra'", edited(lambda state: state | {"extra": torch.zeros(1)})),
    ("tensor of another shape", MAPS, f"{BIAS} has shape (64,), but (128,) is needed", tensor(lambda value: value[:64].clone())),
    ("NaN in the trunk", MAPS, f"({WEIGHT} contains NaN", tensor(lambda value: value * np.nan, [WEIGHT], own_trunk)),
    ("int64", MAPS, f"{BIAS} has numbers of torch.int64, but torch.float32 is needed", tensor(torch.Tensor.long)),
    ("sparse", MAPS, NO_TENSOR, tensor(torch.Tensor.to_sparse)),
    ("one number in many places", MAPS, f"({BIAS} shows one number in many places)", tensor(lambda value: value[:1].expand(10**12))),
    ("variance below zero", MAPS, f"({VARIANCE} contains a variance below zero)", tensor(torch.Tensor.neg, [VARIANCE], own_trunk)),
    ("two values of one tensor", EMBED, "last_linear.bias and net.0.bias differ", tensor(lambda value: value + 1, [BIAS])),
    ("trunk and embedder of two epochs", EMBED, "embedder_best20.pth: missing", epochs),
]  # fmt: skip


def config(content):
    """The configuration of the first network's run: text or bytes, or a dictionary."""

    def spoil(folder):
        file = first_embedder(folder).parents[1] / "configs/config.yaml"
        file.parent.mkdir(parents=True)
        content_ = content if isinstance(content, (str, bytes)) else yaml.safe_dump(content)
        file.write_bytes(content_ if isinstance(content_, bytes) else content_.encode())

    return spoil


def imagenet_file(make):
    """Settings whose "None" takes its trunk from a file that make(file, folder) writes; nothing is trained."""

    def spoil(folder):
        file = folder / "bn_inception-52deb4733.pth"
        make(file, folder)
        names = ("models", "results", "figures")
        paths = {name: str(folder / name) for name in names} | {
            "RenderedCars": str(folder / "cars"),
            "imagenet_trunk": str(file),
        }
        fake_data.write_settings(folder, training=None, paths=paths)

    return spoil


CASES += [
    ("run of another loss", CHECK, "config.yaml: names ArcFaceLoss, but the folder is for Contrastive",
     config({"loss_funcs": {"metric_loss": {"ArcFaceLoss": {}}}})),
    ("configuration that is a list", CHECK, "config.yaml: not a YAML file (list", config("- a")),
    ("ImageNet file that is not there", CHECK, '52deb4733.pth: missing; put the trunk of "None" there', imagenet_file(lambda file, folder: None)),
    ("ImageNet file with other content", CHECK, "52deb4733.pth: its sha256 begins",
     imagenet_file(lambda file, folder: shutil.copy(own_trunk(folder), file))),
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# The rendered cars.
# ---------------------------------------------------------------------------------------------------------------------
def samples(edit):
    """Spoil samples.csv: edit(table) returns another."""

    def spoil(folder):
        file = folder / "cars/samples.csv"
        edit(pd.read_csv(file, dtype=str)).to_csv(file, index=False)

    return spoil


def cell(column, value):
    """Another value in the row of frame 2."""
    return samples(
        lambda table: table.assign(**{column: [table[column][0], value, *table[column][2:]]})
    )


def text_of(name, edit):
    """Spoil a file of text: edit(text) returns another, or bytes."""

    def spoil(folder):
        file = folder / name
        content = edit(file.read_text())
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


def lines(edit):
    return text_of("cars/samples.csv", lambda text: "\n".join(edit(text.splitlines())))


def declared(text):
    return lambda folder: (folder / "cars/properties.csv").write_text(text)


SAMPLES = "samples.csv: not a table of frames and Table 5's properties"
CASES += [
    ("no samples", MAPS, "cars/samples.csv: missing", lambda folder: (folder / "cars/samples.csv").unlink()),
    ("empty samples", EMBED, f"{SAMPLES} (empty)", text_of("cars/samples.csv", lambda text: "")),
    ("samples without a row", EMBED, "samples.csv: lists no frame", lines(lambda rows: rows[:1])),
    ("samples in Latin-1", EMBED, SAMPLES, text_of("cars/samples.csv", lambda text: text.replace("Ferrari", "Férrari").encode("latin-1"))),
    ("samples with semicolons", EMBED, f"{SAMPLES} (column 'frame' is missing)", text_of("cars/samples.csv", lambda text: text.replace(",", ";"))),
    ("samples with a column twice", EMBED, "(two columns have the same name)", lines(lambda rows: [row + "," + row.split(",")[0] for row in rows])),
    ("short row", EMBED, "(line 5 has 11 cells, not 12)", lines(lambda rows: [*rows[:4], rows[4].rsplit(",", 1)[0], *rows[5:]])),
    ("open quotes", EMBED, SAMPLES, lines(lambda rows: [*rows[:4], '"' + rows[4], *rows[5:]])),
    ("frame twice", EMBED, "(frame 1 is listed twice)", samples(lambda table: pd.concat([table, table[:1]]))),
    ("frame 2.0", EMBED, "(line 3, column frame: '2.0' is not a whole number)", cell("frame", "2.0")),
    ("Ferari Enzo", SCORE, "(line 3, column model: 'Ferari Enzo' is not one of Ferrari Enzo", cell("model", "Ferari Enzo")),
    ("inf", EMBED, "(line 3, column color_sat: 'inf' is not one of", cell("color_sat", "inf")),
    ("declared values of no property", EMBED, "properties.csv: not a list of properties and their values (line 2, column property: 'wheels'",
     declared("property,values\nwheels,3|4\n")),
    ("declared values that lack some", EMBED, "is not one of Beetle, Mini", declared("property,values\nmodel,Beetle|Mini\n")),
    ("cars of training classes alone", EVALUATE, "no image belongs to a test class", samples(lambda table: table.assign(model="Ferrari Enzo"))),
    ("cars of test classes alone", TRAIN, "no image belongs to a train class of fold 0", samples(lambda table: table.assign(model="Tesla Model S"))),
    ("one class to train on", TRAIN, "fold 0 has fewer than 2 train classes", samples(lambda table: table.assign(model="Ferrari Enzo", rotation_z="0"))),
    ("declared value twice", EMBED, "'0|45|0' is not a list of distinct values", declared("property,values\nrotation_z,0|45|0\n")),
    ("too few classes", EVALUATE, "1 classes (car models, each from every side) are too few",
     lambda folder: samples(lambda table: table.assign(model="Mini", rotation_z="0"))(folder) or declared(
         "property,values\nmodel,Mini\nrotation_z,0\n")(folder)),
    ("image that is not there", EMBED, "7.png: image is missing (1 of the 96", lambda folder: (folder / "cars/images/7.png").unlink()),
    ("image without a row", EMBED, "96.png: has no row in", samples(lambda table: table[:-1])),
    ("5.png and 5.jpg", EMBED, "5.jpg and 5.png show the same frame", lambda folder: shutil.copy(folder / "cars/images/5.png", folder / "cars/images/5.jpg")),
    ("name with a line break", EMBED, "9\\n.png: has no row", lambda folder: shutil.copy(folder / "cars/images/5.png", folder / "cars/images/9\n.png")),
    ("name that is not UTF-8", EMBED, "9\\udcff.png: has no row", lambda folder: shutil.copy(folder / "cars/images/5.png", folder / "cars/images/9\udcff.png")),
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Images.
# ---------------------------------------------------------------------------------------------------------------------
def image(make):
    """Something else in the place of 5.png: make(file) writes it."""
    return replaced("cars/images/5.png", make)


def png(width, height, depth=8, kind=2):
    """The beginning of a PNG file: its header, and no pixel."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


EPS = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n({MARKER}) (w) file\n"
FRAMES = [Image.new("RGB", (9, 9), color) for color in ("red", "blue")]
NO_IMAGE = "5.png: not a readable image"
CASES += [
    ("text for an image", EMBED, NO_IMAGE, image(lambda file: file.write_text("no image"))),
    ("link loop for an image", EMBED, "5.png: image is missing", image(loop)),
    ("cut image", CHECK, NO_IMAGE, lambda folder: cut_image(folder / "cars/images/5.png"), "--deep"),
    ("EPS", EMBED, NO_IMAGE, image(lambda file: file.write_text(EPS))),
    ("16 bits of gray", CHECK, f"{NO_IMAGE} (mode I;16, more than 8 bits a channel)",
     image(lambda file: Image.fromarray(np.full((30, 40), 9000, np.uint16)).save(file)), "--deep"),
    ("16 bits of each colour", EMBED, f"{NO_IMAGE} (mode RGB, more than 8 bits a channel)", image(lambda file: file.write_bytes(png(9, 9, 16)))),
    ("decompression bomb", EMBED, NO_IMAGE, image(lambda file: file.write_bytes(png(60000, 60000)))),
    ("60000 x 1", EMBED, f"{NO_IMAGE} (60000 x 1 pixels", image(lambda file: file.write_bytes(png(60000, 1)))),
    ("several pictures", EMBED, f"{NO_IMAGE} (several pictures in one file)",
     image(lambda file: FRAMES[0].save(file, "GIF", save_all=True, append_images=FRAMES[1:]))),
]  # fmt: skip


def cut_image(file):
    file.write_bytes(file.read_bytes()[:300])


# ---------------------------------------------------------------------------------------------------------------------
# The paper's datasets.
# ---------------------------------------------------------------------------------------------------------------------
def dataset(name, **files):
    """Settings for one of the paper's datasets in folder/data, with these files: name -> text, bytes, or make(file)."""

    def spoil(folder):
        paths = {each: str(folder / each) for each in ("models", "results")} | {
            name: str(folder / "data")
        }
        fake_data.write_settings(
            folder, datasets=[name], models=["None"], paths=paths, properties={"networks": name}
        )
        for place, content in files.items():
            file = folder / "data" / place
            file.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(file)
            else:
                file.write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


def birds(images, labels):
    return dataset("CUB200", **{"images.txt": images, "image_class_labels.txt": labels})


def products(text):
    header = "image_id class_id super_class_id path\n"
    return dataset(
        "SOP",
        **{
            "Ebay_train.txt": header + text if isinstance(text, str) else text,
            "Ebay_test.txt": header,
        },
    )


def cars(**fields):
    """Cars196 in one folder; fields of its annotations, or what is in their place."""

    def annotations(file):
        (file.parent / "car_ims").mkdir()
        mock_inputs.annotations(
            file, **{name: np.array(values, dtype=object) for name, values in fields.items()}
        )

    return dataset("Cars196", **{"cars_annos.mat": annotations})


def struct_of(content):
    """Cars196 with something else in the place of its struct `annotations`."""
    return dataset(
        "Cars196",
        **{"car_ims/1.jpg": b"", "cars_annos.mat": lambda file: scipy.io.savemat(file, content)},
    )


BIRDS, PRODUCTS = (
    "images.txt: not a list of numbered lines",
    "Ebay_train.txt: not a list of images with class_id and path",
)
NO_CARS = "cars_annos.mat: not a readable annotation file"
CASES += [
    ("no CUB200", MAPS, "data/images.txt: missing", dataset("CUB200")),
    ("image without a class", MAPS, "image 2 is in only one of images.txt and image_class_labels.txt", birds("1 A/a.jpg\n2 B/b.jpg\n", "1 1\n")),
    ("image without a number", MAPS, f"{BIRDS} (line 2 is 'b.jpg', not a number", birds("1 A/a.jpg\nb.jpg\n", "1 1\n")),
    ("number twice", MAPS, f"{BIRDS} (line 2: 1 is listed twice)", birds("1 A/a.jpg\n1 B/b.jpg\n", "1 1\n")),
    ("word for a class", MAPS, "image_class_labels.txt: not a list of numbered lines (line 1: 'one' is not a whole number)", birds("1 A/a.jpg\n", "1 one\n")),
    ("class 201", LIST, "(line 1: class 201 is not one of 1 to 200)", birds("1 A/a.jpg\n", "1 201\n"), "--allow-partial"),
    ("name that leads out", MAPS, f"{BIRDS} (line 1: '../a.jpg' leads out", birds("1 ../a.jpg\n", "1 1\n")),
    ("another spelling of a name", MAPS, "'./A/a.jpg' is another spelling of 'A/a.jpg'", birds("1 ./A/a.jpg\n", "1 1\n")),
    ("few birds", MAPS, "data: 2 images listed, but CUB200 has 11788", birds("1 A/a.jpg\n2 B/b.jpg\n", "1 1\n2 101\n")),
    ("part that is nothing", MAPS, "data: none of the 2 images of CUB200 exists", birds("1 A/a.jpg\n2 B/b.jpg\n", "1 1\n2 101\n"), "--allow-partial"),
    ("image twice", MAPS, "its annotations list an image twice", birds("1 A/a.jpg\n2 A/a.jpg\n", "1 1\n2 101\n")),
    ("dataset that is there twice", MAPS, "data: a and b in it look like CUB200; keep one", dataset("CUB200", **{"a/images.txt": "", "b/images.txt": ""})),
    ("products without a header", MAPS, f"{PRODUCTS} (column 'path' is missing)", products(b"1 1 1 bicycle_final/1.JPG\n")),
    ("no annotations", MAPS, "devkit/cars_train_annos.mat: missing; cars_train/ needs it", dataset("Cars196")),
    ("web page for annotations", MAPS, NO_CARS, dataset("Cars196", **{"car_ims/1.jpg": b"", "cars_annos.mat": "<html>404</html>"})),
    ("annotations that are a number", MAPS, f"{NO_CARS} (has no field 'relative_im_path'", struct_of({"annotations": 5.0})),
    ("annotations without classes", MAPS, f"{NO_CARS} (has no field 'class'", cars(relative_im_path=["car_ims/1.jpg"])),
    ("car without a name", MAPS, f"{NO_CARS} (array", cars(relative_im_path=[np.array([])], **{"class": [1]})),
    ("car's class of 1.5", MAPS, f"{NO_CARS} (class", cars(relative_im_path=["car_ims/1.jpg"], **{"class": [1.5]})),
    ("test without classes", MAPS, "cars_test_annos.mat: has no field 'class'; put cars_test_annos_withlabels.mat next to it",
     dataset("Cars196", **{"devkit/cars_train_annos.mat": lambda file: mock_inputs.annotations(file, fname=["1.jpg"], **{"class": [1]}),
                           "devkit/cars_test_annos.mat": lambda file: mock_inputs.annotations(file, fname=["1.jpg"], bbox_x1=[3])})),
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Results of earlier scripts.
# ---------------------------------------------------------------------------------------------------------------------
CASES += [
    ("no maps", COMPARE, "saliency/maps: no saliency maps; run saliency/1_compute_maps.py", None),
    ("no embeddings", SCORE, "embeddings: no embeddings; run properties/2_embed_cars.py", None),
    (
        "no features to probe",
        PROBE,
        "properties/features: not complete; run properties/2_embed_cars.py",
        None,
    ),
    ("no results", REPORT, "results are missing, the first is", None),
]
AFTER = []  # the same, in a project whose scripts have all been run
EMBEDDED, MAPPED = (
    "properties/embeddings/RenderedCars/fold0/arcface",
    "paper/saliency/maps/RenderedCars/fold0/arcface",
)
COMPARED, SCORED = (
    "paper/saliency/comparisons/RenderedCars/fold0",
    "paper/properties/scores/RenderedCars/fold0/arcface",
)


def part(name, without="paper/properties/scores", **changes):
    """Other arrays in the first part of a store; what was made of it is deleted."""

    def spoil(folder):
        file = folder / "results/tiny" / name / "00000.npz"
        with np.load(file) as arrays:
            changed = dict(arrays) | {
                name: change(arrays[name]) for name, change in changes.items()
            }
        np.savez(file, **changed)
        shutil.rmtree(folder / "results/tiny" / without)

    return spoil


def result(name, make):
    return replaced(f"results/tiny/{name}", make)


def bytes_of(name, edit, without="paper/properties/scores"):
    def spoil(folder):
        file = folder / "results/tiny" / name
        file.write_bytes(edit(file.read_bytes()))
        shutil.rmtree(folder / "results/tiny" / without)

    return spoil


def zipped_bomb(content):
    stream = io.BytesIO()
    np.savez_compressed(stream, embeddings=np.zeros((300, 10**6), np.float32))
    return stream.getvalue()


def networks_json(**changes):
    """Spoil what is known of the first network; it has to be one that is not the paper's."""

    def spoil(folder):
        fake_data.write_settings(
            folder,
            "own",
            models=[{"name": "Tiny", "group": "Ranking", "network": "tests.networks:tiny"}],
            training=None,
        )
        settings = load_settings(folder / "own.yaml")
        sources.keep(
            settings.records, [network_of(settings, settings.models[0], "RenderedCars", 0).source]
        )
        file = settings.results / "networks.json"
        known = json.loads(file.read_text())
        file.write_text(json.dumps({key: entry | changes for key, entry in known.items()}))
        (folder / "own.yaml").rename(folder / "tiny.yaml")
        file.rename(folder / "results/tiny/networks.json")

    return spoil


NO_PART = "arcface/00000.npz: not a readable chunk"
AFTER += [
    ("figures that are a file", PLOT, "figures", replaced("figures", a_file)),
    ("cut embeddings", SCORE, NO_PART, bytes_of(f"{EMBEDDED}/00000.npz", lambda content: content[:900])),
    ("pickle for embeddings", SCORE, NO_PART, bytes_of(f"{EMBEDDED}/00000.npz", lambda content: pickle.dumps(Executed()))),
    ("embeddings that grow", SCORE, f"{NO_PART} (would grow to more than 200 times", bytes_of(f"{EMBEDDED}/00000.npz", zipped_bomb)),
    ("NaN among embeddings", SCORE, f"{NO_PART} (contains NaN", part(EMBEDDED, embeddings=lambda array: array * np.nan)),
    ("embeddings of other images", SCORE, f"{NO_PART} (its rows are others)", part(EMBEDDED, rows=lambda rows: np.char.add("9", rows))),
    ("embeddings of another size", SCORE, f"{NO_PART} (embeddings is float32 (96, 7), not", part(EMBEDDED, embeddings=lambda array: array[:, :7])),
    ("scores of an older version", SCORE_TABLES, NO_PART, bytes_of(f"{SCORED}/00000.npz", lambda content: older_version(), "paper/tables")),
    ("embeddings made of nobody knows what", EMBED, "fold0/arcface: has chunks, but no provenance.json",
     lambda folder: (folder / "results/tiny" / EMBEDDED / "provenance.json").unlink()),
    ("maps below zero", COMPARE, f"{NO_PART} (maps has values that are not between 0 and 1)", part(MAPPED, COMPARED, maps=lambda array: array - 1)),
    ("embeddings of zeros, plotted", PLOT_EMBEDDINGS, "embedding 0 is zero, so it has no direction; set another properties: tsne_model",
     part("properties/embeddings/RenderedCars/fold0/contrastive", "properties/tsne", embeddings=lambda array: array * 0)),
    ("half of what maps are made of", MAPS, "provenance.json: not readable", bytes_of(f"{MAPPED}/provenance.json", lambda content: content[:30])),
    ("key of what maps are made of twice", MAPS, "provenance.json: not readable (a key is listed twice)",
     bytes_of(f"{MAPPED}/provenance.json", lambda content: content.replace(b"{", b'{"trunk": "", ', 1))),
    ("NaN among what maps are made of", MAPS, "provenance.json: not readable (NaN is no number)",
     bytes_of(f"{MAPPED}/provenance.json", lambda content: content.replace(b"{", b'{"a": NaN, ', 1))),
    ("checksums of another form", EVALUATE, "files.json: a: 1 is not allowed; give a block", result("files.json", lambda file: file.write_text('{"a": 1}'))),
    ("images of no content", EMBED, "content: 'x' is not allowed; give 16 hexadecimal digits", bytes_of(
        "images.json", lambda content: re.sub(rb'"content": "[^"]*"', b'"content": "x"', content))),
    ("deep checksums", MAPS, "files.json: not readable", bytes_of("files.json", lambda content: b"[" * 10**5)),
    ("network of no size", MAPS, "networks.json: outputs: 0 is not allowed; give a number of at least 1", networks_json(outputs=0)),
    ("network of embeddings", MAPS, "networks.json: not what a script has written (crop:", networks_json(crop=None)),
]  # fmt: skip


def older_version():
    stream = io.BytesIO()
    np.savez(stream, rows=np.array(["model"]), score=np.zeros(1))
    return stream.getvalue()


# Tables are made from CSV files, which people may have opened and saved. (Where the inputs exist, they are written again.)
PAIRS = "paper/saliency/pairs_RenderedCars.csv"
SPOILT = {
    "of another table": lambda file: file.write_text("loss,score\nNone,1\n"),
    "with a column more": lambda file: pd.read_csv(file).assign(more=1).to_csv(file, index=False),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-20].rstrip(b"0123456789.")),
    "with half of its last number": lambda file: file.write_bytes(file.read_bytes()[:-2]),
    "with words for numbers": lambda file: file.write_text(
        file.read_text().replace("0.", "about 0.")
    ),
    "with a row twice": lambda file: file.write_text(
        file.read_text() + file.read_text().splitlines()[-1] + "\n"
    ),
    "that is a folder": lambda file: file.unlink() or file.mkdir(),
}


def csv(name, kind):
    def spoil(folder):
        SPOILT[kind](folder / "results/tiny" / name)
        shutil.rmtree(folder / "cars")

    return spoil


for script, name, kind in [
    *((TABLES, PAIRS, kind) for kind in SPOILT),
    (SCORE_TABLES, "paper/properties/nr_precision.csv", "cut"),
    (SCORE_TABLES, "paper/properties/mann_whitney.csv", "cut"),
    (REPORT, "paper/tables/table2.csv", "cut"),
    (REPORT, "paper/tables/table6.csv", "cut"),
]:
    file = Path(name).name
    message = f"{file}: not the output of a script"
    AFTER.append((f"{file} {kind}", script, message, csv(name, kind)))


# ---------------------------------------------------------------------------------------------------------------------
# The tests.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "after, case",
    [
        pytest.param(after, case, id=case[0])
        for after in (False, True)
        for case in (CASES, AFTER)[after]
    ],
)
def test_one_clear_line(request, fails, after, case):
    folder = request.getfixturevalue("copy" if after else "project")
    _, script, message, spoil, *options = case
    if spoil:
        spoil(folder)
    before = results(folder)
    line = fails(script, folder / "tiny.yaml", *options)
    assert message in line and len(line) < 1000
    assert results(folder) == before and not (ROOT / MARKER).exists() and not Path(MARKER).exists()


def results(folder):
    """File -> content, without what the check of inputs writes itself."""
    if not (folder / "results").is_dir():
        return {}
    return {
        file: content
        for file, content in snapshot(folder / "results").items()
        if file.name != "inputs.csv"
    }


def test_every_script_has_a_case():
    names = [*SETTINGS, *(case[0] for case in CASES + AFTER)]
    assert len(names) == len(set(names))
    assert {case[1] for case in CASES + AFTER} >= {CHECK, TRAIN, EVALUATE, MAPS, COMPARE, TABLES, PLOT, EMBED, SCORE, SCORE_TABLES,
                                                   PLOT_EMBEDDINGS, PROBE, REPORT, PREPARE, LIST}  # fmt: skip


def test_output_in_ascii(copy):
    """Where the terminal knows no more, other characters are written as what they are in ASCII."""
    command = [sys.executable, ROOT / PROBE, "--settings", copy / "tiny.yaml"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0 and "% right (\\xb1 " in done.stdout


@pytest.mark.parametrize("full", [True, False])
def test_output_that_nobody_takes(copy, full):
    """A full disk behind the output, or a reader that is gone: one line."""
    command = [sys.executable, ROOT / REPORT, "--settings", copy / "tiny.yaml"]
    run = subprocess.Popen(
        command,
        stdout=open("/dev/full", "w") if full else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if not full:
        run.stdout.close()
    assert run.stderr.read().startswith("error: cannot write to stdout (") and run.wait() == 1


def test_every_script_as_a_process(tmp_path):
    """Of an empty settings file, each says the same on stderr, and nothing else."""
    settings = tmp_path / "tiny.yaml"
    settings.touch()
    scripts = [
        file
        for folder in (
            "data",
            "reality_check",
            "saliency",
            "properties",
            "embedding_space",
            "causes",
            "controls",
            "report",
        )
        for file in sorted(ROOT.glob(f"{folder}/[0-9]_*.py"))
    ]
    scripts = [
        file
        for file in scripts
        if "--settings" in file.read_text()
        or "options_parser" in file.read_text()
        or "start(__doc__" in file.read_text()
    ]
    assert len(scripts) == 39
    asked = {"7_explain_images.py": ["a.png", "b.png"]}

    def ended(script):
        command = [sys.executable, script, "--settings", settings, *asked.get(script.name, [])]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
        )
        return done.returncode, done.stdout, done.stderr.split(" (")[0]

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(ended, scripts)) == {(1, "", f"error: {settings}: not a YAML file")}
