"""Run by the renderer's Python: writes the project's cars as files of other programs, as if they were a user's own.

export_cars.py FOLDER: FOLDER/cars.csv and six models of three formats, twice too large, beside the origin, in the air
and turned by 90 degrees.
"""

import csv
import sys
from math import radians
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

import bpy
from mathutils import Matrix

from dml_analysis import paper
from dml_analysis.renderer import car_files, car_models, car_scene, car_shapes

ENDINGS = (".glb", ".obj", ".blend")
MOVED = Matrix.Translation((3, -2, 5)) @ Matrix.Rotation(radians(90), 4, "Z") @ Matrix.Scale(2, 4)


def main(folder):
    folder.mkdir(parents=True)
    rows = []
    for number, model in enumerate(paper.CAR_MODELS):
        file = folder / f"car{number}{ENDINGS[number % 3]}"
        bpy.ops.wm.read_factory_settings(use_empty=True)
        materials = car_scene.car_materials()
        for name, material in materials.items():
            material.name = name
        car = car_shapes.build(model, car_models.CARS[model], materials)
        car.matrix_world = MOVED
        export(file)
        rows.append({"model": model, "file": file.name, "paint": "paint", "turn": -90})
    with open(folder / "cars.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, car_files.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def export(file):
    if file.suffix == ".glb":
        bpy.ops.export_scene.gltf(filepath=str(file))
    elif file.suffix == ".obj":
        bpy.ops.wm.obj_export(filepath=str(file))
    else:
        bpy.ops.wm.save_as_mainfile(filepath=str(file))


main(Path(sys.argv[1]))
