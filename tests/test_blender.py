"""The renderer itself, small and in few samples: needs the environment that `make render-env` makes, else skipped."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

from dml_analysis import paper
from dml_analysis.datasets import masks
from dml_analysis.renderer import camera, sampling
from tests import fake_data
from tests.conftest import ROOT

PYTHON = Path(os.environ.get("RENDER_VENV", ROOT / ".venv-render")) / "bin" / "python"
SMALL = ("--size", "48", "--samples", "2")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"no {PYTHON}; `make render-env` makes it"),
]


def command(output, *options):
    return [
        str(PYTHON),
        str(ROOT / "data" / "2_render_cars.py"),
        "--output",
        str(output),
        *SMALL,
        *options,
    ]


def render(output, *options):
    done = subprocess.run(command(output, *options), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fails(words):
    """The line in which the command ends; the progress bar before it is left out."""
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def images(folder):
    """name -> bytes of all that is in images/, hidden files too."""
    return {path.name: path.read_bytes() for path in (folder / "images").iterdir()}


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    """Frames 1 to 12, rendered in one go. Tests leave them as they are."""
    folder = tmp_path_factory.mktemp("twelve")
    assert "(12 rendered now)" in render(folder, "--frames", "1-12")
    return folder


def test_a_folder_of_frames(twelve):
    assert set(images(twelve)) == {f"{frame}.png" for frame in range(1, 13)}
    assert [int(row["frame"]) for row in fake_data.read_rows(twelve / "samples.csv")] == list(
        range(1, 13)
    )
    for frame in range(1, 13):
        with Image.open(twelve / "images" / f"{frame}.png") as image:
            assert image.size == (48, 48) and image.mode == "RGB"
    assert len(set(images(twelve).values())) == 12


def test_a_frame_alone_comes_out_the_same(twelve, tmp_path):
    render(tmp_path, "--frames", "7")
    assert images(tmp_path) == {"7.png": images(twelve)["7.png"]}


def test_the_last_frame_of_a_counterfactual_set_has_other_noise_alone(tmp_path):
    render(tmp_path, "--counterfactuals", "2")
    pictures = images(tmp_path)
    assert set(pictures) == {f"{frame}.png" for frame in range(1, 27)}
    for base, last in ((1, 13), (14, 26)):
        assert pictures[f"{base}.png"] != pictures[f"{last}.png"]
        seen = [masks.read(tmp_path / "masks" / f"{frame}.png") for frame in (base, last)]
        assert np.array_equal(*seen)


# ---------------------------------------------------------------------------------------------------------------------
# Masks.
# ---------------------------------------------------------------------------------------------------------------------
def test_masks_have_the_horizon_where_geometry_puts_it(twelve):
    """Above it there is backdrop or car, below it ground or car, in every pixel but those of the row that it cuts."""
    assert {path.name for path in (twelve / "masks").iterdir()} == {
        f"{frame}.png" for frame in range(1, 13)
    }
    for row in fake_data.read_rows(twelve / "samples.csv"):
        mask = masks.read(twelve / "masks" / f"{row['frame']}.png")
        horizon = 48 * camera.horizon(float(row["camera_loc_z"]))
        above, below = mask[: int(horizon)], mask[int(np.ceil(horizon)) :]
        assert not (above == masks.GROUND).any() and not (below == masks.BACKDROP).any()
        beside = [line[line != masks.CAR] for line in (above, below)]
        assert all(len(each) > 100 for each in beside) and 60 < (mask == masks.CAR).sum() < 700


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    """Every property at every value, beside silhouettes of the car: [(property, mask, silhouette)]."""
    folder = tmp_path_factory.mktemp("varied")
    render(folder, "--variations")
    found = []
    for frame, (name, _) in enumerate(sampling.variations(), start=1):
        with Image.open(folder / "silhouettes" / f"{frame}.png") as image:
            opaque = np.asarray(image.getchannel("A")) > 127
        found.append((name, masks.read(folder / "masks" / f"{frame}.png"), opaque))
    return found


def test_the_car_of_a_mask_is_its_silhouette(varied):
    """Pixel by pixel, but for those at its edge, of which a silhouette has parts."""
    for _, mask, opaque in varied:
        car = mask == masks.CAR
        inside = binary_erosion(opaque, np.ones((3, 3)))
        around = binary_dilation(opaque, np.ones((3, 3)))
        assert (car >= inside).all() and (car <= around).all()
        assert abs(int(car.sum()) - int(opaque.sum())) < 0.1 * opaque.sum()


def test_colours_and_light_move_nothing_in_a_mask(varied):
    """Shadows are ground. What moves the car or the camera changes it."""
    of_property = {}
    for name, mask, _ in varied:
        of_property.setdefault(name, []).append(mask)
    for name, some in of_property.items():
        same = [np.array_equal(mask, some[0]) for mask in some[1:]]
        assert not any(same) if name in ("model", "rotation_z", "camera_loc_z") else all(same), name


def test_a_mask_that_is_missing_is_added(twelve, tmp_path):
    shutil.copytree(twelve, tmp_path / "cars")
    (tmp_path / "cars/masks/3.png").unlink()
    (tmp_path / "cars/masks/5.png").unlink()
    (tmp_path / "cars/images/5.png").unlink()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "cars/images").iterdir()}
    render(tmp_path / "cars", "--frames", "1-12")
    assert images(tmp_path / "cars") == images(twelve)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    for frame in (3, 5):
        mask = f"masks/{frame}.png"
        assert (tmp_path / "cars" / mask).read_bytes() == (twelve / mask).read_bytes()


# ---------------------------------------------------------------------------------------------------------------------
# Cars drawn from the seed.
# ---------------------------------------------------------------------------------------------------------------------
def test_drawn_cars(tmp_path):
    """A car is the same however many there are, and takes turns with the others."""
    render(tmp_path / "three", "--frames", "1-4", "--car-models", "procedural:3")
    render(tmp_path / "five", "--frames", "2-3", "--car-models", "procedural:5")
    three, five = images(tmp_path / "three"), images(tmp_path / "five")
    assert len(set(three.values())) == 4 and {name: three[name] for name in five} == five
    rows = fake_data.read_rows(tmp_path / "three/samples.csv")
    assert [row["model"] for row in rows] == ["Car 1", "Car 2", "Car 3", "Car 1"]
    assert (tmp_path / "three/properties.csv").read_text().splitlines() == [
        "property,values",
        "model,Car 1|Car 2|Car 3",
    ]
    told = fails(command(tmp_path / "three", "--frames", "1-4", "--car-models", "procedural:4"))
    assert "made with car_models = procedural:3, not procedural:4" in told


# ---------------------------------------------------------------------------------------------------------------------
# Several processes, other options.
# ---------------------------------------------------------------------------------------------------------------------
def test_processes_share_a_folder(twelve, tmp_path):
    runs = [
        subprocess.Popen(
            command(tmp_path, "--frames", frames),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for frames in ("1-12", "1-12", "5-12")
    ]
    outputs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert images(tmp_path) == images(twelve)
    assert (tmp_path / "samples.csv").read_bytes() == (twelve / "samples.csv").read_bytes()
    rendered = [int(output.split("(")[1].split()[0]) for output in outputs]
    assert sum(rendered) == 12  # none twice


def test_a_killed_run_goes_on(twelve, tmp_path):
    run = subprocess.Popen(
        command(tmp_path, "--frames", "1-12"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while run.poll() is None and len(list((tmp_path / "images").glob("[0-9]*"))) < 3:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    # As a run leaves it that is killed while writing.
    (tmp_path / "images" / f".12.{socket.gethostname()}-{run.pid}.png").write_bytes(
        b"half an image"
    )
    assert 3 <= len(images(tmp_path)) < 12 + 1
    render(tmp_path, "--frames", "1-12")
    assert images(tmp_path) == images(twelve)


def test_other_options_are_refused(twelve, tmp_path):
    render(tmp_path, "--frames", "1")
    before = images(tmp_path)
    assert "made with samples = 2, not 4" in fails(
        command(tmp_path, "--frames", "2", "--samples", "4")
    )
    assert "made with seed = 0, not 1" in fails(command(tmp_path, "--frames", "2", "--seed", "1"))
    assert images(tmp_path) == before
    (tmp_path / "rendered_with.json").unlink()
    assert "missing, so the options of these images are unknown" in fails(
        command(tmp_path, "--frames", "2")
    )
    assert images(tmp_path) == before


def test_samples_that_disagree_with_the_seed(tmp_path):
    render(tmp_path, "--frames", "1-2")
    file = tmp_path / "samples.csv"
    file.write_text(file.read_text().replace("\n2,", "\n2,Trabant and ", 1))
    edited = file.read_bytes()
    assert "samples.csv: frame 2, column model is Trabant and" in fails(
        command(tmp_path, "--frames", "1-3")
    )
    assert file.read_bytes() == edited and set(images(tmp_path)) == {"1.png", "2.png"}


def test_full_disk(tmp_path):
    """A limit on the size of files stands in for the end of the disk."""
    (tmp_path / "images").mkdir()
    limited = [
        "bash",
        "-c",
        'trap "" XFSZ; ulimit -f 1; exec "$@"',
        "-",
        *command(tmp_path, "--frames", "1-2"),
    ]
    assert "wrote an incomplete file; check that the disk is not full" in fails(limited)
    assert images(tmp_path) == {}


def test_no_such_device(tmp_path):
    assert "--device CUDA: " in fails(command(tmp_path, "--frames", "1", "--device", "CUDA"))


# ---------------------------------------------------------------------------------------------------------------------
# A user's own cars.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def own_cars(tmp_path_factory):
    """The project's cars as .glb, .obj and .blend files: twice too large, beside the origin, turned."""
    folder = tmp_path_factory.mktemp("own") / "cars"
    subprocess.run(
        [PYTHON, ROOT / "tests" / "export_cars.py", folder], check=True, capture_output=True
    )
    return folder


def test_own_cars(own_cars, tmp_path):
    """They come out as the project's own: same place, size, direction and paint."""
    render(tmp_path / "own", "--frames", "1-15", "--car-models", str(own_cars))
    render(tmp_path / "ours", "--frames", "1-15")
    assert {sampling.draw(frame, 0)["model"] for frame in range(1, 16)} == set(paper.CAR_MODELS)
    differing = []
    for frame in range(1, 16):
        ours, theirs = (
            np.asarray(Image.open(tmp_path / folder / "images" / f"{frame}.png"), dtype=float)
            for folder in ("ours", "own")
        )
        differing.append((np.abs(ours - theirs).mean(axis=2) > 30).mean())
    assert np.mean(differing) < 0.02  # 0.007 of the pixels; with all cars back to front it is 0.048


@pytest.mark.parametrize(
    "change, message",
    [({"file": "absent.glb"}, "absent.glb: missing"),
     ({"file": "broken.glb"}, "broken.glb: does not load"),
     ({"file": "car.fbx"}, "'car.fbx' is not one of .blend, .glb, .gltf, .obj"),
     ({"paint": "chrome"}, "no part has the material 'chrome'; name one of black, dark,"),
     ({"model": "Trabant"}, "column model: 'Trabant' is not one of Ferrari Enzo")],
)  # fmt: skip
def test_bad_cars(own_cars, tmp_path, change, message):
    folder = tmp_path / "cars"
    folder.mkdir()
    for file in own_cars.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "broken.glb").write_bytes(b"\0 this is no car")
    rows = fake_data.read_rows(own_cars / "cars.csv")
    rows[0] |= change
    (folder / "cars.csv").unlink()
    with open(folder / "cars.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert message in fails(command(tmp_path / "out", "--frames", "1", "--car-models", str(folder)))
    assert not (
        tmp_path / "out" / "samples.csv"
    ).exists()  # nothing that would stand in the way of a better call
