"""The values of the eleven properties in each frame, and the samples.csv that lists them.

A counterfactual set is a base image, one image for each property, in which that property alone has
another value, and last the base image again with other noise.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from dml_analysis import paper
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.paper import Property
from dml_analysis.renderer import sampled_cars
from dml_analysis.seeds import derived_seed

COLUMNS = ["frame"] + [prop.name for prop in paper.PROPERTIES]
FRAMES_OF_A_SET = len(paper.PROPERTIES) + 2
# The values that the variations share: in this picture a change of any property is visible.
BASE: dict[str, Any] = {
    "model": "Range Rover Evoque",
    "rotation_z": 45,
    "color_hue": 0.5,
    "color_sat": 1.5,
    "color_val": 1.0,
    "bg_color_hue": 0.5,
    "bg_color_sat": 1.0,
    "bg_color_val": 1.0,
    "camera_loc_z": 1.5,
    "sun_elevation": 45,
    "sun_rotation": 45,
}


def draw(frame: int, seed: int) -> dict[str, Any]:
    """Return the properties of a frame, each sampled uniformly and independently.

    A value depends only on seed, frame and property, so a frame is the same whichever others are
    requested.
    """
    return _sampled(frame, seed, "rendered cars", paper.PROPERTIES)


def draw_procedural(frame: int, seed: int, count: int) -> dict[str, Any]:
    """Return the properties of a frame with one of `count` procedurally generated cars.

    The cars take turns, so that all have equally many frames. The other values are independent of
    those of `draw`, so that no frame has a counterpart with one of the six cars.
    """
    model = sampled_cars.name_of((frame - 1) % count + 1)
    return {"model": model} | _sampled(frame, seed, "procedural cars", paper.PROPERTIES[1:])


def draw_counterfactual(frame: int, seed: int) -> dict[str, Any]:
    """Return the properties of a frame of counterfactual sets.

    The first frame of a set is sampled as in `draw`, and the last has the same values. In each of
    the others one property, in their order, has another value, which is sampled uniformly. That
    value depends only on seed, set and property.
    """
    number, position = _set_and_position(frame)
    values = _sampled(number, seed, "counterfactual sets", paper.PROPERTIES)
    if position in (0, FRAMES_OF_A_SET - 1):
        return values
    prop = paper.PROPERTIES[position - 1]
    others = [value for value in prop.values if value != values[prop.name]]
    index = derived_seed(seed, "counterfactual values", number, prop.name) % len(others)
    return values | {prop.name: others[index]}


def counterfactual_noise(frame: int, seed: int) -> int:
    """Return the noise seed of a frame of counterfactual sets.

    All frames of a set but the last share it, so that they differ by their properties alone.
    """
    number, position = _set_and_position(frame)
    is_last = position == FRAMES_OF_A_SET - 1
    return derived_seed(seed, "other noise" if is_last else "counterfactual noise", number)


def _set_and_position(frame: int) -> tuple[int, int]:
    """Return the number of a frame's counterfactual set, from 1, and its position there, from 0."""
    number, position = divmod(frame - 1, FRAMES_OF_A_SET)
    return number + 1, position


def _sampled(frame: int, seed: int, purpose: str, properties: list[Property]) -> dict[str, Any]:
    """Return a uniformly sampled value of each property, by its name."""
    return {
        prop.name: prop.values[derived_seed(seed, purpose, frame, prop.name) % len(prop.values)]
        for prop in properties
    }


def variations() -> list[tuple[str, dict[str, Any]]]:
    """Return (property name, values of all eleven) for each value of each property.

    The other properties have their values of BASE.
    """
    return [
        (prop.name, BASE | {prop.name: value}) for prop in paper.PROPERTIES for value in prop.values
    ]


def write_models(path: Path, names: Sequence[str]) -> None:
    """Write properties.csv, which declares the values of "model".

    Raise InputError if it exists and declares others.
    """
    hint = "delete it, or give another --output"
    declared = {"property": "model", "values": "|".join(names)}
    if not path.exists():
        csv_files.write_rows(path, [list(declared), list(declared.values())])
        return
    columns, what = dict.fromkeys(declared, str), "a list of car models"
    if csv_files.read_rows(path, columns, what=what, hint=hint) != [declared]:
        raise InputError(
            f"{path}: does not declare {names[0]} to {names[-1]} as the values of model; {hint}"
        )


def write_samples(
    path: Path, frames: Iterable[int], values_of: Callable[[int], dict[str, Any]], source: str
) -> None:
    """Write samples.csv for `frames`. Existing rows are checked and stay.

    `values_of` returns the properties of a frame. Raise InputError if an existing row has other
    values; the message names `source`, where the expected values come from.
    """
    rows = _checked_rows(path, values_of, source)
    missing = [frame for frame in frames if frame not in rows]
    if not missing:
        return
    rows |= {frame: {"frame": frame} | values_of(frame) for frame in missing}
    lines = [[rows[frame][name] for name in COLUMNS] for frame in sorted(rows)]
    csv_files.write_rows(path, [COLUMNS, *lines])


def _checked_rows(
    path: Path, values_of: Callable[[int], dict[str, Any]], source: str
) -> dict[int, dict[str, Any]]:
    """Return the rows of samples.csv by frame, none if the file does not exist.

    Raise InputError if a row differs from what `values_of` returns.
    """
    if not path.exists():
        return {}
    columns, hint = {"frame": int, **dict.fromkeys(COLUMNS[1:], str)}, "give another --output"
    rows = csv_files.read_rows(path, columns, key=["frame"], what="a list of frames", hint=hint)
    for row in rows:
        for name, value in (row | values_of(row["frame"])).items():
            if str(row[name]) != str(value):
                raise InputError(
                    f"{path}: frame {row['frame']}, column {name} is {row[name]}, "
                    f"but {source} gives {value}; "
                    "give the options the file was made with, or another --output"
                )
    return {row["frame"]: row for row in rows}
