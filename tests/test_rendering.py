"""The draws of the rendered cars, the measures of the renderer's check, and the render script without Blender."""

import csv
import shutil
import subprocess
import sys
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from PIL import Image

from dml_analysis import checkout, paper
from dml_analysis.datasets import masks, variation_measures
from dml_analysis.errors import InputError
from dml_analysis.renderer import camera, libraries, sampling
from tests import fake_data

SCRIPT = "data/2_render_cars.py"


# ---------------------------------------------------------------------------------------------------------------------
# Draws.
# ---------------------------------------------------------------------------------------------------------------------
def write(path, frames, seed):
    sampling.write_samples(path, frames, lambda frame: sampling.draw(frame, seed), f"seed {seed}")


def test_draws_depend_on_nothing_but_frame_and_seed(tmp_path):
    assert sampling.draw(7, 0) == sampling.draw(7, 0) != sampling.draw(7, 1)
    write(tmp_path / "a.csv", range(1, 21), 0)
    write(tmp_path / "b.csv", range(11, 21), 0)
    write(tmp_path / "b.csv", range(1, 11), 0)
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


@pytest.fixture(scope="module")
def codes():
    """(100,000, 11): which of its values each property has in the frames of the full dataset."""
    frames = [sampling.draw(frame, 0) for frame in range(1, 100_001)]
    return np.array(
        [[prop.values.index(frame[prop.name]) for prop in paper.PROPERTIES] for frame in frames]
    )


@pytest.mark.parametrize("column", range(11))
def test_every_value_is_drawn_equally_often(codes, column):
    count, values = len(codes), len(paper.PROPERTIES[column].values)
    counts = np.bincount(codes[:, column], minlength=values)
    error = np.sqrt(count * (1 - 1 / values) / values)
    assert len(counts) == values and abs(counts - count / values).max() < 4 * error


def test_properties_are_drawn_independently(codes):
    pvalues = []
    for a, b in combinations(range(11), 2):
        table = np.zeros((codes[:, a].max() + 1, codes[:, b].max() + 1))
        np.add.at(table, (codes[:, a], codes[:, b]), 1)
        pvalues.append(scipy.stats.chi2_contingency(table).pvalue)
    assert len(pvalues) == 55 and min(pvalues) > 0.01 / 55
    # Neither too good to be random: 55 p-values of independent draws are uniform.
    assert scipy.stats.kstest(pvalues, "uniform").pvalue > 0.01


# ---------------------------------------------------------------------------------------------------------------------
# samples.csv.
# ---------------------------------------------------------------------------------------------------------------------
def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "name, count, draw, most_bytes",
    [("sample_cars", 600, sampling.draw, 12e6),
     ("sample_synthetic_cars", 768, lambda frame, seed: sampling.draw_procedural(frame, seed, 48), 8e6)],
)  # fmt: skip
def test_the_shipped_samples_are_what_seed_0_draws(name, count, draw, most_bytes):
    folder, frames = checkout.ROOT / "data" / name, range(1, count + 1)
    rows = fake_data.read_rows(folder / "samples.csv")
    assert [row["frame"] for row in rows] == [str(frame) for frame in frames]
    for row in rows:
        values = draw(int(row["frame"]), 0)
        assert {p.name: row[p.name] for p in paper.PROPERTIES} == {
            key: str(value) for key, value in values.items()
        }
    assert {path.name for path in (folder / "images").iterdir()} == {
        f"{frame}.jpg" for frame in frames
    }
    assert {path.name for path in (folder / "masks").iterdir()} == {
        f"{frame}.png" for frame in frames
    }
    assert size_of(folder) < most_bytes


def test_the_shipped_masks_are_small_and_have_all_three_parts():
    folders = [
        checkout.ROOT / "data" / name / "masks" for name in ("sample_cars", "sample_synthetic_cars")
    ]
    assert sum(map(size_of, folders)) < 2e6
    for folder in folders:
        for frame in range(1, 601, 50):
            mask = masks.read(folder / f"{frame}.png")
            assert mask.shape == (256, 256) and set(np.unique(mask)) == {
                masks.BACKDROP,
                masks.GROUND,
                masks.CAR,
            }
            assert (
                0.01 < (mask == masks.CAR).mean() < 0.4 and (mask[0] == masks.BACKDROP).mean() > 0.5
            )
            assert (mask[-1] != masks.BACKDROP).all()


def test_drawn_cars_take_turns_and_share_no_draw_with_the_six():
    """All but the car is drawn for another purpose; how many cars there are changes which one is shown, and nothing else."""
    first = [sampling.draw_procedural(frame, 0, 96) for frame in range(1, 193)]
    assert [values["model"] for values in first] == [f"Car {number}" for number in range(1, 97)] * 2
    fewer = [sampling.draw_procedural(frame, 0, 48) for frame in range(1, 193)]
    assert [v | {"model": ""} for v in first] == [v | {"model": ""} for v in fewer]
    six = [sampling.draw(frame, 0) for frame in range(1, 193)]
    for prop in paper.PROPERTIES[1:]:
        same = np.mean([a[prop.name] == b[prop.name] for a, b in zip(first, six)])
        assert abs(same - 1 / len(prop.values)) < 4 * np.sqrt(1 / len(prop.values) / 192), prop.name


def test_samples_of_another_seed_are_refused(tmp_path):
    file = tmp_path / "samples.csv"
    write(file, range(1, 5), 1)
    before = file.read_bytes()
    with pytest.raises(
        InputError, match=r"samples.csv: frame \d+, column \w+ is .*, but seed 0 gives"
    ):
        write(file, range(1, 9), 0)
    assert file.read_bytes() == before


def test_columns_of_samples(tmp_path):
    write(tmp_path / "samples.csv", range(1, 2), 0)
    with open(tmp_path / "samples.csv", newline="") as file:
        assert next(csv.reader(file)) == ["frame", *(prop.name for prop in paper.PROPERTIES)]


@pytest.mark.parametrize(
    "options, message",
    [(["--frames", "5-2"], "--frames 5-2: give whole numbers"),
     (["--size", "0"], "--size 0: must be from 1 to 16384"),
     (["--frames", "1-2"], "no module bpy: rendering needs Blender")],
)  # fmt: skip
def test_bad_calls(run_script, monkeypatch, tmp_path, options, message):
    monkeypatch.setitem(sys.modules, "bpy", None)  # as where Blender is not installed
    with pytest.raises(SystemExit) as stop:
        run_script(SCRIPT, "--output", str(tmp_path / "cars"), *options)
    assert message in str(stop.value.code) and "\n" not in str(stop.value.code)
    assert not (tmp_path / "cars").exists()


@pytest.mark.parametrize("text", ["procedural:0", "procedural:many"])
def test_numbers_of_drawn_cars_that_cannot_be(run_script, tmp_path, text):
    with pytest.raises(
        SystemExit, match="give a number of cars from 1 to 1000, such as procedural:96"
    ):
        run_script(SCRIPT, "--output", str(tmp_path / "cars"), "--car-models", text)
    assert not (tmp_path / "cars").exists()


ALONE = """
import importlib, pkgutil, sys
from unittest.mock import MagicMock
allowed = {*sys.stdlib_module_names, "dml_analysis", "filelock", "numpy", "tqdm"}
class Blocked:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
for name in ("pandas", "pydantic", "torch"):
    sys.modules[name] = None
sys.modules |= {name: MagicMock() for name in ("bpy", "mathutils", "mathutils.bvhtree")}
sys.meta_path.insert(0, Blocked)
import dml_analysis.renderer
for module in pkgutil.iter_modules(dml_analysis.renderer.__path__, "dml_analysis.renderer."):
    print(importlib.import_module(module.name).__name__)
sys.argv = ["data/2_render_cars.py", "--help"]
exec(compile(open(sys.argv[0]).read(), sys.argv[0], "exec"), {"__name__": "__main__", "__file__": sys.argv[0]})
"""


def test_the_renderer_imports_numpy_and_blender_alone():
    """And tqdm and filelock, as requirements-render.txt says: no other package, not even by what it imports of dml_analysis."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=checkout.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    modules = {
        f"dml_analysis.renderer.{file.stem}"
        for file in (checkout.ROOT / "dml_analysis/renderer").glob("[a-z]*.py")
    }
    assert modules <= set(done.stdout.split()) and "--counterfactuals" in done.stdout


def test_what_blender_lacks_of_the_system():
    told = libraries.advice(
        ImportError("libXi.so.6: cannot open shared object file: No such file or directory"),
        ["libXi.so.6", "libSM.so.6"],
    )
    assert (
        "apt-get install libxi6 libsm6; on Fedora, dnf install libXi libSM" in told
        and "\n" not in told
    )
    other = libraries.advice(ImportError("libfoo.so.3: cannot open shared object file"), [])
    assert "libfoo.so.3: install the package that contains it" in other
    assert libraries.advice(ImportError("No module named 'bpy'"), ["libXi.so.6"]) is None
    assert libraries.missing(lambda name: name != "libGL.so.1") == ["libGL.so.1"]


# ---------------------------------------------------------------------------------------------------------------------
# The check of the renderer, on drawn pictures: a box with a shadow on a ground.
# ---------------------------------------------------------------------------------------------------------------------
SIDE = 120


def drawn(values):
    """(picture, silhouette): what every property should change, and nothing else."""
    ground = (0.2 + 0.15 * values["bg_color_val"] + values["sun_elevation"] / 900) * (
        values["bg_color_val"] > 0
    )
    picture = np.full((SIDE, SIDE, 3), ground)
    picture[..., 0] *= 0.3 + 1.8 * values["bg_color_hue"]
    picture[..., 1] *= 0.3 + 0.9 * values["bg_color_sat"]
    picture[: round(SIDE * camera.horizon(values["camera_loc_z"]))] *= 1.2
    top, left = 60 - 6 * paper.CAR_MODELS.index(values["model"]), 20 + values["rotation_z"] // 9
    box = np.s_[top:85, left : left + 50]
    shadow = 55 - int(20 * np.sin(np.radians(values["sun_rotation"])))
    long = 8 if values["sun_elevation"] else 30
    picture[90 : 90 + long, shadow - 10 : shadow + 10] *= 0.5
    picture[box] = [values["color_hue"] / 2, values["color_sat"] / 4, values["color_val"] / 4]
    silhouette = np.zeros((SIDE, SIDE), dtype=bool)
    silhouette[box] = True
    return picture, silhouette


def table_of(draw):
    base = draw(sampling.BASE)
    rows = [
        {
            "property": name,
            "value": values[name],
            **variation_measures.measure(*draw(values), *base)._asdict(),
        }
        for name, values in sampling.variations()
    ]
    return pd.DataFrame(rows)


def test_a_right_renderer_passes():
    assert [
        statement
        for statement, holds in variation_measures.statements(table_of(drawn))
        if not holds
    ] == []


def without(name):
    """A renderer that forgets a property."""
    return lambda values: drawn(values | {name: sampling.BASE[name]})


@pytest.mark.parametrize("name", [prop.name for prop in paper.PROPERTIES])
def test_a_forgotten_property_is_noticed(name):
    wrong = [
        statement
        for statement, holds in variation_measures.statements(table_of(without(name)))
        if not holds
    ]
    assert wrong and all(statement.startswith(name) for statement in wrong)


def leaking(name, part):
    """A renderer in which a property changes something that it should not."""

    def draw(values):
        picture, silhouette = drawn(values)
        change = 0.05 * (values[name] != sampling.BASE[name])
        where = {"car": silhouette, "background": ~silhouette}.get(part)
        if part == "outline":
            silhouette = np.roll(silhouette, 3 * int(change > 0), axis=1)
        else:
            picture = picture + change * where[..., None]
        return picture, silhouette

    return draw


@pytest.mark.parametrize(
    "name, part",
    [("color_hue", "background"), ("color_val", "outline"), ("bg_color_sat", "car"), ("rotation_z", "background"),
     ("sun_rotation", "outline")],
)  # fmt: skip
def test_a_property_that_leaks_is_noticed(name, part):
    wrong = [
        statement
        for statement, holds in variation_measures.statements(table_of(leaking(name, part)))
        if not holds
    ]
    assert wrong and all(statement.startswith(name) for statement in wrong)


def test_measures_by_hand():
    picture, silhouette = np.full((40, 40, 3), 0.5), np.zeros((40, 40), dtype=bool)
    picture[:10] = 0.6
    silhouette[20:30, 10:20] = True
    moved = np.roll(silhouette, 5, axis=1)
    shaded = picture.copy()
    shaded[35:40, 25:35] = 0.25  # 50 of 1600 pixels
    measures = variation_measures.measure(shaded, moved, picture, silhouette)
    assert measures.outline == pytest.approx(50 / 150)
    assert measures.horizon == 10 / 40 and measures.shadow == 50 / 1600
    assert measures.shadow_x == pytest.approx((29.5 - 19.5) / 40)
    with pytest.raises(ValueError, match="different sizes"):
        variation_measures.measure(picture[:20], silhouette[:20], picture, silhouette)


def test_a_shadow_at_the_rim_is_no_horizon():
    picture = np.full((60, 60, 3), 0.5)
    picture[:20] = 0.6
    picture[40:, :30] = 0.2
    assert variation_measures.horizon_row(picture) == 20


def test_horizon_of_a_level_camera():
    assert camera.horizon(camera.LOOK_AT) == pytest.approx(0.5, abs=0.002)
    tilt = (
        2.62 - 0.62
    ) / 6.5  # two metres above the point it looks at; a wall far away hardly lowers the horizon
    assert camera.horizon(2.62) == pytest.approx(0.5 - tilt * 35 / 36 + 2.62 / 405.5, abs=0.002)


def test_check_of_the_renderer(run_script, monkeypatch, tmp_path):
    for number, (_, values) in enumerate(sampling.variations(), start=1):
        picture, silhouette = drawn(values)
        for folder, array in [
            ("images", picture),
            ("silhouettes", np.dstack([picture, silhouette])),
        ]:
            (tmp_path / "cars" / folder).mkdir(parents=True, exist_ok=True)
            file = tmp_path / "cars" / folder / f"{number}.png"
            Image.fromarray((255 * array.clip(0, 1)).round().astype(np.uint8)).save(file)
    monkeypatch.setitem(checkout.PATHS, "results", tmp_path / "results")
    monkeypatch.setitem(checkout.PATHS, "figures", tmp_path / "figures")
    check = ("data/3_check_renderer.py", "--folder", str(tmp_path / "cars"))
    assert "WRONG" not in run_script(*check)
    assert len(fake_data.read_rows(tmp_path / "results/renderer/variations.csv")) == 85
    assert (tmp_path / "figures/renderer/properties.png").is_file()
    shutil.copy(tmp_path / "cars/images/1.png", tmp_path / "cars/images/50.png")
    with pytest.raises(SystemExit, match="statements about the pictures do not hold"):
        run_script(*check)
    for folder in ("images", "silhouettes"):
        with Image.open(tmp_path / f"cars/{folder}/3.png") as image:
            small = image.resize((30, 30))
        content = (tmp_path / f"cars/{folder}/3.png").read_bytes()
        small.save(tmp_path / f"cars/{folder}/3.png")
        with pytest.raises(
            SystemExit, match=f"{folder}/3.png: 30 x 30 pixels; render all in one size"
        ):
            run_script(*check)
        (tmp_path / f"cars/{folder}/3.png").write_bytes(content)
    (tmp_path / "cars/images/50.png").unlink()
    with pytest.raises(SystemExit, match="50.png: missing; run data/2_render_cars.py --variations"):
        run_script(*check)
