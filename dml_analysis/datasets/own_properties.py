"""Properties of images of one's own: properties.csv declares them, samples.csv has their values.

docs/own_properties.md shows both files.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dml_analysis.datasets.annotations import image_name
from dml_analysis.errors import InputError, refused
from dml_analysis.files import csv_files
from dml_analysis.paper import KINDS, Property

IMAGE = "image"  # the column of samples.csv with an image's path in the folder
BINS = 10  # of a continuous property, unless properties.csv says otherwise
HINT = "docs/own_properties.md shows both files"
NAME = re.compile(r"\w[\w .+-]{0,39}")
MAX_LABEL = 40  # characters
SPLIT = "|"  # between the values in the column `order`


# --------------------------------------------------------------------------------------------------
# properties.csv
# --------------------------------------------------------------------------------------------------
def declared(file: Path) -> list[Property]:
    """Return the properties that a properties.csv declares, without the values that images have.

    An ordinal property with an order has these values. Raise InputError if the file is missing or
    invalid.
    """
    columns = {"name": _name, "kind": _kind, "bins": _bins, "order": _order, "label": _label,
               "unit": _label}  # fmt: skip
    what, optional = "a list of properties", list(columns)[1:]
    rows = csv_files.read_rows(
        file, columns, key=["name"], others=True, optional=optional, what=what, hint=HINT
    )
    with refused(file, what, HINT):
        if not rows:
            raise ValueError("declares no property")
        properties = [_property(**row) for row in rows]
        if len({prop.label for prop in properties}) < len(properties):
            raise ValueError("two properties have the same label")
        return properties


def _property(
    name: str, kind: str, bins: int, order: tuple[str, ...], label: str, unit: str
) -> Property:
    """Return a declared property. Raise ValueError if its cells contradict each other."""
    if bins and kind != "continuous":
        raise ValueError(f"{name}: is {kind}, but only a continuous property has bins")
    if order and kind != "ordinal":
        raise ValueError(f"{name}: is {kind}, but only an ordinal property has an order")
    label = label or name.replace("_", " ").capitalize()
    bins = (bins or BINS) if kind == "continuous" else 0
    return Property(name, label, order, kind=kind, unit=unit, bins=bins)


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or text in {*csv_files.MISSING_WORDS, IMAGE}:
        raise ValueError(
            f"{text!r} is not a name of at most 40 letters, digits, blanks and _ . + -, other than "
            f"{IMAGE} and words such as NA that read as a missing value"
        )
    return text


def _kind(text: str) -> str:
    return csv_files.one_of(KINDS)(text or KINDS[0])


def _bins(text: str) -> int:
    """Return the number of bins, 0 for an empty cell."""
    bins = csv_files.whole(text) if text else 0
    if text and bins < 2:
        raise ValueError(f"{bins} bins are too few, at least two are needed")
    return bins


def _order(text: str) -> tuple[str, ...]:
    """Return the values between the | of a cell, none for an empty cell."""
    values = tuple(value.strip() for value in text.split(SPLIT)) if text else ()
    if "" in values or len(set(values)) < len(values):
        raise ValueError(f"{text!r} is not a list of distinct values separated by {SPLIT}")
    return values


def _label(text: str) -> str:
    if len(text) > MAX_LABEL or not text.isprintable():
        raise ValueError(
            f"{text[:MAX_LABEL]!r} is not a printable text of at most {MAX_LABEL} characters"
        )
    return text.strip()


# --------------------------------------------------------------------------------------------------
# samples.csv
# --------------------------------------------------------------------------------------------------
def read(folder: Path) -> tuple[list[Property], pd.DataFrame]:
    """Return the properties that a folder declares, with their values, and those of each image.

    The table's index has the images' paths in the folder. Its columns are ordered categoricals,
    one for each property. Raise InputError if a file is missing or invalid, if an image has no
    value, or if the values of a property cannot be compared between images.
    """
    properties, file = declared(folder / "properties.csv"), folder / "samples.csv"
    columns = {IMAGE: image_name} | {prop.name: _value_of(prop) for prop in properties}
    what = "a table of images and their properties"
    cells = csv_files.read_columns(file, columns, key=[IMAGE], others=True, what=what, hint=HINT)
    if not cells[IMAGE]:
        raise InputError(f"{file}: lists no image; {HINT}")
    with refused(file, what, HINT):
        table = pd.DataFrame(
            {prop.name: values_of(prop, cells[prop.name]) for prop in properties},
            index=cells[IMAGE],
        )
    categories = {name: tuple(table[name].cat.categories) for name in table}
    return [prop._replace(values=categories[prop.name]) for prop in properties], table


def _value_of(prop: Property) -> Callable[[str], Any]:
    """Return the kind of a property's column in samples.csv."""
    convert: Callable[[str], Any]
    if prop.kind == "categorical":
        convert = str
    else:
        convert = csv_files.one_of(prop.values) if prop.values else csv_files.int_or_float

    def kind(text: str) -> Any:
        if not text.strip() or not text.isprintable():
            raise ValueError(f"{text!r} is no value; fill the cell, or leave the image out")
        return convert(text.strip())

    return kind


def values_of(prop: Property, cells: list) -> pd.Categorical:
    """Return the values of a property in all images, those of a continuous one in bins.

    The categories are in the property's order; without one, in that of numbers or else letters.
    Raise ValueError if there is only one value, or more than half the number of images.
    """
    distinct, is_binned = set(cells), prop.kind == "continuous"
    if len(distinct) < 2:
        raise ValueError(f"{prop.name}: all images have the value {cells[0]}; leave it out")
    if is_binned:
        codes, labels = binned(np.array(cells, dtype=np.float64), prop.bins)
        values = pd.Categorical.from_codes(codes, labels, ordered=True)
    else:
        values = pd.Categorical(cells, prop.values or in_order(distinct), ordered=True)
    number = len(set(values.codes))
    if number < 2:
        raise ValueError(f"{prop.name}: all images are in one bin; declare more bins")
    if number > len(cells) / 2:
        fix = "fewer bins" if is_binned else "it continuous"
        raise ValueError(
            f"{prop.name}: {number} values are too many for {len(cells)} images; declare {fix}, or "
            "leave it out"
        )
    return values


def in_order(values: Iterable[Any]) -> list[Any]:
    """Return numbers, or texts, in ascending order: by size if all texts are numbers."""
    values = sorted(values)
    is_text = isinstance(values[0], str)
    if is_text and all(csv_files.NUMBER.fullmatch(value) for value in values):
        return sorted(values, key=float)
    return values


def binned(values: Float[np.ndarray, " n"], bins: int) -> tuple[Int[np.ndarray, " n"], list[str]]:
    """Return the bin of each number, from 0, and the bins' labels, such as "0.1 to 0.25".

    Bins have equal frequencies: each ends where another share 1 / bins of the numbers is reached.
    Equal numbers share a bin, so there may be fewer bins than asked for, but none is empty.
    """
    ends = -(-np.arange(1, bins + 1) * len(values) // bins)  # rounded up
    highest = np.unique(np.sort(values)[ends - 1])
    codes = np.searchsorted(highest, values)
    lowest = [values[codes == code].min() for code in range(len(highest))]
    for digits in range(3, 18):  # as few as tell all bins apart
        limits = [(f"{low:.{digits}g}", f"{high:.{digits}g}") for low, high in zip(lowest, highest)]
        if len(set(limits)) == len(limits):
            break
    return codes, [low if low == high else f"{low} to {high}" for low, high in limits]
