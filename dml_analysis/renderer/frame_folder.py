"""Rendering of frames into a folder, by several processes that may each stop at any time.

A frame is an image and its mask. The mask is written first, so that every image has one.
"""

import os
import shutil
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dml_analysis import leases, provenance
from dml_analysis.errors import InputError
from dml_analysis.files import atomic_files
from dml_analysis.renderer import car_scene, mask_files, sampled_cars, sampling
from dml_analysis.renderer.car_models import CARS
from dml_analysis.seeds import derived_seed

RECORDED = ("size", "samples", "seed", "format", "variations")  # options that change a picture
BYTES_PER_PIXEL = {"png": 1.3, "jpg": 0.2}  # a little more than pictures of the cars need
Values = dict[str, Any]  # property name -> value
Render = Callable[[Any, int], None]  # renders a frame of a Blender scene


def render_frames(options: Namespace, frames: Sequence[int]) -> str:
    """Render the frames whose image or mask is missing; return a line that says what was done.

    `options` are those of 2_render_cars.py. Raise InputError, before rendering, if the folder was
    made with other options, the disk is too full, or a device or car does not exist.
    """
    count = options.procedural

    def values_of(frame: int) -> Values:
        if options.counterfactuals:
            return sampling.draw_counterfactual(frame, options.seed)
        if count:
            return sampling.draw_procedural(frame, options.seed, count)
        return sampling.draw(frame, options.seed)

    def render(scene: Any, frame: int) -> None:
        values, car = values_of(frame), None
        if count:
            car = sampled_cars.drawn_car(sampled_cars.number_of(values["model"]), options.seed)
        car_scene.apply(scene, values, car)
        _render(scene, options, frame, noise_of(frame))

    def noise_of(frame: int) -> int:
        if options.counterfactuals:
            return sampling.counterfactual_noise(frame, options.seed)
        return derived_seed(options.seed, "noise", frame)

    return _fill(options, frames, values_of, f"seed {options.seed}", render)


def render_variations(options: Namespace) -> str:
    """Render sampling.variations() as render_frames does, and the car's outline in each frame.

    The outlines are written to silhouettes/<frame>.png.
    """
    variations = sampling.variations()

    def values_of(frame: int) -> Values:
        if frame <= len(variations):
            return variations[frame - 1][1]
        return dict.fromkeys(sampling.BASE, "no variation")

    def render(scene: Any, frame: int) -> None:
        car_scene.apply(scene, values_of(frame))
        silhouette = options.output / "silhouettes" / f"{frame}.png"
        with car_scene.outlined(scene), atomic_files.written_aside(silhouette) as temporary:
            car_scene.render(scene, temporary, 0)
        _render(scene, options, frame, 0)  # the same noise in all frames, which thus do not differ

    frames = range(1, len(variations) + 1)
    return _fill(options, frames, values_of, "the list of variations", render)


def image_file(options: Namespace, frame: int) -> Path:
    """Return the path of a frame's image."""
    return options.output / "images" / f"{frame}.{options.format}"


def mask_file(options: Namespace, frame: int) -> Path:
    """Return the path of a frame's mask."""
    return options.output / "masks" / f"{frame}.png"


def _is_done(options: Namespace, frame: int) -> bool:
    """Return whether a frame has its image and its mask."""
    return image_file(options, frame).is_file() and mask_file(options, frame).is_file()


def _render(scene: Any, options: Namespace, frame: int, seed: int) -> None:
    """Write the missing files of a frame: mask and image, or the mask of an existing image."""
    if image_file(options, frame).is_file():
        mask_files.write(mask_file(options, frame), car_scene.mask_alone(scene))
        return
    with atomic_files.written_aside(image_file(options, frame)) as temporary:
        car_scene.render(scene, temporary, seed)
        mask_files.write(mask_file(options, frame), car_scene.mask(scene))


def _fill(
    options: Namespace,
    frames: Sequence[int],
    values_of: Callable[[int], Values],
    source: str,
    render: Render,
) -> str:
    """Call render(scene, frame) for each unfinished frame that no other process renders.

    Return a line that says what was done. `source` says where the values come from.
    """
    images, masks = _names(options.output / "images"), _names(options.output / "masks")
    unfinished = [
        frame
        for frame in frames
        if f"{frame}.{options.format}" not in images or f"{frame}.png" not in masks
    ]
    _check_options(options, images)
    _check_disk(options, sum(f"{frame}.{options.format}" not in images for frame in unfinished))
    with _quiet():
        scene = _build(options) if unfinished else None
        with leases.locked(options.output / "samples.csv"):
            _record_options(options)
            if options.procedural:
                numbers = range(1, options.procedural + 1)
                names = [sampled_cars.name_of(number) for number in numbers]
                sampling.write_models(options.output / "properties.csv", names)
            sampling.write_samples(options.output / "samples.csv", frames, values_of, source)
        count = sum(1 for _ in _rendered(scene, options, unfinished, render))
    remaining = 0
    if count < len(unfinished):
        remaining = sum(not _is_done(options, frame) for frame in unfinished)
    elsewhere = f"; other processes are rendering {remaining}" if remaining else ""
    folder = options.output / "images"
    return f"{len(frames)} frames in {folder} ({count} rendered now{elsewhere})"


def _names(folder: Path) -> set[str]:
    """Return the names of the files in a folder, which is created if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    return {path.name for path in folder.iterdir()}


def _build(options: Namespace) -> Any:
    """Return a Blender scene with the cars of the options.

    Procedural cars are built when they are first shown, as a process may show few of hundreds.
    """
    cars = options.car_models or ({} if options.procedural else CARS)
    return car_scene.build(options.size, options.samples, options.format, options.device, cars)


def _rendered(
    scene: Any, options: Namespace, frames: Sequence[int], render: Render
) -> Iterator[int]:
    """Render the frames that no other process renders, and yield each once it is finished."""
    # Blender catches Ctrl-C, and drops exceptions raised while it renders, so check between frames.
    interrupts: list[bool] = []
    signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))
    for frame in tqdm(frames, unit="frame", disable=not frames):
        with leases.leased(options.output, frame) as is_ours:
            if is_ours and not _is_done(options, frame):
                render(scene, frame)
                yield frame
        if interrupts:
            raise KeyboardInterrupt


def _recorded(options: Namespace) -> dict[str, Any]:
    """Return the options that rendered_with.json records."""
    record = {name: getattr(options, name) for name in RECORDED}
    procedural = f"procedural:{options.procedural}" if options.procedural else None
    folder = options.car_models
    record |= {"car_models": str(folder.resolve()) if folder else procedural}
    return record | ({"counterfactuals": True} if options.counterfactuals else {})


def _check_options(options: Namespace, images: Collection[str]) -> None:
    """Raise InputError if rendered_with.json records other options.

    Raise it, too, if the file is missing and there are images.
    """
    file = options.output / "rendered_with.json"
    if not file.is_file():
        if any(not name.startswith(".") for name in images):
            raise InputError(
                f"{file}: missing, so the options of these images are unknown; give another --output"
            )
        return
    before, now = atomic_files.read_json(file), _recorded(options)
    for name in dict.fromkeys([*now, "counterfactuals"]):
        if before.get(name) != now.get(name):
            raise InputError(
                f"{file}: the folder was made with {name} = {before.get(name)}, "
                f"not {now.get(name)}; give the same options, or another --output"
            )


def _record_options(options: Namespace) -> None:
    """Write rendered_with.json, or check it if it exists."""
    file = options.output / "rendered_with.json"
    if file.is_file():
        _check_options(options, ())  # another process may just have written its own
    else:
        record = _recorded(options)
        record["blender"] = car_scene.bpy.app.version_string
        record["git_commit"] = provenance.git_commit()
        atomic_files.write_json(file, record)


def _check_disk(options: Namespace, count: int) -> None:
    """Raise InputError if the disk has too little space for so many images."""
    free = shutil.disk_usage(options.output).free
    need = count * options.size**2 * BYTES_PER_PIXEL[options.format]
    if free < need:
        raise InputError(
            f"{options.output}: {free / 1e6:,.0f} MB are free, "
            f"but {count} images may need {need / 1e6:,.0f} MB; "
            "free some space, or give fewer --frames, a smaller --size or --format jpg"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what Blender prints for every frame. Its C code bypasses sys.stdout."""
    sys.stdout.flush()
    stdout, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(null)
