"""The cars that are drawn from a seed: each the same whatever else is drawn, none like another, none broken."""

from itertools import combinations

import numpy as np
import pytest

from dml_analysis.renderer import body_types, sampled_cars
from dml_analysis.renderer.body_types import BODY_TYPES
from dml_analysis.renderer.car_models import CARS, Blob, Line
from dml_analysis.renderer.car_outlines import WELL

COUNT = 96


@pytest.fixture(scope="module")
def cars():
    """Number -> Car, of seed 0."""
    return {number: sampled_cars.drawn_car(number, 0) for number in range(1, COUNT + 1)}


def at(points, x):
    return np.interp(x, *np.array(points).T)


def measures(car):
    """(38,) metres that make a car's outline: length, axles, wheels, floor, and its three lines at places along it."""
    half = car.length / 2
    along, above = np.linspace(-half, half, 12), np.linspace(car.roof[0][0], car.roof[-1][0], 9)
    ends = (car.length, *car.axles, car.wheel, car.floor)
    return np.array([*ends, *at(car.top, along), *at(car.plan, along), *at(car.roof, above)])


def words(car):
    """What a car's parts are, without where they are."""
    parts = [
        (type(each).__name__, each.material, getattr(each, "view", "")) for each in car.details
    ]
    return (*parts, car.spokes, car.hood, car.rims, len(car.windows))


def test_a_car_depends_on_nothing_but_number_and_seed(cars):
    assert sampled_cars.drawn_car(7, 0) == cars[7] != sampled_cars.drawn_car(7, 1)
    assert sampled_cars.drawn_car(1000, 0)  # without the 999 before it
    assert [sampled_cars.number_of(sampled_cars.name_of(number)) for number in (1, 96, 1000)] == [
        1,
        96,
        1000,
    ]


def test_every_body_type_comes_equally_often():
    names = [sampled_cars.type_of(number, 0)[0] for number in range(1, COUNT + 1)]
    assert {names.count(name) for name in BODY_TYPES} == {COUNT // len(BODY_TYPES)}
    assert set(names[: len(BODY_TYPES)]) == set(BODY_TYPES)


def test_no_two_are_alike(cars):
    """Of two cars the outlines differ by centimetres on average, or by parts as well."""
    outlines = {number: measures(car) for number, car in cars.items()}
    for a, b in combinations(cars, 2):
        distance = np.abs(outlines[a] - outlines[b]).mean()
        assert distance > 0.012, (a, b)
        assert distance > 0.03 or words(cars[a]) != words(cars[b]), (a, b)


def test_none_is_one_of_the_six(cars):
    for model in CARS.values():
        assert min(np.abs(measures(car) - measures(model)).mean() for car in cars.values()) > 0.02


def test_draws_of_a_type_are_far_apart():
    for what in ("length", "nose", "a measure"):
        parts = [sampled_cars.Draws(0, "saloon", turn).part(what) for turn in range(6)]
        assert min(abs(a - b) for a, b in combinations(parts, 2)) > 0.015
        assert all(0 <= part < 1 for part in parts)


@pytest.mark.parametrize("seed", [0, 1])
def test_wheels_are_where_wheels_belong(seed):
    for number in range(1, 201):
        car = sampled_cars.drawn_car(number, seed)
        well, (front, rear), half = WELL * car.wheel, car.axles, car.length / 2
        assert rear - well > -half and front + well < half and front - rear > 4 * car.wheel, number
        assert 0 < car.floor < car.wheel, number
        for axle in car.axles:  # the body reaches over the well
            assert at(car.top, axle) + 0.55 * car.fender[0] > 2 * well, number


@pytest.mark.parametrize("seed", [0, 1])
def test_cabins_and_windows(seed):
    for number in range(1, 201):
        car = sampled_cars.drawn_car(number, seed)
        x = np.array(car.roof)[:, 0]
        assert (np.diff(x) > 0).all() and (np.diff(np.array(car.top)[:, 0]) > 0).all(), number
        assert -car.length / 2 < x[0] and x[-1] < car.length / 2, number
        assert car.cabin[0] < max(width for _, width in car.plan), number
        for window in car.windows:
            below, above = np.array(window)[:2], np.array(window)[2:]
            assert (below[:, 1] > at(car.top, below[:, 0])).all(), number  # above the body
            assert (above[:, 1] < at(car.roof, above[:, 0]) - 0.05).all(), number  # below the roof
            assert (above[::-1, 1] > below[:, 1]).all(), number  # at both ends
            assert window[1][0] > window[0][0] + 0.2, number
        for before, behind in zip(car.windows, car.windows[1:]):
            assert behind[1][0] < before[0][0], number


def test_parts_are_at_the_car(cars):
    """Nothing is drawn beside the body, and nothing stands farther from it than a bar, a mirror or a wheel does."""
    for number, car in cars.items():
        half, width = car.length / 2, max(width for _, width in car.plan) + car.fender[1]
        for part in car.details:
            if isinstance(part, Blob):
                reach = np.abs(part.centre) + np.array(part.size) / 2
                assert reach[0] < half + 0.18 and reach[1] < width + 0.35, (number, part)
                assert 0.08 < part.centre[2] - part.size[2] / 2, (number, part)
            else:
                points = np.array(part.path if isinstance(part, Line) else part.corners)
                limits = {
                    "top": (half, width),
                    "side": (half, 3),
                    "front": (width, 3),
                    "rear": (width, 3),
                }[part.view]
                assert (np.abs(points) <= limits).all(), (number, part)
                assert part.view == "top" or (points[:, 1] > 0.5 * car.floor).all(), (number, part)


def test_every_word_of_the_table_is_drawn():
    """For 1000 cars; a word that no car_parts knows would raise."""
    for number in range(1, 1001):
        sampled_cars.drawn_car(number, 3)


def test_ranges_go_up():
    for name, kind in BODY_TYPES.items():
        for field, value in zip(kind._fields, kind):
            if isinstance(value[0], float):
                assert len(value) == 2 and value[0] <= value[1], (name, field)
    assert isinstance(body_types.BodyType._field_defaults["glazed"][0], float)
