"""What datasets come with to say which images they have and of which classes: MATLAB files and lists of text.

Each reader gives (name, class) for every image, the name a path in a folder, the class counted from 0. Whatever does not
fit leaves as errors.refused says.
"""

import re
from pathlib import PurePosixPath

import numpy as np
import scipy.io

from dml_analysis.errors import InputError, MissingFile, refused
from dml_analysis.files import atomic_files, csv_files

AGAIN = "fetch it again (see data/README.md)"


def image_name(text):
    """The kind of an image's path in its dataset's folder: plain text that does not lead out of it."""
    if not isinstance(text, str) or not text.strip() or re.search("[\x00-\x1f\x7f\ud800-\udfff]", text):
        raise ValueError(f"{text!r} is no name of an image")
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{text!r} leads out of the dataset's folder")
    if str(path) != text:
        raise ValueError(f"{text!r} is another spelling of {str(path)!r}")  # under which it may be there as well
    return text


def class_of(classes):
    """The kind of a class, 1 to `classes` in the files: its number from 0. classes: None if any number is right."""

    def kind(value):
        number = csv_files.whole(value) if isinstance(value, str) else _whole(value)
        if number < 1 or (classes and number > classes):
            raise ValueError(f"class {number} is none of 1 to {classes or 'any number'}")
        return number - 1

    return kind


def _whole(value):
    if not np.isscalar(value) or not np.isreal(value) or int(value) != value:
        raise ValueError(f"class {value!r} is no whole number")
    return int(value)


def matlab(file, field, classes):
    """The struct array `annotations` of a MATLAB file; field: the one with the images' names."""
    with refused(file, "a readable annotation file", AGAIN):
        annotations = scipy.io.loadmat(file, squeeze_me=True, variable_names=["annotations"]).get("annotations")
        fields = getattr(annotations, "dtype", np.dtype(float)).names or ()
        for name in (field, "class"):
            if name not in fields and name == "class" and file.name == "cars_test_annos.mat":
                raise MissingFile(f"{file}: has no field {name!r}; put cars_test_annos_withlabels.mat beside it")
            if name not in fields:
                raise ValueError(f"has no field {name!r} in `annotations`")
        kind = class_of(classes)
        return [(image_name(row[field]), kind(row["class"])) for row in np.atleast_1d(annotations)]


def numbered(paths_file, classes_file, classes):
    """CUB200's two lists, in which lines begin with an image's number."""
    paths, labels = _lines(paths_file, image_name), _lines(classes_file, class_of(classes))
    if paths.keys() != labels.keys():
        number = min(paths.keys() ^ labels.keys())
        both = f"{paths_file.name} and {classes_file.name}"
        raise InputError(f"{paths_file.parent}: image {number} is in only one of {both}; {AGAIN}")
    return [(path, labels[number]) for number, path in paths.items()]


def _lines(file, kind):
    """Number -> what follows it on its line, which may have blanks in it, by its kind."""
    text, found = atomic_files.read_text(file, "a list of numbered lines", AGAIN), {}
    with refused(file, "a list of numbered lines", AGAIN):
        for place, line in enumerate(text.split("\n"), start=1):
            match = re.fullmatch(r"([0-9]{1,9}) +(.*\S)\s*", line)
            if line.strip() and not match:
                raise ValueError(f"line {place} is {line!r}, no number and what it belongs to")
            if match and int(match[1]) in found:
                raise ValueError(f"line {place}: {match[1]} is listed twice")
            if match:
                found[int(match[1])] = _converted(kind, match[2], place)
    return found


def _converted(kind, text, place):
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"line {place}: {error}") from None


def table(file, classes):
    """One of SOP's lists: a table whose cells are parted by blanks, the first line of which names class_id and path."""
    columns = {"path": image_name, "class_id": class_of(classes)}
    what = "a list of images with class_id and path"
    found = csv_files.read_columns(file, columns, others=True, delimiter=" ", what=what, hint=AGAIN)
    return list(zip(*found.values()))
