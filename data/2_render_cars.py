"""Render the cars: pictures that differ in eleven independent properties (Table 5), and samples.csv that lists them.

Needs Blender as a Python module (requirements-render.txt). A stopped run goes on where it was: frames whose image
exists are skipped. Any frame comes out the same whichever range it is rendered in, and several processes may fill one
folder together. With --variations, instead: one property at a time, for data/3_check_renderer.py.
"""

import argparse
import importlib
import re
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from common.errors import InputError, check_range, run_script

FRAMES = "1-100000"
LAST_FRAME = 10**7
LIBRARIES = "libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1"  # even without a display
DEVICES = ("CPU", "CUDA", "OPTIX", "HIP", "METAL")


def _arguments():
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], epilog="example: %(prog)s --frames 1-600 --output /tmp/cars"
    )
    output = utils.PATHS["RenderedCars"]
    parser.add_argument("--output", type=Path, default=output, help="folder for samples.csv and images/ [%(default)s]")
    parser.add_argument("--frames", default=FRAMES, help="first-last, both included, or one frame [%(default)s]")
    parser.add_argument("--size", type=int, default=256, help="width and height in pixels [%(default)s]")
    parser.add_argument("--samples", type=int, default=8, help="Cycles samples a pixel [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of the property values and the noise [%(default)s]")
    parser.add_argument("--format", choices=("png", "jpg"), default="png", help="of the images [%(default)s]")
    parser.add_argument("--device", choices=DEVICES, default="CPU", help="what Cycles renders on [%(default)s]")
    parser.add_argument("--car-models", type=Path, metavar="DIR", help="your own cars; DIR/cars.csv lists them")
    parser.add_argument("--variations", action="store_true", help="render one property at a time instead of draws")
    arguments = parser.parse_args()
    check_range(arguments, size=16_384, samples=100_000)
    return arguments


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
        return importlib.import_module("data.renderer.frame_folder")
    except ImportError as error:
        if "shared object" in str(error):
            raise InputError(
                f"Blender needs a library of the system ({error}): on Debian or Ubuntu, apt-get install {LIBRARIES}"
            ) from None
        if error.name not in ("bpy", "mathutils", "tqdm", "numpy"):
            raise
        raise InputError(
            f"no module {error.name}: rendering needs Blender as a Python module: run `make render-env`, "
            "or pip install -r requirements-render.txt in an environment of its own"
        ) from None


def main():
    arguments = _arguments()
    frames = _frames(arguments.frames)
    frame_folder = _renderer()
    if arguments.variations:
        print(frame_folder.render_variations(arguments))
    else:
        print(frame_folder.render_frames(arguments, frames))


if __name__ == "__main__":
    run_script(main)
