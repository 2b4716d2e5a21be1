"""What a script says of bad input: one line, `error: ...`, that names the file or the setting and what is wrong.

Each case spoils one thing in a small project; a numbered script then has to end in that line with exit status 1, without
a traceback, and with the results of earlier scripts untouched. A case is (what is spoilt, script, what the line must say,
how to spoil it, options of the script). Networks of one's own have cases in test_own_models.py, archives in test_prepare.py,
the renderer in test_rendering.py, and results of other inputs in test_changed_inputs.py.
"""

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
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dml_analysis.config import load_settings
from dml_analysis.networks import sources
from dml_analysis.networks.specifications import network_of
from tests import fake_data, mock_inputs
from tests.conftest import ROOT, first_embedder, snapshot

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


SETTINGS = {  # one for each kind of mistake; those in sweeps are in test_sweeps.py
    # The file.
    "a comment alone": ("# protocol: paper\n", "not a YAML file (empty"),
    "Latin-1": ("# für alle\nseed: 1\n".encode("latin-1"), "not a YAML file"),
    "bomb": (bomb(), "not a YAML file (more than 100000 values)"),
    "code": (f"seed: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{MARKER}']]", "the tag"),
    "key twice": ("saliency: {images: 3, images: 4}\n", "line 1: the key 'images' is listed twice"),
    # A key, and its value.
    "unknown key": ("nois: 3\n", "nois: unknown key; known: protocol, seed"),
    "unknown key in a block": ("saliency: {noise_sample: 1}\n", "saliency.noise_sample: unknown key; did you mean noise_samples"),
    "no block": ("saliency: 3\n", "saliency: 3 is not allowed; give a block of `key: value` lines"),
    "true for a number": ("seed: true\n", "seed: True is not allowed; give a whole number"),
    "NaN": ("saliency: {noise_sigma: .nan}\n", "saliency.noise_sigma: nan is not allowed; give a number above 0"),
    "not one of some": ("training: {optimizer: rmsprop}\n", "training.optimizer: 'rmsprop' is not allowed; give 'RMSprop', 'Adam'"),
    "one for a list": ("datasets: SOP\n", "datasets: 'SOP' is not allowed; give a list"),
    "value twice": ("folds: [0, 1, 0]\n", "folds: [0, 1, 0] is not allowed; give a list of one or more, each once"),
    "name that reads as missing": ("datasets: [NA]\npaths: {NA: c}\n", "datasets.0: 'NA' is not allowed; give a name of letters"),
    # Two keys that contradict each other.
    "dataset without a path": ("datasets: [Cars]\n", "datasets: 'Cars' is none of SOP, Cars196, CUB200, SyntheticCars, RenderedCars; for one of your own, give its folder"),
    "networks that are not trained": ("datasets: [SOP]\ntraining: {iterations: 50}\n", "properties.networks: 'Cars196' is not allowed; give one of SOP, as only"),
    "never checked": ("training: {iterations: 5, check_every: 6}\n", "training.check_every: 6 is more than iterations (5)"),
    "filler without embeddings": ("training: {filler: fid_matched, keep_embeddings: false}\n", "training.filler: fid_matched needs the embeddings of validation steps"),
    # The models.
    "unknown model": ("models: [Contrastiv]\n", "unknown model 'Contrastiv'; known: Contrastive"),
    "loss without training": (own("loss: c"), "models: A: a `loss` is for training; add a `training:` block"),
    "loss on a folder": (own("loss: c, network: runs"), "training begins with module:function or timm:name"),
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


def a_file(path):
    path.write_text("a file")


CASES = [
    ("settings that are not there", MAPS, "tiny.yaml: missing; see the folder settings/", lambda folder: (folder / "tiny.yaml").unlink()),
    ("settings that are a pipe", MAPS, "tiny.yaml: not a YAML file (not a regular file)", replaced("tiny.yaml", os.mkfifo)),
    ("model that the settings lack", MAPS, "unknown model 'Triplet'; known: Contrastive, ArcFace, None", None, "--models", "Triplet"),
    ("fold that the protocol leaves out", MAPS, "protocol 'released' compares saliency maps of fold 0 only",
     edit_settings(protocol="released", folds=[0, 2]), "--folds", "2"),
    ("nothing to train", TRAIN, "settings 'tiny' have no `training:` block", edit_settings(training=None)),
    ("device that is not there", MAPS, "device: cuda:99 is not available", edit_settings(device="cuda:99")),
    ("results that are a file", MAPS, "results/tiny: Not a directory", replaced("results", a_file)),
]  # fmt: skip


@pytest.mark.parametrize("name", ["a\nb.yaml", ".hidden.yaml", "x" * 120 + ".yaml"])
def test_names_of_settings(tmp_path, fails, name):
    """The results have the same name."""
    (tmp_path / name).write_text("seed: 1\n")
    assert "the file's name is that of its results; rename it" in fails(MAPS, tmp_path / name)


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints.
# ---------------------------------------------------------------------------------------------------------------------
BIAS, WEIGHT = "net.0.bias", "conv1_7x7_s2.weight"


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


def cut(file, size=5000):
    file.write_bytes(file.read_bytes()[:size])


class Executed:
    def __reduce__(self):
        return Path.touch, (Path(MARKER),)


def epochs(folder):
    saved = first_embedder(folder).parent
    saved.joinpath("embedder_best.pth").rename(saved / "embedder_best10.pth")
    saved.joinpath("trunk_best.pth").rename(saved / "trunk_best20.pth")


def packed_bomb(folder):
    """What torch has written, packed again, with 200 MB of zeros in it."""
    file = first_embedder(folder)
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, bytes(2 * 10**8) if name.endswith("/0") else content)


NO_CHECKPOINT = "embedder_best.pth: not a readable checkpoint"
CASES += [
    ("trunk that is not there", MAPS, "trunk_best.pth: missing", lambda folder: own_trunk(folder).unlink()),
    ("cut trunk", MAPS, "trunk_best.pth: not a readable checkpoint", lambda folder: cut(own_trunk(folder))),
    ("pickle that executes", EMBED, NO_CHECKPOINT, written(pickle.dumps({"net.0.weight": Executed()}))),
    ("checkpoint that grows", EMBED, f"{NO_CHECKPOINT} (would grow to more than 200 times", packed_bomb),
    ("list for a checkpoint", MAPS, "(holds no state_dict, of tensors by name)", edited(lambda state: [1, 2])),
    ("tensor that is not there", MAPS, f"has no tensor {BIAS!r}", edited(lambda state: {name: state[name] for name in state if name != BIAS})),
    ("tensor too many", MAPS, "has unknown tensor 'extra'", edited(lambda state: state | {"extra": torch.zeros(1)})),
    ("tensor of another shape", MAPS, f"{BIAS} has shape (64,), but (128,) is needed", tensor(lambda value: value[:64].clone())),
    ("NaN in the trunk", MAPS, f"({WEIGHT} contains NaN", tensor(lambda value: value * np.nan, [WEIGHT], own_trunk)),
    ("two values of one tensor", EMBED, "last_linear.bias and net.0.bias differ", tensor(lambda value: value + 1, [BIAS])),
    ("trunk and embedder of two epochs", EMBED, "embedder_best20.pth: missing", epochs),
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
    ("samples with semicolons", EMBED, f"{SAMPLES} (column 'frame' is missing)", text_of("cars/samples.csv", lambda text: text.replace(",", ";"))),
    ("short row", EMBED, "(line 5 has 11 cells, not 12)", lines(lambda rows: [*rows[:4], rows[4].rsplit(",", 1)[0], *rows[5:]])),
    ("frame twice", EMBED, "(frame 1 is listed twice)", samples(lambda table: pd.concat([table, table[:1]]))),
    ("Ferari Enzo", SCORE, "(line 3, column model: 'Ferari Enzo' is not one of Ferrari Enzo", cell("model", "Ferari Enzo")),
    ("declared values of no property", EMBED, "properties.csv: not a list of properties and their values (line 2, column property: 'wheels'",
     declared("property,values\nwheels,3|4\n")),
    ("cars of training classes alone", EVALUATE, "no image belongs to a test class", samples(lambda table: table.assign(model="Ferrari Enzo"))),
    ("one class to train on", TRAIN, "fold 0 has fewer than 2 train classes", samples(lambda table: table.assign(model="Ferrari Enzo", rotation_z="0"))),
    ("image that is not there", EMBED, "7.png: image is missing (1 of the 96", lambda folder: (folder / "cars/images/7.png").unlink()),
    ("image without a row", EMBED, "96.png: has no row in", samples(lambda table: table[:-1])),
    ("5.png and 5.jpg", EMBED, "5.jpg and 5.png show the same frame", lambda folder: shutil.copy(folder / "cars/images/5.png", folder / "cars/images/5.jpg")),
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


FRAMES = [Image.new("RGB", (9, 9), color) for color in ("red", "blue")]
NO_IMAGE = "5.png: not a readable image"
CASES += [
    ("cut image", CHECK, NO_IMAGE, lambda folder: cut(folder / "cars/images/5.png", 300), "--deep"),
    ("16 bits of each colour", EMBED, f"{NO_IMAGE} (mode RGB, more than 8 bits a channel)", image(lambda file: file.write_bytes(png(9, 9, 16)))),
    ("several pictures", EMBED, f"{NO_IMAGE} (several pictures in one file)",
     image(lambda file: FRAMES[0].save(file, "GIF", save_all=True, append_images=FRAMES[1:]))),
]  # fmt: skip


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


CASES += [
    ("image without a class", MAPS, "image 2 is in only one of images.txt and image_class_labels.txt", birds("1 A/a.jpg\n2 B/b.jpg\n", "1 1\n")),
    ("name that leads out", MAPS, "images.txt: not a list of numbered lines (line 1: '../a.jpg' leads out", birds("1 ../a.jpg\n", "1 1\n")),
    ("few birds", MAPS, "data: 2 images listed, but CUB200 has 11788", birds("1 A/a.jpg\n2 B/b.jpg\n", "1 1\n2 101\n")),
    ("dataset that is there twice", MAPS, "data: a and b in it look like CUB200; keep one", dataset("CUB200", **{"a/images.txt": "", "b/images.txt": ""})),
    ("products without a header", MAPS, "Ebay_train.txt: not a list of images with class_id and path (column 'path' is missing)",
     dataset("SOP", **{"Ebay_train.txt": "1 1 1 bicycle_final/1.JPG\n", "Ebay_test.txt": ""})),
    ("web page for annotations", MAPS, "cars_annos.mat: not a readable annotation file", dataset("Cars196", **{"car_ims/1.jpg": b"", "cars_annos.mat": "<html>404</html>"})),
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
]
AFTER = []  # the same, in a project whose scripts have all been run
EMBEDDED = "properties/embeddings/RenderedCars/fold0/arcface"
MAPPED = "paper/saliency/maps/RenderedCars/fold0/arcface"


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


def bytes_of(name, edit, without="paper/properties/scores"):
    def spoil(folder):
        file = folder / "results/tiny" / name
        file.write_bytes(edit(file.read_bytes()))
        shutil.rmtree(folder / "results/tiny" / without)

    return spoil


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
    ("embeddings of other images", SCORE, f"{NO_PART} (its rows are others)", part(EMBEDDED, rows=lambda rows: np.char.add("9", rows))),
    ("embeddings of another size", SCORE, f"{NO_PART} (embeddings is float32 (96, 7), not", part(EMBEDDED, embeddings=lambda array: array[:, :7])),
    ("embeddings made of nobody knows what", EMBED, "fold0/arcface: has chunks, but no provenance.json",
     lambda folder: (folder / "results/tiny" / EMBEDDED / "provenance.json").unlink()),
    ("embeddings of zeros, plotted", PLOT_EMBEDDINGS, "embedding 0 is zero, so it has no direction; set another properties: tsne_model",
     part("properties/embeddings/RenderedCars/fold0/contrastive", "properties/tsne", embeddings=lambda array: array * 0)),
    ("half of what maps are made of", MAPS, "provenance.json: not readable", bytes_of(f"{MAPPED}/provenance.json", lambda content: content[:30])),
    ("checksums of another form", EVALUATE, "files.json: a: 1 is not allowed; give a block", replaced("results/tiny/files.json", lambda file: file.write_text('{"a": 1}'))),
    ("network of no size", MAPS, "networks.json: outputs: 0 is not allowed; give a number of at least 1", networks_json(outputs=0)),
]  # fmt: skip


# Tables are made from CSV files, which people may have opened and saved. (Where the inputs exist, they are written again.)
PAIRS = "paper/saliency/pairs_RenderedCars.csv"
SPOILT = {
    "of another table": lambda file: file.write_text("loss,score\nNone,1\n"),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-20].rstrip(b"0123456789.")),
    "with words for numbers": lambda file: file.write_text(
        file.read_text().replace("0.", "about 0.")
    ),
    "with a row twice": lambda file: file.write_text(
        file.read_text() + file.read_text().splitlines()[-1] + "\n"
    ),
}


def csv(name, kind):
    def spoil(folder):
        SPOILT[kind](folder / "results/tiny" / name)
        shutil.rmtree(folder / "cars")

    return spoil


for script, name, kind in [
    *((TABLES, PAIRS, kind) for kind in SPOILT),
    (SCORE_TABLES, "paper/properties/nr_precision.csv", "cut"),
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


TAKES = {"causes/7_explain_images.py": ["a.png", "b.png"]}  # script -> its other arguments
SCRIPTS = [
    file.relative_to(ROOT).as_posix()
    for file in sorted(ROOT.glob("[a-z]*/[0-9]_*.py"))
    if re.search(r"options_parser\(|= start\(", file.read_text())
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_names_a_broken_settings_file(tmp_path, fails, script):
    settings = tmp_path / "tiny.yaml"
    settings.touch()
    line = fails(script, settings, *TAKES.get(script, []))
    assert line.startswith(f"error: {settings}: not a YAML file (empty")
    assert list(tmp_path.iterdir()) == [settings]
