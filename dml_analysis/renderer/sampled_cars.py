"""Procedurally generated cars: sampled from a seed and a type of `body_types`.

A car is the same however many are requested. Its outline (`car_outlines`) is sampled first, then
its parts (`car_parts`).
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from dml_analysis.renderer import car_outlines, car_parts
from dml_analysis.renderer.body_types import BODY_TYPES
from dml_analysis.renderer.car_models import Blob, Car, Corners, Line, Patch
from dml_analysis.renderer.car_outlines import Outline
from dml_analysis.seeds import derived_seed

# The steps from car to car between the samples of one measure. Modulo 1, the multiples of each step
# fill the range from 0 to 1 evenly. With several steps, no two cars are close in all measures.
STEPS = (0.618034, 0.414214, 0.732051, 0.754878, 0.569840, 0.236068, 0.302776, 0.645751)
Choice = TypeVar("Choice")


def name_of(number: int) -> str:
    """Return the value of the property "model" of the car with this number."""
    return f"Car {number}"


def number_of(name: str) -> int:
    """Return the number in a name of name_of."""
    return int(name.removeprefix("Car "))


class Draws:
    """The random samples of one car. A sample depends only on the seed, the car and its purpose.

    Cars of one type spread over the range of each measure: the first is random, each further one
    is a fixed step from the previous. They thus differ more than independent samples would.
    """

    def __init__(self, seed: int, body_type: str, turn: int) -> None:
        """Set up the samples of a car that follows `turn` cars of its type."""
        self._purpose, self._turn = (seed, "drawn car", body_type), turn

    def part(self, what: str) -> float:
        """Return a number from 0 to 1 (exclusive) for this purpose."""
        start = derived_seed(*self._purpose, what) / 2**63
        step = STEPS[derived_seed(*self._purpose, what, "step") % len(STEPS)]
        return (start + self._turn * step) % 1

    def between(self, what: str, low_high: tuple[float, float]) -> float:
        """Return a number in this range for this purpose."""
        low, high = low_high
        return low + (high - low) * self.part(what)

    def one_of(self, what: str, choices: Sequence[Choice]) -> Choice:
        """Return one of the choices for this purpose."""
        return choices[int(self.part(what) * len(choices))]


def type_of(number: int, seed: int) -> tuple[str, int]:
    """Return the name of a car's body type, and how many cars before it have that type.

    Every type occurs once before any occurs again.
    """
    turn, position = divmod(number - 1, len(BODY_TYPES))
    order = sorted(
        BODY_TYPES, key=lambda name: derived_seed(seed, "order of body types", turn, name)
    )
    return order[position], turn


def drawn_car(number: int, seed: int) -> Car:
    """Return the car with this number, from 1, among those of this seed."""
    name, turn = type_of(number, seed)
    kind, draws = BODY_TYPES[name], Draws(seed, name, turn)
    outline, measures = car_outlines.outline_of(kind, draws)
    windows = car_outlines.side_windows(outline, draws)
    spokes = draws.one_of("spokes", kind.spokes)
    fender_height = car_outlines.fender_height(outline, measures["fender"])
    return Car(
        length=outline.length,
        axles=outline.axles,
        wheel=outline.wheel,
        rim=draws.between("rim", (0.62, 0.80)),
        spokes=spokes,
        floor=outline.floor,
        top=outline.top,
        plan=outline.plan,
        roof=outline.roof,
        soft=measures["soft"],
        edge=draws.between("edge", (0.05, 0.12)),
        shoulder=draws.between("shoulder", (0.60, 0.70)),
        square=(measures["body"], measures["cabin"]),
        fender=(fender_height, draws.between("flare", (0.0, 0.035))),
        cabin=outline.cabin,
        screens=car_outlines.screens(outline),
        windows=windows,
        details=tuple(_details(outline, windows, draws)),
        hood=draws.one_of("hood", kind.hoods),
        rims=draws.one_of("rims", ("rim", "rim", "dark", "metal", "rim")) if spokes else "rim",
        spoke=draws.between("spoke", (0.8, 1.3)),
    )


def _details(
    outline: Outline, windows: tuple[Corners, ...], draws: Draws
) -> Iterator[Patch | Line | Blob]:
    """Yield all patches, lines and blobs; later ones cover earlier ones."""
    yield from car_outlines.steep_screens(outline, draws)
    yield from car_parts.bumpers(outline, draws)
    yield from car_parts.sides(outline, windows, draws)
    yield from car_parts.doors(outline, windows, draws)
    yield from car_parts.stripes(outline, draws)
    yield from car_parts.bonnet(outline, draws)
    yield from car_parts.grille(outline, draws)
    yield from car_parts.lamps(outline, draws)
    yield from car_parts.tail_lamps(outline, draws)
    yield from car_parts.on_roof(outline, draws)
    yield from car_parts.rear(outline, draws)
    yield from car_parts.mirrors(outline, windows, draws)
    yield from car_parts.load(outline, draws)
