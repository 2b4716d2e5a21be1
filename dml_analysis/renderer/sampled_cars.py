"""Cars drawn from a seed: from a type of `body_types` to a car's table of measures, such as `car_models` has by hand.

A car is the same however many are asked for. Its outline (`car_outlines`) comes first, then its parts (`car_parts`).
"""

from dml_analysis.renderer import car_outlines, car_parts
from dml_analysis.renderer.body_types import BODY_TYPES
from dml_analysis.renderer.car_models import Car
from dml_analysis.seeds import derived_seed

# Steps by which the draws of one type go on from car to car: multiples of each, without their whole parts, fill the range from
# 0 to 1 evenly. There are several, lest the same two cars come close to each other in all measures.
STEPS = (0.618034, 0.414214, 0.732051, 0.754878, 0.569840, 0.236068, 0.302776, 0.645751)


def name_of(number):
    """The value of the property "model" of the car with this number."""
    return f"Car {number}"


def number_of(name):
    """The number in a name of name_of."""
    return int(name.removeprefix("Car "))


class Draws:
    """What is drawn for one car. A draw depends on nothing but the seed, the car and what it is for.

    Cars of one type share out the values of each measure: the first starts anywhere, each goes on from the one before. So they
    differ more than independent draws would.
    """

    def __init__(self, seed, body_type, turn):
        """turn: how many cars of this type come before this one."""
        self._purpose, self._turn = (seed, "drawn car", body_type), turn

    def part(self, what):
        """From 0 to 1."""
        start = derived_seed(*self._purpose, what) / 2**63
        step = STEPS[derived_seed(*self._purpose, what, "step") % len(STEPS)]
        return (start + self._turn * step) % 1

    def between(self, what, low_high):
        """A number in this range."""
        low, high = low_high
        return low + (high - low) * self.part(what)

    def one_of(self, what, choices):
        return choices[int(self.part(what) * len(choices))]


def type_of(number, seed):
    """(name of the body type, how many cars before have it): every type comes once before any comes again."""
    turn, place = divmod(number - 1, len(BODY_TYPES))
    order = sorted(BODY_TYPES, key=lambda name: derived_seed(seed, "order of body types", turn, name))
    return order[place], turn


def drawn_car(number, seed):
    """The Car with this number, from 1, among those of this seed."""
    name, turn = type_of(number, seed)
    kind, draws = BODY_TYPES[name], Draws(seed, name, turn)
    outline, measures = car_outlines.outline_of(kind, draws)
    windows, spokes = car_outlines.side_windows(outline, draws), draws.one_of("spokes", kind.spokes)
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
        fender=(car_outlines.fender_height(outline, measures["fender"]), draws.between("flare", (0.0, 0.035))),
        cabin=outline.cabin,
        screens=car_outlines.screens(outline),
        windows=windows,
        details=tuple(_details(outline, windows, draws)),
        hood=draws.one_of("hood", kind.hoods),
        rims=draws.one_of("rims", ("rim", "rim", "dark", "metal", "rim")) if spokes else "rim",
        spoke=draws.between("spoke", (0.8, 1.3)),
    )


def _details(outline, windows, draws):
    """All patches, lines and blobs; what comes later lies on what comes before."""
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
