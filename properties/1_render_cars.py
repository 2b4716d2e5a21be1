"""Render the cars: pictures that differ in eleven independent properties (Table 5), and samples.csv that lists them.

Needs Blender as a Python module (requirements-render.txt). A stopped run goes on where it was: frames whose image
exists are skipped. Any frame comes out the same whichever range it is rendered in.
"""

import argparse
import importlib
import os
import re
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from properties import sampling

FRAMES = "1-100000"


def _arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog="example: %(prog)s --frames 1-600 --output /tmp/cars   (600 frames take 10 to 25 minutes on two cores)",
    )
    output = utils.PATHS["RenderedCars"]
    parser.add_argument("--output", type=Path, default=output, help="folder for samples.csv and images/ [%(default)s]")
    parser.add_argument("--frames", default=FRAMES, help="first-last, both included, or one frame [%(default)s]")
    parser.add_argument("--size", type=int, default=256, help="width and height in pixels [%(default)s]")
    parser.add_argument("--samples", type=int, default=16, help="Cycles samples a pixel [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of the property values and the noise [%(default)s]")
    parser.add_argument("--format", choices=("png", "jpg"), default="png", help="of the images [%(default)s]")
    arguments = parser.parse_args()
    for name in ("size", "samples"):
        if getattr(arguments, name) < 1:
            raise utils.InputError(f"--{name} {getattr(arguments, name)}: must be at least 1")
    return arguments


def _frames(text):
    """The frames of "first-last" or "one"."""
    match = re.fullmatch(r"([1-9]\d*)(?:-([1-9]\d*))?", text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise utils.InputError(f"--frames {text}: give whole numbers from 1 on, a range such as {FRAMES} or one frame")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _renderer():
    """The module that renders, and tqdm."""
    try:
        return importlib.import_module("properties.car_scene"), importlib.import_module("tqdm").tqdm
    except ModuleNotFoundError as error:
        if error.name not in ("bpy", "mathutils", "tqdm", "numpy"):
            raise
        raise utils.InputError(
            f"no module {error.name}: rendering needs Blender as a Python module: run `make cars`, "
            "or pip install -r requirements-render.txt in an environment of its own"
        ) from None


def _missing(images, frames, image_format):
    """The frames that have no image yet."""
    there = {path.name for path in images.glob("[0-9]*.*")} if images.exists() else set()
    other = {"png": "jpg", "jpg": "png"}[image_format]
    mixed = next((frame for frame in frames if f"{frame}.{other}" in there), None)
    if mixed is not None:
        raise utils.InputError(f"{images / f'{mixed}.{other}'} exists: give --format {other}, or another --output")
    return [frame for frame in frames if f"{frame}.{image_format}" not in there]


@contextmanager
def _quiet():
    """Hides what Blender prints for every frame: its C code writes past sys.stdout."""
    sys.stdout.flush()
    stdout, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(null)


def _render(arguments, frames, todo, car_scene, progress):
    """Renders the frames `todo`, a part of `frames`."""
    images = arguments.output / "images"
    scene = car_scene.build(arguments.size, arguments.samples, arguments.format)
    # Blender takes Ctrl-C for itself, and drops an exception raised while it renders: look between two frames.
    interrupts = []
    signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))
    for frame in progress(todo, initial=len(frames) - len(todo), total=len(frames), unit="frame"):
        car_scene.apply(scene, sampling.draw(frame, arguments.seed))
        with utils.written_aside(images / f"{frame}.{arguments.format}") as aside:
            car_scene.render(scene, aside, utils.derived_seed(arguments.seed, "noise", frame))
        if interrupts:
            raise KeyboardInterrupt


def main():
    arguments = _arguments()
    frames = _frames(arguments.frames)
    car_scene, progress = _renderer()
    sampling.write_samples(arguments.output / "samples.csv", frames, arguments.seed)
    images = arguments.output / "images"
    todo = _missing(images, frames, arguments.format)
    if todo:
        with _quiet():
            _render(arguments, frames, todo, car_scene, progress)
    print(f"{len(frames)} frames in {images} ({len(todo)} rendered now)")


if __name__ == "__main__":
    utils.run_script(main)
