"""Render the cars: pictures that differ in eleven independent properties (Table 5), and samples.csv
that lists them.

Needs Blender as a Python module (requirements-render.txt). A stopped run goes on where it was:
frames whose image exists are skipped. Any frame comes out the same whichever range it is rendered
in, and several processes may fill one folder together. With --variations, instead: one property at
a time, for data/3_check_renderer.py. With --counterfactuals N: N counterfactual sets. A set has a
base image sampled as above, an image for each property, which alone has another value there, and
the base image with other noise.
"""

import argparse
import importlib
import re
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from dml_analysis import checkout
from dml_analysis.errors import InputError, check_range, run_script
from dml_analysis.renderer import libraries
from dml_analysis.renderer.sampling import FRAMES_OF_A_SET

FRAMES = "1-100000"
LAST_FRAME = 10**7
MAX_SETS = 10**6
PROCEDURAL, MOST_CARS = "procedural", 1000
DEVICES = ("CPU", "CUDA", "OPTIX", "HIP", "METAL")


def _arguments():
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        epilog="example: %(prog)s --frames 1-600 --output /tmp/cars",
    )
    output = checkout.PATHS["RenderedCars"]
    parser.add_argument(
        "--output",
        type=Path,
        default=output,
        help="folder for samples.csv, images/ and masks/ [%(default)s]",
    )
    parser.add_argument(
        "--frames", default=FRAMES, help="first-last, both included, or one frame [%(default)s]"
    )
    parser.add_argument(
        "--size", type=int, default=256, help="width and height in pixels [%(default)s]"
    )
    parser.add_argument(
        "--samples", type=int, default=8, help="Cycles samples a pixel [%(default)s]"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the property values and the noise [%(default)s]"
    )
    parser.add_argument(
        "--format", choices=("png", "jpg"), default="png", help="of the images [%(default)s]"
    )
    parser.add_argument(
        "--device", choices=DEVICES, default="CPU", help="what Cycles renders on [%(default)s]"
    )
    parser.add_argument(
        "--car-models",
        metavar="DIR",
        help="your own cars, which DIR/cars.csv lists; or procedural:N, N cars sampled from the seed",
    )
    parser.add_argument(
        "--variations", action="store_true", help="render one property at a time instead of samples"
    )
    parser.add_argument(
        "--counterfactuals",
        metavar="N",
        type=int,
        help=f"render N counterfactual sets of {FRAMES_OF_A_SET} frames instead of samples",
    )
    arguments = parser.parse_args()
    check_range(arguments, size=16_384, samples=100_000, counterfactuals=MAX_SETS)
    return arguments


def _cars(text):
    """(folder of the user's own cars, how many cars to draw), of which one or both are None."""
    word, _, count = (text or "").partition(":")
    if word != PROCEDURAL:
        return Path(text) if text else None, None
    if not re.fullmatch("[1-9][0-9]{0,8}", count) or int(count) > MOST_CARS:
        raise InputError(
            f"--car-models {text}: give a number of cars from 1 to {MOST_CARS}, such as {PROCEDURAL}:96"
        )
    return None, int(count)


def _frames(text):
    """The frames of "first-last" or "one"."""
    match = re.fullmatch(r"([1-9][0-9]*)(?:-([1-9][0-9]*))?", text)
    if not match or not int(match[1]) <= int(match[2] or match[1]) <= LAST_FRAME:
        raise InputError(
            f"--frames {text}: give whole numbers from 1 to {LAST_FRAME}, a range such as {FRAMES} or one frame"
        )
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _renderer():
    """The module that renders; only the environment of the renderer can import it."""
    try:
        return importlib.import_module("dml_analysis.renderer.frame_folder")
    except ImportError as error:
        if advice := libraries.advice(error):
            raise InputError(advice) from None
        if error.name not in ("bpy", "mathutils", "tqdm", "numpy"):
            raise
        raise InputError(
            f"no module {error.name}: rendering needs Blender as a Python module: run `make render-env`, "
            "or pip install -r requirements-render.txt in an environment of its own"
        ) from None


def main():
    arguments = _arguments()
    frames = _frames(arguments.frames)
    arguments.car_models, arguments.procedural = _cars(arguments.car_models)
    if arguments.procedural and arguments.variations:
        raise InputError(
            f"--variations goes with the six cars or your own in their place, not with {PROCEDURAL}:N"
        )
    if arguments.counterfactuals and (
        arguments.procedural or arguments.variations or arguments.frames != FRAMES
    ):
        raise InputError(
            "--counterfactuals goes with the six cars or your own in their place, and neither with --variations nor --frames"
        )
    frame_folder = _renderer()
    if arguments.counterfactuals:
        frames = range(1, arguments.counterfactuals * FRAMES_OF_A_SET + 1)
    if arguments.variations:
        print(frame_folder.render_variations(arguments))
    else:
        print(frame_folder.render_frames(arguments, frames))


if __name__ == "__main__":
    run_script(main)
