"""Scenes of rendered cars in which one property is changed and nothing else: which image is which.

data/2_render_cars.py --counterfactuals makes them: twelve frames a scene, the first as it was drawn, then one for each property.
"""

from typing import NamedTuple

from dml_analysis.datasets import readers
from dml_analysis.datasets.readers import Item
from dml_analysis.errors import InputError
from dml_analysis.paper import PROPERTIES
from dml_analysis.renderer.sampling import FRAMES_OF_A_SCENE

COUNTERFACTUALS = "CounterfactualCars"
HINT = "render them: data/2_render_cars.py --counterfactuals N (see data/README.md)"


class Scene(NamedTuple):
    base: Item
    changed: dict  # name of a property -> the Item in which it has another value


def scenes(settings, count=None):
    """The Scenes in the folder of counterfactual cars, or the first so many.

    Raises InputError if there are none, if a frame is missing, or if one differs from its scene's first in another way than
    that its property has another value.
    """
    items, table = readers.rendered_cars(settings, COUNTERFACTUALS)
    file = settings.paths[COUNTERFACTUALS] / "samples.csv"
    if [int(item.image_id) for item in items] != list(range(1, len(items) + 1)) or len(items) % FRAMES_OF_A_SCENE:
        raise InputError(
            f"{file}: {len(items)} frames, not whole scenes of {FRAMES_OF_A_SCENE} from frame 1 on; {HINT}"
        )
    values, names = table.to_dict("records"), [each.name for each in PROPERTIES]
    for start in range(0, len(items), FRAMES_OF_A_SCENE):
        for place, name in enumerate(names, start + 1):
            differs = [each for each in names if values[place][each] != values[start][each]]
            if differs != [name]:
                raise InputError(
                    f"{file}: frame {place + 1} should differ from frame {start + 1} in {name} alone, "
                    f"but differs in {', '.join(differs) or 'nothing'}; {HINT}"
                )
    found = [Scene(items[start], dict(zip(names, items[start + 1 : start + FRAMES_OF_A_SCENE])))
             for start in range(0, len(items), FRAMES_OF_A_SCENE)]  # fmt: skip
    return found[:count]


def items_of(some):
    """All images of some Scenes, scene by scene, the first of each and then one for each property."""
    return [item for scene in some for item in (scene.base, *scene.changed.values())]
