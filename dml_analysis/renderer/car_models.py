"""The six cars of the renderer: tables of measures, which car_shapes.build makes meshes of.

They resemble the types of Table 5's six models without being copies: a mid-engined sports car, a
classic saloon, a hot hatch, a luxury coupe, an SUV and an electric fastback. A car stands on z = 0,
centred at x = 0. Its front points towards +x, its left side towards +y. Lengths are in metres.
"""

from collections.abc import Iterable, Iterator
from math import cos, pi, sin
from typing import NamedTuple

Point = tuple[float, float]
Point3 = tuple[float, float, float]
Corners = tuple[Point, ...]


class Patch(NamedTuple):
    """A four-cornered piece of another material, projected in a view onto the car's surface.

    Corners are (y, z) in the views "front" and "rear", (x, z) in "side", which shows on both sides,
    and (x, y) in "top". A patch with y > 0 throughout is mirrored.
    """

    view: str
    material: str
    corners: Corners  # two opposite corners of a rectangle, or four in order
    round: float = 0.0  # 0 keeps the corners, 1 makes an ellipse


class Line(NamedTuple):
    """A strip along a path, projected like a Patch: shut lines, chrome, lips of wheel arches."""

    view: str
    material: str
    width: float
    path: Corners


class Blob(NamedTuple):
    """A superellipsoid, between an ellipsoid and a box."""

    material: str
    centre: Point3  # if off the middle (y > 0), mirrored
    size: Point3  # full extent along x, y, z
    square: float = 4.0  # exponent: 2 is an ellipsoid, large is a box


class Car(NamedTuple):
    """The measures of a car."""

    length: float
    axles: Point  # x of the front and the rear axle
    wheel: float  # radius of the tyre
    rim: float  # radius of the rim as a share of the tyre's
    spokes: int  # 0 for a hub cap
    floor: float  # ground clearance
    top: Corners  # (x, z) from rear to front: tail, deck, waist line, bonnet, nose
    plan: Corners  # (x, half width) from rear to front
    roof: Corners  # (x, z) from rear to front: rear window, roof, windscreen
    soft: float  # width of the rounding of corners of `top`, `plan` and `roof`
    edge: float  # radius of the edge where the sides meet nose and tail
    shoulder: float  # height of the widest point, as a share of the body's height
    square: Point  # exponents of the cross-sections of body (above the shoulder) and cabin
    fender: Point  # height added above the wheels, width added at their sides
    cabin: Point  # half width of the cabin at its base, lean of its sides per metre of height
    screens: tuple[Corners, ...]  # of windscreen and rear window: (x, half width) at base and top
    windows: tuple[Corners, ...]  # side windows: four corners (x, z) each
    details: tuple[Patch | Line | Blob, ...]
    hood: str = "paint"  # the material of the cabin
    rims: str = "rim"  # the material of the rims
    spoke: float = 1.0  # width of a spoke relative to those of the six cars


def plate(view: str, z: float) -> Patch:
    """Return a number plate in the middle of the front or rear, its centre at this height."""
    return Patch(view, "plate", ((-0.26, z - 0.055), (0.26, z + 0.055)))


def arches(axles: Iterable[Point], radius: float, material: str, width: float) -> Iterator[Line]:
    """Yield strips around the wells of both wheels, `radius` from the axles at (x, z)."""
    turns = [pi * (0.02 + 0.96 * step / 24) for step in range(25)]
    for x, z in axles:
        path = tuple((x + radius * cos(turn), z + radius * sin(turn)) for turn in turns)
        yield Line("side", material, width, path)


def mirror(material: str, x: float, y: float, z: float, size: Point3 = (0.17, 0.26, 0.13)) -> Blob:
    """Return the left outer mirror, which is mirrored."""
    return Blob(material, (x, y, z), size, 2.6)


CARS: dict[str, Car] = {
    "Ferrari Enzo": Car(
        length=4.70, axles=(1.27, -1.38), wheel=0.345, rim=0.76, spokes=5, floor=0.10,
        top=((-2.35, 0.84), (-2.1, 0.93), (-1.4, 0.93), (-0.4, 0.84), (0.6, 0.76), (1.4, 0.68),
             (1.95, 0.53),
             (2.35, 0.40)),
        plan=((-2.35, 0.90), (-1.4, 1.01), (-0.5, 0.95), (0.4, 0.94), (1.3, 0.99), (2.0, 0.80),
              (2.35, 0.48)),
        roof=((-1.75, 0.88), (-0.75, 1.07), (-0.1, 1.15), (0.3, 1.13), (1.40, 0.66)),
        soft=0.09, edge=0.07, shoulder=0.62, square=(3.4, 2.8), fender=(0.17, 0.02),
        cabin=(0.80, 0.42),
        screens=(((1.20, 0.62), (0.40, 0.48)), ((-1.55, 0.36), (-0.62, 0.42))),
        windows=(((-0.38, 0.87), (0.86, 0.85), (0.34, 1.06), (-0.22, 1.08)),),
        details=(
            Patch("top", "black", ((1.48, 0.60), (2.02, 0.52), (1.98, 0.68), (1.46, 0.84)), 0.3),
            Patch("top", "lamp", ((1.54, 0.66), (1.92, 0.56), (1.88, 0.64), (1.52, 0.76)), 0.6),
            Patch("top", "dark", ((1.52, 0.14), (1.88, 0.12), (1.88, 0.34), (1.52, 0.44)), 0.3),
            Patch("front", "dark", ((0.30, 0.15), (0.72, 0.31)), 0.2),
            Patch("front", "dark", ((-0.22, 0.14), (0.22, 0.24)), 0.1),
            Patch("rear", "tail", ((0.40, 0.66), (0.58, 0.84)), 1.0),
            Patch("rear", "tail", ((0.64, 0.66), (0.82, 0.84)), 1.0),
            Patch("rear", "dark", ((-0.92, 0.16), (0.92, 0.46)), 0.1),
            Patch("rear", "black", ((-0.32, 0.64), (0.32, 0.84)), 0.2),
            Blob("metal", (-2.33, 0.30, 0.40), (0.10, 0.12, 0.12), 2.0),
            Blob("metal", (-2.33, 0.45, 0.40), (0.10, 0.12, 0.12), 2.0),
            Patch("side", "dark", ((-0.95, 0.26), (-0.50, 0.26), (-0.60, 0.68), (-1.02, 0.74)),
                  0.2),
            Patch("side", "dark", ((0.52, 0.26), (0.82, 0.30), (0.80, 0.52), (0.66, 0.52)), 0.2),
            Line("side", "dark", 0.011, ((-0.42, 0.84), (-0.40, 0.30), (0.50, 0.24), (0.84, 0.80))),
            Line("side", "black", 0.07, ((-1.0, 0.17), (0.9, 0.17))),
            mirror("paint", 0.74, 0.90, 0.95, (0.17, 0.34, 0.11)),
        ),
    ),
    "Mercedes Benz 300sel": Car(
        length=5.00, axles=(1.60, -1.25), wheel=0.335, rim=0.66, spokes=0, floor=0.19,
        top=((-2.50, 0.80), (-2.42, 0.90), (-1.7, 0.95), (0.0, 0.97), (1.5, 0.97), (2.42, 0.94),
             (2.50, 0.90)),
        plan=((-2.50, 0.80), (-1.6, 0.88), (0.0, 0.905), (1.6, 0.89), (2.50, 0.83)),
        roof=((-1.88, 0.93), (-1.30, 1.36), (-1.0, 1.42), (0.2, 1.43), (0.45, 1.40), (0.98, 0.94)),
        soft=0.05, edge=0.06, shoulder=0.70, square=(5.0, 4.5), fender=(0.01, 0.0),
        cabin=(0.80, 0.26),
        screens=(((0.95, 0.70), (0.48, 0.60)), ((-1.82, 0.66), (-1.34, 0.58))),
        windows=(
            ((-0.30, 0.99), (0.74, 0.99), (0.40, 1.345), (-0.30, 1.365)),
            ((-1.34, 0.99), (-0.38, 0.99), (-0.38, 1.365), (-1.10, 1.345)),
        ),
        details=(
            Patch("front", "metal", ((-0.30, 0.50), (0.30, 0.94)), 0.05),
            *(Patch("front", "black", ((y, 0.54), (y + 0.045, 0.89))) for y in (-0.255, -0.185,
                                                                                -0.115, -0.045)),
            *(Patch("front", "black", ((-y - 0.045, 0.54), (-y, 0.89))) for y in (-0.255, -0.185,
                                                                                  -0.115)),
            Patch("front", "metal", ((0.53, 0.53), (0.77, 0.88)), 0.5),
            Patch("front", "lamp", ((0.56, 0.70), (0.74, 0.87)), 0.9),
            Patch("front", "lamp", ((0.56, 0.55), (0.74, 0.68)), 0.8),
            Patch("rear", "tail", ((0.46, 0.64), (0.77, 0.80)), 0.2),
            Patch("rear", "metal", ((-0.75, 0.83), (0.75, 0.855))),
            Line("side", "metal", 0.03, ((-2.38, 0.60), (2.38, 0.60))),
            Line("side", "metal", 0.022, ((-1.86, 0.955), (0.92, 0.955))),
            Line("side", "metal", 0.05, ((-0.80, 0.24), (1.15, 0.24))),
            *arches(((1.60, 0.335), (-1.25, 0.335)), 0.385, "metal", 0.025),
            Line("side", "dark", 0.011, ((0.78, 0.94), (0.78, 0.55), (0.72, 0.27), (-0.34, 0.27),
                                         (-0.34, 0.94))),
            Line("side", "dark", 0.011, ((-0.36, 0.27), (-0.80, 0.29), (-0.92, 0.62), (-1.35, 0.76),
                                         (-1.36, 0.94))),
            Patch("side", "metal", ((-0.28, 0.80), (-0.10, 0.83))),
            Patch("side", "metal", ((-1.28, 0.80), (-1.10, 0.83))),
            Line("top", "dark", 0.012, ((1.02, 0.0), (1.02, 0.70), (2.44, 0.62))),
            Line("top", "dark", 0.012, ((-1.98, 0.0), (-1.98, 0.70), (-2.46, 0.66))),
            plate("rear", 0.60),
            Blob("metal", (2.50, 0.0, 0.42), (0.18, 1.76, 0.14), 8.0),
            Blob("metal", (-2.50, 0.0, 0.42), (0.18, 1.76, 0.14), 8.0),
            Blob("metal", (2.58, 0.40, 0.44), (0.06, 0.07, 0.24), 4.0),
            Blob("metal", (-2.58, 0.40, 0.44), (0.06, 0.07, 0.24), 4.0),
            mirror("metal", 0.70, 0.88, 1.02, (0.09, 0.24, 0.11)),
        ),
    ),
    "Megane RS": Car(
        length=4.36, axles=(1.32, -1.35), wheel=0.345, rim=0.76, spokes=10, floor=0.15,
        top=((-2.18, 0.86), (-2.10, 1.00), (-1.2, 1.03), (0.5, 0.99), (1.2, 0.95), (1.90, 0.84),
             (2.18, 0.68)),
        plan=((-2.18, 0.70), (-1.9, 0.86), (-1.3, 0.93), (0.0, 0.90), (1.3, 0.93), (1.85, 0.84),
              (2.18, 0.58)),
        roof=((-2.14, 0.98), (-1.86, 1.36), (-1.4, 1.42), (-0.2, 1.46), (0.2, 1.43), (1.22, 0.92)),
        soft=0.08, edge=0.10, shoulder=0.62, square=(3.8, 3.8), fender=(0.03, 0.03),
        cabin=(0.80, 0.36),
        screens=(((1.12, 0.68), (0.28, 0.56)),),
        windows=(
            ((-0.38, 1.04), (0.80, 1.02), (0.20, 1.36), (-0.38, 1.385)),
            ((-1.42, 1.12), (-0.46, 1.05), (-0.46, 1.385), (-1.30, 1.35)),
        ),
        details=(
            Patch("front", "black", ((-0.68, 0.20), (0.68, 0.20), (0.56, 0.46), (-0.56, 0.46)),
                  0.1),
            Patch("front", "metal", ((-0.82, 0.235), (0.82, 0.265))),
            Patch("front", "black", ((-0.40, 0.66), (0.40, 0.66), (0.40, 0.72), (-0.40, 0.72)),
                  0.1),
            Patch("front", "metal", ((-0.06, 0.62), (0.0, 0.57), (0.06, 0.62), (0.0, 0.76))),
            Patch("front", "black", ((0.42, 0.60), (0.76, 0.62), (0.80, 0.78), (0.50, 0.74)), 0.2),
            Patch("front", "lamp", ((0.48, 0.63), (0.74, 0.65), (0.77, 0.75), (0.54, 0.71)), 0.4),
            Patch("front", "lamp", ((0.68, 0.40), (0.82, 0.44)), 0.3),
            Patch("rear", "glass", ((-0.56, 1.06), (0.56, 1.06), (0.52, 1.33), (-0.52, 1.33)), 0.1),
            Patch("rear", "tail", ((0.34, 0.84), (0.76, 0.84), (0.80, 0.97), (0.50, 0.96)), 0.3),
            Patch("rear", "black", ((-0.66, 0.18), (0.66, 0.40)), 0.1),
            Blob("metal", (-2.16, 0.0, 0.29), (0.10, 0.24, 0.11), 3.0),
            Line("side", "dark", 0.011, ((0.88, 1.00), (0.90, 0.60), (0.80, 0.30), (-0.42, 0.28),
                                         (-0.42, 1.03))),
            Line("side", "dark", 0.011, ((-0.42, 0.28), (-0.86, 0.30), (-0.98, 0.66), (-1.38, 0.86),
                                         (-1.42, 1.08))),
            Line("side", "black", 0.10, ((-0.95, 0.24), (0.90, 0.24))),
            Patch("side", "black", ((-0.36, 0.90), (-0.16, 0.925))),
            Patch("side", "black", ((0.93, 0.50), (1.0, 0.50), (0.99, 0.78), (0.92, 0.78)), 0.2),
            Line("top", "dark", 0.011, ((1.26, 0.0), (1.24, 0.74), (1.92, 0.62), (2.06, 0.0))),
            plate("rear", 0.62),
            plate("front", 0.52),
            Blob("paint", (-1.80, 0.0, 1.375), (0.36, 1.12, 0.07), 4.0),
            mirror("paint", 0.70, 0.90, 1.04, (0.16, 0.28, 0.14)),
        ),
    ),
    "Mercedes AMG Coupe": Car(
        length=4.55, axles=(1.44, -1.20), wheel=0.350, rim=0.76, spokes=5, floor=0.12,
        top=((-2.275, 0.74), (-2.15, 0.85), (-1.3, 0.93), (-0.3, 0.91), (1.4, 0.86), (2.05, 0.76),
             (2.275, 0.60)),
        plan=((-2.275, 0.74), (-1.9, 0.90), (-1.2, 0.99), (-0.2, 0.92), (0.6, 0.92), (1.4, 0.97),
              (1.95, 0.86),
              (2.275, 0.58)),
        roof=((-2.08, 0.82), (-1.5, 1.08), (-0.8, 1.27), (-0.4, 1.29), (-0.1, 1.26), (0.60, 0.86)),
        soft=0.09, edge=0.10, shoulder=0.64, square=(3.4, 3.0), fender=(0.06, 0.02),
        cabin=(0.78, 0.42),
        screens=(((0.56, 0.64), (-0.02, 0.48)), ((-1.96, 0.44), (-0.90, 0.46))),
        windows=(((-1.10, 0.98), (0.30, 0.95), (-0.10, 1.19), (-0.82, 1.20)),),
        details=(
            Patch("front", "black", ((-0.50, 0.32), (0.50, 0.32), (0.42, 0.64), (-0.42, 0.64)),
                  0.4),
            *(Patch("front", "metal", ((y - 0.009, 0.36), (y + 0.009, 0.60))) for y in (0.20, 0.28,
                                                                                        0.36)),
            Patch("front", "metal", ((-0.46, 0.465), (0.46, 0.495))),
            Patch("front", "metal", ((-0.10, 0.38), (0.10, 0.58)), 1.0),
            Patch("front", "black", ((0.56, 0.18), (0.88, 0.42)), 0.2),
            Patch("front", "black", ((-0.40, 0.16), (0.40, 0.25)), 0.1),
            Patch("front", "black", ((0.52, 0.56), (0.80, 0.58), (0.80, 0.76), (0.58, 0.72)), 0.6),
            Patch("front", "lamp", ((0.56, 0.60), (0.76, 0.62), (0.77, 0.73), (0.61, 0.70)), 0.8),
            Patch("rear", "tail", ((0.34, 0.69), (0.80, 0.71), (0.80, 0.78), (0.34, 0.775)), 0.3),
            Patch("rear", "black", ((-0.80, 0.16), (0.80, 0.38)), 0.1),
            Blob("metal", (-2.24, 0.42, 0.27), (0.12, 0.22, 0.09), 4.0),
            Patch("side", "black", ((0.60, 0.54), (0.98, 0.56), (0.98, 0.68), (0.60, 0.68)), 0.1),
            Line("side", "metal", 0.016, ((0.60, 0.61), (0.98, 0.62))),
            Line("side", "dark", 0.011, ((-0.72, 0.94), (-0.78, 0.60), (-0.70, 0.28), (0.46, 0.28),
                                         (0.50, 0.88))),
            Line("side", "black", 0.08, ((-0.80, 0.20), (1.05, 0.20))),
            Patch("side", "metal", ((-0.64, 0.76), (-0.46, 0.78))),
            Line("top", "dark", 0.011, ((0.62, 0.0), (0.66, 0.74), (1.98, 0.58), (2.12, 0.0))),
            Line("top", "dark", 0.02, ((0.90, 0.16), (1.70, 0.22))),
            plate("rear", 0.52),
            mirror("paint", 0.20, 0.90, 0.98, (0.16, 0.30, 0.13)),
        ),
    ),
    "Range Rover Evoque": Car(
        length=4.37, axles=(1.31, -1.35), wheel=0.400, rim=0.74, spokes=10, floor=0.29,
        top=((-2.185, 1.00), (-2.10, 1.13), (-1.0, 1.13), (0.6, 1.09), (1.85, 1.04), (2.10, 0.98),
             (2.185, 0.90)),
        plan=((-2.185, 0.78), (-1.95, 0.92), (-1.3, 0.97), (0.0, 0.95), (1.3, 0.97), (1.90, 0.92),
              (2.185, 0.74)),
        roof=((-2.14, 1.08), (-2.00, 1.46), (-1.8, 1.57), (0.0, 1.70), (0.3, 1.68), (1.15, 1.06)),
        soft=0.05, edge=0.09, shoulder=0.66, square=(5.0, 4.5), fender=(0.0, 0.02),
        cabin=(0.84, 0.26),
        screens=(((1.08, 0.74), (0.36, 0.64)),),
        windows=(
            ((-0.22, 1.17), (0.86, 1.15), (0.24, 1.585), (-0.22, 1.60)),
            ((-1.12, 1.23), (-0.28, 1.18), (-0.28, 1.595), (-1.12, 1.55)),
            ((-1.88, 1.30), (-1.17, 1.24), (-1.17, 1.545), (-1.78, 1.495)),
        ),
        details=(
            Patch("top", "black", ((-1.90, -0.62), (0.26, -0.62), (0.26, 0.62), (-1.90, 0.62)),
                  0.03),
            Patch("front", "black", ((-0.50, 0.78), (0.50, 0.78), (0.50, 0.92), (-0.50, 0.92)),
                  0.1),
            Patch("front", "metal", ((-0.46, 0.84), (0.46, 0.86))),
            Patch("front", "black", ((0.54, 0.78), (0.84, 0.82), (0.84, 0.93), (0.54, 0.92)), 0.2),
            Patch("front", "lamp", ((0.58, 0.81), (0.82, 0.84), (0.82, 0.91), (0.58, 0.89)), 0.4),
            Patch("front", "dark", ((-0.95, 0.20), (0.95, 0.48))),
            Patch("front", "metal", ((-0.50, 0.30), (0.50, 0.40)), 0.2),
            Patch("front", "black", ((0.60, 0.52), (0.84, 0.64)), 0.2),
            Patch("rear", "glass", ((-0.62, 1.20), (0.62, 1.20), (0.58, 1.46), (-0.58, 1.46)), 0.1),
            Patch("rear", "tail", ((0.42, 0.96), (0.88, 0.96), (0.88, 1.06), (0.42, 1.04)), 0.3),
            Patch("rear", "dark", ((-0.95, 0.20), (0.95, 0.56))),
            Patch("rear", "metal", ((-0.50, 0.34), (0.50, 0.42)), 0.2),
            Line("side", "dark", 0.16, ((-2.16, 0.36), (2.16, 0.36))),
            *arches(((1.31, 0.400), (-1.35, 0.400)), 0.490, "dark", 0.10),
            Line("side", "black", 0.03, ((-1.95, 1.20), (0.95, 1.11))),
            Line("side", "dark", 0.011, ((0.80, 1.08), (0.80, 0.46), (-0.25, 0.46), (-0.25, 1.14))),
            Line("side", "dark", 0.011, ((-0.25, 0.46), (-0.82, 0.46), (-0.95, 0.80), (-1.14, 0.96),
                                         (-1.14, 1.16))),
            Patch("side", "black", ((-0.20, 0.98), (0.0, 1.01))),
            Patch("side", "black", ((-1.08, 1.00), (-0.88, 1.03))),
            Line("top", "dark", 0.011, ((1.14, 0.0), (1.14, 0.84), (2.0, 0.78), (2.1, 0.0))),
            plate("rear", 0.78),
            plate("front", 0.66),
            Blob("black", (-1.90, 0.0, 1.52), (0.34, 1.16, 0.06), 5.0),
            mirror("black", 0.66, 0.98, 1.18, (0.17, 0.26, 0.19)),
        ),
    ),
    "Tesla Model S": Car(
        length=4.97, axles=(1.52, -1.44), wheel=0.355, rim=0.74, spokes=9, floor=0.14,
        top=((-2.485, 0.88), (-2.38, 1.01), (-1.5, 1.00), (0.0, 0.95), (1.5, 0.89), (2.2, 0.76),
             (2.485, 0.60)),
        plan=((-2.485, 0.74), (-2.1, 0.90), (-1.4, 0.98), (0.0, 0.93), (1.5, 0.96), (2.1, 0.84),
              (2.485, 0.54)),
        roof=((-2.25, 0.98), (-1.5, 1.25), (-0.7, 1.42), (-0.2, 1.45), (0.25, 1.41), (1.38, 0.88)),
        soft=0.12, edge=0.12, shoulder=0.62, square=(3.4, 3.2), fender=(0.04, 0.02),
        cabin=(0.82, 0.42),
        screens=(((1.28, 0.64), (0.34, 0.52)), ((-2.12, 0.50), (-1.02, 0.52))),
        windows=(
            ((-0.20, 1.01), (0.98, 0.97), (0.28, 1.32), (-0.20, 1.355)),
            ((-1.14, 1.04), (-0.25, 1.01), (-0.25, 1.355), (-1.00, 1.29)),
            ((-1.66, 1.09), (-1.18, 1.05), (-1.06, 1.26), (-1.22, 1.23)),
        ),
        details=(
            Patch("top", "glass", ((-1.04, -0.52), (0.32, -0.52), (0.32, 0.52), (-1.04, 0.52)),
                  0.02),
            Patch("front", "metal", ((-0.05, 0.60), (0.05, 0.60), (0.03, 0.70), (-0.03, 0.70)),
                  0.4),
            Line("front", "dark", 0.02, ((-0.50, 0.62), (-0.30, 0.57), (0.30, 0.57), (0.50, 0.62))),
            Patch("front", "black", ((-0.70, 0.19), (0.70, 0.19), (0.60, 0.32), (-0.60, 0.32)),
                  0.2),
            Patch("front", "black", ((0.44, 0.62), (0.76, 0.66), (0.80, 0.79), (0.56, 0.72)), 0.3),
            Patch("front", "lamp", ((0.50, 0.645), (0.74, 0.68), (0.77, 0.755), (0.59, 0.70)), 0.5),
            Patch("rear", "metal", ((-0.48, 0.87), (0.48, 0.895))),
            Patch("rear", "tail", ((0.48, 0.82), (0.80, 0.82), (0.82, 0.95), (0.48, 0.92)), 0.4),
            Patch("rear", "black", ((-0.70, 0.18), (0.70, 0.34)), 0.1),
            Line("side", "metal", 0.035, ((-1.05, 0.27), (1.12, 0.27))),
            Line("side", "metal", 0.022, ((-1.72, 1.07), (-1.15, 1.01), (0.0, 0.975),
                                          (1.02, 0.935))),
            Line("side", "dark", 0.011, ((1.00, 0.92), (1.02, 0.60), (0.90, 0.31), (-0.22, 0.31),
                                         (-0.22, 0.98))),
            Line("side", "dark", 0.011, ((-0.22, 0.31), (-0.92, 0.31), (-1.02, 0.60), (-1.30, 0.84),
                                         (-1.32, 1.02))),
            Patch("side", "metal", ((-0.16, 0.84), (0.06, 0.86))),
            Patch("side", "metal", ((-1.12, 0.87), (-0.90, 0.89))),
            Line("top", "dark", 0.011, ((1.46, 0.0), (1.40, 0.76), (2.2, 0.62), (2.34, 0.0))),
            plate("rear", 0.66),
            mirror("paint", 0.82, 0.92, 1.01, (0.16, 0.28, 0.13)),
        ),
    ),
}  # fmt: skip
