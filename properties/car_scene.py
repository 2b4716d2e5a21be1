"""The Blender scene of the rendered cars: built once by `build`, then set to each picture's properties by `apply`.

Lengths are metres, angles in the properties are degrees. A car at rotation 0 faces the camera, which stands on the +x
axis; sun rotation 0 is a sun behind the camera.
"""

from math import cos, pi, radians, sin

import bpy
from mathutils import Vector

import utils
from properties import car_shapes

CAMERA_DISTANCE = 6.5  # from the car's middle along the ground; a car seen from the side fills 70% of the width
LOOK_AT = Vector((0.0, 0.0, 0.62))
PAINT = (0.45, 0.04, 0.04)  # linear RGB; value 0.45, so that a factor of 2 stays below full white
BACKGROUND = (0.16, 0.28, 0.42)


class Light:
    """Sun and sky at one sun elevation."""

    def __init__(self, height, sun, sun_color, sky, sky_color):
        self.height = radians(height)  # of the lamp above the horizon
        self.sun = sun  # W/m^2 on a surface that faces it
        self.sun_color = sun_color
        self.sky = sky  # radiance
        self.sky_color = sky_color

    def on_ground(self):
        """Radiance of white, level ground, unshaded."""
        return [self.sun * sin(self.height) / pi * a + self.sky * b for a, b in zip(self.sun_color, self.sky_color)]


LIGHTS = {
    # A lamp right on the horizon would leave the ground without any light to cast shadows in.
    0: Light(7, 3.2, (1.0, 0.55, 0.25), 0.20, (0.75, 0.85, 1.0)),
    45: Light(45, 3.0, (1.0, 0.94, 0.85), 0.32, (0.80, 0.90, 1.0)),
    90: Light(90, 2.6, (1.0, 0.98, 0.94), 0.34, (0.80, 0.90, 1.0)),
}


# ---------------------------------------------------------------------------------------------------------------------
# Materials.
# ---------------------------------------------------------------------------------------------------------------------
def _shifted(nodes, name, color):
    """A Hue/Saturation/Value node called `name` on a fixed colour; 0.5, 1, 1 leave it as it is."""
    node = nodes.new("ShaderNodeHueSaturation")
    node.name = name
    node.inputs["Color"].default_value = (*color, 1)
    return node


def _material(name, color, roughness, metallic=0.0, coat=0.0, glow=0.0, shifted=False):
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface = nodes["Principled BSDF"].inputs
    surface["Base Color"].default_value = (*color, 1)
    surface["Roughness"].default_value = roughness
    surface["Metallic"].default_value = metallic
    surface["Coat Weight"].default_value = coat
    surface["Emission Color"].default_value = (*color, 1)
    surface["Emission Strength"].default_value = glow
    if shifted:
        links.new(_shifted(nodes, "shift", color).outputs["Color"], surface["Base Color"])
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


def _ground():
    mesh = bpy.data.meshes.new("ground")
    far = 400.0
    mesh.from_pydata([(-far, -far, 0), (far, -far, 0), (far, far, 0), (-far, far, 0)], [], [(0, 1, 2, 3)])
    material = _material("ground", BACKGROUND, 1.0, shifted=True)
    material.node_tree.nodes["Principled BSDF"].inputs["Specular IOR Level"].default_value = 0
    mesh.materials.append(material)
    return _linked("ground", mesh)


def _world(scene):
    """Lights the scene as sky, but shows the camera the background colour, as bright as the lit ground."""
    world = scene.world = bpy.data.worlds.new("world")
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    nodes.clear()
    sky, seen = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeBackground")
    sky.name, seen.name = "sky", "seen"
    lit = nodes.new("ShaderNodeMix")
    lit.name, lit.data_type, lit.blend_type = "lit", "RGBA", "MULTIPLY"
    lit.inputs["Factor"].default_value = 1
    _brighter_horizon(nodes, links, sky)
    links.new(_shifted(nodes, "shift", BACKGROUND).outputs["Color"], lit.inputs["A"])
    links.new(lit.outputs["Result"], seen.inputs["Color"])
    rays, mix, out = (nodes.new(f"ShaderNode{kind}") for kind in ("LightPath", "MixShader", "OutputWorld"))
    links.new(rays.outputs["Is Camera Ray"], mix.inputs["Fac"])
    links.new(sky.outputs["Background"], mix.inputs[1])
    links.new(seen.outputs["Background"], mix.inputs[2])
    links.new(mix.outputs["Shader"], out.inputs["Surface"])


def _brighter_horizon(nodes, links, sky):
    """Sky light of 1.5 times its colour at the horizon and 0.75 times at the zenith: 1 on average over level ground."""
    towards, split, ramp = (nodes.new(f"ShaderNode{kind}") for kind in ("TexCoord", "SeparateXYZ", "MapRange"))
    ramp.inputs["To Min"].default_value, ramp.inputs["To Max"].default_value = 1.5, 0.75
    scaled = nodes.new("ShaderNodeVectorMath")
    scaled.name, scaled.operation = "sky color", "SCALE"
    links.new(towards.outputs["Generated"], split.inputs["Vector"])
    links.new(split.outputs["Z"], ramp.inputs["Value"])
    links.new(ramp.outputs["Result"], scaled.inputs["Scale"])
    links.new(scaled.outputs["Vector"], sky.inputs["Color"])


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
            setattr(render, stamp, False)
    scene.view_settings.view_transform = "Standard"
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = True
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_prefilter = "FAST"  # halves the time of a frame; no difference to see at this size
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 2
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 3.0


def build(size, samples, image_format):
    """The scene with all six cars, each hidden; pictures of size x size pixels with this many samples a pixel."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    _settings(scene, size, samples, image_format)
    materials = _materials()
    for model in utils.CAR_MODELS:
        car_shapes.build(model, materials)
    _ground()
    _world(scene)
    sun = _linked("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.angle = radians(1.5)
    camera = scene.camera = _linked("camera", bpy.data.cameras.new("camera"))
    camera.data.lens = 35
    return scene


# ---------------------------------------------------------------------------------------------------------------------
# One picture.
# ---------------------------------------------------------------------------------------------------------------------
def _shift(tree, hue, sat, val):
    inputs = tree.nodes["shift"].inputs
    inputs["Hue"].default_value, inputs["Saturation"].default_value, inputs["Value"].default_value = hue, sat, val


def _set_light(scene, elevation, rotation):
    light, turn = LIGHTS[elevation], radians(rotation)
    sun = scene.objects["sun"]
    sun.data.energy, sun.data.color = light.sun, light.sun_color
    towards = Vector((cos(light.height) * cos(turn), cos(light.height) * sin(turn), sin(light.height)))
    sun.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    nodes = scene.world.node_tree.nodes
    nodes["sky color"].inputs[0].default_value = light.sky_color
    nodes["sky"].inputs["Strength"].default_value = light.sky
    nodes["lit"].inputs["B"].default_value = (*light.on_ground(), 1)


def apply(scene, values):
    """Sets all eleven properties; `values`: property name -> one of its values in utils.PROPERTIES."""
    for model in utils.CAR_MODELS:
        scene.objects[model].hide_render = model != values["model"]
    scene.objects[values["model"]].rotation_euler.z = radians(values["rotation_z"])
    _shift(bpy.data.materials["paint"].node_tree, values["color_hue"], values["color_sat"], values["color_val"])
    for tree in (bpy.data.materials["ground"].node_tree, scene.world.node_tree):
        _shift(tree, values["bg_color_hue"], values["bg_color_sat"], values["bg_color_val"])
    _set_light(scene, values["sun_elevation"], values["sun_rotation"])
    camera = scene.camera
    camera.location = (CAMERA_DISTANCE, 0.0, values["camera_loc_z"])
    camera.rotation_euler = (LOOK_AT - camera.location).to_track_quat("-Z", "Y").to_euler()


def render(scene, path, seed):
    """Writes the picture to `path`; `seed` fixes its noise."""
    scene.cycles.seed = seed & 0x7FFFFFFF
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
