"""The outline of a procedural car: its measures, the lines of its body and roof, and its windows.

Lengths are in metres, axes as in car_models. `draws` are the car's random samples.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dml_analysis.renderer.body_types import BodyType
from dml_analysis.renderer.car_models import Corners, Patch, Point

if TYPE_CHECKING:
    from dml_analysis.renderer.sampled_cars import Draws

WELL = 1.11  # radius of a wheel well, as a share of the tyre's
# A screen whose length is below this share of its rise is projected in a front or rear view.
STEEP = 0.5
MIN_WINDOW = 0.45  # length of a side window
MEASURES = BodyType._fields[: BodyType._fields.index("windows")]  # fields that are numeric ranges


class Outline(NamedTuple):
    """The shape of a car, on which its parts are placed."""

    kind: BodyType
    length: float
    width: float  # half the body's
    height: float
    waist: float  # height of the line below the windows
    floor: float
    wheel: float
    axles: Point
    nose: float  # height of the nose
    tail: float  # height of the tail
    foot: float  # x of the windscreen's foot
    brow: float  # x of the windscreen's top
    rear_foot: float  # x of the rear window's foot
    rear_brow: float  # x of the rear window's top
    taper: float  # width of the nose as a share of the body's
    square: float  # exponent of the cabin's cross-section
    top: Corners  # this and the following as in Car
    plan: Corners
    roof: Corners
    cabin: Point

    @property
    def half(self) -> float:
        """Return half the length."""
        return self.length / 2

    @property
    def tail_width(self) -> float:
        """Return half the width of the tail."""
        return self.plan[0][1]

    @property
    def underside(self) -> float:
        """Return the height of the body's lower edge at nose and tail, where it rises."""
        return 1.45 * self.floor

    def top_at(self, x: float) -> float:
        """Return the height of the body, without the cabin."""
        return _height(self.top, x)

    def roof_at(self, x: float) -> float:
        """Return the height of the roof."""
        return _height(self.roof, x)

    def front(self, part: float) -> float:
        """Return the height at a share of the front, from its lower edge to the bonnet's."""
        return _between(self.underside + 0.04, self.nose - 0.03, part)

    def back(self, part: float) -> float:
        """Return the height at a share of the rear, as `front` does."""
        return _between(self.underside + 0.04, self.tail - 0.03, part)

    def cabin_half(self, x: float, z: float) -> float:
        """Return half the cabin's width at this height."""
        base = self.top_at(x) - 0.12
        along = 2 * (x - self.roof[0][0]) / (self.roof[-1][0] - self.roof[0][0]) - 1
        lean = self.cabin[1] * max(z - base - 0.12, 0)
        widest = self.cabin[0] * (1 - 0.14 * abs(along) ** 3) - lean
        part = min(max((z - base) / (self.roof_at(x) - base), 0), 1)
        return widest * (1 - part**self.square) ** (1 / self.square)


def _height(points: Corners, x: float) -> float:
    """Return z at x of the polyline through points (x, z)."""
    return float(np.interp(x, *np.array(points).T))


def _between(low: float, high: float, part: float) -> float:
    """Return the number at a share of the way from `low` to `high`."""
    return low + part * (high - low)


# --------------------------------------------------------------------------------------------------
# Lines.
# --------------------------------------------------------------------------------------------------
def outline_of(kind: BodyType, draws: "Draws") -> tuple[Outline, dict[str, float]]:
    """Return the outline of a car of this body type, and its value of each of MEASURES."""
    m = {name: draws.between(name, getattr(kind, name)) for name in MEASURES}
    half, waist = m["length"] / 2, m["waist"] * m["height"]
    foot, rear_foot = half - m["bonnet"], m["deck"] - half
    axles = (half - m["front"], m["rear"] - half)
    nose, tail = m["nose"] * waist, m["tail"] * waist
    hip = waist * draws.between("hip", (0.99, 1.05))  # the waist rises to the rear or stays level
    top = _top(half, nose, tail, waist, hip, foot, rear_foot)
    outline = Outline(
        kind=kind,
        length=m["length"],
        width=m["width"],
        height=m["height"],
        waist=waist,
        floor=m["floor"],
        wheel=m["wheel"],
        axles=axles,
        nose=nose,
        tail=tail,
        foot=foot,
        brow=foot - m["windscreen"],
        rear_foot=rear_foot,
        rear_brow=rear_foot + m["back"],
        taper=m["taper"],
        square=m["cabin"],
        top=top,
        plan=_plan(m, axles, draws),
        roof=_roof(m, top, foot, rear_foot, draws),
        cabin=(m["width"] * draws.between("cabin width", (0.86, 0.90)), m["lean"]),
    )
    return outline, m


def fender_height(outline: Outline, height: float) -> float:
    """Return how far the body rises above the wheels.

    This is the sampled `height`, or more where that would not cover the wheels.
    """
    uncovered = max(
        0.05 + 2 * WELL * outline.wheel - outline.top_at(axle) - 0.55 * height
        for axle in outline.axles
    )
    return height + max(uncovered, 0) / 0.55


def _top(
    half: float, nose: float, tail: float, waist: float, hip: float, foot: float, rear_foot: float
) -> Corners:
    """Return the line of tail, deck, waist and bonnet."""
    deck = min(rear_foot, -half + 0.45)
    bonnet = half - 0.30 * (half - foot)
    return (
        (-half, tail - 0.05),
        (-half + 0.10, tail),
        (max(deck, -half + 0.2), hip),
        (0.0, waist * 1.005),
        (foot, waist * 0.985),
        (bonnet, nose + 0.62 * (waist * 0.985 - nose)),
        (half, nose),
    )


def _plan(m: dict[str, float], axles: Point, draws: "Draws") -> Corners:
    """Return the line of the sides, seen from above."""
    half, width = m["length"] / 2, m["width"]
    rear = draws.between("rear taper", (0.80, 0.94))
    middle = draws.between("middle", (0.96, 1.0))
    return (
        (-half, width * rear),
        (-half + 0.30, width * (0.6 + 0.4 * rear)),
        (axles[1], width),
        (0.0, width * middle),
        (axles[0], width),
        (half - 0.35, width * (0.45 + 0.55 * m["taper"])),
        (half, width * m["taper"]),
    )


def _roof(
    m: dict[str, float], top: Corners, foot: float, rear_foot: float, draws: "Draws"
) -> Corners:
    """Return the line of rear window, roof and windscreen."""
    height, brow, rear_brow = m["height"], foot - m["windscreen"], rear_foot + m["back"]
    rear_z, base = height - m["fall"], _height(top, rear_foot) - 0.03
    bulge = draws.between("bulge", (0.02, 0.09)) * (m["back"] > 0.4)
    return (
        (rear_foot, base),
        (rear_foot + 0.5 * m["back"], (base + rear_z) / 2 + bulge),
        (rear_brow, rear_z),
        (rear_brow + 0.35 * (brow - rear_brow), height - 0.4 * m["fall"]),
        (brow - 0.25 * (brow - rear_brow), height),
        (brow, height - 0.04),
        (foot, _height(top, foot) - 0.03),
    )


# --------------------------------------------------------------------------------------------------
# Glass.
# --------------------------------------------------------------------------------------------------
def screen_widths(outline: Outline) -> Point:
    """Return half the width of windscreen and rear window, at their feet and at their tops."""
    foot = outline.cabin[0] * min(0.60 + 0.058 * outline.square, 0.90)
    return foot, foot - 0.85 * outline.cabin[1] * (outline.height - outline.waist)


def _is_steep(outline: Outline, foot: float, brow: float) -> bool:
    """Return whether a screen, from x of its foot to x of its top, is steep."""
    return abs(foot - brow) < STEEP * (outline.roof_at(brow) - outline.top_at(foot))


def screens(outline: Outline) -> tuple[Corners, ...]:
    """Return those of windscreen and rear window that are not steep, as in Car."""
    foot, top = screen_widths(outline)
    ends = ((outline.foot, outline.brow), (outline.rear_foot, outline.rear_brow))
    return tuple(
        ((low + 0.10 * (high - low), foot), (high - 0.08 * (high - low), top))
        for low, high in ends
        if not _is_steep(outline, low, high)
    )


def steep_screens(outline: Outline, draws: "Draws") -> Iterator[Patch]:
    """Yield the steep ones of windscreen and rear window. A rear window may begin higher."""
    foot, top = screen_widths(outline)
    sill = draws.between("sill of the rear window", (0.0, 0.25))
    for view, low, high, raised, above in (
        ("front", outline.foot, outline.brow, 0.0, 0.06),
        ("rear", outline.rear_foot, outline.rear_brow, sill, 0.10),
    ):
        if _is_steep(outline, low, high):
            z = outline.top_at(low) + 0.07
            lid = min(outline.roof_at(high), outline.height - 0.05) - above
            z += raised * (lid - z)
            yield Patch(view, "glass", ((-foot, z), (foot, z), (top, lid), (-top, lid)), 0.1)


def side_windows(outline: Outline, draws: "Draws") -> tuple[Corners, ...]:
    """Return the windows of a side, from front to rear.

    Corners (x, z) begin with the lower rear one, as in Car.
    """
    kind = outline.kind
    count = draws.one_of("windows", kind.windows)
    pillar = draws.between("rear pillar", (0.14, 0.30))
    front = _window_end(outline, (outline.foot, outline.brow), -0.17)
    rear = _window_end(outline, (outline.rear_foot, outline.rear_brow), pillar)
    # A van may have no window behind the doors.
    glazed = draws.between("glazed", kind.glazed) if count == 1 else 1.0
    rear = [max(x, front[0] - glazed * (front[0] - rear[0])) for x in rear]
    count = max(1, min(count, int((front[0] - rear[0]) / MIN_WINDOW)))
    posts = _posts(front[0], rear[0], count, draws)
    fronts = [front, *([post - 0.04] * 2 for post in posts)]
    rears = [*([post + 0.04] * 2 for post in posts), rear]
    kick = max(draws.between("kick", (-0.02, 0.08)), 0)  # rise of the lower edge to the rear
    # The rise at the ends and the posts.
    kicks = [*[0.0] * max(count - 1, 1), *[0.5 * kick] * (count > 1), kick]
    return tuple(
        (
            (low_rear, _sill(outline, low_rear) + kicks[k + 1]),
            (low_front, _sill(outline, low_front) + kicks[k]),
            (high_front, _lintel(outline, high_front)),
            (high_rear, _lintel(outline, high_rear)),
        )
        for k, ((low_front, high_front), (low_rear, high_rear)) in enumerate(zip(fronts, rears))
    )


def _sill(outline: Outline, x: float) -> float:
    """Return the height of the lower edge of the side windows."""
    return outline.top_at(x) + 0.05


def _lintel(outline: Outline, x: float) -> float:
    """Return the height of the upper edge of the side windows."""
    return outline.roof_at(x) - 0.085


def _window_end(outline: Outline, screen: Point, gap: float) -> list[float]:
    """Return [lower x, upper x] of the end of the side windows next to a screen.

    The screen reaches from x of its foot to x of its top.
    """
    low, high = screen
    rise = outline.roof_at(high) - outline.roof_at(low)
    slope = (high - low) / max(rise, 0.1)
    return [low + slope * 0.10 + gap, low + slope * (rise - 0.10) + 0.8 * gap]


def _posts(front: float, rear: float, count: int, draws: "Draws") -> list[float]:
    """Return x of the posts between `count` side windows."""
    span, first = front - rear, draws.between("post", (0.44, 0.56))
    if count == 1:
        return []
    if count == 2:
        return [front - first * span]
    return [front - 0.86 * first * span, front - (0.30 + 0.86 * first) * span]
