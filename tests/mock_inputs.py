"""Datasets in their true formats, counts and names, with pictures of a few colours; most files are other names of one."""

import os
import random

import numpy as np
import scipy.io
from PIL import Image

from dml_analysis.datasets.readers import SPLITS, evenly_spaced

SOP_KINDS = (
    "bicycle cabinet chair coffee_maker fan kettle lamp mug sofa stapler table toaster".split()
)
LINKS = 20_000  # names of one file, of which file systems allow only so many
FRAMES = 100_000  # of the authors' rendered cars


def labels_of(dataset):
    """A class (from 1) for every image of a dataset, in order, with its true numbers of images and of test images."""
    split = SPLITS[dataset]
    first, n = split.first_test_class, split.images - split.test_images
    training = [1 + i * first // n for i in range(n)]
    classes, n = split.classes - first, split.test_images
    return training + [1 + first + i * classes // n for i in range(n)]


def make_cars196(folder, images=None):
    """images: how many picture files of test classes are there; all that the annotations list by default."""
    labels = labels_of("Cars196")
    names = [f"car_ims/{i:06}.jpg" for i in range(1, len(labels) + 1)]
    boxes = {name: [1] * len(names) for name in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")}
    classes = {"class": labels, "test": [i % 2 for i in range(len(names))]}
    models = np.array([f"Maker Model {c} 20{c % 13:02}" for c in range(1, 197)], dtype=object)
    extra = {"class_names": models.reshape(1, -1)}
    annotations(folder / "cars_annos.mat", extra, relative_im_path=names, **boxes, **classes)
    make_pictures(folder, names, labels, SPLITS["Cars196"].first_test_class + 1, images)


def make_cub200(folder, images=None):
    """As make_cars196."""
    labels = labels_of("CUB200")
    names = [
        f"{label:03}.Grey_Bird_{label}/Grey_Bird_{i:04}_{796000 + i}.jpg"
        for i, label in enumerate(labels, 1)
    ]
    folder.mkdir(parents=True)
    columns = {
        "images.txt": names,
        "image_class_labels.txt": labels,
        "train_test_split.txt": [i % 2 for i in range(len(names))],
        "bounding_boxes.txt": ["1.0 1.0 60.0 40.0"] * len(names),
    }
    for file, values in columns.items():
        (folder / file).write_text("".join(f"{i} {value}\n" for i, value in enumerate(values, 1)))
    (folder / "classes.txt").write_text(
        "".join(f"{c} {c:03}.Grey_Bird_{c}\n" for c in range(1, 201))
    )
    make_pictures(folder / "images", names, labels, SPLITS["CUB200"].first_test_class + 1, images)


def make_sop(folder, images=None):
    """As make_cars196."""
    labels = labels_of("SOP")
    rows = [
        (
            i,
            label,
            1 + label % 12,
            f"{SOP_KINDS[label % 12]}_final/{111085122871 + label}_{i % 8}.JPG",
        )
        for i, label in enumerate(labels, 1)
    ]
    folder.mkdir(parents=True)
    for name, tested in (("Ebay_train.txt", False), ("Ebay_test.txt", True)):
        lines = [
            " ".join(map(str, row))
            for row in rows
            if (row[1] > SPLITS["SOP"].first_test_class) == tested
        ]
        (folder / name).write_text(
            "image_id class_id super_class_id path\n" + "\n".join(lines) + "\n"
        )
    make_pictures(
        folder, [row[3] for row in rows], labels, SPLITS["SOP"].first_test_class + 1, images
    )


def make_pictures(folder, names, labels, first_test_class, count):
    """Tiny pictures under the names of `count` test images, two of a class each; without a count, under all names."""
    chosen = names
    if count is not None:
        pairs = [
            i for i, (a, b) in enumerate(zip(labels, labels[1:])) if a == b >= first_test_class
        ]
        chosen = [names[i + j] for i in evenly_spaced(pairs, -(-count // 2)) for j in (0, 1)][
            :count
        ]
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


def annotations(file, extra=None, **fields):
    """A MATLAB file with a struct array `annotations`, as the Cars196 devkits have it; returns its bytes."""
    rows = np.array(list(zip(*fields.values())), dtype=[(name, object) for name in fields])
    file.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(file, {"annotations": rows.reshape(1, -1)} | (extra or {}))
    return file.read_bytes()


def link_frames(folder, drawn=None):
    """Give the picture of frame 1, which is drawn here or there already, the names of all frames."""
    if drawn is not None:
        drawn.save(folder / "1.png")
    for frame in range(2, FRAMES + 1):
        first = folder / f"{1 + (frame - 1) // LINKS * LINKS}.png"
        if frame % LINKS == 1:
            first.write_bytes((folder / "1.png").read_bytes())
        else:
            os.link(first, folder / f"{frame}.png")
