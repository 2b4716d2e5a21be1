"""Counterfactual sets of rendered cars: images that differ from a base image in one property.

data/2_render_cars.py --counterfactuals renders them. A set has thirteen frames: the base image, one
image for each property, and the base image with other noise.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from dml_analysis.datasets import readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.paper import PROPERTIES
from dml_analysis.renderer.sampling import FRAMES_OF_A_SET

if TYPE_CHECKING:
    from dml_analysis.config import Settings

COUNTERFACTUALS = "CounterfactualCars"
HINT = "render them: data/2_render_cars.py --counterfactuals N (see docs/inputs.md)"


class CounterfactualSet(NamedTuple):
    """A base image, and the images that differ from it in one property or in their noise alone."""

    base: Sample
    changed: dict[str, Sample]  # by the name of the property that has another value
    other_noise: Sample  # of the base's values


def read_sets(settings: "Settings", count: int | None = None) -> list[CounterfactualSet]:
    """Return the counterfactual sets in their folder, or the first `count`.

    Raise InputError if there are none, if a frame is missing, or if an image differs from its base
    image in anything but its property.
    """
    samples, table = readers.rendered_cars(settings, COUNTERFACTUALS)
    file = settings.paths[COUNTERFACTUALS] / "samples.csv"
    frames = [int(sample.image_id) for sample in samples]
    if frames != list(range(1, len(samples) + 1)) or len(samples) % FRAMES_OF_A_SET:
        raise InputError(
            f"{file}: {len(samples)} frames are not complete sets of {FRAMES_OF_A_SET} from frame 1 on; {HINT}"
        )
    values, names = table.to_dict("records"), [prop.name for prop in PROPERTIES]
    expected = [[name] for name in names] + [[]]  # the differences of each frame but the base
    sets = []
    for start in range(0, len(samples), FRAMES_OF_A_SET):
        for row, changed in enumerate(expected, start + 1):
            differences = [key for key in names if values[row][key] != values[start][key]]
            if differences != changed:
                raise InputError(
                    f"{file}: frame {row + 1} differs from frame {start + 1} in "
                    f"{', '.join(differences) or 'nothing'}, "
                    f"but should in {', '.join(changed) or 'nothing'}; {HINT}"
                )
        base, *changes, other_noise = samples[start : start + FRAMES_OF_A_SET]
        sets.append(CounterfactualSet(base, dict(zip(names, changes, strict=True)), other_noise))
    return sets[:count]


def samples_of(sets: Iterable[CounterfactualSet]) -> list[Sample]:
    """Return all images of counterfactual sets, set by set, in the order of their frames."""
    return [
        sample for each in sets for sample in (each.base, *each.changed.values(), each.other_noise)
    ]
