"""The draws of the rendered cars, and the render script without Blender. Blender itself is not part of the tests."""

import csv
import sys
from collections import Counter

import pytest
import scipy.stats

import utils
from properties import sampling

SCRIPT = "properties/1_render_cars.py"


def test_draws_depend_on_nothing_but_frame_and_seed(tmp_path):
    assert sampling.draw(7, 0) == sampling.draw(7, 0) != sampling.draw(7, 1)
    sampling.write_samples(tmp_path / "a.csv", range(1, 21), 0)
    sampling.write_samples(tmp_path / "b.csv", range(11, 21), 0)
    sampling.write_samples(tmp_path / "b.csv", range(1, 11), 0)
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_draws_are_uniform_and_independent():
    frames = [sampling.draw(frame, 0) for frame in range(6000)]
    for prop in utils.PROPERTIES:
        counts = Counter(values[prop.name] for values in frames)
        assert set(counts) == set(prop.values)
        assert scipy.stats.chisquare(list(counts.values())).pvalue > 1e-4
    pairs = Counter((values["model"], values["rotation_z"]) for values in frames)
    table = [[pairs[a, b] for b in utils.DEGREES] for a in utils.CAR_MODELS]
    assert scipy.stats.chi2_contingency(table).pvalue > 1e-4


def test_the_shipped_sample_is_what_seed_0_draws():
    folder = utils.ROOT / "data" / "sample_cars"
    rows = utils.read_rows(folder / "samples.csv")
    assert [row["frame"] for row in rows] == [str(frame) for frame in range(1, 601)]
    for row in rows:
        assert {p.name: row[p.name] for p in utils.PROPERTIES} == {
            k: str(v) for k, v in sampling.draw(int(row["frame"]), 0).items()
        }
    assert {path.name for path in (folder / "images").iterdir()} == {f"{frame}.jpg" for frame in range(1, 601)}
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 12e6


def test_samples_of_another_seed_are_refused(tmp_path):
    file = tmp_path / "samples.csv"
    sampling.write_samples(file, range(1, 5), 1)
    before = file.read_bytes()
    with pytest.raises(utils.InputError, match=r"samples.csv: frame \d+, column \w+ is .*, but seed 0 draws"):
        sampling.write_samples(file, range(1, 9), 0)
    assert file.read_bytes() == before


def test_columns_of_samples(tmp_path):
    sampling.write_samples(tmp_path / "samples.csv", range(1, 2), 0)
    with open(tmp_path / "samples.csv", newline="") as file:
        assert next(csv.reader(file)) == ["frame", *(prop.name for prop in utils.PROPERTIES)]


@pytest.mark.parametrize(
    "options, message",
    [(["--frames", "5-2"], "--frames 5-2: give whole numbers"),
     (["--frames", "0-3"], "--frames 0-3"),
     (["--size", "0"], "--size 0: must be at least 1"),
     (["--frames", "1-2"], "no module bpy: rendering needs Blender")],
)  # fmt: skip
def test_bad_calls(run_script, monkeypatch, tmp_path, options, message):
    monkeypatch.setitem(sys.modules, "bpy", None)  # as where Blender is not installed
    with pytest.raises(SystemExit) as stop:
        run_script(SCRIPT, "--output", str(tmp_path / "cars"), *options)
    assert message in str(stop.value.code) and "\n" not in str(stop.value.code)
    assert not (tmp_path / "cars").exists()
