"""A user's own car models (.blend, .glb, .gltf or .obj) in the place of the six of car_models.

The folder holds cars.csv, one row per car: `model` (a value of the property), `file`, `paint` (name of the material to
paint) and `turn` (degrees about the vertical axis after which its front points towards +x).
"""

from math import radians
from pathlib import Path

import bpy
from mathutils import Matrix, Vector

from dml_analysis import paper
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.renderer.car_models import CARS

COLUMNS = {
    "model": csv_files.one_of(paper.CAR_MODELS),
    "file": str,
    "paint": str,
    "turn": lambda text: csv_files.number(text or "0"),
}


# ---------------------------------------------------------------------------------------------------------------------
# The list of cars.
# ---------------------------------------------------------------------------------------------------------------------
def read_list(folder):
    """Model -> (file, name of the material to paint, turn in degrees). Raises InputError naming what is wrong."""
    table = Path(folder) / "cars.csv"
    what, hint = (
        "a list of cars",
        f"its columns must be {','.join(COLUMNS)}, with a row for each of {', '.join(paper.CAR_MODELS)}",
    )
    rows = csv_files.read_rows(table, COLUMNS, key=["model"], others=True, what=what, hint=hint)
    cars = {row["model"]: _checked(table, row) for row in rows}
    if set(cars) != set(paper.CAR_MODELS):
        raise InputError(f"{table}: has {', '.join(cars) or 'no car'}; {hint}")
    return cars


def _checked(table, row):
    file = table.parent / row["file"]
    if file.suffix.lower() not in LOADERS:
        raise InputError(f"{table}: {row['file']!r} is none of {', '.join(LOADERS)}")
    if not file.is_file():
        raise InputError(f"{file}: missing; {table} names it as {row['model']}")
    return file, row["paint"], row["turn"]


# ---------------------------------------------------------------------------------------------------------------------
# Loading.
# ---------------------------------------------------------------------------------------------------------------------
def _load_blend(file):
    with bpy.data.libraries.load(file, link=False) as (_, loaded):
        loaded.objects = _.objects
    for thing in loaded.objects:
        bpy.context.scene.collection.objects.link(thing)


def _load_gltf(file):
    bpy.ops.import_scene.gltf(filepath=file)


def _load_obj(file):
    bpy.ops.wm.obj_import(filepath=file)


LOADERS = {".blend": _load_blend, ".glb": _load_gltf, ".gltf": _load_gltf, ".obj": _load_obj}


def load_all(folder, paint):
    """Loads the cars of folder/cars.csv, each under an empty object with its model's name; `paint`: a bpy material."""
    for model, (file, material, turn) in read_list(folder).items():
        things = _loaded(file)
        _paint(file, things, material, paint)
        _set_down(model, things, turn)


def _loaded(file):
    """The objects of a file, lamps and cameras left out; what is in it gets names that nothing else has."""
    objects, materials = set(bpy.data.objects), set(bpy.data.materials)
    try:
        LOADERS[file.suffix.lower()](str(file))
    except Exception as error:  # Blender and its importers, which are add-ons, raise many kinds
        reason = str(error).strip().splitlines()
        raise InputError(f"{file}: does not load ({reason[-1] if reason else type(error).__name__})") from None
    things = [each for each in bpy.data.objects if each not in objects]
    for each in [each for each in things if each.type in ("LIGHT", "CAMERA", "SPEAKER", "LIGHT_PROBE")]:
        things.remove(each)
        bpy.data.objects.remove(each)
    if not any(each.type == "MESH" and each.data.polygons for each in things):
        raise InputError(f"{file}: has no mesh in it")
    for each in [*things, *(set(bpy.data.materials) - materials)]:
        each.name = f"{file.name}: {each.name}"
    return things


def _paint(file, things, name, paint):
    """Puts `paint` where the file has the material `name`."""
    slots = [slot for each in things if each.type == "MESH" for slot in each.material_slots if slot.material]
    chosen = [slot for slot in slots if slot.material.name == f"{file.name}: {name}"]
    if not chosen:
        names = sorted({slot.material.name.removeprefix(f"{file.name}: ") for slot in slots})
        raise InputError(f"{file}: no part has the material {name!r}; it has {', '.join(names) or 'none'}")
    for slot in chosen:
        slot.material = paint


def _set_down(model, things, turn):
    """Turns the car's front towards +x, scales it to its model's length, puts its middle over the origin, on z = 0."""
    root = bpy.data.objects.new(model, None)
    bpy.context.scene.collection.objects.link(root)
    bpy.context.view_layer.update()
    turned = Matrix.Rotation(radians(turn), 4, "Z")
    low, high = _bounds(things, turned)
    scale = CARS[model].length / (high.x - low.x)
    middle = Vector(((low.x + high.x) / 2, (low.y + high.y) / 2, low.z))
    placed = Matrix.Scale(scale, 4) @ Matrix.Translation(-middle) @ turned
    for each in things:
        if each.parent is None:
            each.parent = root
            each.matrix_world = placed @ each.matrix_world


def _bounds(things, turned):
    """The lowest and the highest corner of the meshes' vertices after `turned`."""
    graph = bpy.context.evaluated_depsgraph_get()
    points = []
    for each in things:
        if each.type == "MESH":
            mesh = each.evaluated_get(graph).to_mesh()
            points += [turned @ each.matrix_world @ vertex.co for vertex in mesh.vertices]
    return (Vector([pick(point[axis] for point in points) for axis in range(3)]) for pick in (min, max))
