"""The six cars: one row of measures each, and the mesh built from it.

A car stands on z = 0, its middle at x = 0, its front towards +x and its left side towards +y; everything is in metres.
A body is a loft of rounded cross-sections along x, with the wheel wells cut out of it, and so is the cabin on top of
it. Glass, lamps and grilles are patches: four-cornered pieces drawn in a front, rear, side or top view and laid on
the surface that is found there.
"""

from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

MATERIALS = ("paint", "glass", "dark", "tyre", "metal", "lamp", "tail", "plate")


class Patch(NamedTuple):
    view: str  # "front", "rear": corners are (y, z); "side": (x, z), on both sides; "top": (x, y)
    material: str
    corners: tuple  # two opposite corners of a rectangle, or four in order; clear of the middle (y > 0): mirrored
    round: float = 0.0  # 0 keeps the corners, 1 makes an ellipse


class Blob(NamedTuple):
    material: str
    centre: tuple  # off the middle (y > 0): mirrored
    size: tuple  # full extent along x, y, z
    square: float = 4.0  # exponent of the superellipsoid: 2 is an ellipsoid, large is a box


class Car(NamedTuple):
    length: float
    width: float
    axles: tuple  # x of the front and the rear axle
    wheel: float  # radius of the tyre
    spokes: int  # 0 for a hub cap
    floor: float  # ground clearance
    top: tuple  # (x, z) from rear to front: tail, deck, waist line, bonnet, nose
    roof: tuple  # (x, z) from rear to front: rear window, roof, windscreen
    ends: tuple  # width of the rear and the front end as a part of the full width
    soft: float  # how far corners of `top` and `roof` are rounded
    square: tuple  # exponent of the cross-section of body and cabin: 2 is an ellipse, large is a box
    fender: tuple  # height added above the wheels, width added beside them
    cabin: tuple  # half width of the cabin at its base, and how far its sides lean in per metre of height
    screens: tuple  # windscreen (and rear window, if not steep): (x, half width) of base and of top edge for each
    windows: tuple  # side windows: four (x, z) corners each
    patches: tuple
    blobs: tuple = ()


def _plate(view, z):
    return Patch(view, "plate", ((-0.26, z - 0.055), (0.26, z + 0.055)))


CARS = {
    "Ferrari Enzo": Car(
        4.70, 2.03, (1.27, -1.38), 0.345, 5, 0.11,
        ((-2.35, 0.8), (-2.15, 0.9), (-1.4, 0.9), (-0.4, 0.84), (0.6, 0.76), (1.4, 0.66), (1.95, 0.54), (2.35, 0.44)),
        ((-1.75, 0.86), (-0.7, 1.07), (-0.1, 1.15), (0.3, 1.13), (1.35, 0.68)),
        (0.88, 0.66), 0.10, (3.2, 2.8), (0.17, 0.05), (0.80, 0.42),
        (((1.18, 0.60), (0.38, 0.46)), ((-1.50, 0.36), (-0.62, 0.44))),
        (((-0.35, 0.86), (0.80, 0.86), (0.30, 1.05), (-0.25, 1.07)),),
        (
            Patch("top", "lamp", ((1.50, 0.62), (1.98, 0.54), (1.92, 0.68), (1.50, 0.82)), 0.3),
            Patch("front", "dark", ((0.30, 0.17), (0.68, 0.33)), 0.2),
            Patch("front", "dark", ((-0.20, 0.15), (0.20, 0.24)), 0.1),
            Patch("rear", "tail", ((0.42, 0.66), (0.60, 0.84)), 1.0),
            Patch("rear", "tail", ((0.66, 0.66), (0.84, 0.84)), 1.0),
            Patch("rear", "dark", ((-0.80, 0.18), (0.80, 0.46)), 0.1),
            Patch("side", "dark", ((-0.92, 0.30), (-0.55, 0.30), (-0.62, 0.66), (-0.98, 0.72)), 0.2),
            _plate("rear", 0.58),
        ),
        (Blob("paint", (0.62, 0.93, 0.95), (0.16, 0.22, 0.10), 2.5),),
    ),
    "Mercedes Benz 300sel": Car(
        5.00, 1.81, (1.60, -1.25), 0.335, 0, 0.20,
        ((-2.50, 0.80), (-2.44, 0.90), (-1.7, 0.95), (0.0, 0.97), (1.5, 0.97), (2.40, 0.93), (2.50, 0.86)),
        ((-1.85, 0.93), (-1.25, 1.37), (-1.0, 1.43), (0.2, 1.44), (0.45, 1.41), (0.98, 0.94)),
        (0.86, 0.90), 0.05, (5.0, 4.5), (0.0, 0.0), (0.80, 0.30),
        (((0.93, 0.66), (0.50, 0.56)), ((-1.78, 0.62), (-1.30, 0.56))),
        (
            ((-0.32, 1.00), (0.70, 1.00), (0.36, 1.34), (-0.32, 1.36)),
            ((-1.28, 1.00), (-0.42, 1.00), (-0.42, 1.36), (-1.12, 1.34)),
        ),
        (
            Patch("front", "metal", ((-0.27, 0.50), (0.27, 0.92)), 0.05),
            Patch("front", "dark", ((-0.22, 0.54), (-0.02, 0.87))),
            Patch("front", "dark", ((0.02, 0.54), (0.22, 0.87))),
            Patch("front", "lamp", ((0.56, 0.56), (0.76, 0.86)), 0.5),
            Patch("rear", "tail", ((0.44, 0.64), (0.78, 0.80)), 0.2),
            Patch("side", "metal", ((-2.35, 0.60), (2.35, 0.63))),
            Patch("side", "metal", ((-1.75, 0.93), (0.85, 0.95))),
            _plate("rear", 0.60),
        ),
        (
            Blob("metal", (2.50, 0.0, 0.43), (0.16, 1.74, 0.13), 8.0),
            Blob("metal", (-2.50, 0.0, 0.43), (0.16, 1.74, 0.13), 8.0),
            Blob("metal", (0.72, 0.90, 1.02), (0.08, 0.18, 0.10), 2.5),
        ),
    ),
    "Megane RS": Car(
        4.30, 1.86, (1.27, -1.37), 0.345, 10, 0.16,
        ((-2.15, 0.80), (-2.05, 1.00), (-1.2, 1.02), (0.5, 0.97), (1.2, 0.90), (1.85, 0.76), (2.15, 0.58)),
        ((-2.10, 0.98), (-1.80, 1.36), (-1.3, 1.43), (0.0, 1.45), (0.3, 1.42), (1.30, 0.90)),
        (0.80, 0.70), 0.09, (3.6, 3.6), (0.03, 0.06), (0.80, 0.38),
        (((1.18, 0.64), (0.36, 0.54)),),
        (
            ((-0.55, 1.04), (0.86, 1.00), (0.28, 1.33), (-0.55, 1.37)),
            ((-1.40, 1.14), (-0.65, 1.05), (-0.65, 1.37), (-1.22, 1.33)),
        ),
        (
            Patch("front", "dark", ((-0.56, 0.24), (0.56, 0.24), (0.48, 0.46), (-0.48, 0.46)), 0.1),
            Patch("front", "metal", ((-0.70, 0.30), (0.70, 0.34))),
            Patch("front", "lamp", ((0.40, 0.60), (0.70, 0.64), (0.72, 0.78), (0.52, 0.74)), 0.2),
            Patch("rear", "glass", ((-0.52, 1.06), (0.52, 1.06), (0.50, 1.32), (-0.50, 1.32)), 0.1),
            Patch("rear", "tail", ((0.44, 0.80), (0.74, 0.80), (0.74, 0.96), (0.50, 0.96)), 0.3),
            Patch("rear", "dark", ((-0.56, 0.22), (0.56, 0.40)), 0.1),
            _plate("rear", 0.58),
            _plate("front", 0.52),
        ),
        (
            Blob("paint", (-1.74, 0.0, 1.36), (0.28, 1.06, 0.06), 6.0),
            Blob("paint", (0.68, 0.94, 1.04), (0.16, 0.20, 0.14), 3.0),
        ),
    ),
    "Mercedes AMG Coupe": Car(
        4.55, 1.95, (1.44, -1.20), 0.350, 5, 0.13,
        ((-2.275, 0.72), (-2.15, 0.84), (-1.3, 0.92), (-0.3, 0.90), (1.4, 0.84), (2.05, 0.72), (2.275, 0.58)),
        ((-2.05, 0.82), (-1.5, 1.06), (-0.8, 1.27), (-0.4, 1.29), (-0.1, 1.26), (0.62, 0.86)),
        (0.78, 0.76), 0.09, (3.4, 3.0), (0.06, 0.06), (0.78, 0.42),
        (((0.56, 0.62), (-0.02, 0.46)), ((-1.92, 0.42), (-0.95, 0.44))),
        (((-1.05, 0.97), (0.30, 0.95), (-0.10, 1.18), (-0.85, 1.18)),),
        (
            Patch("front", "dark", ((-0.46, 0.34), (0.46, 0.34), (0.40, 0.62), (-0.40, 0.62)), 0.4),
            Patch("front", "metal", ((-0.44, 0.455), (0.44, 0.495))),
            Patch("front", "metal", ((-0.08, 0.395), (0.08, 0.555)), 1.0),
            Patch("front", "dark", ((0.54, 0.20), (0.82, 0.40)), 0.2),
            Patch("front", "lamp", ((0.54, 0.58), (0.76, 0.58), (0.74, 0.74), (0.58, 0.70)), 0.5),
            Patch("rear", "tail", ((0.36, 0.68), (0.78, 0.70), (0.78, 0.78), (0.36, 0.77)), 0.3),
            Patch("rear", "dark", ((-0.70, 0.18), (0.70, 0.36)), 0.1),
            Patch("side", "dark", ((0.62, 0.56), (0.98, 0.58), (0.98, 0.66), (0.62, 0.66)), 0.1),
            _plate("rear", 0.52),
        ),
        (Blob("paint", (0.22, 0.96, 0.99), (0.16, 0.22, 0.13), 2.5),),
    ),
    "Range Rover Evoque": Car(
        4.37, 1.98, (1.30, -1.36), 0.385, 10, 0.25,
        ((-2.185, 0.96), (-2.10, 1.12), (-1.0, 1.12), (0.6, 1.08), (1.85, 1.01), (2.08, 0.94), (2.185, 0.80)),
        ((-2.14, 1.06), (-2.00, 1.44), (-1.8, 1.57), (0.0, 1.64), (0.3, 1.61), (1.15, 1.05)),
        (0.84, 0.82), 0.05, (5.0, 4.5), (0.0, 0.03), (0.86, 0.28),
        (((1.08, 0.72), (0.38, 0.62)),),
        (
            ((-0.20, 1.14), (0.88, 1.13), (0.26, 1.50), (-0.20, 1.51)),
            ((-1.15, 1.18), (-0.26, 1.15), (-0.26, 1.51), (-1.15, 1.47)),
            ((-1.88, 1.22), (-1.21, 1.19), (-1.21, 1.46), (-1.76, 1.42)),
        ),
        (
            Patch("top", "dark", ((-1.75, -0.58), (0.22, -0.58), (0.22, 0.58), (-1.75, 0.58)), 0.05),
            Patch("front", "dark", ((-0.48, 0.74), (0.48, 0.74), (0.48, 0.86), (-0.48, 0.86)), 0.1),
            Patch("front", "lamp", ((0.54, 0.74), (0.80, 0.78), (0.80, 0.88), (0.54, 0.86)), 0.2),
            Patch("front", "dark", ((-0.66, 0.32), (0.66, 0.50)), 0.1),
            Patch("rear", "glass", ((-0.60, 1.20), (0.60, 1.20), (0.56, 1.46), (-0.56, 1.46)), 0.1),
            Patch("rear", "tail", ((0.46, 0.94), (0.82, 0.94), (0.82, 1.05), (0.46, 1.02)), 0.3),
            Patch("rear", "dark", ((-0.74, 0.30), (0.74, 0.54)), 0.1),
            Patch("side", "dark", ((-0.86, 0.29), (0.80, 0.42))),
            _plate("rear", 0.78),
            _plate("front", 0.60),
        ),
        (
            Blob("dark", (-1.88, 0.0, 1.51), (0.26, 1.10, 0.06), 6.0),
            Blob("dark", (0.62, 1.02, 1.19), (0.16, 0.22, 0.18), 3.5),
        ),
    ),
    "Tesla Model S": Car(
        4.97, 1.96, (1.52, -1.44), 0.355, 9, 0.15,
        ((-2.485, 0.84), (-2.38, 1.00), (-1.5, 1.00), (0.0, 0.95), (1.5, 0.88), (2.2, 0.72), (2.485, 0.54)),
        ((-2.20, 0.98), (-1.5, 1.25), (-0.7, 1.42), (-0.2, 1.45), (0.25, 1.41), (1.38, 0.88)),
        (0.78, 0.70), 0.12, (3.4, 3.2), (0.04, 0.03), (0.82, 0.42),
        (((1.28, 0.62), (0.32, 0.50)), ((-2.08, 0.46), (-0.95, 0.50))),
        (
            ((-0.22, 1.01), (0.98, 0.97), (0.26, 1.32), (-0.22, 1.35)),
            ((-1.10, 1.03), (-0.28, 1.01), (-0.28, 1.35), (-1.00, 1.28)),
            ((-1.62, 1.08), (-1.16, 1.04), (-1.07, 1.25), (-1.22, 1.22)),
        ),
        (
            Patch("front", "dark", ((-0.26, 0.50), (0.26, 0.50), (0.32, 0.64), (-0.32, 0.64)), 0.5),
            Patch("front", "dark", ((-0.62, 0.21), (0.62, 0.31)), 0.2),
            Patch("front", "lamp", ((0.44, 0.58), (0.72, 0.62), (0.74, 0.74), (0.56, 0.70)), 0.3),
            Patch("rear", "metal", ((-0.46, 0.84), (0.46, 0.87))),
            Patch("rear", "tail", ((0.48, 0.80), (0.78, 0.80), (0.78, 0.93), (0.48, 0.90)), 0.4),
            Patch("rear", "dark", ((-0.60, 0.20), (0.60, 0.32)), 0.1),
            Patch("side", "metal", ((-1.05, 0.30), (1.10, 0.33))),
            _plate("rear", 0.64),
        ),
        (Blob("paint", (0.72, 0.97, 1.03), (0.16, 0.20, 0.13), 2.5),),
    ),
}  # fmt: skip


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


def _body(car):
    """The painted hull from nose to tail, without cabin and wheel wells."""
    half = car.length / 2
    x = half * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 90))
    end = np.where(x < 0, *car.ends)
    bulge = sum(np.exp(-(((x - axle) / 0.45) ** 2)) for axle in car.axles)
    # The last centimetres bend inwards along a quarter circle, so that no end has a sharp rim.
    radius = 0.10
    into = np.clip(1 - (half - np.abs(x)) / radius, 0, 1)
    shrink = radius * (1 - np.sqrt(1 - into**2))
    width = car.width / 2 * (1 - (1 - end) * np.abs(x / half) ** 4) + car.fender[1] * (bulge - 0.5) - shrink
    top = _curve(car.top, x, car.soft) - shrink
    bottom = car.floor * (1 + 0.5 * np.abs(x / half) ** 6) + shrink
    cos, sin = _superellipse(np.linspace(-np.pi / 2, 3 * np.pi / 2, 72, endpoint=False)[None], car.square[0])
    middle = (0.5 * top + 0.5 * bottom)[:, None]
    z = middle + np.where(sin > 0, top[:, None] - middle, middle - bottom[:, None]) * sin
    z += car.fender[0] * bulge[:, None] * np.exp(-(((np.abs(cos) - 0.78) / 0.2) ** 2)) * (sin > 0) * np.abs(sin)
    return _loft(np.stack([np.broadcast_to(x[:, None], z.shape), width[:, None] * cos, z], axis=-1), "paint")


def _cabin(car):
    """The greenhouse, painted; it reaches a little into the body below."""
    rear, front = car.roof[0][0], car.roof[-1][0]
    x = (rear + front) / 2 + (front - rear) / 2 * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 70))
    base = _curve(car.top, x, car.soft) - 0.12
    height = np.maximum(_curve(car.roof, x, car.soft) - base, 0.01)[:, None]
    along = 2 * (x - rear) / (front - rear) - 1
    width = (car.cabin[0] * (1 - 0.14 * np.abs(along) ** 3))[:, None]
    cos, sin = _superellipse(np.linspace(0, np.pi, 49)[None], car.square[1])
    z = height * sin
    y = (width - car.cabin[1] * np.maximum(z - 0.12, 0)) * cos
    return _loft(np.stack([np.broadcast_to(x[:, None], z.shape), y, base[:, None] + z], axis=-1), "paint")


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
    r, w = car.wheel, 0.24
    tyre = [(0.5, -0.5), (0.93, -0.5), (1.0, -0.38), (1.0, 0.38), (0.94, 0.5), (0.72, 0.5), (0.70, 0.42), (0.70, 0.2)]
    parts = [_lathe([(a * r, b * w) for a, b in tyre], "tyre")]
    dish = [(0.70, 0.2), (0.70, 0.46), (0.66, 0.47), (0.64, 0.38), (0.60, 0.2), (0.0, 0.2)]
    if not car.spokes:
        dish = [(0.70, 0.2), (0.70, 0.46), (0.60, 0.44), (0.50, 0.40), (0.30, 0.46), (0.0, 0.52)]
    vertices, faces, names = _lathe([(a * r, b * w) for a, b in dish], "metal")
    if car.spokes:
        names = ["dark" if abs(vertices[f[0]][1] - 0.2 * w) < 1e-6 else "metal" for f in faces]
    parts.append((vertices, faces, names))
    for turn in np.arange(car.spokes) * 2 * np.pi / max(car.spokes, 1):
        breadth = (0.55 if car.spokes < 8 else 0.34) * r * 0.5
        spoke = _blob(Blob("metal", (0.34 * r, 0.38 * w, 0.0), (0.66 * r, 0.10 * w, breadth), 6.0))
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
# Patches laid on the body, and wheel wells cut into it.
# ---------------------------------------------------------------------------------------------------------------------
def _patch(tree, names, patch, steps=18):
    """The patch as a fine grid, moved onto the outermost surface seen in its view and 5 mm out of it."""
    place, towards = {
        "front": (lambda a, b: (5, a, b), (-1, 0, 0)),
        "rear": (lambda a, b: (-5, a, b), (1, 0, 0)),
        "side": (lambda a, b: (a, 5, b), (0, -1, 0)),
        "top": (lambda a, b: (a, b, 5), (0, 0, -1)),
    }[patch.view]
    corners = np.array(patch.corners)
    if len(corners) == 2:
        (a0, b0), (a1, b1) = patch.corners
        corners = np.array([(a0, b0), (a1, b0), (a1, b1), (a0, b1)])
    v, u = np.meshgrid(*[np.linspace(-1, 1, steps)] * 2, indexing="ij")
    u, v = u * np.sqrt(1 - patch.round * v**2 / 2), v * np.sqrt(1 - patch.round * u**2 / 2)
    weights = np.stack([(1 - u) * (1 - v), (1 + u) * (1 - v), (1 + u) * (1 + v), (1 - u) * (1 + v)], axis=-1) / 4
    flat = (weights @ corners).reshape(-1, 2)
    hits = [tree.ray_cast(Vector(place(*point)), Vector(towards))[:3] for point in flat.tolist()]
    on_car = [at is not None and names[face] == "paint" for at, _, face in hits]  # neither beside it nor in a well
    points = np.array([tuple(hit[0] + 0.005 * hit[1]) if on else (np.nan,) * 3 for hit, on in zip(hits, on_car)])
    _, faces, _ = _loft(np.zeros((steps, steps, 3)), "", closed=False, caps=False)
    faces = [face for face in faces if not np.isnan(points[face]).any()]
    return np.nan_to_num(points), faces, [patch.material] * len(faces)


def _all_patches(car):
    """The car's own patches, windscreen, rear window and side windows."""
    for (x0, y0), (x1, y1) in car.screens:
        yield Patch("top", "glass", ((x0, -y0), (x0, y0), (x1, y1), (x1, -y1)), 0.08)
    for corners in car.windows:
        yield Patch("side", "glass", corners, 0.12)
    yield from car.patches


def _laid(car, hull):
    """The parts of all patches, on both sides where a patch is drawn for one."""
    vertices, faces, names = hull
    tree = BVHTree.FromPolygons(vertices.tolist(), faces)
    for patch in _all_patches(car):
        part = _patch(tree, names, patch)
        yield part
        across = 1 if patch.view == "top" else 0  # which coordinate of a corner is y
        if patch.view == "side" or min(corner[across] for corner in patch.corners) > 0:
            yield _mirrored(part)


def _with_wells(car, body):
    """The body with four wheel wells cut out; their walls are dark."""
    radius, depth = car.wheel * 1.11, 0.34
    tub = [(0.0, car.width / 2 - depth), (radius, car.width / 2 - depth), (radius, 1.3), (0.0, 1.3)]
    cutters = [_moved(_lathe(tub, "dark", 64), (axle, 0, car.wheel)) for axle in car.axles]
    cutter = _object("cutter", _joined(cutters + [_mirrored(part) for part in cutters]))
    target = _object("target", body)
    modifier = target.modifiers.new("wells", "BOOLEAN")
    modifier.object, modifier.operation, modifier.solver = cutter, "DIFFERENCE", "EXACT"
    mesh = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    vertices = np.array([vertex.co for vertex in mesh.vertices])
    faces = [list(polygon.vertices) for polygon in mesh.polygons]

    def in_well(face):
        x, y, z = vertices[face].mean(axis=0)
        return abs(y) > 0.4 and any(np.hypot(x - axle, z - car.wheel) < radius + 1e-4 for axle in car.axles)

    names = ["dark" if in_well(face) else "paint" for face in faces]
    for each in (target, cutter):
        bpy.data.meshes.remove(each.data)
    return vertices, faces, names


def _object(name, part):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(part[0].tolist(), [], part[1])
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def build(name, materials):
    """The car of CARS with this name as one object of the scene; `materials`: name in MATERIALS -> bpy material."""
    car = CARS[name]
    hull = _joined([_with_wells(car, _body(car)), _cabin(car)])
    parts = [hull, *_laid(car, hull)]
    wheel = _wheel(car)
    for axle in car.axles:
        left = _moved(wheel, (axle, car.width / 2 - 0.11, car.wheel))
        parts += [left, _mirrored(left)]
    for blob in car.blobs:
        parts += [_blob(blob)] + ([_mirrored(_blob(blob))] if blob.centre[1] > 0 else [])
    vertices, faces, names = _joined(parts)
    thing = _object(name, (vertices, faces, names))
    for material in MATERIALS:
        thing.data.materials.append(materials[material])
    thing.data.polygons.foreach_set("material_index", [MATERIALS.index(each) for each in names])
    thing.data.polygons.foreach_set("use_smooth", [True] * len(faces))
    thing.data.set_sharp_from_angle(angle=np.radians(35))
    return thing
