"""The Blender scene of the rendered cars, which `build` makes and `apply` sets to properties.

`render` then writes the picture, and `mask` returns what is where in it. Lengths are in metres, the
properties' angles in degrees. A car at rotation 0 faces the camera, which stands on the +x axis. A
sun at rotation 0 is behind the camera.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import cos, pi, radians, sin
from pathlib import Path
from typing import Any, NamedTuple

import bpy
import numpy as np
from mathutils import Vector

from dml_analysis.errors import InputError
from dml_analysis.renderer import camera, car_files, car_shapes
from dml_analysis.renderer.car_models import CARS, Car, Point3
from dml_analysis.renderer.mask_files import CAR, GROUND

LOOK_AT = Vector((0.0, 0.0, camera.LOOK_AT))
NAMED = "scene: "  # begins the names of the scene's own materials; a user's file has others
LAST_BYTES = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}  # of a complete image file
STAGE = ("ground", "behind", "sun", "camera")  # the objects that are not cars
MASK = "mask"  # name of the temporary file with the mask of the last picture
SIDE = 400.0  # half the side of the ground
# Linear RGB. Saturation is 0.5 and value at most 0.5, so that factors from 0 to 2 look different.
PAINT = (0.44, 0.22, 0.22)
BACKGROUND = (0.21, 0.32, 0.42)


class Light(NamedTuple):
    """The sun at one of its elevations, and the sky that belongs to it."""

    height: float  # degrees above the horizon
    strength: float  # W/m^2 on a surface that faces it
    color: Point3  # RGB
    horizon: Point3  # radiance of the sky at the horizon
    zenith: Point3  # and at the zenith
    exposure: float  # stops


LIGHTS = {
    # A sun at 0 degrees would not light the ground, which then could not show shadows.
    0: Light(6, 6.0, (1.0, 0.52, 0.22), (0.34, 0.24, 0.18), (0.12, 0.14, 0.20), 0.4),
    45: Light(45, 3.0, (1.0, 0.94, 0.85), (0.36, 0.39, 0.43), (0.20, 0.25, 0.33), 0.0),
    90: Light(90, 2.8, (1.0, 0.98, 0.94), (0.36, 0.39, 0.43), (0.20, 0.25, 0.33), 0.0),
}


# --------------------------------------------------------------------------------------------------
# Materials.
# --------------------------------------------------------------------------------------------------
def _shifted(nodes: Any, color: Point3) -> "bpy.types.Node":
    """Return a new Hue/Saturation/Value node "shift" of a colour, which 0.5, 1, 1 keep."""
    node = nodes.new("ShaderNodeHueSaturation")
    node.name = "shift"
    node.inputs["Color"].default_value = (*color, 1)
    return node


def _material(
    name: str,
    color: Point3,
    roughness: float,
    metallic: float = 0.0,
    coat: float = 0.0,
    glow: float = 0.0,
    shifted: bool = False,
) -> "bpy.types.Material":
    """Return a new material; `shifted` adds a node "shift" to its colour."""
    material = bpy.data.materials.new(NAMED + name)
    material.use_nodes = True
    material.cycles.emission_sampling = "NONE"  # lamps light nothing, to avoid their noise
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface = nodes["Principled BSDF"].inputs
    surface["Base Color"].default_value = (*color, 1)
    surface["Roughness"].default_value = roughness
    surface["Metallic"].default_value = metallic
    surface["Coat Weight"].default_value = coat
    surface["Emission Color"].default_value = (*color, 1)
    surface["Emission Strength"].default_value = glow
    if shifted:
        links.new(_shifted(nodes, color).outputs["Color"], surface["Base Color"])
    return material


def car_materials() -> "dict[str, bpy.types.Material]":
    """Return a new material for each name in car_shapes.MATERIALS."""
    return {
        "paint": _material("paint", PAINT, 0.42, coat=1.0, shifted=True),
        "glass": _material("glass", (0.010, 0.012, 0.014), 0.04),
        "dark": _material("dark", (0.018, 0.018, 0.018), 0.6),
        "black": _material("black", (0.008, 0.008, 0.008), 0.15),
        "tyre": _material("tyre", (0.022, 0.022, 0.022), 0.8),
        "rim": _material("rim", (0.55, 0.56, 0.58), 0.35, metallic=0.2),
        "metal": _material("metal", (0.60, 0.61, 0.63), 0.25, metallic=1.0),
        "lamp": _material("lamp", (0.72, 0.75, 0.78), 0.1, glow=0.1),
        "tail": _material("tail", (0.42, 0.006, 0.008), 0.15, glow=0.15),
        "plate": _material("plate", (0.68, 0.68, 0.65), 0.5),
    }


def _background_material(name: str, shader: str) -> "bpy.types.Material":
    """Return a material of this shader alone.

    Its colour is the product of the shifted background colour and the node "lit".
    """
    material = bpy.data.materials.new(NAMED + name)
    material.use_nodes = True
    material.cycles.emission_sampling = "NONE"
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    out, surface, lit = (
        nodes.new(f"ShaderNode{kind}") for kind in ("OutputMaterial", shader, "VectorMath")
    )
    lit.name, lit.operation = "lit", "MULTIPLY"
    lit.inputs[1].default_value = (1, 1, 1)
    links.new(_shifted(nodes, BACKGROUND).outputs["Color"], lit.inputs[0])
    links.new(lit.outputs["Vector"], surface.inputs["Color"])
    links.new(surface.outputs[0], out.inputs["Surface"])
    return material


# --------------------------------------------------------------------------------------------------
# Building.
# --------------------------------------------------------------------------------------------------
def _linked(name: str, data: Any) -> "bpy.types.Object":
    """Return a new object of the scene with this data."""
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _quad(
    name: str, corners: Sequence[Point3], material: "bpy.types.Material"
) -> "bpy.types.Object":
    """Return a new object of the scene with one four-cornered face."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    mesh.materials.append(material)
    return _linked(name, mesh)


def _background() -> None:
    """Add the ground, and behind it a wall that only the camera sees.

    The wall emits light and is brightest where it meets the ground.
    """
    ground = _background_material("ground", "BsdfDiffuse")
    corners = [(-SIDE, -SIDE, 0), (SIDE, -SIDE, 0), (SIDE, SIDE, 0), (-SIDE, SIDE, 0)]
    _quad("ground", corners, ground).pass_index = GROUND
    behind = _background_material("behind", "Emission")
    nodes, links = behind.node_tree.nodes, behind.node_tree.links
    position = nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    split = nodes.new("ShaderNodeSeparateXYZ")
    strength = nodes.new("ShaderNodeMapRange")
    for name, value in [("From Max", 0.5 * SIDE), ("To Min", 1.22), ("To Max", 0.72)]:
        strength.inputs[name].default_value = value
    links.new(position, split.inputs[0])
    links.new(split.outputs["Z"], strength.inputs["Value"])
    links.new(strength.outputs["Result"], nodes["Emission"].inputs["Strength"])
    x = -camera.WALL
    wall = _quad(
        "behind", [(x, -SIDE, -1), (x, SIDE, -1), (x, SIDE, SIDE), (x, -SIDE, SIDE)], behind
    )
    wall.visible_diffuse = wall.visible_glossy = wall.visible_transmission = wall.visible_shadow = (
        False
    )


def _sky(scene: "bpy.types.Scene") -> None:
    """Add the sky, whose light blends the node inputs for horizon and zenith.

    It blends them by the sine of the elevation.
    """
    world = scene.world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    # The sky is smooth: paths that leave the scene sample it with less noise than rays aimed at it.
    # And for aiming Blender would build an importance map at every change of the sky, which takes
    # longer than the picture.
    world.cycles.sampling_method = "NONE"
    nodes, links = world.node_tree.nodes, world.node_tree.links
    towards, split, mix = (
        nodes.new(f"ShaderNode{kind}") for kind in ("TexCoord", "SeparateXYZ", "Mix")
    )
    mix.name, mix.data_type, mix.clamp_factor = "sky", "RGBA", True
    links.new(towards.outputs["Generated"], split.inputs["Vector"])
    links.new(split.outputs["Z"], mix.inputs["Factor"])
    links.new(mix.outputs["Result"], nodes["Background"].inputs["Color"])


def _compute_on(scene: "bpy.types.Scene", device: str) -> None:
    """Set the device that Cycles renders on. Raise InputError if Blender finds no such device."""
    scene.cycles.device = "CPU" if device == "CPU" else "GPU"
    if device == "CPU":
        return
    preferences = bpy.context.preferences.addons["cycles"].preferences
    try:
        preferences.compute_device_type = device
    except TypeError:  # this Blender was built without it
        raise InputError(
            f"--device {device}: this Blender cannot use it; try --device CPU"
        ) from None
    preferences.refresh_devices()
    devices = [entry for entry in preferences.devices if entry.type == device]
    if not devices:
        raise InputError(f"--device {device}: Blender finds no such device; try --device CPU")
    for entry in preferences.devices:
        entry.use = entry in devices


def _settings(scene: "bpy.types.Scene", size: int, samples: int, image_format: str) -> None:
    """Set the size, format and quality of the pictures."""
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.use_persistent_data = True
    render.image_settings.file_format = {"png": "PNG", "jpg": "JPEG"}[image_format]
    render.image_settings.color_mode = "RGB"
    render.image_settings.quality = 90
    # No date and render time in the files, so that the same frame is the same file.
    for stamp in dir(render):
        if stamp.startswith("use_stamp_"):
            setattr(render, stamp, stamp == "use_stamp_labels")  # hidden labels count as a stamp
    scene.view_settings.view_transform = "Standard"
    cycles.samples = samples
    cycles.use_adaptive_sampling = False  # there are too few samples to adapt
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_prefilter = "FAST"  # halves the time; not visible at this size
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 2
    cycles.use_light_tree = False  # it helps with many lights; this scene has one
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 3.0


def _mask_output(scene: "bpy.types.Scene") -> None:
    """Make Blender write a mask with every picture: each pixel's central object, by its index."""
    scene.view_layers[0].use_pass_object_index = True
    scene.use_nodes = True
    nodes, links = scene.node_tree.nodes, scene.node_tree.links
    nodes.clear()
    layers, picture, indices = (
        nodes.new(f"CompositorNode{kind}") for kind in ("RLayers", "Composite", "OutputFile")
    )
    indices.base_path, indices.file_slots[0].path = bpy.app.tempdir, MASK
    indices.format.file_format, indices.format.color_depth = "OPEN_EXR", "32"
    links.new(layers.outputs["Image"], picture.inputs["Image"])
    links.new(layers.outputs["IndexOB"], indices.inputs[0])


def build(
    size: int,
    samples: int,
    image_format: str = "png",
    device: str = "CPU",
    cars: Mapping[str, Car] | Path = CARS,
) -> "bpy.types.Scene":
    """Return the scene with some cars, of which `apply` shows one; it may add others.

    `size` is in pixels, `samples` per pixel. `cars` are Cars by name, or a folder of the user's own
    (see car_files). Raise InputError if the device does not exist or a car cannot be loaded.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    _compute_on(scene, device)
    _settings(scene, size, samples, image_format)
    _mask_output(scene)
    materials = car_materials()
    if isinstance(cars, Path):
        car_files.load_all(cars, materials["paint"])
    else:
        for name, car in cars.items():
            car_shapes.build(name, car, materials)
    _background()
    _sky(scene)
    sun = _linked("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.angle = radians(1.5)
    scene.camera = _linked("camera", bpy.data.cameras.new("camera"))
    scene.camera.data.lens, scene.camera.data.sensor_width = camera.LENS, camera.SENSOR
    return scene


# --------------------------------------------------------------------------------------------------
# One picture.
# --------------------------------------------------------------------------------------------------
def _shift(material: str, hue: float, sat: float, val: float) -> None:
    """Set the node "shift" of a material."""
    inputs = bpy.data.materials[NAMED + material].node_tree.nodes["shift"].inputs
    inputs["Hue"].default_value = hue
    inputs["Saturation"].default_value = sat
    inputs["Value"].default_value = val


def _set_light(scene: "bpy.types.Scene", elevation: int, rotation: float) -> None:
    """Set sun, sky, wall and exposure to a sun at this elevation and rotation, in degrees."""
    light, turn = LIGHTS[elevation], radians(rotation)
    height = radians(light.height)
    sun = scene.objects["sun"]
    sun.data.energy, sun.data.color = light.strength, light.color
    towards = Vector((cos(height) * cos(turn), cos(height) * sin(turn), sin(height)))
    sun.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    sky = scene.world.node_tree.nodes["sky"]
    colors = [socket for socket in sky.inputs if socket.type == "RGBA"]
    colors[0].default_value, colors[1].default_value = (*light.horizon, 1), (*light.zenith, 1)
    # The radiance of white ground: from the sun, and from the sky's mean over the hemisphere,
    # weighted by the sine of elevation.
    above = [(low + 2 * high) / 3 for low, high in zip(light.horizon, light.zenith)]
    ground = [light.strength * sin(height) / pi * a + b for a, b in zip(light.color, above)]
    bpy.data.materials[NAMED + "behind"].node_tree.nodes["lit"].inputs[1].default_value = ground
    scene.view_settings.exposure = light.exposure


def _show(scene: "bpy.types.Scene", model: str) -> None:
    """Show one car and hide all others."""
    things = [thing for thing in scene.objects if thing.parent is None]
    for root in [thing for thing in things if thing.name not in STAGE]:
        for thing in (root, *root.children_recursive):
            thing.hide_render = root.name != model
            thing.pass_index = CAR


def apply(scene: "bpy.types.Scene", values: Mapping[str, Any], car: Car | None = None) -> None:
    """Set all eleven properties to these values, given by name.

    `car` is built if the scene does not have the model yet.
    """
    if values["model"] not in scene.objects:
        assert car is not None  # only procedural cars are built when they are first shown
        names = car_shapes.MATERIALS
        car_shapes.build(
            values["model"], car, {name: bpy.data.materials[NAMED + name] for name in names}
        )
    _show(scene, values["model"])
    scene.objects[values["model"]].rotation_euler.z = radians(values["rotation_z"])
    _shift("paint", values["color_hue"], values["color_sat"], values["color_val"])
    for material in ("ground", "behind"):
        _shift(material, values["bg_color_hue"], values["bg_color_sat"], values["bg_color_val"])
    _set_light(scene, values["sun_elevation"], values["sun_rotation"])
    position = Vector((camera.DISTANCE, 0.0, values["camera_loc_z"]))
    scene.camera.location = position
    scene.camera.rotation_euler = (LOOK_AT - position).to_track_quat("-Z", "Y").to_euler()


def render(scene: "bpy.types.Scene", path: Path, seed: int) -> None:
    """Write the picture; `seed` fixes its noise. Raise InputError if it cannot be written."""
    scene.cycles.seed = seed & 0x7FFFFFFF
    scene.render.filepath = str(path)
    _mask_file(scene).unlink(missing_ok=True)  # so that it is not read as the next picture's
    try:
        bpy.ops.render.render(write_still=True)
    except RuntimeError as error:
        raise InputError(f"{path}: Blender could not write it ({str(error).strip()})") from None
    # On a full disk Blender leaves an incomplete file and reports nothing.
    if not path.is_file() or not path.read_bytes().endswith(LAST_BYTES[path.suffix]):
        raise InputError(
            f"{path}: Blender wrote an incomplete file; check that the disk is not full"
        )


def _mask_file(scene: "bpy.types.Scene") -> Path:
    """Return the temporary file with the mask of the last picture."""
    return Path(bpy.app.tempdir) / f"{MASK}{scene.frame_current:04}.exr"


def mask(scene: "bpy.types.Scene") -> np.ndarray:
    """Return what is where in the last picture: an array (size, size) of mask_files' numbers.

    Each pixel is that of its centre. The mask is thus the same for any number of samples, light and
    colours. Raise InputError if Blender could not write it.
    """
    file = _mask_file(scene)
    try:
        image = bpy.data.images.load(str(file))
    except RuntimeError:
        raise InputError(
            f"{file}: Blender could not write it; check that the disk is not full"
        ) from None
    values = np.empty(len(image.pixels), dtype=np.float32)
    image.pixels.foreach_get(values)
    size, channels = tuple(image.size), image.channels
    bpy.data.images.remove(image)
    file.unlink()
    if size != (scene.render.resolution_x, scene.render.resolution_y):
        raise InputError(
            f"{file}: Blender wrote an incomplete file; check that the disk is not full"
        )
    # Blender counts rows from the bottom.
    return values.reshape(*size[::-1], channels)[::-1, :, 0].astype(np.uint8)


def mask_alone(scene: "bpy.types.Scene") -> np.ndarray:
    """Return the mask of a picture without rendering it again, which is fast."""
    before = scene.cycles.samples, scene.cycles.use_denoising
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    _mask_file(scene).unlink(missing_ok=True)
    bpy.ops.render.render()
    scene.cycles.samples, scene.cycles.use_denoising = before
    return mask(scene)


@contextmanager
def outlined(scene: "bpy.types.Scene") -> Iterator[None]:
    """Make `render` show the car alone: the picture is opaque where the car is."""
    cycles, image = scene.cycles, scene.render.image_settings
    before = cycles.samples, cycles.use_denoising, image.color_mode, image.file_format
    cycles.samples, cycles.use_denoising = 4, False
    image.file_format, image.color_mode = "PNG", "RGBA"
    _set_stage(scene, shown=False)
    yield
    cycles.samples, cycles.use_denoising, image.color_mode, image.file_format = before
    _set_stage(scene, shown=True)


def _set_stage(scene: "bpy.types.Scene", shown: bool) -> None:
    """Show or hide ground and wall."""
    scene.render.film_transparent = not shown
    for name in ("ground", "behind"):
        scene.objects[name].hide_render = not shown
