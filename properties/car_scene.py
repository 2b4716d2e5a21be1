"""The Blender scene of the rendered cars: built once by `build`, then set to each picture's properties by `apply`.

Lengths are metres, angles in the properties are degrees. A car at rotation 0 faces the camera, which stands on the +x
axis; sun rotation 0 is a sun behind the camera.
"""

from math import cos, pi, radians, sin
from typing import NamedTuple

import bpy
from mathutils import Vector

import utils
from properties import car_shapes

CAMERA_DISTANCE = 6.5  # from the car's middle along the ground; a car seen at an angle fills 70% of the width
LOOK_AT = Vector((0.0, 0.0, 0.62))
PAINT = (0.44, 0.05, 0.05)  # linear RGB; value 0.44, so that a factor of 2 stays below full white
BACKGROUND = (0.16, 0.28, 0.42)


class Light(NamedTuple):
    """The sun at one of its elevations."""

    height: float  # degrees above the horizon
    strength: float  # W/m^2 on a surface that faces it
    color: tuple
    exposure: float  # stops


LIGHTS = {
    # A lamp right on the horizon would leave the ground without any light to cast shadows in.
    0: Light(7, 5.3, (1.0, 0.55, 0.25), -0.65),
    45: Light(45, 3.0, (1.0, 0.94, 0.85), 0.0),
    90: Light(90, 2.6, (1.0, 0.98, 0.94), 0.0),
}
# The sky is the same at every elevation: a change to Blender's world costs more time than the rest of a frame.
SKY = (0.26, 0.29, 0.33)  # radiance, averaged as level ground sees it


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
    material = bpy.data.materials.new(name)
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


def _materials():
    return {
        "paint": _material("paint", PAINT, 0.40, coat=0.7, shifted=True),
        "glass": _material("glass", (0.012, 0.014, 0.017), 0.06),
        "dark": _material("dark", (0.012, 0.012, 0.012), 0.6),
        "tyre": _material("tyre", (0.018, 0.018, 0.018), 0.8),
        "metal": _material("metal", (0.62, 0.63, 0.65), 0.25, metallic=0.9),
        "lamp": _material("lamp", (0.85, 0.88, 0.92), 0.1, glow=0.35),
        "tail": _material("tail", (0.55, 0.008, 0.010), 0.2, glow=0.35),
        "plate": _material("plate", (0.75, 0.75, 0.72), 0.5),
    }


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


def _background_material(name, shader):
    """A material of this shader alone, its colour the product of the shifted background colour and node "lit"."""
    material = bpy.data.materials.new(name)
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


def _background():
    """The ground, and behind it a wall that shines, for the camera alone, as bright as the lit ground."""
    far = 400.0
    ground = _background_material("ground", "BsdfDiffuse")
    _quad("ground", [(-far, -far, 0), (far, -far, 0), (far, far, 0), (-far, far, 0)], ground)
    x = 1 - far
    corners = [(x, -far, -1), (x, far, -1), (x, far, far), (x, -far, far)]
    wall = _quad("behind", corners, _background_material("behind", "Emission"))
    wall.visible_diffuse = wall.visible_glossy = wall.visible_transmission = wall.visible_shadow = False


def _sky(scene):
    """Light from above: 1.5 times SKY at the horizon, 0.75 times at the zenith; its mean over level ground is SKY."""
    world = scene.world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    towards, split, ramp, color = (
        nodes.new(f"ShaderNode{kind}") for kind in ("TexCoord", "SeparateXYZ", "MapRange", "VectorMath")
    )
    ramp.inputs["To Min"].default_value, ramp.inputs["To Max"].default_value = 1.5, 0.75
    color.operation = "SCALE"
    color.inputs[0].default_value = SKY
    links.new(towards.outputs["Generated"], split.inputs["Vector"])
    links.new(split.outputs["Z"], ramp.inputs["Value"])
    links.new(ramp.outputs["Result"], color.inputs["Scale"])
    links.new(color.outputs["Vector"], nodes["Background"].inputs["Color"])


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
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = True
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_prefilter = "FAST"  # halves the time of a frame; no difference to see at this size
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 2
    cycles.use_light_tree = False  # for many lamps; here there is one
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 3.0


def build(size, samples, image_format):
    """The scene with all six cars, of which `apply` shows one; `size` in pixels, `samples` per pixel."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    _settings(scene, size, samples, image_format)
    materials = _materials()
    for model in utils.CAR_MODELS:
        car_shapes.build(model, materials)
    _background()
    _sky(scene)
    sun = _linked("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.angle = radians(1.5)
    camera = scene.camera = _linked("camera", bpy.data.cameras.new("camera"))
    camera.data.lens = 35
    return scene


# ---------------------------------------------------------------------------------------------------------------------
# One picture.
# ---------------------------------------------------------------------------------------------------------------------
def _shift(material, hue, sat, val):
    inputs = bpy.data.materials[material].node_tree.nodes["shift"].inputs
    inputs["Hue"].default_value, inputs["Saturation"].default_value, inputs["Value"].default_value = hue, sat, val


def _set_light(scene, elevation, rotation):
    light, turn = LIGHTS[elevation], radians(rotation)
    height = radians(light.height)
    sun = scene.objects["sun"]
    sun.data.energy, sun.data.color = light.strength, light.color
    towards = Vector((cos(height) * cos(turn), cos(height) * sin(turn), sin(height)))
    sun.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    white_ground = [light.strength * sin(height) / pi * a + b for a, b in zip(light.color, SKY)]  # radiance
    bpy.data.materials["behind"].node_tree.nodes["lit"].inputs[1].default_value = white_ground
    scene.view_settings.exposure = light.exposure


def apply(scene, values):
    """Sets all eleven properties; `values`: property name -> one of its values in utils.PROPERTIES."""
    for model in utils.CAR_MODELS:
        scene.objects[model].hide_render = model != values["model"]
    scene.objects[values["model"]].rotation_euler.z = radians(values["rotation_z"])
    _shift("paint", values["color_hue"], values["color_sat"], values["color_val"])
    for material in ("ground", "behind"):
        _shift(material, values["bg_color_hue"], values["bg_color_sat"], values["bg_color_val"])
    _set_light(scene, values["sun_elevation"], values["sun_rotation"])
    camera = scene.camera
    camera.location = (CAMERA_DISTANCE, 0.0, values["camera_loc_z"])
    camera.rotation_euler = (LOOK_AT - camera.location).to_track_quat("-Z", "Y").to_euler()


def render(scene, path, seed):
    """Writes the picture to `path`; `seed` fixes its noise."""
    scene.cycles.seed = seed & 0x7FFFFFFF
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
