"""The mesh of a car, from its row of measures in car_models.

A body is a loft of rounded cross-sections along x, with the wheel wells cut out of it, and so is the cabin on top of
it. Glass, lamps, grilles and lines are drawn in a front, rear, side or top view and laid on the surface found there.
"""

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from dml_analysis.renderer.car_models import Blob, Line, Patch

MATERIALS = ("paint", "glass", "dark", "black", "tyre", "rim", "metal", "lamp", "tail", "plate")
WHEEL_WIDTH = 0.24
WELL = "dark"  # the material of wheel wells, of which no other part of the hull is
SEEN_FROM = {  # view -> where a point (a, b) of a drawing is looked at from, and in which direction
    "front": (lambda a, b: (5, a, b), (-1, 0, 0)),
    "rear": (lambda a, b: (-5, a, b), (1, 0, 0)),
    "side": (lambda a, b: (a, 5, b), (0, -1, 0)),
    "top": (lambda a, b: (a, b, 5), (0, 0, -1)),
}


# ---------------------------------------------------------------------------------------------------------------------
# Mesh parts: (vertices [n, 3], faces, material of each face).
# ---------------------------------------------------------------------------------------------------------------------
def _curve(points, x, soft):
    """z at each x of the polyline through `points`, its corners rounded by a Gaussian of width `soft`."""
    xs, zs = np.array(points).T
    offsets = np.linspace(-2.5, 2.5, 31)
    weights = np.exp(-(offsets**2) / 2)
    # Beyond its ends the line goes on as it was, or rounding would flatten them.
    xs = np.r_[2 * xs[0] - xs[1], xs, 2 * xs[-1] - xs[-2]]
    zs = np.r_[2 * zs[0] - zs[1], zs, 2 * zs[-1] - zs[-2]]
    return np.interp(x[:, None] + soft * offsets, xs, zs) @ (weights / weights.sum())


def _loft(rings, material, closed=True, caps=True):
    """Faces between the rings [k, n, 3]; `caps` closes the first and the last ring."""
    k, n, _ = rings.shape
    index = np.arange(k * n).reshape(k, n)
    right = np.roll(index, -1, axis=1)
    if not closed:
        index, right = index[:, :-1], right[:, :-1]
    faces = np.stack([index[:-1], right[:-1], right[1:], index[1:]], axis=-1).reshape(-1, 4).tolist()
    if caps:
        faces += [list(range(n))[::-1], list(range((k - 1) * n, k * n))]
    return rings.reshape(-1, 3), faces, [material] * len(faces)


def _superellipse(angle, square):
    cos, sin = np.cos(angle), np.sin(angle)
    return np.sign(cos) * np.abs(cos) ** (2 / square), np.sign(sin) * np.abs(sin) ** (2 / square)


def _at_wheels(car, x):
    """1 at the axles, falling to 0 within a metre."""
    return sum(np.exp(-(((x - axle) / 0.45) ** 2)) for axle in car.axles)


def _half_width(car, x):
    """Half the body's width at each x, where it is widest."""
    return _curve(car.plan, x, car.soft) + car.fender[1] * _at_wheels(car, x)


def _body(car):
    """The painted hull from nose to tail, without cabin and wheel wells."""
    half = car.length / 2
    x = half * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 110))
    # The last centimetres bend inwards along a quarter circle, so that no end has a sharp rim.
    into = np.clip(1 - (half - np.abs(x)) / car.edge, 0, 1)
    shrink = (car.edge * (1 - np.sqrt(1 - into**2)))[:, None]
    width = _half_width(car, x)[:, None] - shrink
    top = _curve(car.top, x, car.soft)[:, None] - shrink
    bottom = (car.floor * (1 + 0.5 * np.abs(x / half) ** 6))[:, None] + shrink
    angle = np.linspace(-np.pi / 2, 3 * np.pi / 2, 96, endpoint=False)[None]
    upper, lower = _superellipse(angle, car.square[0]), _superellipse(angle, 9.0)
    above = np.sin(angle) > 0
    cos, sin = (np.where(above, *pair) for pair in zip(upper, lower))
    widest = bottom + car.shoulder * (top - bottom)
    z = widest + np.where(above, top - widest, widest - bottom) * sin
    z += (
        car.fender[0] * _at_wheels(car, x)[:, None] * np.exp(-(((np.abs(cos) - 0.78) / 0.2) ** 2)) * above * np.abs(sin)
    )
    tuck = 1 - 0.07 * np.where(above, 0, sin**2)  # towards the sills
    return _loft(np.stack([np.broadcast_to(x[:, None], z.shape), width * cos * tuck, z], axis=-1), "paint")


def _cabin(car):
    """The greenhouse; it reaches a little into the body below."""
    rear, front = car.roof[0][0], car.roof[-1][0]
    x = (rear + front) / 2 + (front - rear) / 2 * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 80))
    base = _curve(car.top, x, car.soft) - 0.12
    height = np.maximum(_curve(car.roof, x, car.soft) - base, 0.01)[:, None]
    along = 2 * (x - rear) / (front - rear) - 1
    width = (car.cabin[0] * (1 - 0.14 * np.abs(along) ** 3))[:, None]
    cos, sin = _superellipse(np.linspace(0, np.pi, 61)[None], car.square[1])
    z = height * sin
    y = (width - car.cabin[1] * np.maximum(z - 0.12, 0)) * cos
    return _loft(np.stack([np.broadcast_to(x[:, None], z.shape), y, base[:, None] + z], axis=-1), car.hood)


def _lathe(profile, material, segments=40):
    """Turns a profile of (radius, y) about the y axis."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    radius, y = np.array(profile).T[:, :, None]
    rings = np.stack([radius * np.cos(angle), np.broadcast_to(y, (len(profile), segments)), radius * np.sin(angle)], -1)
    return _loft(rings, material)


def _blob(blob):
    """A superellipsoid between ellipsoid and box."""
    cos_v, sin_v = _superellipse(np.linspace(-np.pi / 2, np.pi / 2, 13)[:, None], blob.square)
    cos_u, sin_u = _superellipse(np.linspace(0, 2 * np.pi, 24, endpoint=False)[None], blob.square)
    points = np.stack([cos_v * cos_u, cos_v * sin_u, np.broadcast_to(sin_v, (13, 24))], axis=-1)
    return _loft(np.array(blob.centre) + np.array(blob.size) / 2 * points, blob.material)


def _wheel(car):
    """One wheel at the origin, its outer side towards +y."""
    r, w, rim = car.wheel, WHEEL_WIDTH, car.rim
    tread = [(0.94, -0.5), (1.0, -0.38), (1.0, 0.38), (0.95, 0.48)]  # parts of the radius and of the width
    tyre = [(0.5, -0.5), *tread, (rim + 0.03, 0.5), (rim, 0.44), (rim, 0)]
    parts = [_lathe([(a * r, b * w) for a, b in tyre], "tyre")]
    if car.spokes:
        dish = [(rim, 0.0), (rim, 0.44), (rim - 0.05, 0.45), (rim - 0.07, 0.35), (rim - 0.10, 0.0), (0.0, 0.0)]
    else:
        dish = [(rim, 0.0), (rim, 0.46), (rim - 0.1, 0.43), (rim - 0.2, 0.38), (0.30, 0.48), (0.0, 0.54)]
    vertices, faces, names = _lathe([(a * r, b * w) for a, b in dish], car.rims)
    if car.spokes:  # between the spokes one sees the brake
        names = ["dark" if abs(vertices[face, 1]).max() < 1e-6 else name for face, name in zip(faces, names)]
        parts.append(_blob(Blob(car.rims, (0, 0.36 * w, 0), (0.34 * r, 0.24 * w, 0.34 * r), 2.5)))
    parts.append((vertices, faces, names))
    reach, breadth = (rim - 0.05) * r, (0.26 if car.spokes < 8 else 0.13) * car.spoke * r
    for turn in np.arange(car.spokes) * 2 * np.pi / max(car.spokes, 1):
        spoke = _blob(Blob(car.rims, (reach / 2, 0.38 * w, 0.0), (reach, 0.14 * w, breadth), 6.0))
        spin = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
        parts.append((spoke[0] @ spin.T, *spoke[1:]))
    return _joined(parts)


def _mirrored(part):
    vertices, faces, names = part
    return vertices * (1, -1, 1), [face[::-1] for face in faces], names


def _moved(part, offset):
    return part[0] + np.array(offset), *part[1:]


def _joined(parts):
    starts = np.cumsum([0] + [len(part[0]) for part in parts])
    faces = [[v + int(start) for v in face] for start, part in zip(starts, parts) for face in part[1]]
    return np.concatenate([part[0] for part in parts]), faces, [name for part in parts for name in part[2]]


# ---------------------------------------------------------------------------------------------------------------------
# Patches and lines laid on the body, and wheel wells cut into it.
# ---------------------------------------------------------------------------------------------------------------------
def _patch_grid(patch, steps=18):
    """The patch as a grid of points (steps, steps, 2) in its drawing."""
    corners = np.array(patch.corners)
    if len(corners) == 2:
        (a0, b0), (a1, b1) = patch.corners
        corners = np.array([(a0, b0), (a1, b0), (a1, b1), (a0, b1)])
    v, u = np.meshgrid(*[np.linspace(-1, 1, steps)] * 2, indexing="ij")
    u, v = u * np.sqrt(1 - patch.round * v**2 / 2), v * np.sqrt(1 - patch.round * u**2 / 2)
    weights = np.stack([(1 - u) * (1 - v), (1 + u) * (1 - v), (1 + u) * (1 + v), (1 - u) * (1 + v)], axis=-1) / 4
    return weights @ corners


def _line_grid(line, step=0.02):
    """The line as a grid of points (n, 3, 2) in its drawing: along its path, and from one edge to the other."""
    corners = np.array(line.path)
    lengths = np.r_[0, np.cumsum(np.hypot(*np.diff(corners, axis=0).T))]
    at = np.unique(np.r_[lengths, np.arange(0, lengths[-1], step)].round(6))
    path = np.stack([np.interp(at, lengths, corners[:, axis]) for axis in (0, 1)], axis=1)
    along = np.gradient(path, at, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
    return path[:, None] + line.width * np.array([-0.5, 0, 0.5])[:, None] * across[:, None]


def _laid(tree, names, view, material, grid, lift):
    """The grid (n, k, 2) of a drawing on the outermost surface seen in its view, `lift` metres out of it."""
    place, towards = SEEN_FROM[view]
    hits = [tree.ray_cast(Vector(place(*point)), Vector(towards))[:3] for point in grid.reshape(-1, 2).tolist()]
    on_car = [at is not None and names[face] != WELL for at, _, face in hits]  # neither beside it nor in a well
    points = np.array([tuple(hit[0] + lift * hit[1]) if on else (np.nan,) * 3 for hit, on in zip(hits, on_car)])
    _, faces, _ = _loft(np.zeros((*grid.shape[:2], 3)), "", closed=False, caps=False)
    faces = [face for face in faces if not np.isnan(points[face]).any()]
    return np.nan_to_num(points), faces, [material] * len(faces)


def _drawn(car):
    """The car's windscreen, rear window, side windows, patches and lines."""
    for (x0, y0), (x1, y1) in car.screens:
        yield Patch("top", "glass", ((x0, -y0), (x0, y0), (x1, y1), (x1, -y1)), 0.08)
    for corners in car.windows:
        yield Patch("side", "glass", corners, 0.12)
    yield from (each for each in car.details if not isinstance(each, Blob))


def _laid_on(hull, car):
    """The parts of all patches and lines, on both sides where they are drawn for one."""
    vertices, faces, names = hull
    tree = BVHTree.FromPolygons(vertices.tolist(), faces)
    for number, each in enumerate(_drawn(car)):
        grid = _line_grid(each) if isinstance(each, Line) else _patch_grid(each)
        lift = 0.004 + 0.0004 * number  # what is listed later lies on what is listed before
        part = _laid(tree, names, each.view, each.material, grid, lift)
        yield part
        across = 1 if each.view == "top" else 0  # which coordinate of a drawing is y
        points = np.array(each.path if isinstance(each, Line) else each.corners)
        if each.view == "side" or points[:, across].min() >= 0:
            yield _mirrored(part)


def _with_wells(car, body):
    """The body with four wheel wells cut out; their walls are dark."""
    radius, depth = car.wheel * 1.11, 0.34
    cutters = []
    for axle, width in zip(car.axles, _half_width(car, np.array(car.axles))):
        tub = [(0.0, width - depth), (radius, width - depth), (radius, 1.3), (0.0, 1.3)]
        cutters.append(_moved(_lathe(tub, WELL, 64), (axle, 0, car.wheel)))
    cutter = _object("cutter", _joined(cutters + [_mirrored(part) for part in cutters]))
    target = _object("target", body)
    modifier = target.modifiers.new("wells", "BOOLEAN")
    modifier.object, modifier.operation, modifier.solver = cutter, "DIFFERENCE", "EXACT"
    mesh = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    vertices, centres = _read(mesh.vertices, "co"), _read(mesh.polygons, "center")
    faces = [list(polygon.vertices) for polygon in mesh.polygons]
    from_axle = [np.hypot(centres[:, 0] - axle, centres[:, 2] - car.wheel) for axle in car.axles]
    in_well = (np.min(from_axle, axis=0) < radius + 1e-4) & (abs(centres[:, 1]) > 0.4)
    names = np.where(in_well, WELL, "paint").tolist()
    for each in (target, cutter):
        bpy.data.meshes.remove(each.data)
    return vertices, faces, names


def _read(things, name):
    """(n, 3) values of a vector that each of Blender's things has."""
    values = np.empty(3 * len(things))
    things.foreach_get(name, values)
    return values.reshape(-1, 3)


def _object(name, part):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(part[0].tolist(), [], part[1])
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def build(name, car, materials):
    """A Car as one object of the scene, of this name; `materials`: name in MATERIALS -> bpy material."""
    hull = _joined([_with_wells(car, _body(car)), _cabin(car)])
    parts = [hull, *_laid_on(hull, car)]
    wheel = _wheel(car)
    for axle, width in zip(car.axles, _half_width(car, np.array(car.axles))):
        left = _moved(wheel, (axle, width - WHEEL_WIDTH / 2 - 0.005, car.wheel))
        parts += [left, _mirrored(left)]
    for blob in (each for each in car.details if isinstance(each, Blob)):
        parts += [_blob(blob)] + ([_mirrored(_blob(blob))] if blob.centre[1] > 0 else [])
    vertices, faces, names = _joined(parts)
    thing = _object(name, (vertices, faces, names))
    for material in MATERIALS:
        thing.data.materials.append(materials[material])
    thing.data.polygons.foreach_set("material_index", [MATERIALS.index(each) for each in names])
    thing.data.polygons.foreach_set("use_smooth", [True] * len(faces))
    thing.data.set_sharp_from_angle(angle=np.radians(35))
    return thing
