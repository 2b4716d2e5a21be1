"""Body types of procedural cars: the ranges of their measures and the looks of their parts.

A pair of numbers is a range (low, high), in metres unless stated otherwise. A tuple of words lists
the possible looks; words may repeat, to be sampled more often. The numbers resemble those of the
six cars of `car_models`. `sampled_cars` samples cars from them.
"""

from typing import NamedTuple

Range = tuple[float, float]


class BodyType(NamedTuple):
    """The ranges of measures, and the looks of parts, of the cars of one body type."""

    # Proportions.
    length: Range
    width: Range  # half the body's width
    height: Range
    waist: Range  # height of the line below the windows, as a share of the height
    floor: Range
    wheel: Range  # radius of the tyre
    front: Range  # from the nose to the front axle
    rear: Range  # from the rear axle to the tail
    bonnet: Range  # from the nose to the foot of the windscreen
    windscreen: Range  # horizontal length of the windscreen, from foot to top
    back: Range  # the same of the rear window
    deck: Range  # from the tail to the foot of the rear window
    # Form.
    nose: Range  # height of the nose, as a share of the waist's
    tail: Range  # the same of the tail
    fall: Range  # by how much the roof falls towards its rear
    taper: Range  # width of the nose as a share of the body's
    soft: Range  # width of the rounding of corners
    body: Range  # exponent of the body's cross-section
    cabin: Range  # exponent of the cabin's
    lean: Range  # by how much the cabin's sides lean in, per metre of height
    fender: Range  # height added above the wheels
    # Parts.
    windows: tuple[int, ...]  # number on each side
    doors: tuple[int, ...]  # number on each side
    grilles: tuple[str, ...]
    lamps: tuple[str, ...]
    tails: tuple[str, ...]
    spokes: tuple[int, ...]
    sides: tuple[str, ...]
    roofs: tuple[str, ...]
    rears: tuple[str, ...]
    bumpers: tuple[str, ...]
    bonnets: tuple[str, ...] = ("plain",)
    hoods: tuple[str, ...] = ("paint",)  # the material of the cabin
    glazed: Range = (1.0, 1.0)  # share of the cabin's length that a single window takes
    load: tuple[str, ...] = ("none",)  # what is on the deck


SPOKES = (5, 6, 7, 8, 9, 10, 12, 16)

BODY_TYPES = {
    "saloon": BodyType(
        length=(4.45, 5.05), width=(0.87, 0.95), height=(1.40, 1.50), waist=(0.63, 0.69),
        floor=(0.14, 0.19), wheel=(0.32, 0.36), front=(0.80, 0.95), rear=(0.95, 1.15),
        bonnet=(1.20, 1.55), windscreen=(0.65, 0.95), back=(0.50, 0.85), deck=(0.50, 0.80),
        nose=(0.70, 0.88), tail=(0.94, 1.06), fall=(0.03, 0.10), taper=(0.62, 0.86),
        soft=(0.05, 0.10), body=(3.6, 4.8), cabin=(3.4, 4.4), lean=(0.28, 0.42), fender=(0.0, 0.05),
        windows=(2, 3), doors=(2,), grilles=("bars", "slats", "kidneys", "hexagon", "none", "slot"),
        lamps=("slim", "rectangle", "twin round", "angled", "strip", "oval"),
        tails=("bar", "wedge", "rectangle", "round", "corner", "blocks"), spokes=(0, *SPOKES),
        sides=("plain", "chrome", "strip", "sill", "stripe"),
        roofs=("plain", "sunroof", "glass", "dark", "fin"), rears=("plain", "lip", "pipes"),
        bumpers=("body", "intakes", "smile", "lower"),
    ),
    "classic saloon": BodyType(
        length=(4.30, 5.15), width=(0.82, 0.91), height=(1.40, 1.54), waist=(0.61, 0.67),
        floor=(0.17, 0.23), wheel=(0.31, 0.35), front=(0.75, 0.90), rear=(1.05, 1.30),
        bonnet=(1.30, 1.65), windscreen=(0.40, 0.55), back=(0.35, 0.60), deck=(0.65, 0.95),
        nose=(0.90, 0.98), tail=(0.84, 0.98), fall=(0.02, 0.07), taper=(0.80, 0.93),
        soft=(0.03, 0.08), body=(4.2, 6.5), cabin=(3.6, 6.0), lean=(0.16, 0.28), fender=(0.0, 0.03),
        windows=(2, 2, 1), doors=(2,), grilles=("bars", "slats", "oval", "wide", "slots"),
        lamps=("round", "twin round", "stacked", "boxed"),
        tails=("rectangle", "round", "fins", "triple", "corner"), spokes=(0, 0, 5, 12),
        sides=("chrome", "strip", "band"), roofs=("plain", "rack", "plain", "sunroof"),
        rears=("plain", "pipe"), bumpers=("chrome", "rubber", "chrome"),
        hoods=("paint", "plate", "paint", "tyre"),
    ),
    "fastback": BodyType(
        length=(4.60, 5.10), width=(0.89, 0.95), height=(1.36, 1.48), waist=(0.64, 0.69),
        floor=(0.13, 0.17), wheel=(0.34, 0.37), front=(0.82, 0.96), rear=(0.95, 1.10),
        bonnet=(1.00, 1.40), windscreen=(0.90, 1.20), back=(1.10, 1.60), deck=(0.12, 0.30),
        nose=(0.60, 0.74), tail=(1.00, 1.12), fall=(0.08, 0.14), taper=(0.52, 0.70),
        soft=(0.08, 0.13), body=(3.2, 3.9), cabin=(3.0, 3.6), lean=(0.36, 0.46),
        fender=(0.02, 0.07), windows=(2, 3, 1), doors=(2, 2, 1),
        grilles=("none", "slot", "hexagon", "oval", "slats"),
        lamps=("slim", "strip", "light bar", "angled", "hooks"),
        tails=("bar", "wedge", "hooks", "slits", "corner"), spokes=SPOKES,
        sides=("plain", "sill", "chrome", "vents"), roofs=("glass", "plain", "dark", "fin"),
        rears=("plain", "lip", "diffuser", "pipes"), bumpers=("intakes", "smile", "lower", "body"),
        bonnets=("plain", "creases"),
    ),
    "hatchback": BodyType(
        length=(3.95, 4.45), width=(0.85, 0.92), height=(1.42, 1.53), waist=(0.63, 0.70),
        floor=(0.14, 0.19), wheel=(0.31, 0.36), front=(0.76, 0.90), rear=(0.66, 0.84),
        bonnet=(0.90, 1.20), windscreen=(0.65, 1.00), back=(0.22, 0.60), deck=(0.03, 0.10),
        nose=(0.68, 0.86), tail=(0.90, 1.02), fall=(0.06, 0.16), taper=(0.60, 0.84),
        soft=(0.05, 0.10), body=(3.6, 4.8), cabin=(3.6, 4.6), lean=(0.28, 0.38), fender=(0.0, 0.06),
        windows=(2, 1, 3), doors=(2, 1, 2),
        grilles=("slot", "hexagon", "wide", "none", "slats", "kidneys"),
        lamps=("angled", "round", "rectangle", "oval", "hooks", "boxed"),
        tails=("upright", "wedge", "corner", "round", "rectangle", "hooks"), spokes=(0, *SPOKES),
        sides=("plain", "strip", "cladding", "sill", "stripe"),
        roofs=("plain", "dark", "sunroof", "fin", "glass"),
        rears=("store", "plain", "pipes", "wing"), bumpers=("lower", "intakes", "smile", "rubber"),
        bonnets=("plain", "scoop", "stripes"), hoods=("paint", "paint", "plate"),
    ),
    "city car": BodyType(
        length=(2.75, 3.60), width=(0.75, 0.83), height=(1.40, 1.62), waist=(0.58, 0.66),
        floor=(0.14, 0.19), wheel=(0.26, 0.31), front=(0.50, 0.64), rear=(0.42, 0.54),
        bonnet=(0.48, 0.80), windscreen=(0.50, 0.80), back=(0.15, 0.70), deck=(0.03, 0.08),
        nose=(0.72, 0.90), tail=(0.86, 1.02), fall=(0.04, 0.18), taper=(0.66, 0.88),
        soft=(0.05, 0.13), body=(3.2, 5.0), cabin=(3.0, 5.0), lean=(0.20, 0.36), fender=(0.0, 0.06),
        windows=(1, 2), doors=(1, 1, 2), grilles=("none", "slot", "oval", "slots"),
        lamps=("round", "oval", "boxed", "high round", "rectangle"),
        tails=("round", "upright", "triple", "rectangle"), spokes=(0, 0, 4, 5, 8, 12),
        sides=("plain", "strip", "band", "cladding", "stripe"),
        roofs=("plain", "dark", "rack", "sunroof", "rails"), rears=("plain", "store", "pipe"),
        bumpers=("body", "rubber", "chrome", "smile"), bonnets=("plain", "stripes"),
        hoods=("paint", "plate", "paint", "tyre"),
    ),
    "estate": BodyType(
        length=(4.40, 5.00), width=(0.87, 0.94), height=(1.42, 1.54), waist=(0.62, 0.68),
        floor=(0.14, 0.21), wheel=(0.32, 0.36), front=(0.80, 0.95), rear=(0.90, 1.12),
        bonnet=(1.15, 1.50), windscreen=(0.60, 0.95), back=(0.14, 0.50), deck=(0.03, 0.08),
        nose=(0.72, 0.90), tail=(0.90, 1.0), fall=(0.02, 0.10), taper=(0.62, 0.88),
        soft=(0.04, 0.09), body=(3.8, 5.2), cabin=(3.6, 5.0), lean=(0.24, 0.36), fender=(0.0, 0.05),
        windows=(3,), doors=(2,), grilles=("bars", "slats", "slot", "hexagon", "wide"),
        lamps=("rectangle", "slim", "stacked", "boxed", "angled"),
        tails=("upright", "corner", "tall", "bar", "wedge"), spokes=(0, *SPOKES),
        sides=("chrome", "cladding", "strip", "plain", "band"),
        roofs=("rails", "plain", "box", "rack", "glass"), rears=("store", "plain", "pipes"),
        bumpers=("lower", "rubber", "body", "intakes"),
    ),
    "coupe": BodyType(
        length=(4.20, 4.75), width=(0.87, 0.94), height=(1.24, 1.36), waist=(0.66, 0.72),
        floor=(0.12, 0.16), wheel=(0.32, 0.36), front=(0.78, 0.95), rear=(0.84, 1.02),
        bonnet=(1.30, 1.75), windscreen=(0.65, 0.90), back=(0.75, 1.20), deck=(0.20, 0.55),
        nose=(0.62, 0.80), tail=(0.90, 1.06), fall=(0.04, 0.10), taper=(0.56, 0.80),
        soft=(0.06, 0.12), body=(3.2, 4.2), cabin=(2.9, 3.6), lean=(0.34, 0.46),
        fender=(0.03, 0.09), windows=(1, 2, 1), doors=(1,),
        grilles=("kidneys", "oval", "hexagon", "slats", "slot"),
        lamps=("slim", "round", "angled", "twin round", "hooks"),
        tails=("round", "slits", "wedge", "twin round", "bar"), spokes=SPOKES,
        sides=("vents", "plain", "sill", "chrome", "stripe"),
        roofs=("plain", "dark", "glass", "plain"), rears=("lip", "pipes", "plain", "diffuser"),
        bumpers=("intakes", "smile", "body", "lower"),
        bonnets=("creases", "plain", "vents", "stripes"), hoods=("paint", "paint", "black"),
    ),
    "muscle car": BodyType(
        length=(4.65, 5.10), width=(0.90, 0.97), height=(1.30, 1.42), waist=(0.66, 0.71),
        floor=(0.14, 0.19), wheel=(0.34, 0.38), front=(0.82, 1.00), rear=(1.05, 1.25),
        bonnet=(1.65, 1.95), windscreen=(0.50, 0.75), back=(0.60, 1.05), deck=(0.45, 0.80),
        nose=(0.84, 0.95), tail=(0.96, 1.06), fall=(0.03, 0.08), taper=(0.82, 0.94),
        soft=(0.03, 0.07), body=(4.2, 6.0), cabin=(3.2, 4.2), lean=(0.30, 0.42),
        fender=(0.02, 0.06), windows=(1, 1, 2), doors=(1,),
        grilles=("wide", "band", "slats", "kidneys"),
        lamps=("round", "twin round", "in grille", "rectangle"),
        tails=("triple", "bar", "blocks", "twin round", "slits"), spokes=(5, 5, 6, 8),
        sides=("stripe", "plain", "vents", "chrome"), roofs=("plain", "dark", "plain"),
        rears=("lip", "wing", "pipes", "plain"), bumpers=("chrome", "lower", "intakes", "body"),
        bonnets=("scoop", "stripes", "vents", "broad stripe"),
        hoods=("paint", "tyre", "paint", "plate"),
    ),
    "sports car": BodyType(
        length=(4.25, 4.75), width=(0.92, 0.99), height=(1.08, 1.20), waist=(0.69, 0.75),
        floor=(0.09, 0.13), wheel=(0.32, 0.35), front=(0.92, 1.10), rear=(0.82, 1.00),
        bonnet=(0.95, 1.25), windscreen=(0.85, 1.15), back=(0.80, 1.25), deck=(0.35, 0.75),
        nose=(0.46, 0.60), tail=(0.98, 1.12), fall=(0.02, 0.07), taper=(0.46, 0.74),
        soft=(0.06, 0.11), body=(3.0, 4.0), cabin=(2.7, 3.2), lean=(0.36, 0.46),
        fender=(0.08, 0.15), windows=(1,), doors=(1,), grilles=("none", "slot"),
        lamps=("on bonnet", "slim on bonnet", "round on bonnet", "slim"),
        tails=("twin round", "bar", "slits", "round", "hooks", "wedge"), spokes=(5, 6, 7, 10, 12),
        sides=("scoops", "vents", "sill", "scoops"), roofs=("plain", "dark", "plain", "glass"),
        rears=("wing", "diffuser", "pipes", "high wing"), bumpers=("intakes", "smile", "lower"),
        bonnets=("vents", "plain", "stripes", "broad stripe"), hoods=("paint", "paint", "black"),
    ),
    "roadster": BodyType(
        length=(3.75, 4.35), width=(0.80, 0.91), height=(1.18, 1.30), waist=(0.66, 0.72),
        floor=(0.12, 0.16), wheel=(0.29, 0.34), front=(0.68, 0.85), rear=(0.72, 0.92),
        bonnet=(1.25, 1.60), windscreen=(0.40, 0.60), back=(0.35, 0.60), deck=(0.50, 0.90),
        nose=(0.62, 0.86), tail=(0.86, 1.02), fall=(0.02, 0.06), taper=(0.54, 0.82),
        soft=(0.05, 0.11), body=(2.9, 4.2), cabin=(2.8, 3.6), lean=(0.30, 0.42),
        fender=(0.04, 0.11), windows=(1,), doors=(1,),
        grilles=("oval", "slats", "slot", "kidneys", "bars"),
        lamps=("round", "oval", "slim", "round on bonnet"),
        tails=("round", "rectangle", "wedge", "twin round"), spokes=(0, 5, 6, 8, 16),
        sides=("plain", "chrome", "vents", "stripe"), roofs=("plain",),
        rears=("plain", "pipes", "lip"), bumpers=("smile", "chrome", "intakes", "body"),
        bonnets=("plain", "stripes", "vents", "creases"), hoods=("tyre", "black", "tyre", "plate"),
    ),
    "SUV": BodyType(
        length=(4.25, 4.95), width=(0.91, 0.99), height=(1.60, 1.78), waist=(0.62, 0.69),
        floor=(0.22, 0.30), wheel=(0.36, 0.41), front=(0.80, 0.95), rear=(0.78, 0.98),
        bonnet=(0.95, 1.35), windscreen=(0.60, 0.95), back=(0.18, 0.65), deck=(0.03, 0.10),
        nose=(0.76, 0.92), tail=(0.90, 1.02), fall=(0.04, 0.16), taper=(0.72, 0.90),
        soft=(0.04, 0.09), body=(4.2, 5.6), cabin=(3.8, 5.0), lean=(0.22, 0.34), fender=(0.0, 0.04),
        windows=(3, 2), doors=(2,), grilles=("hexagon", "kidneys", "slats", "bars", "none", "wide"),
        lamps=("slim", "split", "boxed", "angled", "light bar", "oval"),
        tails=("corner", "bar", "upright", "wedge", "hooks", "tall"), spokes=SPOKES,
        sides=("cladding", "chrome", "cladding", "sill", "band"),
        roofs=("rails", "dark", "glass", "plain", "box"), rears=("store", "plain", "pipes"),
        bumpers=("lower", "plate", "intakes", "smile"), bonnets=("plain", "creases"),
        hoods=("paint", "paint", "plate"),
    ),
    "off-roader": BodyType(
        length=(3.75, 4.75), width=(0.84, 0.96), height=(1.76, 2.00), waist=(0.57, 0.64),
        floor=(0.30, 0.40), wheel=(0.38, 0.44), front=(0.62, 0.78), rear=(0.68, 0.90),
        bonnet=(1.00, 1.40), windscreen=(0.12, 0.34), back=(0.05, 0.14), deck=(0.03, 0.06),
        nose=(0.90, 0.99), tail=(0.94, 1.0), fall=(0.0, 0.04), taper=(0.86, 0.96),
        soft=(0.015, 0.05), body=(6.0, 9.0), cabin=(6.0, 9.0), lean=(0.06, 0.18),
        fender=(0.0, 0.02), windows=(2, 3, 1), doors=(1, 2),
        grilles=("slots", "wide", "band", "slats"),
        lamps=("round", "boxed", "in grille", "high round"),
        tails=("tall", "triple", "rectangle", "round"), spokes=(0, 5, 6, 8),
        sides=("cladding", "steps", "band", "stripe"), roofs=("rack", "lamps", "plain", "rails"),
        rears=("spare wheel", "spare wheel", "plain"),
        bumpers=("bull bar", "rubber", "plate", "chrome"), bonnets=("plain", "scoop", "black"),
        hoods=("paint", "plate", "paint", "tyre"),
    ),
    "people carrier": BodyType(
        length=(4.10, 4.95), width=(0.88, 0.96), height=(1.60, 1.80), waist=(0.57, 0.64),
        floor=(0.15, 0.20), wheel=(0.31, 0.35), front=(0.82, 0.96), rear=(0.75, 1.00),
        bonnet=(0.65, 0.95), windscreen=(0.90, 1.30), back=(0.14, 0.45), deck=(0.03, 0.08),
        nose=(0.68, 0.82), tail=(0.92, 1.02), fall=(0.04, 0.14), taper=(0.64, 0.84),
        soft=(0.06, 0.12), body=(3.8, 5.0), cabin=(3.8, 5.0), lean=(0.20, 0.30), fender=(0.0, 0.04),
        windows=(3,), doors=(2,), grilles=("slot", "slats", "none", "kidneys", "hexagon"),
        lamps=("angled", "oval", "rectangle", "slim", "hooks"),
        tails=("tall", "upright", "corner", "bar"), spokes=(0, 5, 7, 10),
        sides=("slide", "strip", "chrome", "plain"),
        roofs=("plain", "rails", "glass", "box", "fin"), rears=("plain", "store"),
        bumpers=("lower", "body", "smile", "rubber"),
    ),
    "van": BodyType(
        length=(4.40, 5.20), width=(0.91, 1.00), height=(1.86, 2.20), waist=(0.52, 0.60),
        floor=(0.17, 0.24), wheel=(0.32, 0.36), front=(0.82, 0.98), rear=(0.85, 1.10),
        bonnet=(0.30, 0.80), windscreen=(0.45, 0.85), back=(0.04, 0.12), deck=(0.03, 0.05),
        nose=(0.74, 0.92), tail=(0.98, 1.02), fall=(0.0, 0.04), taper=(0.78, 0.92),
        soft=(0.03, 0.08), body=(5.0, 8.0), cabin=(6.0, 9.0), lean=(0.05, 0.14), fender=(0.0, 0.02),
        windows=(1, 3, 1, 2), doors=(1, 2), grilles=("slot", "wide", "slats", "none", "band"),
        lamps=("rectangle", "round", "angled", "boxed", "stacked"),
        tails=("tall", "upright", "rectangle"), spokes=(0, 0, 5, 6, 8),
        sides=("slide", "strip", "band", "cladding", "stripe"),
        roofs=("plain", "rack", "box", "plain", "rails"), rears=("plain", "doors", "spare wheel"),
        bumpers=("rubber", "lower", "chrome", "body"), hoods=("paint", "paint", "plate"),
        glazed=(0.28, 0.42),
    ),
    "pick-up": BodyType(
        length=(4.90, 5.30), width=(0.90, 0.98), height=(1.62, 1.86), waist=(0.58, 0.65),
        floor=(0.26, 0.36), wheel=(0.36, 0.42), front=(0.80, 0.95), rear=(1.05, 1.25),
        bonnet=(1.20, 1.50), windscreen=(0.45, 0.70), back=(0.06, 0.20), deck=(1.40, 2.10),
        nose=(0.86, 0.97), tail=(0.96, 1.0), fall=(0.0, 0.05), taper=(0.84, 0.94),
        soft=(0.03, 0.06), body=(5.0, 8.0), cabin=(4.4, 6.5), lean=(0.14, 0.26), fender=(0.0, 0.03),
        windows=(2, 1), doors=(2, 1), grilles=("wide", "band", "bars", "slats", "slots"),
        lamps=("stacked", "boxed", "in grille", "split", "rectangle"),
        tails=("tall", "upright", "rectangle"), spokes=(0, 5, 6, 8),
        sides=("steps", "cladding", "stripe", "band"), roofs=("plain", "lamps", "rack", "dark"),
        rears=("plain", "pipe"), bumpers=("chrome", "bull bar", "rubber", "plate"),
        bonnets=("plain", "scoop", "black"), hoods=("paint", "paint", "plate"),
        load=("bed", "cover", "bar", "bed"),
    ),
    "lorry": BodyType(
        length=(4.80, 5.30), width=(0.86, 0.94), height=(1.72, 1.96), waist=(0.56, 0.62),
        floor=(0.24, 0.32), wheel=(0.34, 0.38), front=(0.78, 0.95), rear=(1.10, 1.35),
        bonnet=(0.35, 1.15), windscreen=(0.35, 0.60), back=(0.05, 0.10), deck=(2.50, 2.75),
        nose=(0.84, 0.95), tail=(0.92, 0.96), fall=(0.0, 0.04), taper=(0.84, 0.94),
        soft=(0.03, 0.07), body=(5.0, 8.0), cabin=(4.5, 7.0), lean=(0.10, 0.20), fender=(0.0, 0.02),
        windows=(1,), doors=(1,), grilles=("slats", "wide", "slots", "slot"),
        lamps=("round", "rectangle", "boxed", "stacked"), tails=("rectangle", "tall", "round"),
        spokes=(0, 0, 5, 6), sides=("strip", "steps", "band", "stripe"),
        roofs=("plain", "lamps", "plain"), rears=("plain",),
        bumpers=("rubber", "chrome", "bull bar", "lower"),
        load=("white box", "tank", "cover box", "planks", "camper"),
    ),
}  # fmt: skip
