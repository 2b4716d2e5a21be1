"""Small stand-ins for the inputs: pictures of cars that take a millisecond each, and a settings file for them."""

import colorsys
import csv
import io
import math
import random
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image, ImageDraw

from dml_analysis import paper
from dml_analysis.checkout import ROOT
from dml_analysis.files import csv_files

# Of the settings that write_settings writes.
TRAINING = {
    "frozen": "trunk",
    "learning_rate": 1e-4,
    "iterations": 10,
    "check_every": 5,
    "keep_embeddings": False,
}
SALIENCY = {"images": 2, "noise_samples": 2, "batch_size": 2}


def make_cars(folder, count, seed=0):
    """A rendered-cars folder of `count` frames: a box on a ground, coloured, placed and sized by the properties.

    Models and every other side take turns, so that each of the 24 classes of 96 frames has four images, as a batch takes.
    """
    rng = random.Random(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with open(folder / "samples.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", *(prop.name for prop in paper.PROPERTIES)])
        for frame in range(1, count + 1):
            values = {prop.name: rng.choice(prop.values) for prop in paper.PROPERTIES}
            values["model"] = paper.CAR_MODELS[(frame - 1) % len(paper.CAR_MODELS)]
            values["rotation_z"] = 90 * ((frame - 1) // len(paper.CAR_MODELS) % 4)
            writer.writerow([frame, *values.values()])
            draw_car(values, rng).save(folder / "images" / f"{frame}.png")


def make_classes(folder, classes=16, images=6):
    """A dataset of one's own: a sub-folder per class, whose images have stripes of the class's colour, on grey noise."""
    rng = np.random.default_rng(0)
    for label in range(classes):
        color = [int(255 * c) for c in colorsys.hsv_to_rgb(label / classes, 0.9, 0.9)]
        (folder / f"class{label:02}").mkdir(parents=True)
        for number in range(images):
            pixels = rng.integers(60, 200, (32, 28, 1)).repeat(3, axis=2).astype(np.uint8)
            pixels[:: 2 + label % 3, number:] = color
            Image.fromarray(pixels).save(folder / f"class{label:02}" / f"{number}.png")


def read_rows(file):
    """The rows of a CSV file as dictionaries of texts."""
    with open(file, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# Columns that say what a row is about, beside those of names of models; a row may be of no dataset.
ABOUT = ("dataset", "kind", "unit", "property", "measure", "region", "analysis", "analysis_a", "analysis_b", "factor",
         "part", "image_id", "variation", "points", "of", "performance")  # fmt: skip


def check_csv_files(folder):
    """Assert that plain pandas.read_csv reads all CSV files below a folder as they are meant; returns them by their path.

    No name is a missing value, and a fold is a whole number.
    """
    found = {
        file.relative_to(folder).as_posix(): pd.read_csv(file)
        for file in sorted(Path(folder).rglob("*.csv"))
    }
    for file, table in found.items():
        for column in table.columns.intersection([*csv_files.NAMES, *ABOUT]):
            assert table[column].notna().all(), (file, column)
        for column in table.columns.intersection(["fold", "fold_a", "fold_b"]):
            assert table.empty or table[column].dtype == np.int64, (file, column)
    return found


ROUNDING = 1e-5  # relative; networks' float32 numbers are not the same in all processes


def differing(first, second):
    """Return the paths of files, path -> content, that only one of two has or that differ.

    Numbers may differ by float32 rounding, and training logs by how long each validation took.
    """
    return sorted(
        path
        for path in first.keys() | second.keys()
        if path not in first or path not in second or not _same(path, first[path], second[path])
    )


def _same(path, first, second):
    if first == second:
        return True
    if path.endswith(".npz"):
        first, second = (np.load(io.BytesIO(content)) for content in (first, second))
        return first.files == second.files and all(_close(first[n], second[n]) for n in first.files)
    if path.endswith(".csv"):
        return _same_rows(rows_of_log(first), rows_of_log(second))
    return False


def _close(first, second):
    if first.dtype.kind != "f" or first.shape != second.shape or first.dtype != second.dtype:
        return np.array_equal(first, second)
    scale = np.abs(first[np.isfinite(first)]).max(initial=0)
    return np.allclose(first, second, rtol=ROUNDING, atol=ROUNDING * scale, equal_nan=True)


def _same_rows(first, second):
    return len(first) == len(second) and all(
        a.keys() == b.keys()
        and all(a[name] == b[name] or _close_texts(a[name], b[name]) for name in a)
        for a, b in zip(first, second)
    )


def _close_texts(first, second):
    try:
        return math.isclose(float(first), float(second), rel_tol=ROUNDING, abs_tol=ROUNDING)
    except ValueError:
        return False


def rows_of_log(content):
    """Return the rows of a CSV file, given as bytes, without how long each validation took."""
    return [row | {"seconds": ""} for row in csv.DictReader(content.decode().splitlines())]


def draw_car(values, rng):
    def color(prefix):
        hue, saturation, value = (values[f"{prefix}_{part}"] for part in ("hue", "sat", "val"))
        return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(hue, saturation / 2, value / 2))

    image = Image.new("RGB", (256, 256), color("bg_color"))
    draw = ImageDraw.Draw(image)
    size = 30 + 12 * paper.CAR_MODELS.index(values["model"])
    left = 20 + values["rotation_z"] // 5 + rng.randrange(10)
    top = 60 + int(25 * values["camera_loc_z"])
    draw.rectangle([left, top, left + 100, top + size], fill=color("color"))
    draw.ellipse([left + 5, top + size - 10, left + 30, top + size + 15], fill=(10, 10, 10))
    return image


def write_settings(folder, name="tiny", **changes):
    """A settings file for a tiny run whose networks, images, results and figures all live in `folder`."""
    settings = {
        "protocol": "paper",
        "models": ["Contrastive", "ArcFace", "None"],
        "datasets": ["RenderedCars"],
        "folds": [0],
        "device": "cpu",
        "tables": {2: "RenderedCars", 3: "RenderedCars", 4: "RenderedCars"},
        "saliency": SALIENCY,
        "properties": {"networks": "RenderedCars", "tsne_images": 40},
        "training": TRAINING,
        "paths": {
            "models": str(folder / "models"),
            "imagenet_trunk": str(folder / "trunk.pth"),
            "RenderedCars": str(folder / "cars"),
            "results": str(folder / "results"),
            "figures": str(folder / "figures"),
        },
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(settings | changes))
    return file


TILES_TRAINING = {
    "learning_rate": 0.003,
    "batch_size": 8,
    "iterations": 6,
    "check_every": 2,
    "workers": 0,
}


def write_studied_settings(folder, **changes):
    """A settings file for networks on the shipped pictures, through all scripts; results lie in the folder."""
    paths = {"SyntheticCars": "sample_synthetic_cars", "RenderedCars": "sample_cars", "CounterfactualCars": "sample_counterfactuals"}  # fmt: skip
    paths = {name: str(ROOT / "data" / place) for name, place in paths.items()}
    paths |= {name: str(folder / name) for name in ("results", "figures", "models")}
    usual = {
        "datasets": ["SyntheticCars"], "folds": [0], "tables": {3: "SyntheticCars"}, "training": None,
        "causes": {"sets": 8, "mapped_sets": 2, "pairs": 3, "pair_models": 2, "randomised_models": 2, "randomised_images": 3},
        "controls": {"images": 5, "random_networks": 2, "permutations": 50, "varied_samples": [2, 4], "varied_sigmas": [0.3]},
        "paths": paths,
    }  # fmt: skip
    return write_settings(folder, **(usual | changes))


def write_tiles_settings(tiles, folder, name="tiles", training=TILES_TRAINING, **changes):
    """A settings file that trains a tiny trunk on the classes of tiles; results and networks live in `folder`."""
    paths = {"Tiles": str(tiles / "tiles")} | {
        name: str(folder / name) for name in ("models", "results", "figures")
    }
    changes = {"models": ["Contrastive", "ArcFace", "None"], "datasets": ["Tiles"], "tables": {2: "Tiles"},
               "trunk": "tests.networks:tiny_trunk", "properties": {"networks": "Tiles"}, "paths": paths} | changes  # fmt: skip
    return write_settings(folder, name, training=training, **changes)
