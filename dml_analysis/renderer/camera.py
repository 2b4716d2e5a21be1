"""The camera of the rendered cars. Lengths are metres unless said otherwise; the car's middle is above the origin."""

from math import atan, tan

DISTANCE = 6.5  # from the car's middle along the ground; a car seen from the side fills 85% of the width
LOOK_AT = 0.62  # height of the point above the origin that is in the middle of the picture
LENS, SENSOR = 35.0, 36.0  # millimetres
WALL = 399.0  # from the car's middle to the wall behind it


def horizon(height):
    """Where the ground meets the wall, from the top as a part of the picture's side, for a camera at this height."""
    looks_down = atan((height - LOOK_AT) / DISTANCE)
    below_level = atan(height / (DISTANCE + WALL))
    return 0.5 - tan(looks_down - below_level) * LENS / SENSOR
