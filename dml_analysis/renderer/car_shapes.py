"""The mesh of a car, built from its measures in car_models.

A body is a loft of rounded cross-sections along x, from which the wheel wells are cut. So is the
cabin on top of it. Glass, lamps, grilles and lines are projected from the front, rear, side or top
onto the surface.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from dml_analysis.renderer.car_models import Blob, Car, Corners, Line, Patch, Point3

# Vertices (n, 3), the vertices of each face, the material of each face.
Mesh = tuple[np.ndarray, list[list[int]], list[str]]

MATERIALS = ("paint", "glass", "dark", "black", "tyre", "rim", "metal", "lamp", "tail", "plate")
WHEEL_WIDTH = 0.24
WELL = "dark"  # the material of wheel wells, and of no other part of the hull
SEEN_FROM = {  # view -> origin of the ray of a point (a, b), and its direction
    "front": (lambda a, b: (5, a, b), (-1, 0, 0)),
    "rear": (lambda a, b: (-5, a, b), (1, 0, 0)),
    "side": (lambda a, b: (a, 5, b), (0, -1, 0)),
    "top": (lambda a, b: (a, b, 5), (0, 0, -1)),
}


# --------------------------------------------------------------------------------------------------
# Mesh parts.
# --------------------------------------------------------------------------------------------------
def _curve(points: Corners, x: np.ndarray, soft: float) -> np.ndarray:
    """Return z (n,) at each x (n,) of the polyline through `points`.

    Its corners are rounded by a Gaussian of standard deviation `soft`.
    """
    xs, zs = np.array(points).T
    offsets = np.linspace(-2.5, 2.5, 31)
    weights = np.exp(-(offsets**2) / 2)
    # The line is extended beyond its ends, so that rounding does not flatten them.
    xs = np.r_[2 * xs[0] - xs[1], xs, 2 * xs[-1] - xs[-2]]
    zs = np.r_[2 * zs[0] - zs[1], zs, 2 * zs[-1] - zs[-2]]
    return np.interp(x[:, None] + soft * offsets, xs, zs) @ (weights / weights.sum())


def _loft(rings: np.ndarray, material: str, closed: bool = True, caps: bool = True) -> Mesh:
    """Return faces between rings (k, n, 3).

    closed: the last point of a ring connects to its first. caps: add the first and the last ring
    as faces.
    """
    k, n, _ = rings.shape
    index = np.arange(k * n).reshape(k, n)
    right = np.roll(index, -1, axis=1)
    if not closed:
        index, right = index[:, :-1], right[:, :-1]
    faces = (
        np.stack([index[:-1], right[:-1], right[1:], index[1:]], axis=-1).reshape(-1, 4).tolist()
    )
    if caps:
        faces += [list(range(n))[::-1], list(range((k - 1) * n, k * n))]
    return rings.reshape(-1, 3), faces, [material] * len(faces)


def _superellipse(angle: np.ndarray, square: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of a superellipse of exponent `square`, in the shape of `angle`."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.sign(cos) * np.abs(cos) ** (2 / square), np.sign(sin) * np.abs(sin) ** (2 / square)


def _at_wheels(car: Car, x: np.ndarray) -> np.ndarray:
    """Return a weight (n,) that is 1 at the axles and falls to 0 within a metre."""
    front, rear = (np.exp(-(((x - axle) / 0.45) ** 2)) for axle in car.axles)
    return front + rear


def _half_width(car: Car, x: np.ndarray) -> np.ndarray:
    """Return half the body's largest width (n,) at each x (n,)."""
    return _curve(car.plan, x, car.soft) + car.fender[1] * _at_wheels(car, x)


def _body(car: Car) -> Mesh:
    """Return the painted hull from nose to tail, without cabin and wheel wells."""
    half = car.length / 2
    x = half * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 110))
    # The last centimetres bend inwards along a quarter circle, so that the ends are not sharp.
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
    near_sides = np.exp(-(((np.abs(cos) - 0.78) / 0.2) ** 2))
    z += car.fender[0] * _at_wheels(car, x)[:, None] * near_sides * above * np.abs(sin)
    tuck = 1 - 0.07 * np.where(above, 0, sin**2)  # towards the sills
    rings = np.stack([np.broadcast_to(x[:, None], z.shape), width * cos * tuck, z], axis=-1)
    return _loft(rings, "paint")


def _cabin(car: Car) -> Mesh:
    """Return the cabin, which reaches a little into the body below."""
    rear, front = car.roof[0][0], car.roof[-1][0]
    x = (rear + front) / 2 + (front - rear) / 2 * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 80))
    base = _curve(car.top, x, car.soft) - 0.12
    height = np.maximum(_curve(car.roof, x, car.soft) - base, 0.01)[:, None]
    along = 2 * (x - rear) / (front - rear) - 1
    width = (car.cabin[0] * (1 - 0.14 * np.abs(along) ** 3))[:, None]
    cos, sin = _superellipse(np.linspace(0, np.pi, 61)[None], car.square[1])
    z = height * sin
    y = (width - car.cabin[1] * np.maximum(z - 0.12, 0)) * cos
    rings = np.stack([np.broadcast_to(x[:, None], z.shape), y, base[:, None] + z], axis=-1)
    return _loft(rings, car.hood)


def _lathe(profile: Iterable[tuple[float, float]], material: str, segments: int = 40) -> Mesh:
    """Return the surface of a profile of (radius, y) that is turned about the y axis."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    radius, y = np.array(list(profile)).T[:, :, None]
    widths = np.broadcast_to(y, (len(y), segments))
    rings = np.stack([radius * np.cos(angle), widths, radius * np.sin(angle)], -1)
    return _loft(rings, material)


def _blob(blob: Blob) -> Mesh:
    """Return the surface of a superellipsoid."""
    cos_v, sin_v = _superellipse(np.linspace(-np.pi / 2, np.pi / 2, 13)[:, None], blob.square)
    cos_u, sin_u = _superellipse(np.linspace(0, 2 * np.pi, 24, endpoint=False)[None], blob.square)
    points = np.stack([cos_v * cos_u, cos_v * sin_u, np.broadcast_to(sin_v, (13, 24))], axis=-1)
    return _loft(np.array(blob.centre) + np.array(blob.size) / 2 * points, blob.material)


def _wheel(car: Car) -> Mesh:
    """Return a wheel at the origin, its outer side towards +y."""
    r, w, rim = car.wheel, WHEEL_WIDTH, car.rim
    tread = [(0.94, -0.5), (1.0, -0.38), (1.0, 0.38), (0.95, 0.48)]  # shares of radius and width
    tyre = [(0.5, -0.5), *tread, (rim + 0.03, 0.5), (rim, 0.44), (rim, 0)]
    parts = [_lathe([(a * r, b * w) for a, b in tyre], "tyre")]
    if car.spokes:
        dish = [(rim, 0.0), (rim, 0.44), (rim - 0.05, 0.45), (rim - 0.07, 0.35)]
        dish += [(rim - 0.10, 0.0), (0.0, 0.0)]
    else:
        dish = [(rim, 0.0), (rim, 0.46), (rim - 0.1, 0.43), (rim - 0.2, 0.38)]
        dish += [(0.30, 0.48), (0.0, 0.54)]
    vertices, faces, names = _lathe([(a * r, b * w) for a, b in dish], car.rims)
    if car.spokes:  # the brake is visible between the spokes
        names = [
            "dark" if abs(vertices[face, 1]).max() < 1e-6 else name
            for face, name in zip(faces, names)
        ]
        hub = Blob(car.rims, (0, 0.36 * w, 0), (0.34 * r, 0.24 * w, 0.34 * r), 2.5)
        parts.append(_blob(hub))
    parts.append((vertices, faces, names))
    reach, breadth = (rim - 0.05) * r, (0.26 if car.spokes < 8 else 0.13) * car.spoke * r
    for turn in np.arange(car.spokes) * 2 * np.pi / max(car.spokes, 1):
        spoke = _blob(Blob(car.rims, (reach / 2, 0.38 * w, 0.0), (reach, 0.14 * w, breadth), 6.0))
        cos, sin = np.cos(turn), np.sin(turn)
        spin = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
        parts.append((spoke[0] @ spin.T, *spoke[1:]))
    return _joined(parts)


def _mirrored(part: Mesh) -> Mesh:
    """Return the mirror image of a part, on the other side of the car."""
    vertices, faces, names = part
    return vertices * (1, -1, 1), [face[::-1] for face in faces], names


def _moved(part: Mesh, offset: Point3) -> Mesh:
    """Return a part that is moved by an offset."""
    return part[0] + np.array(offset), *part[1:]


def _joined(parts: list[Mesh]) -> Mesh:
    """Return several parts as one."""
    starts = np.cumsum([0] + [len(part[0]) for part in parts])
    faces = [
        [vertex + int(start) for vertex in face]
        for start, part in zip(starts, parts)
        for face in part[1]
    ]
    names = [name for part in parts for name in part[2]]
    return np.concatenate([part[0] for part in parts]), faces, names


# --------------------------------------------------------------------------------------------------
# Patches and lines projected onto the body, and wheel wells cut from it.
# --------------------------------------------------------------------------------------------------
def _patch_grid(patch: Patch, steps: int = 18) -> np.ndarray:
    """Return a patch as a grid of points (steps, steps, 2) in its view."""
    corners = np.array(patch.corners)
    if len(corners) == 2:
        (a0, b0), (a1, b1) = patch.corners
        corners = np.array([(a0, b0), (a1, b0), (a1, b1), (a0, b1)])
    v, u = np.meshgrid(*[np.linspace(-1, 1, steps)] * 2, indexing="ij")
    u, v = u * np.sqrt(1 - patch.round * v**2 / 2), v * np.sqrt(1 - patch.round * u**2 / 2)
    weights = [(1 - u) * (1 - v), (1 + u) * (1 - v), (1 + u) * (1 + v), (1 - u) * (1 + v)]
    return np.stack(weights, axis=-1) / 4 @ corners


def _line_grid(line: Line, step: float = 0.02) -> np.ndarray:
    """Return a line as a grid of points (n, 3, 2) in its view, along and across its path."""
    corners = np.array(line.path)
    lengths = np.r_[0, np.cumsum(np.hypot(*np.diff(corners, axis=0).T))]
    distances = np.unique(np.r_[lengths, np.arange(0, lengths[-1], step)].round(6))
    path = np.stack([np.interp(distances, lengths, corners[:, axis]) for axis in (0, 1)], axis=1)
    along = np.gradient(path, distances, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
    return path[:, None] + line.width * np.array([-0.5, 0, 0.5])[:, None] * across[:, None]


def _projected(
    tree: BVHTree, names: list[str], view: str, material: str, grid: np.ndarray, lift: float
) -> Mesh:
    """Return a grid (n, k, 2) of a view on the surface that is outermost in it.

    `tree` and `names` are the faces of the hull and their materials. The grid is `lift` metres
    above the surface. It leaves out points next to the car and in wheel wells.
    """
    origin, direction = SEEN_FROM[view]
    hits = [
        tree.ray_cast(Vector(origin(*point)), Vector(direction))[:3]
        for point in grid.reshape(-1, 2).tolist()
    ]
    points = np.array(
        [
            tuple(point + lift * normal)
            if point is not None and names[face] != WELL
            else (np.nan,) * 3
            for point, normal, face in hits
        ]
    )
    _, faces, _ = _loft(np.zeros((*grid.shape[:2], 3)), "", closed=False, caps=False)
    faces = [face for face in faces if not np.isnan(points[face]).any()]
    return np.nan_to_num(points), faces, [material] * len(faces)


def _flat_parts(car: Car) -> Iterator[Patch | Line]:
    """Yield the car's windscreen, rear window, side windows, patches and lines."""
    for (x0, y0), (x1, y1) in car.screens:
        yield Patch("top", "glass", ((x0, -y0), (x0, y0), (x1, y1), (x1, -y1)), 0.08)
    for corners in car.windows:
        yield Patch("side", "glass", corners, 0.12)
    yield from (detail for detail in car.details if not isinstance(detail, Blob))


def _projected_parts(hull: Mesh, car: Car) -> Iterator[Mesh]:
    """Yield all patches and lines on the hull, with their mirror images."""
    vertices, faces, names = hull
    tree = BVHTree.FromPolygons(vertices.tolist(), faces)
    for number, detail in enumerate(_flat_parts(car)):
        grid = _line_grid(detail) if isinstance(detail, Line) else _patch_grid(detail)
        lift = 0.004 + 0.0004 * number  # later details cover earlier ones
        part = _projected(tree, names, detail.view, detail.material, grid, lift)
        yield part
        y_axis = 1 if detail.view == "top" else 0  # the coordinate of the view that is y
        points = np.array(detail.path if isinstance(detail, Line) else detail.corners)
        if detail.view == "side" or points[:, y_axis].min() >= 0:
            yield _mirrored(part)


def _with_wells(car: Car, body: Mesh) -> Mesh:
    """Return the body from which four wheel wells are cut; their walls are dark."""
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
    distances = [np.hypot(centres[:, 0] - axle, centres[:, 2] - car.wheel) for axle in car.axles]
    in_well = (np.min(distances, axis=0) < radius + 1e-4) & (abs(centres[:, 1]) > 0.4)
    names = np.where(in_well, WELL, "paint").tolist()
    for thing in (target, cutter):
        bpy.data.meshes.remove(thing.data)
    return vertices, faces, names


def _read(elements: Any, name: str) -> np.ndarray:
    """Return a vector attribute (n, 3) of all elements of a Blender collection."""
    values = np.empty(3 * len(elements))
    elements.foreach_get(name, values)
    return values.reshape(-1, 3)


def _object(name: str, part: Mesh) -> "bpy.types.Object":
    """Return a new object of the scene with this mesh."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(part[0].tolist(), [], part[1])
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def build(name: str, car: Car, materials: "dict[str, bpy.types.Material]") -> "bpy.types.Object":
    """Return a car as a new object of the scene; `materials` are those of MATERIALS by name."""
    hull = _joined([_with_wells(car, _body(car)), _cabin(car)])
    parts = [hull, *_projected_parts(hull, car)]
    wheel = _wheel(car)
    for axle, width in zip(car.axles, _half_width(car, np.array(car.axles))):
        left = _moved(wheel, (axle, width - WHEEL_WIDTH / 2 - 0.005, car.wheel))
        parts += [left, _mirrored(left)]
    for blob in (detail for detail in car.details if isinstance(detail, Blob)):
        parts += [_blob(blob)] + ([_mirrored(_blob(blob))] if blob.centre[1] > 0 else [])
    vertices, faces, names = _joined(parts)
    thing = _object(name, (vertices, faces, names))
    for material in MATERIALS:
        thing.data.materials.append(materials[material])
    indices = [MATERIALS.index(material) for material in names]
    thing.data.polygons.foreach_set("material_index", indices)
    thing.data.polygons.foreach_set("use_smooth", [True] * len(faces))
    thing.data.set_sharp_from_angle(angle=np.radians(35))
    return thing
