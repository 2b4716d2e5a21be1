"""Counterfactual sets: how their properties are sampled, and how they are read."""

import shutil

import numpy as np
import pytest
import scipy.stats

from dml_analysis import checkout, paper
from dml_analysis.config import Settings
from dml_analysis.datasets import counterfactuals
from dml_analysis.errors import InputError
from dml_analysis.renderer import sampling
from tests import fake_data

SHIPPED = checkout.ROOT / "data" / "sample_counterfactuals"
NAMES = [each.name for each in paper.PROPERTIES]


def test_each_frame_of_a_scene_changes_one_property():
    for scene in range(50):
        first = sampling.draw_counterfactual(1 + 12 * scene, 0)
        for place, name in enumerate(NAMES, start=2):
            values = sampling.draw_counterfactual(place + 12 * scene, 0)
            assert [each for each in NAMES if values[each] != first[each]] == [name]
            assert values[name] in paper.PROPERTIES[place - 2].values


def test_scenes_share_no_draw_with_other_frames_and_hang_on_the_seed():
    first = [sampling.draw_counterfactual(1 + 12 * scene, 0) for scene in range(300)]
    assert first != [sampling.draw_counterfactual(1 + 12 * scene, 1) for scene in range(300)]
    for prop in paper.PROPERTIES:
        same = np.mean(
            [a[prop.name] == sampling.draw(1 + i, 0)[prop.name] for i, a in enumerate(first)]
        )
        assert abs(same - 1 / len(prop.values)) < 4 * np.sqrt(1 / len(prop.values) / 300), prop.name


@pytest.mark.parametrize("place", range(11))
def test_new_values_are_drawn_evenly(place):
    """How many steps a new value is from the old one, round the list: each number of steps equally often."""
    values, steps = paper.PROPERTIES[place].values, []
    for scene in range(1500):
        old, new = (
            sampling.draw_counterfactual(frame + 12 * scene, 0)[NAMES[place]]
            for frame in (1, 2 + place)
        )
        steps.append((values.index(new) - values.index(old)) % len(values))
    counts = np.bincount(steps, minlength=len(values))
    assert counts[0] == 0 and scipy.stats.chisquare(counts[1:]).pvalue > 0.001


def test_the_shipped_scenes_are_what_seed_0_draws():
    rows = fake_data.read_rows(SHIPPED / "samples.csv")
    assert [row["frame"] for row in rows] == [str(frame) for frame in range(1, 241)]
    for row in rows:
        values = sampling.draw_counterfactual(int(row["frame"]), 0)
        assert {name: row[name] for name in NAMES} == {
            key: str(value) for key, value in values.items()
        }
    files = [path for path in SHIPPED.rglob("[!.]*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2e6 and len(files) == 2 * 240 + 2


def settings_of(folder):
    return Settings(name="test", paths=checkout.PATHS | {counterfactuals.COUNTERFACTUALS: folder})


@pytest.fixture
def scenes(tmp_path):
    """Two of the shipped scenes, in a folder that a test may break."""
    for kind, ending in (("images", "jpg"), ("masks", "png")):
        (tmp_path / kind).mkdir()
        for frame in range(1, 25):
            shutil.copy(SHIPPED / kind / f"{frame}.{ending}", tmp_path / kind)
    lines = (SHIPPED / "samples.csv").read_text().splitlines(keepends=True)
    (tmp_path / "samples.csv").write_text("".join(lines[:25]))
    return tmp_path


def test_scenes_as_they_are_read(scenes):
    found = counterfactuals.scenes(settings_of(scenes))
    assert [scene.base.image_id for scene in found] == ["1", "13"]
    assert {name: item.image_id for name, item in found[1].changed.items()} == dict(
        zip(NAMES, map(str, range(14, 25)))
    )
    assert [item.image_id for item in counterfactuals.samples_of(found)] == [
        str(frame) for frame in range(1, 25)
    ]
    assert counterfactuals.scenes(settings_of(scenes), 1) == found[:1]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("\n24,", "\n25,", "24.jpg: has no row|25.png: image is missing"),
        (None, None, "23 frames are not complete sets of 12"),
        (
            "swap",
            None,
            "frame 2 should differ from frame 1 in model alone, but differs in rotation_z",
        ),
        ("same", None, "frame 2 should differ from frame 1 in model alone, but differs in nothing"),
    ],
)
def test_scenes_that_are_none(scenes, old, new, message):
    file = scenes / "samples.csv"
    lines = file.read_text().splitlines(keepends=True)
    if old is None:
        (scenes / "images" / "24.jpg").unlink()
        lines = lines[:24]
    elif old == "swap":
        lines[2] = "2," + lines[3].split(",", 1)[1]
    elif old == "same":
        lines[2] = "2," + lines[1].split(",", 1)[1]
    text = "".join(lines)
    file.write_text(text.replace(old, new) if new else text)
    with pytest.raises(InputError, match=message):
        counterfactuals.scenes(settings_of(scenes))
