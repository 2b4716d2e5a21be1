"""The camera of the rendered cars.

Lengths are in metres unless stated otherwise. The car's centre is above the origin.
"""

from math import atan, tan

DISTANCE = 6.5  # from the car's centre along the ground; a car's side then fills 85% of the width
LOOK_AT = 0.62  # height of the point above the origin that is in the middle of the picture
LENS, SENSOR = 35.0, 36.0  # millimetres
WALL = 399.0  # from the car's centre to the wall behind it


def horizon(height: float) -> float:
    """Return where the ground meets the wall for a camera at this height.

    The unit is the picture's side, measured from the top.
    """
    looks_down = atan((height - LOOK_AT) / DISTANCE)
    below_level = atan(height / (DISTANCE + WALL))
    return 0.5 - tan(looks_down - below_level) * LENS / SENSOR
