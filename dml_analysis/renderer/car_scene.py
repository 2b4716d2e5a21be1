"""The Blender scene of the rendered cars: built once by `build`, then set to each picture's properties by `apply`.

`render` writes the picture; `mask` then tells what is where in it.

Lengths are metres, angles in the properties are degrees. A car at rotation 0 faces the camera, which stands on the +x
axis; sun rotation 0 is a sun behind the camera.
"""

from contextlib import contextmanager
from math import cos, pi, radians, sin
from pathlib import Path
from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Vector

from dml_analysis.errors import InputError
from dml_analysis.renderer import camera, car_files, car_shapes
from dml_analysis.renderer.car_models import CARS
from dml_analysis.renderer.mask_files import CAR, GROUND

LOOK_AT = Vector((0.0, 0.0, camera.LOOK_AT))
NAMED = "scene: "  # before the names of the scene's own materials, apart from those of a user's files
LAST_BYTES = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}  # of a whole image file
STAGE = ("ground", "behind", "sun", "camera")  # the objects that are no cars
MASK = "mask"  # the file beside Blender's temporary ones that holds the mask of the last picture
SIDE = 400.0  # half the side of the ground
# Linear RGB. Saturation 0.5 and value at most 0.5, so that none of the factors from 0 to 2 looks like another.
PAINT = (0.44, 0.22, 0.22)
BACKGROUND = (0.21, 0.32, 0.42)


class Light(NamedTuple):
    """The sun at one of its elevations, and the sky that goes with it."""

    height: float  # degrees above the horizon
    strength: float  # W/m^2 on a surface that faces it
    color: tuple
    horizon: tuple  # radiance of the sky
    zenith: tuple
    exposure: float  # stops


LIGHTS = {
    # A lamp right on the horizon would leave the ground without any light to cast shadows in.
    0: Light(6, 6.0, (1.0, 0.52, 0.22), (0.34, 0.24, 0.18), (0.12, 0.14, 0.20), 0.4),
    45: Light(45, 3.0, (1.0, 0.94, 0.85), (0.36, 0.39, 0.43), (0.20, 0.25, 0.33), 0.0),
    90: Light(90, 2.8, (1.0, 0.98, 0.94), (0.36, 0.39, 0.43), (0.20, 0.25, 0.33), 0.0),
}


# ---------------------------------------------------------------------------------------------------------------------
# Materials.
# ---------------------------------------------------------------------------------------------------------------------
def _shifted(nodes, color):
    """A Hue/Saturation/Value node called "shift" on a fixed colour; 0.5, 1, 1 leave it as it is."""
    node = nodes.new("ShaderNodeHueSaturation")
    node.name = "shift"
    node.inputs["Color"].default_value = (*color, 1)
    return node


def _material(name, color, roughness, metallic=0.0, coat=0.0, glow=0.0, shifted=False):
    material = bpy.data.materials.new(NAMED + name)
    material.use_nodes = True
    material.cycles.emission_sampling = "NONE"  # lamps that are on light up nothing: no noise from them
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


def car_materials():
    """Name in car_shapes.MATERIALS -> bpy material."""
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


def _background_material(name, shader):
    """A material of this shader alone, its colour the product of the shifted background colour and node "lit"."""
    material = bpy.data.materials.new(NAMED + name)
    material.use_nodes = True
    material.cycles.emission_sampling = "NONE"
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    out, surface, lit = (nodes.new(f"ShaderNode{kind}") for kind in ("OutputMaterial", shader, "VectorMath"))
    lit.name, lit.operation = "lit", "MULTIPLY"
    lit.inputs[1].default_value = (1, 1, 1)
    links.new(_shifted(nodes, BACKGROUND).outputs["Color"], lit.inputs[0])
    links.new(lit.outputs["Vector"], surface.inputs["Color"])
    links.new(surface.outputs[0], out.inputs["Surface"])
    return material


# ---------------------------------------------------------------------------------------------------------------------
# Building.
# ---------------------------------------------------------------------------------------------------------------------
def _linked(name, data):
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _quad(name, corners, material):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    mesh.materials.append(material)
    return _linked(name, mesh)


def _background():
    """The ground, and behind it a wall that shines for the camera alone, brightest where it meets the ground."""
    ground = _background_material("ground", "BsdfDiffuse")
    corners = [(-SIDE, -SIDE, 0), (SIDE, -SIDE, 0), (SIDE, SIDE, 0), (-SIDE, SIDE, 0)]
    _quad("ground", corners, ground).pass_index = GROUND
    behind = _background_material("behind", "Emission")
    nodes, links = behind.node_tree.nodes, behind.node_tree.links
    place = nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    split = nodes.new("ShaderNodeSeparateXYZ")
    strength = nodes.new("ShaderNodeMapRange")
    for name, value in [("From Max", 0.5 * SIDE), ("To Min", 1.22), ("To Max", 0.72)]:
        strength.inputs[name].default_value = value
    links.new(place, split.inputs[0])
    links.new(split.outputs["Z"], strength.inputs["Value"])
    links.new(strength.outputs["Result"], nodes["Emission"].inputs["Strength"])
    x = -camera.WALL
    wall = _quad("behind", [(x, -SIDE, -1), (x, SIDE, -1), (x, SIDE, SIDE), (x, -SIDE, SIDE)], behind)
    wall.visible_diffuse = wall.visible_glossy = wall.visible_transmission = wall.visible_shadow = False


def _sky(scene):
    """Light from above, between the colours of horizon and zenith (nodes of these names) by the sine of the height."""
    world = scene.world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    # The sky is even: paths that leave the scene find it with less noise than rays aimed at it. And whenever the sky
    # changes Blender would map it anew to aim at, which takes longer than the picture.
    world.cycles.sampling_method = "NONE"
    nodes, links = world.node_tree.nodes, world.node_tree.links
    towards, split, mix = (nodes.new(f"ShaderNode{kind}") for kind in ("TexCoord", "SeparateXYZ", "Mix"))
    mix.name, mix.data_type, mix.clamp_factor = "sky", "RGBA", True
    links.new(towards.outputs["Generated"], split.inputs["Vector"])
    links.new(split.outputs["Z"], mix.inputs["Factor"])
    links.new(mix.outputs["Result"], nodes["Background"].inputs["Color"])


def _compute_on(scene, device):
    """Tells Cycles what to render on; InputError if Blender finds no such device."""
    scene.cycles.device = "CPU" if device == "CPU" else "GPU"
    if device == "CPU":
        return
    preferences = bpy.context.preferences.addons["cycles"].preferences
    try:
        preferences.compute_device_type = device
    except TypeError:  # this Blender was built without it
        raise InputError(f"--device {device}: this Blender cannot use it") from None
    preferences.refresh_devices()
    found = [each for each in preferences.devices if each.type == device]
    if not found:
        raise InputError(f"--device {device}: Blender finds no such device here; --device CPU works anywhere")
    for each in preferences.devices:
        each.use = each in found


def _settings(scene, size, samples, image_format):
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.use_persistent_data = True
    render.image_settings.file_format = {"png": "PNG", "jpg": "JPEG"}[image_format]
    render.image_settings.color_mode = "RGB"
    render.image_settings.quality = 90
    for stamp in dir(render):  # no date and render time in the files: the same frame is the same file
        if stamp.startswith("use_stamp_"):
            setattr(render, stamp, stamp == "use_stamp_labels")  # labels hidden would count as a stamp
    scene.view_settings.view_transform = "Standard"
    cycles.samples = samples
    cycles.use_adaptive_sampling = False  # so few samples leave nothing to adapt
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_prefilter = "FAST"  # halves the time of a frame; no difference to see at this size
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 2
    cycles.use_light_tree = False  # for many lamps; here there is one
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 3.0


def _mask_output(scene):
    """Has Blender write the index of the object that is seen in the middle of each pixel, beside every picture."""
    scene.view_layers[0].use_pass_object_index = True
    scene.use_nodes = True
    nodes, links = scene.node_tree.nodes, scene.node_tree.links
    nodes.clear()
    layers, picture, indices = (nodes.new(f"CompositorNode{kind}") for kind in ("RLayers", "Composite", "OutputFile"))
    indices.base_path, indices.file_slots[0].path = bpy.app.tempdir, MASK
    indices.format.file_format, indices.format.color_depth = "OPEN_EXR", "32"
    links.new(layers.outputs["Image"], picture.inputs["Image"])
    links.new(layers.outputs["IndexOB"], indices.inputs[0])


def build(size, samples, image_format="png", device="CPU", cars=CARS):
    """The scene with some cars, of which `apply` shows one; it may add others.

    `size` in pixels, `samples` per pixel; `cars`: name -> Car, or a folder of the user's own (see car_files). Raises
    InputError for a device that does not exist or a car that cannot be loaded.
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


# ---------------------------------------------------------------------------------------------------------------------
# One picture.
# ---------------------------------------------------------------------------------------------------------------------
def _shift(material, hue, sat, val):
    inputs = bpy.data.materials[NAMED + material].node_tree.nodes["shift"].inputs
    inputs["Hue"].default_value, inputs["Saturation"].default_value, inputs["Value"].default_value = hue, sat, val


def _set_light(scene, elevation, rotation):
    light, turn = LIGHTS[elevation], radians(rotation)
    height = radians(light.height)
    sun = scene.objects["sun"]
    sun.data.energy, sun.data.color = light.strength, light.color
    towards = Vector((cos(height) * cos(turn), cos(height) * sin(turn), sin(height)))
    sun.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    sky = scene.world.node_tree.nodes["sky"]
    colors = [each for each in sky.inputs if each.type == "RGBA"]
    colors[0].default_value, colors[1].default_value = (*light.horizon, 1), (*light.zenith, 1)
    # The radiance of white ground: sun, and the mean of the sky over the hemisphere, weighted by the sine of height.
    above = [(low + 2 * high) / 3 for low, high in zip(light.horizon, light.zenith)]
    ground = [light.strength * sin(height) / pi * a + b for a, b in zip(light.color, above)]
    bpy.data.materials[NAMED + "behind"].node_tree.nodes["lit"].inputs[1].default_value = ground
    scene.view_settings.exposure = light.exposure


def _show(scene, model):
    for root in [each for each in scene.objects if each.parent is None and each.name not in STAGE]:
        for thing in (root, *root.children_recursive):
            thing.hide_render = root.name != model
            thing.pass_index = CAR


def apply(scene, values, car=None):
    """Sets all eleven properties; `values`: property name -> one of its values.

    `car`: the Car of which a model is made that the scene does not have yet.
    """
    if values["model"] not in scene.objects:
        names = car_shapes.MATERIALS
        car_shapes.build(values["model"], car, {name: bpy.data.materials[NAMED + name] for name in names})
    _show(scene, values["model"])
    scene.objects[values["model"]].rotation_euler.z = radians(values["rotation_z"])
    _shift("paint", values["color_hue"], values["color_sat"], values["color_val"])
    for material in ("ground", "behind"):
        _shift(material, values["bg_color_hue"], values["bg_color_sat"], values["bg_color_val"])
    _set_light(scene, values["sun_elevation"], values["sun_rotation"])
    stand = Vector((camera.DISTANCE, 0.0, values["camera_loc_z"]))
    scene.camera.location = stand
    scene.camera.rotation_euler = (LOOK_AT - stand).to_track_quat("-Z", "Y").to_euler()


def render(scene, path, seed):
    """Writes the picture to `path`; `seed` fixes its noise. Raises InputError if the file cannot be written."""
    scene.cycles.seed = seed & 0x7FFFFFFF
    scene.render.filepath = str(path)
    _mask_file(scene).unlink(missing_ok=True)  # lest it be taken for the next picture's
    try:
        bpy.ops.render.render(write_still=True)
    except RuntimeError as error:
        raise InputError(f"{path}: Blender could not write it ({str(error).strip()})") from None
    # On a full disk Blender leaves half a file and says nothing.
    if not path.is_file() or not path.read_bytes().endswith(LAST_BYTES[path.suffix]):
        raise InputError(f"{path}: Blender could not write it whole; is the disk full?")


def _mask_file(scene):
    return Path(bpy.app.tempdir) / f"{MASK}{scene.frame_current:04}.exr"


def mask(scene):
    """What is where in the picture that was rendered last: an array (size, size) of mask_files' numbers.

    By the middle of each pixel: the same for any number of samples, and whatever light and colours are. Raises InputError
    if Blender could not write it.
    """
    file = _mask_file(scene)
    try:
        image = bpy.data.images.load(str(file))
    except RuntimeError:
        raise InputError(f"{file}: Blender could not write it; is the disk full?") from None
    values = np.empty(len(image.pixels), dtype=np.float32)
    image.pixels.foreach_get(values)
    size, channels = tuple(image.size), image.channels
    bpy.data.images.remove(image)
    file.unlink()
    if size != (scene.render.resolution_x, scene.render.resolution_y):
        raise InputError(f"{file}: Blender could not write it whole; is the disk full?")
    return values.reshape(*size[::-1], channels)[::-1, :, 0].astype(np.uint8)  # Blender counts rows from below


def mask_alone(scene):
    """The same without a picture: quick, for pictures that have been rendered before."""
    before = scene.cycles.samples, scene.cycles.use_denoising
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    _mask_file(scene).unlink(missing_ok=True)
    bpy.ops.render.render()
    scene.cycles.samples, scene.cycles.use_denoising = before
    return mask(scene)


@contextmanager
def outlined(scene):
    """Inside it, `render` gives the car alone, on nothing: where it is, the picture is opaque."""
    cycles, render = scene.cycles, scene.render
    before = cycles.samples, cycles.use_denoising, render.image_settings.color_mode, render.image_settings.file_format
    cycles.samples, cycles.use_denoising = 4, False
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
    _set_stage(scene, shown=False)
    yield
    cycles.samples, cycles.use_denoising, render.image_settings.color_mode, render.image_settings.file_format = before
    _set_stage(scene, shown=True)


def _set_stage(scene, shown):
    scene.render.film_transparent = not shown
    for name in ("ground", "behind"):
        scene.objects[name].hide_render = not shown
