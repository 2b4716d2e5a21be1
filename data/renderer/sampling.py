"""Which values of the eleven properties a frame shows, and the samples.csv that lists them."""

import csv
import io

import utils
from common import safe_files
from common.errors import InputError
from common.seeds import derived_seed

COLUMNS = ["frame"] + [each.name for each in utils.PROPERTIES]
# What the variations have in common: a picture in which every property can be seen to change.
BASE = {
    "model": "Range Rover Evoque", "rotation_z": 45,
    "color_hue": 0.5, "color_sat": 1.5, "color_val": 1.0,
    "bg_color_hue": 0.5, "bg_color_sat": 1.0, "bg_color_val": 1.0,
    "camera_loc_z": 1.5, "sun_elevation": 45, "sun_rotation": 45,
}  # fmt: skip


def draw(frame, seed):
    """Property name -> value of one frame, each drawn uniformly and independently.

    A draw depends on nothing but seed, frame and property, so a frame is the same whichever others are asked for.
    """
    return {
        each.name: each.values[derived_seed(seed, "rendered cars", frame, each.name) % len(each.values)]
        for each in utils.PROPERTIES
    }


def variations():
    """[(property name, values of all eleven), ...]: each property goes through its values, the others stay at BASE."""
    return [(each.name, BASE | {each.name: value}) for each in utils.PROPERTIES for value in each.values]


def write_samples(path, frames, values_of, source):
    """Writes samples.csv for `frames`; rows that exist already are checked and kept.

    `values_of`: frame -> values of its properties. Raises InputError if such a row shows others, in which case
    `source` names what the expected values come from.
    """
    rows = _checked_rows(path, values_of, source)
    missing = [frame for frame in frames if frame not in rows]
    if not missing:
        return
    rows |= {frame: _row(frame, values_of) for frame in missing}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[frame] for frame in sorted(rows))
    safe_files.write_text(path, text.getvalue())


def _row(frame, values_of):
    return {"frame": str(frame)} | {name: str(value) for name, value in values_of(frame).items()}


def _checked_rows(path, values_of, source):
    """Frame -> row of an existing samples.csv, all of which must be what `values_of` gives."""
    if not path.exists():
        return {}
    rows = safe_files.read_rows(path)
    if rows and list(rows[0]) != COLUMNS:
        raise InputError(f"{path}: columns are {','.join(map(str, rows[0]))}, expected {','.join(COLUMNS)}")
    checked = {}
    for line, row in enumerate(rows, start=2):
        if not (row["frame"] or "").isdecimal():
            raise InputError(f"{path}: line {line} has no whole number in column frame")
        frame = int(row["frame"])
        for name, value in _row(frame, values_of).items():
            if row[name] != value:
                raise InputError(
                    f"{path}: frame {frame}, column {name} is {row[name]}, but {source} gives {value}; "
                    "give the options the file was made with, or another --output"
                )
        checked[frame] = row
    return checked
