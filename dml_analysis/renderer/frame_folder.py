"""Fills a folder with rendered frames. Several processes may do so together, and each may be stopped at any time.

A frame is an image and its mask. The mask is written first, so that an image of ours has one.
"""

import os
import shutil
import signal
import sys
from contextlib import contextmanager

from tqdm import tqdm

from dml_analysis import leases, provenance
from dml_analysis.errors import InputError
from dml_analysis.files import atomic_files
from dml_analysis.renderer import car_scene, mask_files, sampled_cars, sampling
from dml_analysis.renderer.car_models import CARS
from dml_analysis.seeds import derived_seed

RECORDED = ("size", "samples", "seed", "format", "variations")  # the options that change a picture
BYTES_PER_PIXEL = {"png": 1.3, "jpg": 0.2}  # rather more than pictures of the cars take


def render_frames(options, frames):
    """Renders those of `frames` that have no image or no mask yet; returns a line that says what was done.

    `options` are those of 2_render_cars.py. Raises InputError, before anything is rendered, if the folder was made with
    other options, the disk has no room, or a device or car does not exist.
    """
    count = options.procedural

    def values_of(frame):
        if options.counterfactuals:
            return sampling.draw_counterfactual(frame, options.seed)
        return sampling.draw_procedural(frame, options.seed, count) if count else sampling.draw(frame, options.seed)

    def picture(scene, frame):
        values = values_of(frame)
        car = sampled_cars.drawn_car(sampled_cars.number_of(values["model"]), options.seed) if count else None
        car_scene.apply(scene, values, car)
        _render(scene, options, frame, noise_of(frame))

    def noise_of(frame):
        if options.counterfactuals:  # one for all frames of a scene, so that it is no difference between them
            return derived_seed(options.seed, "counterfactual noise", (frame - 1) // sampling.FRAMES_OF_A_SCENE)
        return derived_seed(options.seed, "noise", frame)

    return _fill(options, frames, values_of, f"seed {options.seed}", picture)


def render_variations(options):
    """Renders sampling.variations(), and the outline of the car in each as silhouettes/<frame>.png; else as above."""
    variations = sampling.variations()

    def values_of(frame):
        return variations[frame - 1][1] if frame <= len(variations) else dict.fromkeys(sampling.BASE, "no variation")

    def pictures(scene, frame):
        car_scene.apply(scene, values_of(frame))
        silhouette = options.output / "silhouettes" / f"{frame}.png"
        with car_scene.outlined(scene), atomic_files.written_aside(silhouette) as aside:
            car_scene.render(scene, aside, 0)
        _render(scene, options, frame, 0)  # the same noise in all, so that it is no difference

    frames = range(1, len(variations) + 1)
    return _fill(options, frames, values_of, "the list of variations", pictures)


def image_file(options, frame):
    return options.output / "images" / f"{frame}.{options.format}"


def mask_file(options, frame):
    return options.output / "masks" / f"{frame}.png"


def _is_done(options, frame):
    return image_file(options, frame).is_file() and mask_file(options, frame).is_file()


def _render(scene, options, frame, seed):
    """Writes what a frame lacks: mask and image, or, of an image that was rendered before there were masks, the mask."""
    if image_file(options, frame).is_file():
        mask_files.write(mask_file(options, frame), car_scene.mask_alone(scene))
        return
    with atomic_files.written_aside(image_file(options, frame)) as aside:
        car_scene.render(scene, aside, seed)
        mask_files.write(mask_file(options, frame), car_scene.mask(scene))


def _fill(options, frames, values_of, source, render):
    """Calls render(scene, frame) for each frame that is not done and that nobody else is at."""
    there, masks = _names(options.output / "images"), _names(options.output / "masks")
    todo = [f for f in frames if f"{f}.{options.format}" not in there or f"{f}.png" not in masks]
    _check_options(options, there)
    _check_disk(options, sum(f"{frame}.{options.format}" not in there for frame in todo))
    with _quiet():
        scene = _build(options) if todo else None
        with leases.locked(options.output / "samples.csv"):
            _note_options(options)
            if options.procedural:
                sampling.write_models(
                    options.output / "properties.csv",
                    [sampled_cars.name_of(number) for number in range(1, options.procedural + 1)],
                )
            sampling.write_samples(options.output / "samples.csv", frames, values_of, source)
        ours = sum(1 for _ in _rendered(scene, options, todo, render))
    left = sum(not _is_done(options, frame) for frame in todo) if ours < len(todo) else 0
    elsewhere = f"; {left} still at work in other processes" if left else ""
    return f"{len(frames)} frames in {options.output / 'images'} ({ours} rendered now{elsewhere})"


def _names(folder):
    """The names of the files in a folder, which is made if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    return {path.name for path in folder.iterdir()}


def _build(options):
    # Cars drawn from a seed are made when they are first shown: of hundreds, a run may show few.
    cars = options.car_models or ({} if options.procedural else CARS)
    return car_scene.build(options.size, options.samples, options.format, options.device, cars)


def _rendered(scene, options, todo, render):
    """Renders the frames of `todo` that nobody else renders, and yields them."""
    # Blender takes Ctrl-C for itself, and drops an exception raised while it renders: look between two frames.
    interrupts = []
    signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))
    for frame in tqdm(todo, unit="frame", disable=not todo):
        with leases.leased(options.output, frame) as ours:
            if ours and not _is_done(options, frame):
                render(scene, frame)
                yield frame
        if interrupts:
            raise KeyboardInterrupt


def _recorded(options):
    recorded = {name: getattr(options, name) for name in RECORDED}
    procedural = f"procedural:{options.procedural}" if options.procedural else None
    recorded |= {"car_models": str(options.car_models.resolve()) if options.car_models else procedural}
    return recorded | ({"counterfactuals": True} if options.counterfactuals else {})


def _check_options(options, images):
    """InputError if rendered_with.json says that the folder was made with other options, or does not exist to say so."""
    file = options.output / "rendered_with.json"
    if not file.is_file():
        if any(not name.startswith(".") for name in images):
            raise InputError(f"{file}: missing, so these images may be anyone's; give another --output")
        return
    before, now = atomic_files.read_json(file), _recorded(options)
    for name in dict.fromkeys([*now, "counterfactuals"]):
        if before.get(name) != now.get(name):
            raise InputError(
                f"{file}: the folder was made with {name} = {before.get(name)}, not {now.get(name)}; "
                "give the same options, or another --output"
            )


def _note_options(options):
    file = options.output / "rendered_with.json"
    if file.is_file():
        _check_options(options, ())  # another process may just have noted its own
    else:
        note = _recorded(options) | {"blender": car_scene.bpy.app.version_string, "git_commit": provenance.git_commit()}
        atomic_files.write_json(file, note)


def _check_disk(options, count):
    free = shutil.disk_usage(options.output).free
    need = count * options.size**2 * BYTES_PER_PIXEL[options.format]
    if free < need:
        raise InputError(
            f"{options.output}: {free / 1e6:,.0f} MB are free, {count} images may take {need / 1e6:,.0f} MB; "
            "make room, or give fewer --frames, a smaller --size or --format jpg"
        )


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
