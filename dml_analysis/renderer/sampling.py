"""Which values of the eleven properties a frame shows, and the samples.csv that lists them."""

from dml_analysis import paper
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.renderer import sampled_cars
from dml_analysis.seeds import derived_seed

COLUMNS = ["frame"] + [each.name for each in paper.PROPERTIES]
FRAMES_OF_A_SCENE = 1 + len(paper.PROPERTIES)  # of counterfactual frames
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
    return _drawn(frame, seed, "rendered cars", paper.PROPERTIES)


def draw_procedural(frame, seed, count):
    """The same with `count` drawn cars, which take turns, so that all have equally many frames.

    All but the car is drawn apart from what `draw` gives, so that these frames and those of the six cars are no pairs.
    """
    model = sampled_cars.name_of((frame - 1) % count + 1)
    return {"model": model} | _drawn(frame, seed, "procedural cars", paper.PROPERTIES[1:])


def draw_counterfactual(frame, seed):
    """The same of frames in scenes: the first of each is drawn, and in each of the others one property has another value.

    The properties change in their order, so a scene has a frame for each of them. A new value is drawn uniformly.
    """
    scene, place = divmod(frame - 1, FRAMES_OF_A_SCENE)
    values = _drawn(scene + 1, seed, "counterfactual scenes", paper.PROPERTIES)
    if place == 0:
        return values
    changed = paper.PROPERTIES[place - 1]
    others = [value for value in changed.values if value != values[changed.name]]
    return values | {changed.name: others[derived_seed(seed, "counterfactual values", frame) % len(others)]}


def _drawn(frame, seed, purpose, properties):
    return {
        each.name: each.values[derived_seed(seed, purpose, frame, each.name) % len(each.values)] for each in properties
    }


def variations():
    """[(property name, values of all eleven), ...]: each property goes through its values, the others stay at BASE."""
    return [(each.name, BASE | {each.name: value}) for each in paper.PROPERTIES for value in each.values]


def write_models(path, names):
    """Writes properties.csv, which declares the values of "model". Raises InputError if it exists and says otherwise."""
    hint = "delete it, or give another --output"
    declared = {"property": "model", "values": "|".join(names)}
    if not path.exists():
        csv_files.write_rows(path, [list(declared), list(declared.values())])
    elif csv_files.read_rows(path, dict.fromkeys(declared, str), what="a list of car models", hint=hint) != [declared]:
        raise InputError(f"{path}: does not declare {names[0]} to {names[-1]} as the values of model; {hint}")


def write_samples(path, frames, values_of, source):
    """Writes samples.csv for `frames`; rows that exist already are checked and kept.

    `values_of`: frame -> values of its properties. Raises InputError if such a row shows others, in which case
    `source` names what the expected values come from.
    """
    rows = _checked_rows(path, values_of, source)
    missing = [frame for frame in frames if frame not in rows]
    if not missing:
        return
    rows |= {frame: {"frame": frame} | values_of(frame) for frame in missing}
    csv_files.write_rows(path, [COLUMNS, *([rows[frame][name] for name in COLUMNS] for frame in sorted(rows))])


def _checked_rows(path, values_of, source):
    """Frame -> row of an existing samples.csv, all of which must be what `values_of` gives."""
    if not path.exists():
        return {}
    columns, hint = {"frame": int, **dict.fromkeys(COLUMNS[1:], str)}, "give another --output"
    rows = csv_files.read_rows(path, columns, key=["frame"], what="a list of frames", hint=hint)
    for row in rows:
        for name, value in (row | values_of(row["frame"])).items():
            if str(row[name]) != str(value):
                raise InputError(
                    f"{path}: frame {row['frame']}, column {name} is {row[name]}, but {source} gives {value}; "
                    "give the options the file was made with, or another --output"
                )
    return {row["frame"]: row for row in rows}
