"""Readers of the annotation files that datasets come with: MATLAB files and lists of text.

Each reader returns (name, class) for every image. The name is a path in the dataset's folder, the
class is counted from 0. Invalid files raise InputError, as errors.refused does.
"""

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import scipy.io

from dml_analysis.errors import InputError, MissingFile, refused
from dml_analysis.files import atomic_files, csv_files

AGAIN = "fetch it again (see docs/inputs.md)"
Value = TypeVar("Value")


def image_name(text: object) -> str:
    """Return an image's path in its dataset's folder.

    Raise ValueError if it is not plain text, leads out of the folder or has another usual spelling.
    """
    unprintable = "[\x00-\x1f\x7f\ud800-\udfff]"
    if not isinstance(text, str) or not text.strip() or re.search(unprintable, text):
        raise ValueError(f"{text!r} is not the name of an image")
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{text!r} leads out of the dataset's folder")
    if str(path) != text:  # the same image may be listed under its usual spelling, too
        raise ValueError(f"{text!r} is another spelling of {str(path)!r}")
    return text


def class_of(classes: int | None) -> Callable[[object], int]:
    """Return a function from a class in a file, 1 to `classes`, to its number from 0.

    `classes`: None accepts any number. The function raises ValueError for any other value.
    """

    def label_of(value: object) -> int:
        number = csv_files.whole(value) if isinstance(value, str) else _whole(value)
        if number < 1 or (classes and number > classes):
            raise ValueError(f"class {number} is not one of 1 to {classes or 'any number'}")
        return number - 1

    return label_of


def _whole(value: Any) -> int:
    """Return a value of a MATLAB file as an int. Raise ValueError if it is not a whole number."""
    is_number: bool = np.isscalar(value) and bool(np.isreal(value))
    if not is_number or int(value) != value:
        raise ValueError(f"class {value!r} is not a whole number")
    return int(value)


def matlab(file: Path, field: str, classes: int | None) -> list[tuple[str, int]]:
    """Return the entries of the struct array `annotations` of a MATLAB file.

    `field` is the one with the images' names.
    """
    with refused(file, "a readable annotation file", AGAIN):
        content = scipy.io.loadmat(file, squeeze_me=True, variable_names=["annotations"])
        annotations = content.get("annotations")
        fields = getattr(annotations, "dtype", np.dtype(float)).names or ()
        for name in (field, "class"):
            if name not in fields and name == "class" and file.name == "cars_test_annos.mat":
                raise MissingFile(
                    f"{file}: has no field {name!r}; put cars_test_annos_withlabels.mat next to it"
                )
            if name not in fields:
                raise ValueError(f"has no field {name!r} in `annotations`")
        label_of = class_of(classes)
        rows = np.atleast_1d(annotations)
        return [(image_name(row[field]), label_of(row["class"])) for row in rows]


def numbered(paths_file: Path, classes_file: Path, classes: int | None) -> list[tuple[str, int]]:
    """Return the entries of CUB200's two lists, whose lines begin with an image's number."""
    paths = _lines(paths_file, image_name)
    labels = _lines(classes_file, class_of(classes))
    if paths.keys() != labels.keys():
        number = min(paths.keys() ^ labels.keys())
        both = f"{paths_file.name} and {classes_file.name}"
        raise InputError(f"{paths_file.parent}: image {number} is in only one of {both}; {AGAIN}")
    return [(path, labels[number]) for number, path in paths.items()]


def _lines(file: Path, convert: Callable[[str], Value]) -> dict[int, Value]:
    """Return the converted rest of each line, which may contain spaces, by the line's number."""
    text = atomic_files.read_text(file, "a list of numbered lines", AGAIN)
    values: dict[int, Value] = {}
    with refused(file, "a list of numbered lines", AGAIN):
        for line_number, line in enumerate(text.split("\n"), start=1):
            match = re.fullmatch(r"([0-9]{1,9}) +(.*\S)\s*", line)
            if line.strip() and not match:
                raise ValueError(f"line {line_number} is {line!r}, not a number and its value")
            if match and int(match[1]) in values:
                raise ValueError(f"line {line_number}: {match[1]} is listed twice")
            if match:
                values[int(match[1])] = _converted(convert, match[2], line_number)
    return values


def _converted(convert: Callable[[str], Value], text: str, line_number: int) -> Value:
    """Return a converted text. Raise ValueError, naming its line, if it is invalid."""
    try:
        return convert(text)
    except ValueError as error:
        raise ValueError(f"line {line_number}: {error}") from None


def table(file: Path, classes: int | None) -> list[tuple[str, int]]:
    """Return the entries of one of SOP's lists.

    Its cells are separated by spaces. Its first line names class_id and path.
    """
    columns = {"path": image_name, "class_id": class_of(classes)}
    what = "a list of images with class_id and path"
    values = csv_files.read_columns(
        file, columns, others=True, delimiter=" ", what=what, hint=AGAIN
    )
    return list(zip(*values.values()))
