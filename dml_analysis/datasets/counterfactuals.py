"""Counterfactual sets of rendered cars: images that differ from a base image in one property.

data/2_render_cars.py --counterfactuals renders them. A set has twelve frames: the base image, then
one image for each property.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from dml_analysis.datasets import readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.paper import PROPERTIES
from dml_analysis.renderer.sampling import FRAMES_OF_A_SCENE

if TYPE_CHECKING:
    from dml_analysis.config import Settings

COUNTERFACTUALS = "CounterfactualCars"
HINT = "render them: data/2_render_cars.py --counterfactuals N (see data/README.md)"


class Scene(NamedTuple):
    """One counterfactual set."""

    base: Sample
    changed: dict[str, Sample]  # by the name of the property that has another value


def scenes(settings: "Settings", count: int | None = None) -> list[Scene]:
    """Return the counterfactual sets in their folder, or the first `count`.

    Raise InputError if there are none, if a frame is missing, or if an image differs from its base
    image in anything but its property.
    """
    samples, table = readers.rendered_cars(settings, COUNTERFACTUALS)
    file = settings.paths[COUNTERFACTUALS] / "samples.csv"
    frames = [int(sample.image_id) for sample in samples]
    if frames != list(range(1, len(samples) + 1)) or len(samples) % FRAMES_OF_A_SCENE:
        raise InputError(
            f"{file}: {len(samples)} frames are not complete sets of {FRAMES_OF_A_SCENE} from frame 1 on; {HINT}"
        )
    values, names = table.to_dict("records"), [prop.name for prop in PROPERTIES]
    starts = range(0, len(samples), FRAMES_OF_A_SCENE)
    for start in starts:
        for row, name in enumerate(names, start + 1):
            differences = [key for key in names if values[row][key] != values[start][key]]
            if differences != [name]:
                raise InputError(
                    f"{file}: frame {row + 1} should differ from frame {start + 1} "
                    f"in {name} alone, but differs in {', '.join(differences) or 'nothing'}; {HINT}"
                )
    sets = [
        Scene(samples[start], dict(zip(names, samples[start + 1 : start + FRAMES_OF_A_SCENE])))
        for start in starts
    ]
    return sets[:count]


def samples_of(sets: Iterable[Scene]) -> list[Sample]:
    """Return all images of counterfactual sets, set by set: its base, then one per property."""
    return [sample for scene in sets for sample in (scene.base, *scene.changed.values())]
