"""Which values of the eleven properties a frame shows, and the samples.csv that lists them."""

import csv
import io

import utils

COLUMNS = ["frame"] + [each.name for each in utils.PROPERTIES]


def draw(frame, seed):
    """Property name -> value of one frame, each drawn uniformly and independently.

    A draw depends on nothing but seed, frame and property, so a frame is the same whichever others are asked for.
    """
    return {
        each.name: each.values[utils.derived_seed(seed, "rendered cars", frame, each.name) % len(each.values)]
        for each in utils.PROPERTIES
    }


def _row(frame, seed):
    return {"frame": str(frame)} | {name: str(value) for name, value in draw(frame, seed).items()}


def _checked_rows(path, seed):
    """Frame -> row of an existing samples.csv, all of which must be what `draw` gives."""
    if not path.exists():
        return {}
    rows = utils.read_rows(path)
    if rows and list(rows[0]) != COLUMNS:
        raise utils.InputError(f"{path}: columns are {','.join(map(str, rows[0]))}, expected {','.join(COLUMNS)}")
    checked = {}
    for line, row in enumerate(rows, start=2):
        if not (row["frame"] or "").isdecimal():
            raise utils.InputError(f"{path}: line {line} has no whole number in column frame")
        frame = int(row["frame"])
        for name, value in _row(frame, seed).items():
            if row[name] != value:
                raise utils.InputError(
                    f"{path}: frame {frame}, column {name} is {row[name]}, but seed {seed} draws {value}; "
                    "give the seed the file was made with, or another --output"
                )
        checked[frame] = row
    return checked


def write_samples(path, frames, seed):
    """Writes samples.csv for `frames`; rows that are there already are checked against the seed and kept."""
    rows = _checked_rows(path, seed)
    missing = [frame for frame in frames if frame not in rows]
    if not missing:
        return
    rows |= {frame: _row(frame, seed) for frame in missing}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[frame] for frame in sorted(rows))
    utils.write_text(path, text.getvalue())
