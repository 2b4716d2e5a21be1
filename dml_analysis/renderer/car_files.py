"""Loader of a user's own car models (.blend, .glb, .gltf, .obj), in place of the six of car_models.

The folder contains cars.csv, one row per car: `model` (a value of the property), `file`, `paint`
(name of the material to paint) and `turn` (degrees about the vertical axis after which its front
points towards +x).
"""

from collections.abc import Callable, Iterable
from math import radians
from pathlib import Path
from typing import Any, NamedTuple

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


# --------------------------------------------------------------------------------------------------
# The list of cars.
# --------------------------------------------------------------------------------------------------
class CarFile(NamedTuple):
    """One row of cars.csv."""

    file: Path
    paint: str  # name of the material to paint
    turn: float  # degrees


def read_list(folder: Path | str) -> dict[str, CarFile]:
    """Return the cars of folder/cars.csv by model. Raise InputError if it is invalid."""
    table = Path(folder) / "cars.csv"
    models = ", ".join(paper.CAR_MODELS)
    what = "a list of cars"
    hint = f"its columns must be {','.join(COLUMNS)}, with a row for each of {models}"
    rows = csv_files.read_rows(table, COLUMNS, key=["model"], others=True, what=what, hint=hint)
    cars = {row["model"]: _checked(table, row) for row in rows}
    if set(cars) != set(paper.CAR_MODELS):
        raise InputError(f"{table}: has {', '.join(cars) or 'no car'}; {hint}")
    return cars


def _checked(table: Path, row: dict[str, Any]) -> CarFile:
    """Return a row of cars.csv. Raise InputError if its file is missing or of another format."""
    file = table.parent / row["file"]
    if file.suffix.lower() not in LOADERS:
        raise InputError(f"{table}: {row['file']!r} is not one of {', '.join(LOADERS)}")
    if not file.is_file():
        raise InputError(f"{file}: missing; {table} names it as {row['model']}")
    return CarFile(file, row["paint"], row["turn"])


# --------------------------------------------------------------------------------------------------
# Loading.
# --------------------------------------------------------------------------------------------------
def _load_blend(file: str) -> None:
    """Load all objects of a .blend file into the scene."""
    with bpy.data.libraries.load(file, link=False) as (available, loaded):
        loaded.objects = available.objects
    for thing in loaded.objects:
        bpy.context.scene.collection.objects.link(thing)


def _load_gltf(file: str) -> None:
    """Load a .glb or .gltf file into the scene."""
    bpy.ops.import_scene.gltf(filepath=file)


def _load_obj(file: str) -> None:
    """Load an .obj file into the scene."""
    bpy.ops.wm.obj_import(filepath=file)


LOADERS: dict[str, Callable[[str], None]] = {
    ".blend": _load_blend,
    ".glb": _load_gltf,
    ".gltf": _load_gltf,
    ".obj": _load_obj,
}


def load_all(folder: Path, paint: "bpy.types.Material") -> None:
    """Load the cars of folder/cars.csv, each under an empty object with its model's name.

    `paint` replaces the material to paint. Raise InputError if a car cannot be loaded.
    """
    for model, car in read_list(folder).items():
        things = _loaded(car.file)
        _paint(car.file, things, car.paint, paint)
        _place(model, things, car.turn)


def _loaded(file: Path) -> "list[bpy.types.Object]":
    """Return the objects of a file, without lights and cameras.

    Objects and materials get names that nothing else has. Raise InputError if the file does not
    load or contains no mesh.
    """
    objects, materials = set(bpy.data.objects), set(bpy.data.materials)
    try:
        LOADERS[file.suffix.lower()](str(file))
    except Exception as error:  # Blender and its importers, which are add-ons, raise many types
        lines = str(error).strip().splitlines()
        reason = lines[-1] if lines else type(error).__name__
        raise InputError(f"{file}: does not load ({reason}); export it again") from None
    things = [thing for thing in bpy.data.objects if thing not in objects]
    for thing in list(things):
        if thing.type in ("LIGHT", "CAMERA", "SPEAKER", "LIGHT_PROBE"):
            things.remove(thing)
            bpy.data.objects.remove(thing)
    if not any(thing.type == "MESH" and thing.data.polygons for thing in things):
        raise InputError(f"{file}: contains no mesh; export it again")
    for block in [*things, *(set(bpy.data.materials) - materials)]:
        block.name = f"{file.name}: {block.name}"
    return things


def _paint(
    file: Path, things: "list[bpy.types.Object]", name: str, paint: "bpy.types.Material"
) -> None:
    """Replace the material `name` by `paint`. Raise InputError if no object has it."""
    meshes = [thing for thing in things if thing.type == "MESH"]
    slots = [slot for mesh in meshes for slot in mesh.material_slots if slot.material]
    painted = [slot for slot in slots if slot.material.name == f"{file.name}: {name}"]
    if not painted:
        names = sorted({slot.material.name.removeprefix(f"{file.name}: ") for slot in slots})
        raise InputError(
            f"{file}: no part has the material {name!r}; name one of {', '.join(names) or 'none'}"
        )
    for slot in painted:
        slot.material = paint


def _place(model: str, things: "list[bpy.types.Object]", turn: float) -> None:
    """Turn a car's front towards +x, scale it to its model's length, and centre it on z = 0."""
    root = bpy.data.objects.new(model, None)
    bpy.context.scene.collection.objects.link(root)
    bpy.context.view_layer.update()
    turned = Matrix.Rotation(radians(turn), 4, "Z")
    low, high = _bounds(things, turned)
    scale = CARS[model].length / (high.x - low.x)
    middle = Vector(((low.x + high.x) / 2, (low.y + high.y) / 2, low.z))
    placed = Matrix.Scale(scale, 4) @ Matrix.Translation(-middle) @ turned
    for thing in things:
        if thing.parent is None:
            thing.parent = root
            thing.matrix_world = placed @ thing.matrix_world


def _bounds(things: "Iterable[bpy.types.Object]", turned: "Matrix") -> "tuple[Vector, Vector]":
    """Return the lowest and the highest corner of the meshes' vertices after `turned`."""
    graph = bpy.context.evaluated_depsgraph_get()
    points = []
    for thing in things:
        if thing.type == "MESH":
            mesh = thing.evaluated_get(graph).to_mesh()
            points += [turned @ thing.matrix_world @ vertex.co for vertex in mesh.vertices]
    low = Vector([min(point[axis] for point in points) for axis in range(3)])
    high = Vector([max(point[axis] for point in points) for axis in range(3)])
    return low, high
