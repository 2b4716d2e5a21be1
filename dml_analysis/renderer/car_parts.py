"""The parts of a procedural car: patches, lines and blobs, placed on its outline.

There is a function for each look of a part, under the word that body_types has for it. `draws` are
the car's random samples. Parts at y > 0 are mirrored.
"""

from collections.abc import Callable, Iterable
from math import cos, sin
from typing import TYPE_CHECKING, NamedTuple

from dml_analysis.renderer.car_models import (
    Blob,
    Corners,
    Line,
    Patch,
    Point,
    arches,
    mirror,
    plate,
)
from dml_analysis.renderer.car_outlines import WELL, Outline, screen_widths

if TYPE_CHECKING:
    from dml_analysis.renderer.sampled_cars import Draws

Parts = Iterable[Patch | Line | Blob]
SHUT = 0.012  # width of the shut lines of doors and lids


def _box(view: str, material: str, y: float, z: float, size: Point, rounded: float = 0.1) -> Patch:
    """Return a rectangle of this width and height, centred at (y, z)."""
    low = (y - size[0] / 2, z - size[1] / 2)
    high = (y + size[0] / 2, z + size[1] / 2)
    return Patch(view, material, (low, high), rounded)


def _frame(
    view: str,
    rim: str,
    inside: str,
    y: float,
    z: float,
    size: Point,
    rounded: float = 0.1,
    breadth: float = 0.03,
) -> Parts:
    """Yield a rectangle with a rim of another material, which adds `breadth` to its size."""
    yield _box(view, rim, y, z, (size[0] + breadth, size[1] + breadth), rounded)
    yield _box(view, inside, y, z, size, rounded)


def _nothing(*_: object) -> Parts:
    """Return no parts."""
    return ()


# --------------------------------------------------------------------------------------------------
# Grilles.
# --------------------------------------------------------------------------------------------------
class Grille(NamedTuple):
    """The position and size of a grille."""

    z: float  # height of its centre
    high: float  # its height
    wide: float  # its width
    rim: str  # material of its rim
    band: float  # its width if it reaches from corner to corner
    slots: int  # number of slots


def grille(car: Outline, draws: "Draws") -> Parts:
    """Return the parts of the grille."""
    tall = car.nose - car.floor
    high = tall * draws.between("size of the grille", (0.22, 0.38))
    at = Grille(
        z=min(
            car.front(draws.between("height of the grille", (0.62, 0.72))),
            car.nose - 0.04 - high / 2,
        ),
        high=high,
        wide=car.width * car.taper * draws.between("width of the grille", (0.62, 0.95)),
        rim=draws.one_of("rim of the grille", ("metal", "metal", "black")),
        band=1.72 * car.width * car.taper,
        slots=draws.one_of("slots", (5, 6, 7, 8)),
    )
    return GRILLES[draws.one_of("grille", car.kind.grilles)](at)


def _badge(g: Grille) -> Parts:
    """Yield a badge without a grille."""
    yield _box("front", "metal", 0, g.z + 0.3 * g.high, (0.10, 0.10), 1.0)


def _slot(g: Grille) -> Parts:
    """Yield a narrow slot and a badge."""
    yield _box("front", "black", 0, g.z + 0.25 * g.high, (g.wide, 0.22 * g.high + 0.02), 0.4)
    yield _box("front", "metal", 0, g.z + 0.25 * g.high, (0.12, 0.10), 1.0)


def _wide(g: Grille) -> Parts:
    """Yield a wide grille with a bar across."""
    yield from _frame("front", g.rim, "black", 0, g.z, (1.15 * g.wide, 0.8 * g.high), 0.1)
    yield _box("front", "metal", 0, g.z, (1.1 * g.wide, 0.035))


def _band(g: Grille) -> Parts:
    """Yield a grille from corner to corner, with a badge."""
    yield _box("front", "black", 0, g.z, (g.band, g.high), 0.15)
    yield _box("front", g.rim, 0, g.z, (0.26, 0.45 * g.high), 0.6)


def _slots(g: Grille) -> Parts:
    """Yield upright slots in a row."""
    for k in range(g.slots):
        y = (k - (g.slots - 1) / 2) * 0.9 * g.wide / g.slots
        yield _box("front", "black", y, g.z, (0.48 * g.wide / g.slots, g.high), 0.5)


def _bars(g: Grille) -> Parts:
    """Yield a narrow grille with upright bars."""
    yield from _frame("front", "metal", "black", 0, g.z, (0.62 * g.wide, 1.2 * g.high), 0.15, 0.05)
    yield from (
        _box("front", "metal", k * 0.08 * g.wide, g.z, (0.018, 1.1 * g.high)) for k in range(-3, 4)
    )


def _slats(g: Grille) -> Parts:
    """Yield a grille with three slats across."""
    yield from _frame("front", g.rim, "black", 0, g.z, (0.85 * g.wide, g.high), 0.2)
    yield from (
        _box("front", "metal", 0, g.z + k * 0.27 * g.high, (0.8 * g.wide, 0.022))
        for k in (-1, 0, 1)
    )


def _kidneys(g: Grille) -> Parts:
    """Return a pair of rounded grilles."""
    return _frame(
        "front", g.rim, "black", 0.17 * g.wide + 0.03, g.z, (0.32 * g.wide, g.high), 0.6, 0.035
    )


def _hexagon(g: Grille) -> Parts:
    """Yield a hexagonal grille with a badge."""
    for material, grow in ((g.rim, 0.02), ("black", 0.0)):
        w, h = g.wide / 2 + grow, 0.62 * g.high + grow
        low, high = g.z - 1.5 * h, g.z + h * 0.6
        yield Patch(
            "front", material, ((-0.62 * w, low), (0.62 * w, low), (w, high), (-w, high)), 0.2
        )
    yield _box("front", "metal", 0, g.z, (0.13, 0.11), 1.0)


def _oval(g: Grille) -> Parts:
    """Return an oval grille."""
    return _frame(
        "front", g.rim, "black", 0, g.z - 0.1 * g.high, (0.66 * g.wide, 1.1 * g.high), 1.0, 0.05
    )


GRILLES: dict[str, Callable[[Grille], Parts]] = {
    "none": _badge,
    "slot": _slot,
    "wide": _wide,
    "band": _band,
    "slots": _slots,
    "bars": _bars,
    "slats": _slats,
    "kidneys": _kidneys,
    "hexagon": _hexagon,
    "oval": _oval,
}


# --------------------------------------------------------------------------------------------------
# Lamps, at the front and at the rear.
# --------------------------------------------------------------------------------------------------
class Lamp(NamedTuple):
    """The position and size of the lamps of a side."""

    y: float  # centre of the outer lamp
    z: float  # centre of the outer lamp
    size: float
    rim: str  # material of the rim
    width: float  # half the car's width at the lamps
    car: Outline


def lamps(car: Outline, draws: "Draws") -> Parts:
    """Return the front lamps."""
    size = min(0.30 * (car.nose - car.floor), 0.24) * draws.between(
        "size of the lamps", (0.80, 1.05)
    )
    width = car.width * (0.35 + 0.65 * car.taper)
    z = car.front(draws.between("height of the lamps", (0.76, 0.86)))
    rim = draws.one_of("rim of the lamps", ("metal", "black", "black", "paint"))
    return LAMPS[draws.one_of("lamps", car.kind.lamps)](
        Lamp(width - 0.62 * size - 0.05, z, size, rim, width, car)
    )


def _round(at: Lamp, inwards: float = 0.0, up: float = 0.0) -> Parts:
    """Return a round lamp, moved inwards and up by these metres."""
    z = min(at.z + up, at.car.nose - 0.5 * at.size - 0.01)
    return _frame("front", at.rim, "lamp", at.y - inwards, z, (at.size, at.size), 1.0, 0.04)


def _twin_round(at: Lamp) -> Parts:
    """Yield two round lamps next to each other."""
    for y in (at.y + 0.1 * at.size, at.y - 0.85 * at.size):
        yield from _frame("front", at.rim, "lamp", y, at.z, (0.74 * at.size, 0.74 * at.size), 1.0)


def _stacked(at: Lamp) -> Parts:
    """Yield two lamps, one above the other."""
    yield _box("front", at.rim, at.y, at.z - 0.35 * at.size, (0.86 * at.size, 1.7 * at.size), 0.3)
    for z in (at.z + 0.05 * at.size, at.z - 0.75 * at.size):
        yield _box("front", "lamp", at.y, z, (0.7 * at.size, 0.66 * at.size), 0.6)


def _boxed(at: Lamp) -> Parts:
    """Return a square lamp."""
    size = (0.95 * at.size, 0.95 * at.size)
    return _frame("front", "black", "lamp", at.y, at.z - 0.2 * at.size, size, 0.25, 0.05)


def _rectangle(at: Lamp) -> Parts:
    """Return a rectangular lamp."""
    return _frame(
        "front", at.rim, "lamp", at.y - 0.2 * at.size, at.z, (1.5 * at.size, 0.7 * at.size), 0.15
    )


def _oval_lamp(at: Lamp) -> Parts:
    """Return an oval lamp."""
    return _frame(
        "front", at.rim, "lamp", at.y - 0.15 * at.size, at.z, (1.35 * at.size, 0.8 * at.size), 1.0
    )


def _in_sizes(at: Lamp, corners: Corners) -> Corners:
    """Return points (y, z) that are given in lamp sizes from the lamp's centre."""
    return tuple((at.y + y * at.size, at.z + z * at.size) for y, z in corners)


def _slim(at: Lamp) -> Parts:
    """Yield a slim lamp that narrows inwards."""
    (a, b, c, d) = _in_sizes(at, ((-1.25, -0.21), (0.45, -0.06), (0.45, 0.22), (-1.25, 0.0)))
    inner = ((a[0] + 0.05, a[1]), (b[0] - 0.02, b[1]), (c[0] - 0.02, c[1]), (d[0] + 0.05, d[1]))
    yield Patch(
        "front",
        "black",
        _in_sizes(at, ((-1.25, -0.30), (0.45, -0.16), (0.45, 0.30), (-1.25, 0.05))),
        0.2,
    )
    yield Patch("front", "lamp", inner, 0.3)


def _angled(at: Lamp) -> Parts:
    """Yield a lamp with a slanted outline."""
    yield Patch(
        "front",
        "black",
        _in_sizes(at, ((-1.0, -0.45), (0.35, -0.35), (0.45, 0.55), (-0.85, 0.1))),
        0.35,
    )
    yield Patch(
        "front",
        "lamp",
        _in_sizes(at, ((-0.85, -0.32), (0.25, -0.24), (0.35, 0.4), (-0.75, 0.04))),
        0.5,
    )


def _hooks(at: Lamp) -> Parts:
    """Yield a lamp with a hook-shaped light."""
    inner, outer = at.y - 1.25 * at.size + 0.03, at.y + 0.45 * at.size - 0.05
    path = (
        (inner, at.z + 0.14 * at.size),
        (outer, at.z + 0.20 * at.size),
        (outer - 0.02, at.z - 0.28 * at.size),
    )
    yield Patch(
        "front",
        "black",
        _in_sizes(at, ((-1.25, -0.35), (0.45, -0.35), (0.45, 0.35), (-1.25, 0.25))),
        0.2,
    )
    yield Line("front", "lamp", 0.05, path)


def _strip_lamp(at: Lamp) -> Parts:
    """Yield a strip of light above a low lamp."""
    yield _box("front", "lamp", at.y - 0.4 * at.size, at.z + 0.10 * at.size, (1.7 * at.size, 0.045))
    low, size = at.z - 0.75 * at.size, (0.9 * at.size, 0.4 * at.size)
    yield from _frame("front", "black", "lamp", at.y - 0.15 * at.size, low, size, 0.3, 0.06)


def _light_bar(at: Lamp) -> Parts:
    """Yield a strip of light across the front, and low lamps."""
    yield _box("front", "lamp", 0, at.z + 0.10 * at.size, (1.9 * at.width, 0.035))
    yield from _strip_lamp(at)


def _split(at: Lamp) -> Parts:
    """Yield a strip of light above a square lamp."""
    yield _box("front", "lamp", at.y - 0.3 * at.size, at.z + 0.15 * at.size, (1.5 * at.size, 0.05))
    size = (0.7 * at.size, 0.7 * at.size)
    yield from _frame("front", "black", "lamp", at.y, at.z - 1.05 * at.size, size, 0.8, 0.06)


def _on_bonnet(*shapes: tuple[type, str, Corners, float]) -> Callable[[Lamp], Parts]:
    """Return a function for lamps seen from above, which suit a low nose.

    shapes: (Patch or Line, material, corners or path, rounding or width).
    """

    def parts_of(at: Lamp) -> Parts:
        x, y = at.car.half - 0.42, 0.70 * at.car.width
        for kind, material, offsets, number in shapes:
            points = tuple((x + a, y + b) for a, b in offsets)
            if kind is Patch:
                yield Patch("top", material, points, number)
            else:
                yield Line("top", material, number, points)

    return parts_of


LAMPS: dict[str, Callable[[Lamp], Parts]] = {
    "round": _round,
    "high round": lambda at: _round(at, 0.06, 0.05),
    "in grille": lambda at: _round(at, 0.08),
    "twin round": _twin_round,
    "stacked": _stacked,
    "boxed": _boxed,
    "rectangle": _rectangle,
    "oval": _oval_lamp,
    "slim": _slim,
    "angled": _angled,
    "hooks": _hooks,
    "strip": _strip_lamp,
    "light bar": _light_bar,
    "split": _split,
    "on bonnet": _on_bonnet(
        (Patch, "black", ((-0.32, -0.04), (0.22, -0.18), (0.18, -0.03), (-0.34, 0.10)), 0.4),
        (Patch, "lamp", ((-0.24, -0.01), (0.16, -0.14), (0.14, -0.05), (-0.26, 0.06)), 0.6),
    ),
    "slim on bonnet": _on_bonnet(
        (Patch, "black", ((-0.40, 0.02), (0.24, -0.14), (0.24, -0.05), (-0.42, 0.10)), 0.2),
        (Line, "lamp", ((-0.34, 0.055), (0.20, -0.10)), 0.04),
    ),
    "round on bonnet": _on_bonnet(
        (Patch, "black", ((-0.20, -0.14), (0.10, -0.14), (0.10, 0.06), (-0.20, 0.06)), 1.0),
        (Patch, "lamp", ((-0.15, -0.11), (0.07, -0.11), (0.07, 0.03), (-0.15, 0.03)), 1.0),
    ),
}


def tail_lamps(car: Outline, draws: "Draws") -> Parts:
    """Return the rear lamps."""
    size = min(0.30 * (car.tail - car.floor), 0.22) * draws.between(
        "size of the tail lamps", (0.80, 1.1)
    )
    z = car.back(draws.between("height of the tail lamps", (0.76, 0.86)))
    rim = draws.one_of("rim of the tail lamps", ("black", "metal", "dark"))
    at = Lamp(car.tail_width - 0.5 * size - 0.05, z, size, rim, car.tail_width, car)
    return TAILS[draws.one_of("tails", car.kind.tails)](at)


def _round_tails(at: Lamp, count: int = 1) -> Parts:
    """Yield `count` round rear lamps, at most two."""
    for y in (at.y, at.y - 1.15 * at.size)[:count]:
        yield from _frame(
            "rear", at.rim, "tail", y, at.z - 0.1 * at.size, (0.9 * at.size, 0.9 * at.size), 1.0
        )


def _bar(at: Lamp) -> Parts:
    """Yield a bar of light across the rear."""
    yield _box("rear", "black", 0, at.z, (1.92 * at.width, 0.6 * at.size), 0.1)
    yield _box("rear", "tail", 0, at.z + 0.08 * at.size, (1.86 * at.width, 0.24 * at.size), 0.1)


def _wedge(at: Lamp) -> Parts:
    """Yield a wedge-shaped rear lamp."""
    yield Patch(
        "rear", "tail", _in_sizes(at, ((-1.6, 0.1), (0.4, -0.4), (0.45, 0.4), (-1.6, 0.35))), 0.2
    )


def _rectangle_tails(at: Lamp) -> Parts:
    """Return a rectangular rear lamp."""
    size = (1.6 * at.size, 0.7 * at.size)
    return _frame("rear", at.rim, "tail", at.y - 0.25 * at.size, at.z - 0.1 * at.size, size, 0.1)


def _corner(at: Lamp) -> Parts:
    """Yield a rear lamp around the corner and a strip inwards."""
    yield _box(
        "rear",
        "tail",
        at.y + 0.1 * at.size,
        at.z - 0.1 * at.size,
        (0.9 * at.size, 1.1 * at.size),
        0.2,
    )
    yield _box(
        "rear",
        "tail",
        at.y - 0.9 * at.size,
        at.z + 0.2 * at.size,
        (1.3 * at.size, 0.45 * at.size),
        0.1,
    )


def _blocks(at: Lamp) -> Parts:
    """Yield three upright blocks."""
    for k in range(3):
        yield _box(
            "rear", "tail", at.y - 0.62 * k * at.size, at.z, (0.5 * at.size, 0.8 * at.size), 0.1
        )


def _triple(at: Lamp) -> Parts:
    """Yield three round rear lamps, the middle one white."""
    size = (0.62 * at.size, 0.62 * at.size)
    for k, material in enumerate(("tail", "lamp", "tail")):
        yield from _frame(
            "rear", at.rim, material, at.y - 0.85 * k * at.size, at.z - 0.1 * at.size, size, 0.9
        )


def _upright(at: Lamp, sizes: float = 1.7) -> Parts:
    """Yield an upright rear lamp, `sizes` lamp sizes high."""
    high, y, top = sizes * at.size, at.y + 0.2 * at.size, at.z + 0.3 * at.size
    yield _box("rear", "tail", y, top - 0.5 * high, (0.62 * at.size, high), 0.2)
    yield _box("rear", "lamp", y, top - 0.72 * high, (0.54 * at.size, 0.25 * high), 0.2)


def _hook_tails(at: Lamp) -> Parts:
    """Yield a hook-shaped rear lamp."""
    yield Line(
        "rear", "tail", 0.3 * at.size, _in_sizes(at, ((-1.5, 0.2), (0.25, 0.2), (0.25, -0.8)))
    )


def _slits(at: Lamp) -> Parts:
    """Yield two slits of light."""
    yield Line("rear", "tail", 0.2 * at.size, _in_sizes(at, ((-1.9, 0.1), (0.4, 0.22))))
    yield Line("rear", "tail", 0.2 * at.size, _in_sizes(at, ((-1.6, -0.3), (0.35, -0.2))))


def _fins(at: Lamp) -> Parts:
    """Return a narrow, upright rear lamp with a metal rim."""
    size = (0.5 * at.size, 1.4 * at.size)
    return _frame("rear", "metal", "tail", at.y + 0.15 * at.size, at.z - 0.2 * at.size, size, 0.5)


TAILS: dict[str, Callable[[Lamp], Parts]] = {
    "round": _round_tails,
    "twin round": lambda at: _round_tails(at, 2),
    "bar": _bar,
    "wedge": _wedge,
    "rectangle": _rectangle_tails,
    "corner": _corner,
    "blocks": _blocks,
    "triple": _triple,
    "upright": _upright,
    "tall": lambda at: _upright(at, 2.4),
    "hooks": _hook_tails,
    "slits": _slits,
    "fins": _fins,
}


# --------------------------------------------------------------------------------------------------
# Bumpers and bonnet.
# --------------------------------------------------------------------------------------------------
# From car, samples, half the width of the nose, and the height of the bumpers.
Bumpers = Callable[[Outline, "Draws", float, float], Parts]


def bumpers(car: Outline, draws: "Draws") -> Parts:
    """Yield front and rear bumpers, openings below the grille, fog lamps and front plate."""
    look = draws.one_of("bumpers", car.kind.bumpers)
    width = car.width * car.taper
    yield from BUMPERS[look](
        car, draws, width, car.front(draws.between("height of the bumpers", (0.22, 0.32)))
    )
    if look not in ("chrome", "rubber", "bull bar") and draws.part("fog lamps") < 0.4:
        yield _box("front", "lamp", 0.78 * width, car.front(0.24), (0.13, 0.08), 1.0)
    if draws.part("front plate") < 0.5:
        yield plate("front", car.front(0.34))


def _beams(material: str) -> Bumpers:
    """Return a function for bumpers that are beams, at times with overriders."""

    def parts_of(car: Outline, draws: "Draws", width: float, z: float) -> Parts:
        for x, end in ((car.half, width), (-car.half, car.tail_width)):
            yield Blob(material, (x - 0.01, 0, z + 0.02), (0.17, 2 * end + 0.06, 0.12), 8.0)
        if draws.part("overriders") < 0.5:
            centre = (car.half + 0.07, 0.42 * car.width, z + 0.03)
            yield Blob(material, centre, (0.06, 0.07, 0.2), 4.0)

    return parts_of


def _bull_bar(car: Outline, draws: "Draws", width: float, z: float) -> Parts:
    """Yield a bull bar and dark bumpers."""
    x, high = car.half + 0.05, car.front(0.8)
    yield Blob("dark", (x - 0.04, 0, z), (0.18, 2 * width, 0.16), 8.0)
    yield Blob("metal", (x + 0.04, 0, high), (0.06, 0.9 * width, 0.06), 3.0)
    yield Blob(
        "metal", (x + 0.02, 0.42 * width, (z + high) / 2), (0.07, 0.06, high - z + 0.06), 3.0
    )
    yield Blob("dark", (-car.half + 0.02, 0, z), (0.16, 2 * car.tail_width, 0.14), 8.0)


def _dark_ends(front: Point, rear: Point) -> Bumpers:
    """Return a function for dark lower parts of nose and tail.

    front, rear: height of the centre and height of the part, as shares of that of nose or tail.
    """

    def parts_of(car: Outline, draws: "Draws", width: float, z: float) -> Parts:
        # Wider parts would reach round the corners.
        size = (1.94 * width, front[1] * (car.nose - car.floor))
        yield _box("front", "dark", 0, car.front(front[0]), size, 0.0)
        size = (1.94 * car.tail_width, rear[1] * (car.tail - car.floor))
        yield _box("rear", "dark", 0, car.back(rear[0]), size, 0.0)

    return parts_of


def _skid_plates(car: Outline, draws: "Draws", width: float, z: float) -> Parts:
    """Yield dark lower ends with metal plates."""
    front, rear = _dark_ends((0.18, 0.36), (0.16, 0.32))(car, draws, width, z)
    yield from (front, _box("front", "metal", 0, car.front(0.15), (width, 0.11), 0.2))
    yield from (rear, _box("rear", "metal", 0, car.back(0.12), (width, 0.09), 0.2))


def _intakes(car: Outline, draws: "Draws", width: float, z: float) -> Parts:
    """Yield three air intakes."""
    heights = (0.08, 0.10, 0.42, 0.34)
    corners = tuple(
        (y * width, car.front(part)) for y, part in zip((0.50, 0.97, 0.97, 0.62), heights)
    )
    yield _box("front", "dark", 0, car.front(0.16), (0.72 * width, 0.09), 0.1)
    yield Patch("front", "dark", corners, 0.2)


def _smile(car: Outline, draws: "Draws", width: float, z: float) -> Parts:
    """Yield a wide intake that curves upwards."""
    low, high = car.front(0.08), car.front(0.36)
    corners = (
        (-0.55 * width, low),
        (0.55 * width, low),
        (0.85 * width, high),
        (-0.85 * width, high),
    )
    yield Patch("front", "black", corners, 0.35)


BUMPERS: dict[str, Bumpers] = {
    "body": _nothing,
    "chrome": _beams("metal"),
    "rubber": _beams("dark"),
    "bull bar": _bull_bar,
    "lower": _dark_ends((0.14, 0.26), (0.12, 0.24)),
    "plate": _skid_plates,
    "intakes": _intakes,
    "smile": _smile,
}
STRIPES = {"stripes": (0.21, 0.20), "broad stripe": (0.0, 0.60)}  # y and width


def stripes(car: Outline, draws: "Draws") -> Parts:
    """Yield stripes over bonnet, roof and deck."""
    look = draws.one_of("bonnet", car.kind.bonnets)
    if look not in STRIPES:
        return
    (y, breadth), colour = (
        STRIPES[look],
        draws.one_of("colour of the stripes", ("plate", "black", "metal")),
    )
    parts = [(car.foot + 0.03, car.half - 0.04), (car.rear_brow + 0.05, car.brow - 0.05)]
    if car.rear_foot + car.half > 0.2:
        parts.append((-car.half + 0.04, car.rear_foot - 0.03))
    yield from (Line("top", colour, breadth, ((x0, y), (x1, y))) for x0, x1 in parts)


def bonnet(car: Outline, draws: "Draws") -> Parts:
    """Yield the bonnet's shut line, scoops and openings."""
    near, far, side = car.foot + 0.06, car.half - 0.10, 0.80 * car.width
    yield Line(
        "top",
        "dark",
        SHUT,
        ((near, 0.0), (near, side), (far - 0.1, side * (0.5 + 0.45 * car.taper)), (far, 0.0)),
    )
    yield from BONNETS.get(draws.one_of("bonnet", car.kind.bonnets), _nothing)(car)


def _scoop(car: Outline) -> Parts:
    """Yield a scoop on the bonnet."""
    long, middle = car.half - car.foot, (car.foot + car.half) / 2
    yield Blob("paint", (middle - 0.1, 0, car.top_at(middle)), (0.42 * long, 0.5, 0.12), 4.0)
    yield Blob(
        "black", (middle - 0.1 + 0.2 * long, 0, car.top_at(middle) + 0.015), (0.05, 0.40, 0.06), 5.0
    )


def _vents(car: Outline) -> Parts:
    """Yield two vents in the bonnet."""
    long, middle = car.half - car.foot, (car.foot + car.half) / 2
    rear, front = middle - 0.2 * long, middle + 0.15 * long
    yield Patch("top", "dark", ((rear, 0.22), (front, 0.18), (front, 0.34), (rear, 0.42)), 0.2)


def _creases(car: Outline) -> Parts:
    """Yield two creases along the bonnet."""
    path = ((car.foot + 0.21, 0.42 * car.width), (car.half - 0.25, 0.26 * car.width))
    yield Line("top", "dark", 0.02, path)


def _black_bonnet(car: Outline) -> Parts:
    """Yield a black panel on the bonnet."""
    yield Patch("top", "black", ((car.foot + 0.14, -0.55), (car.half - 0.22, 0.55)), 0.15)


BONNETS: dict[str, Callable[[Outline], Parts]] = {
    "scoop": _scoop,
    "vents": _vents,
    "creases": _creases,
    "black": _black_bonnet,
}


# --------------------------------------------------------------------------------------------------
# Sides.
# --------------------------------------------------------------------------------------------------
class Side(NamedTuple):
    """The positions of parts on a side."""

    car: Outline
    draws: "Draws"
    windows: tuple[Corners, ...]
    low: float  # height of the sills
    middle: float  # height of the middle of the doors
    end: float  # x up to which the side is flat, front and rear
    front: float  # x behind the front wheel
    rear: float  # x before the rear wheel


def sides(car: Outline, windows: tuple[Corners, ...], draws: "Draws") -> Parts:
    """Yield mouldings, cladding, stripes and openings of the sides."""
    reach = WELL * car.wheel + 0.04
    side = Side(
        car,
        draws,
        windows,
        low=car.floor + 0.06,
        middle=(car.floor + car.waist) / 2 + 0.02,
        end=car.half - 0.12,
        front=car.axles[0] - reach,
        rear=car.axles[1] + reach,
    )
    look = draws.one_of("sides", car.kind.sides)
    yield from SIDES[look](side)
    if look not in ("cladding", "steps") and draws.part("lips") < 0.25:
        material = draws.one_of("lips of wells", ("metal", "dark"))
        yield from arches([(x, car.wheel) for x in car.axles], 1.16 * car.wheel, material, 0.025)


def _chrome(s: Side) -> Parts:
    """Yield chrome below the windows and on the sills."""
    ends = (s.windows[-1][0][0], 0, s.windows[0][1][0])
    yield Line("side", "metal", 0.028, tuple((x, s.car.top_at(x) + 0.01) for x in ends))
    yield Line("side", "metal", 0.035, ((s.rear, s.low + 0.05), (s.front, s.low + 0.05)))


def _strip(s: Side) -> Parts:
    """Yield a rub strip, interrupted by the wheels."""
    material = s.draws.one_of("strip", ("dark", "metal"))
    behind, before = s.car.axles[1] - WELL * s.car.wheel - 0.04, s.front + 2.3 * WELL * s.car.wheel
    for x0, x1 in ((-s.end, behind), (s.rear, s.front), (before, s.end)):
        if x1 - x0 > 0.12:
            yield Line("side", material, 0.06, ((x0, s.middle), (x1, s.middle)))


def _side_band(s: Side) -> Parts:
    """Yield a wide band above the sills."""
    material, z = (
        s.draws.one_of("band", ("plate", "dark", "metal")),
        s.low + 0.42 * (s.middle - s.low),
    )
    yield Line("side", material, 0.9 * (s.middle - s.low), ((-s.end, z), (s.end, z)))


def _side_stripe(s: Side) -> Parts:
    """Yield a stripe below the windows."""
    colour, z = (
        s.draws.one_of("colour of the stripes", ("plate", "black", "metal")),
        s.car.waist - 0.12,
    )
    yield Line("side", colour, 0.09, ((-s.end, z), (s.end - 0.15, min(z, s.car.nose))))


def _cladding(s: Side) -> Parts:
    """Yield dark cladding on sills and wheel arches."""
    yield Line("side", "dark", 0.16, ((-s.end, s.low + 0.02), (s.end, s.low + 0.02)))
    yield from arches(
        [(x, s.car.wheel) for x in s.car.axles], 1.2 * s.car.wheel, "dark", 0.16 * s.car.wheel
    )


def _steps(s: Side) -> Parts:
    """Yield cladding and a step below the doors."""
    yield from _cladding(s)
    centre = ((s.front + s.rear) / 2, s.car.width - 0.02, s.car.floor + 0.03)
    yield Blob(
        s.draws.one_of("steps", ("black", "metal")),
        centre,
        (s.front - s.rear - 0.1, 0.16, 0.05),
        6.0,
    )


def _painted_sill(s: Side) -> Parts:
    """Yield a sill of another material."""
    yield Line(
        "side",
        s.draws.one_of("sill", ("black", "metal", "dark")),
        0.10,
        ((s.rear, s.low), (s.front, s.low)),
    )


def _side_vents(s: Side) -> Parts:
    """Yield a vent behind the front wheel."""
    rear, front, z = s.front - 0.34, s.front - 0.02, s.middle
    yield Patch(
        "side",
        "black",
        ((rear, z + 0.02), (front, z + 0.04), (front, z + 0.16), (rear, z + 0.12)),
        0.15,
    )


def _scoops(s: Side) -> Parts:
    """Yield a scoop before the rear wheel and a vent behind the front wheel."""
    z, waist = s.middle, s.car.waist
    behind = ((0.02, z - 0.12), (0.42, z - 0.14), (0.34, waist - 0.06), (-0.02, waist - 0.03))
    before = ((-0.22, s.low + 0.1), (0.0, s.low + 0.1), (-0.04, z + 0.1), (-0.14, z + 0.1))
    yield Patch("side", "dark", tuple((s.rear + x, height) for x, height in behind), 0.25)
    yield Patch("side", "dark", tuple((s.front + x, height) for x, height in before), 0.2)


def _slide(s: Side) -> Parts:
    """Yield the rail of a sliding door."""
    yield Line(
        "side",
        "dark",
        0.03,
        tuple((x, s.car.waist - 0.16) for x in (-s.end, s.windows[-1][1][0] - 0.3)),
    )


SIDES: dict[str, Callable[[Side], Parts]] = {
    "plain": _nothing,
    "chrome": _chrome,
    "strip": _strip,
    "band": _side_band,
    "stripe": _side_stripe,
    "cladding": _cladding,
    "steps": _steps,
    "sill": _painted_sill,
    "vents": _side_vents,
    "scoops": _scoops,
    "slide": _slide,
}


def doors(car: Outline, windows: tuple[Corners, ...], draws: "Draws") -> Parts:
    """Yield the shut lines and handles of the doors."""
    sill, material = car.floor + 0.14, draws.one_of("handles", ("metal", "black", "dark", "metal"))
    around, axle = WELL * car.wheel + 0.05, car.axles[1]
    front = min(windows[0][1][0] + 0.05, car.axles[0] - around)
    edge = windows[0][0][0] - 0.04 if len(windows) > 1 else max(windows[0][0][0], front - 1.35)
    edge = max(min(edge, front - 0.75), axle + around)
    waist = car.top_at(edge) - 0.01
    hinge = ((front, car.top_at(front) - 0.02), (front + 0.03, sill + 0.25), (front - 0.06, sill))
    yield Line("side", "dark", SHUT, (*hinge, (edge, sill), (edge, waist)))
    yield _handle(edge, waist, material)
    if draws.one_of("doors", car.kind.doors) == 2 and len(windows) > 1:
        back = max(min(windows[1][0][0] - 0.03, edge - 0.5), axle + 0.1)
        waist = car.top_at(back) - 0.01
        path = [(edge, sill), *_lower_rear(back, sill, axle, around, car.wheel), (back, waist)]
        yield Line("side", "dark", SHUT, tuple(path))
        yield _handle(back, waist, material)


def _lower_rear(back: float, sill: float, axle: float, around: float, wheel: float) -> list[Point]:
    """Return the lower rear corner (x, z) of the rear door, which bends around the wheel.

    Where the door ends before the wheel, the corner is straight.
    """
    if back >= axle + around:
        return [(back + 0.08, sill), (back, sill + 0.3)]
    bends = [
        (axle + around * cos(turn), wheel + around * sin(turn)) for turn in (0, 0.4, 0.8, 1.2, 1.57)
    ]
    return [(axle + around, sill), *(point for point in bends if point[0] >= back)]


def _handle(x: float, waist: float, material: str) -> Patch:
    """Return the handle of a door whose rear edge is at x."""
    return Patch("side", material, ((x + 0.05, waist - 0.14), (x + 0.23, waist - 0.11)))


def mirrors(car: Outline, windows: tuple[Corners, ...], draws: "Draws") -> Parts:
    """Yield the outer mirror, which is mirrored."""
    x = windows[0][1][0] - 0.07
    z = car.top_at(x) + 0.09
    size = (
        0.16,
        draws.between("mirror", (0.24, 0.30)),
        draws.between("height of the mirrors", (0.11, 0.18)),
    )
    material = draws.one_of("material of the mirrors", ("paint", "black", "metal", "paint"))
    yield mirror(material, x, car.cabin_half(x, z) + size[1] / 2 - 0.06, z, size)


# --------------------------------------------------------------------------------------------------
# Roof.
# --------------------------------------------------------------------------------------------------
class Roof(NamedTuple):
    """The flat part of a roof."""

    car: Outline
    draws: "Draws"
    rear: float  # x of its rear end
    front: float  # x of its front end
    width: float  # half its width

    @property
    def long(self) -> float:
        """Return the length."""
        return self.front - self.rear

    @property
    def middle(self) -> float:
        """Return x of the centre."""
        return (self.front + self.rear) / 2

    @property
    def above(self) -> float:
        """Return the height of the bars of a rack."""
        return max(self.car.roof_at(x) for x in (self.rear, self.middle, self.front)) + 0.075


def on_roof(car: Outline, draws: "Draws") -> Parts:
    """Return glass, rails, racks, boxes or lamps on the roof."""
    roof = Roof(car, draws, car.rear_brow + 0.12, car.brow - 0.10, screen_widths(car)[1])
    return ROOFS[draws.one_of("roof", car.kind.roofs)](roof)


def _covered(material: str) -> Callable[[Roof], Parts]:
    """Return a function for a roof of another material."""

    def parts_of(roof: Roof) -> Parts:
        corners = ((roof.rear, -roof.width), (roof.front, roof.width))
        yield Patch("top", material, corners, 0.06)

    return parts_of


def _sunroof(roof: Roof) -> Parts:
    """Yield a sunroof."""
    yield Patch(
        "top",
        "black",
        ((roof.front - min(0.55, 0.5 * roof.long), -0.36), (roof.front - 0.05, 0.36)),
        0.15,
    )


def _fin(roof: Roof) -> Parts:
    """Yield an aerial fin."""
    x = roof.rear + 0.05
    yield Blob("paint", (x, 0, roof.car.roof_at(x) + 0.02), (0.20, 0.06, 0.12), 2.5)


def _rails(roof: Roof) -> Parts:
    """Yield rails along the roof, in short pieces that follow its shape."""
    material, pieces = roof.draws.one_of("rails", ("metal", "black")), 6
    for k in range(pieces):
        x = roof.rear + (k + 0.5) * roof.long / pieces
        centre = (x, 0.92 * roof.width, roof.car.roof_at(x) + 0.035)
        yield Blob(material, centre, (1.06 * roof.long / pieces, 0.05, 0.10), 6.0)


def _across(roof: Roof, positions: Iterable[float]) -> Parts:
    """Yield bars across the roof; positions are from -0.5 to 0.5."""
    for position in positions:
        centre = (roof.middle + 0.9 * position * roof.long, 0, roof.above)
        yield Blob("black", centre, (0.05, 2 * roof.width, 0.04), 4.0)


def _rack(roof: Roof) -> Parts:
    """Yield a roof rack."""
    yield from _rails(roof)
    yield from _across(roof, (-0.5, -0.25, 0.0, 0.25, 0.5))


def _roof_box(roof: Roof) -> Parts:
    """Yield a roof box on rails and bars."""
    yield from _rails(roof)
    yield from _across(roof, (-0.2, 0.2))
    material, size = (
        roof.draws.one_of("roof box", ("black", "plate", "dark")),
        (min(0.85 * roof.long, 1.9), 0.85, 0.26),
    )
    yield Blob(material, (roof.middle, 0.0, roof.above + 0.10), size, 5.0)


def _lamps_on_roof(roof: Roof) -> Parts:
    """Yield a row of four lamps on the roof."""
    z = roof.car.roof_at(roof.front) + 0.05
    yield Blob("black", (roof.front - 0.03, 0, z), (0.07, 1.5 * roof.width, 0.13), 6.0)
    yield from (
        Blob("lamp", (roof.front + 0.01, k * roof.width, z), (0.06, 0.17, 0.10), 2.2)
        for k in (0.2, 0.58)
    )


ROOFS: dict[str, Callable[[Roof], Parts]] = {
    "plain": _nothing,
    "glass": _covered("glass"),
    "dark": _covered("black"),
    "sunroof": _sunroof,
    "fin": _fin,
    "rails": _rails,
    "rack": _rack,
    "box": _roof_box,
    "lamps": _lamps_on_roof,
}


# --------------------------------------------------------------------------------------------------
# Rear and load.
# --------------------------------------------------------------------------------------------------
def rear(car: Outline, draws: "Draws") -> Parts:
    """Yield lid, plate, spoilers, exhausts and the spare wheel at the rear."""
    if car.rear_foot + car.half > 0.3:
        x = car.rear_foot - 0.05
        yield Line(
            "top",
            "dark",
            SHUT,
            ((x, 0.0), (x, 0.72 * car.width), (-car.half + 0.10, 0.66 * car.width)),
        )
    yield from REARS[draws.one_of("rear", car.kind.rears)](car, draws)
    yield plate("rear", car.back(draws.between("rear plate", (0.42, 0.62))))


def _lip(car: Outline, draws: "Draws") -> Parts:
    """Yield a lip on the deck."""
    yield Blob("paint", (-car.half + 0.10, 0, car.tail + 0.015), (0.24, 1.4 * car.width, 0.07), 4.0)


def _store(car: Outline, draws: "Draws") -> Parts:
    """Yield a spoiler that extends the roof."""
    x, material = car.rear_brow - 0.02, draws.one_of("material of the spoiler", ("paint", "black"))
    yield Blob(
        material, (x, 0, car.roof_at(x) - 0.01), (0.36, 1.75 * screen_widths(car)[1], 0.06), 5.0
    )


def _wing(car: Outline, draws: "Draws", raised: float = 0.0) -> Parts:
    """Yield a wing on two struts, on the deck, or on the roof of a car without a deck."""
    x, span = -car.half + 0.18, 1.5 * car.width
    high, base = draws.between("height of the wing", (0.14, 0.20)) + raised, car.top_at(x)
    if car.rear_foot + car.half < 0.2:
        x, high, span = car.rear_brow - 0.05, 0.12, 0.75 * span
        base = car.roof_at(x)
    yield Blob(
        draws.one_of("material of the wing", ("paint", "black")),
        (x, 0, base + high),
        (0.26, span, 0.035),
        4.0,
    )
    yield Blob(
        "black", (x + 0.02, 0.32 * span, base + high / 2 - 0.03), (0.12, 0.04, high + 0.08), 6.0
    )


def _high_wing(car: Outline, draws: "Draws") -> Parts:
    """Yield a high wing and a diffuser."""
    yield from _wing(car, draws, 0.10)
    yield from _diffuser(car, draws)


def _spare_wheel(car: Outline, draws: "Draws") -> Parts:
    """Yield a spare wheel at the rear."""
    z, size = max(car.waist - 0.12, car.floor + 0.62), 1.84 * car.wheel
    cover = draws.one_of("cover of the spare wheel", ("tyre", "paint", "plate"))
    yield Blob(cover, (-car.half - 0.05, 0, z), (0.24, size, size), 2.0)


def _rear_doors(car: Outline, draws: "Draws") -> Parts:
    """Yield the shut line between two rear doors."""
    yield Line("rear", "dark", 0.02, ((0.0, car.floor + 0.2), (0.0, car.height - 0.2)))


def _pipes(*shares: float) -> Callable[[Outline, "Draws"], Parts]:
    """Return a function for exhausts; shares: their y as shares of half the car's width."""

    def parts_of(car: Outline, draws: "Draws") -> Parts:
        size = draws.between("pipes", (0.08, 0.12))
        for share in shares:
            centre = (-car.half + 0.01, share * car.width, car.underside + 0.04 + size / 2)
            yield Blob("metal", centre, (0.12, size, size), 2.4)

    return parts_of


def _diffuser(car: Outline, draws: "Draws") -> Parts:
    """Yield a diffuser with exhausts."""
    yield from _pipes(0.12, 0.26)(car, draws)
    yield _box(
        "rear",
        "dark",
        0,
        car.back(0.16),
        (1.9 * car.tail_width, 0.28 * (car.tail - car.floor)),
        0.1,
    )


REARS: dict[str, Callable[[Outline, "Draws"], Parts]] = {
    "plain": _nothing,
    "lip": _lip,
    "store": _store,
    "wing": _wing,
    "high wing": _high_wing,
    "doors": _rear_doors,
    "spare wheel": _spare_wheel,
    "pipe": _pipes(0.42),
    "pipes": _pipes(0.40, 0.54),
    "diffuser": _diffuser,
}


class Deck(NamedTuple):
    """The loading deck of a pick-up or lorry."""

    car: Outline
    draws: "Draws"
    rear: float  # x of its rear end
    front: float  # x of its front end
    z: float  # height

    @property
    def long(self) -> float:
        """Return the length."""
        return self.front - self.rear

    @property
    def middle(self) -> float:
        """Return x of the centre."""
        return (self.front + self.rear) / 2


def load(car: Outline, draws: "Draws") -> Parts:
    """Return what is on the deck."""
    deck = Deck(car, draws, -car.half + 0.03, car.rear_foot - 0.02, car.top_at(-car.half + 0.5))
    return LOADS[draws.one_of("load", car.kind.load)](deck)


def _floor(d: Deck, material: str, inset: float) -> Patch:
    """Return the floor of the deck, inset from its sides."""
    return Patch(
        "top", material, ((d.rear + 0.06, -d.car.width + inset), (d.front, d.car.width - inset))
    )


def _cover(d: Deck) -> Parts:
    """Yield a flat cover."""
    yield _floor(d, "black", 0.12)


def _bed(d: Deck, floor: str = "dark") -> Parts:
    """Yield a bed with side walls."""
    yield _floor(d, floor, 0.12)
    yield Blob("paint", (d.middle, d.car.width - 0.10, d.z + 0.02), (d.long, 0.10, 0.16), 12.0)
    yield Blob(
        "paint", (d.rear + 0.06, 0, d.z + 0.01), (0.08, 2 * d.car.tail_width - 0.1, 0.15), 12.0
    )


def _roll_bar(d: Deck) -> Parts:
    """Yield a bed with a roll bar."""
    yield from _bed(d, "black")
    yield Blob("metal", (d.front - 0.18, 0, d.z + 0.46), (0.07, 1.5 * d.car.width, 0.07), 6.0)
    yield Blob("metal", (d.front - 0.20, 0.7 * d.car.width, d.z + 0.22), (0.07, 0.07, 0.52), 6.0)


def _cargo_box(material: str) -> Callable[[Deck], Parts]:
    """Return a function for a closed box."""

    def parts_of(d: Deck) -> Parts:
        high = d.draws.between("height of the box", (0.95, 1.35))
        centre = (d.middle - 0.02, 0, d.z + high / 2 - 0.05)
        yield Blob(material, centre, (d.long, 1.98 * d.car.width, high), 24.0)

    return parts_of


def _camper(d: Deck) -> Parts:
    """Yield a camper body that reaches over the driver."""
    top, width = d.car.height + 0.42, d.car.width
    yield Blob(
        "plate",
        (d.middle - 0.02, 0, (d.z + top) / 2),
        (d.long, 1.96 * width, top - d.z + 0.1),
        14.0,
    )
    yield Blob("plate", (d.car.rear_foot + 0.25, 0, top - 0.22), (1.5, 1.94 * width, 0.44), 7.0)


def _tank(d: Deck) -> Parts:
    """Yield a tank."""
    yield Blob("metal", (d.middle, 0, d.z + 0.38), (d.long, 1.7 * d.car.width, 0.98), 4.5)


def _planks(d: Deck) -> Parts:
    """Yield a flat bed with low metal walls."""
    yield _floor(d, "dark", 0.10)
    yield Blob("dark", (d.front - 0.06, 0, d.z + 0.24), (0.08, 1.9 * d.car.width, 0.54), 12.0)
    yield Blob("metal", (d.middle, d.car.width - 0.07, d.z + 0.05), (d.long, 0.08, 0.34), 12.0)
    yield Blob("metal", (d.rear + 0.05, 0, d.z + 0.05), (0.08, 1.84 * d.car.width, 0.34), 12.0)


LOADS: dict[str, Callable[[Deck], Parts]] = {
    "none": _nothing,
    "cover": _cover,
    "bed": _bed,
    "bar": _roll_bar,
    "white box": _cargo_box("plate"),
    "cover box": _cargo_box("paint"),
    "camper": _camper,
    "tank": _tank,
    "planks": _planks,
}
