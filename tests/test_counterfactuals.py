"""Counterfactual sets: how their properties are sampled, and how they are read."""

import shutil

import numpy as np
import pytest
import scipy.stats

from dml_analysis import checkout, paper
from dml_analysis.config import Settings
from dml_analysis.datasets import counterfactuals
from dml_analysis.datasets.images import open_image
from dml_analysis.errors import InputError
from dml_analysis.renderer import sampling
from tests import fake_data

SHIPPED = checkout.ROOT / "data" / "sample_counterfactuals"
NAMES = [each.name for each in paper.PROPERTIES]
SIZE = 13  # frames of a set


def set_of(number, seed=0):
    """The values of a set's frames; number: from 0."""
    first = 1 + SIZE * number
    return [sampling.draw_counterfactual(frame, seed) for frame in range(first, first + SIZE)]


def test_each_frame_changes_one_property_and_the_last_none():
    for number in range(50):
        base, *others, last = set_of(number)
        for values, prop in zip(others, paper.PROPERTIES, strict=True):
            assert [name for name in NAMES if values[name] != base[name]] == [prop.name]
            assert values[prop.name] in prop.values
        assert last == base


def test_only_the_last_frame_of_a_set_has_other_noise():
    seeds = [sampling.counterfactual_noise(frame, 0) for frame in range(1, 3 * SIZE + 1)]
    for start in range(0, len(seeds), SIZE):
        shared, last = set(seeds[start : start + SIZE - 1]), seeds[start + SIZE - 1]
        assert len(shared) == 1 and last not in shared
    assert len(set(seeds)) == 6  # two for each set
    assert seeds[0] != sampling.counterfactual_noise(1, 1)


def test_a_new_value_does_not_depend_on_the_number_of_frames(monkeypatch):
    before = [set_of(number)[1:12] for number in range(5)]
    monkeypatch.setattr(sampling, "FRAMES_OF_A_SET", 20)
    for number, frames in enumerate(before):
        first = 1 + 20 * number
        assert frames == [
            sampling.draw_counterfactual(frame, 0) for frame in range(first + 1, first + 12)
        ]


def test_sets_share_no_sample_with_other_frames_and_depend_on_the_seed():
    bases = [set_of(number)[0] for number in range(300)]
    assert bases != [set_of(number, seed=1)[0] for number in range(300)]
    for prop in paper.PROPERTIES:
        same = np.mean(
            [a[prop.name] == sampling.draw(1 + i, 0)[prop.name] for i, a in enumerate(bases)]
        )
        assert abs(same - 1 / len(prop.values)) < 4 * np.sqrt(1 / len(prop.values) / 300), prop.name


@pytest.mark.parametrize("place", range(11))
def test_new_values_are_sampled_evenly(place):
    """How many steps a new value is from the old one, round the list: each number of steps equally often."""
    values, steps = paper.PROPERTIES[place].values, []
    for number in range(1500):
        old, new = (
            sampling.draw_counterfactual(frame + SIZE * number, 0)[NAMES[place]]
            for frame in (1, 2 + place)
        )
        steps.append((values.index(new) - values.index(old)) % len(values))
    counts = np.bincount(steps, minlength=len(values))
    assert counts[0] == 0 and scipy.stats.chisquare(counts[1:]).pvalue > 0.001


def test_the_shipped_sets_are_what_seed_0_gives():
    rows = fake_data.read_rows(SHIPPED / "samples.csv")
    assert [row["frame"] for row in rows] == [str(frame) for frame in range(1, 20 * SIZE + 1)]
    for row in rows:
        values = sampling.draw_counterfactual(int(row["frame"]), 0)
        assert {name: row[name] for name in NAMES} == {
            key: str(value) for key, value in values.items()
        }
    files = [path for path in SHIPPED.rglob("[!.]*") if path.is_file()]
    assert len(files) == 2 * 20 * SIZE + 2
    assert sum(path.stat().st_size for path in files) < 2e6


def test_the_last_of_the_shipped_images_differ_from_their_base_by_noise_alone():
    """They differ, but by less than any visible change."""
    for number in range(20):
        base, last = (
            np.asarray(open_image(SHIPPED / "images" / f"{frame + SIZE * number}.jpg"), float)
            for frame in (1, SIZE)
        )
        assert 0 < np.abs(last - base).mean() < 2, number


def settings_of(folder):
    return Settings(name="test", paths=checkout.PATHS | {counterfactuals.COUNTERFACTUALS: folder})


@pytest.fixture
def two_sets(tmp_path):
    """Two of the shipped sets, in a folder that a test may break."""
    for kind, ending in (("images", "jpg"), ("masks", "png")):
        (tmp_path / kind).mkdir()
        for frame in range(1, 2 * SIZE + 1):
            shutil.copy(SHIPPED / kind / f"{frame}.{ending}", tmp_path / kind)
    lines = (SHIPPED / "samples.csv").read_text().splitlines(keepends=True)
    (tmp_path / "samples.csv").write_text("".join(lines[: 2 * SIZE + 1]))
    return tmp_path


def test_sets_as_they_are_read(two_sets):
    sets = counterfactuals.read_sets(settings_of(two_sets))
    assert [(each.base.image_id, each.other_noise.image_id) for each in sets] == [
        ("1", "13"),
        ("14", "26"),
    ]
    assert {name: sample.image_id for name, sample in sets[1].changed.items()} == dict(
        zip(NAMES, map(str, range(15, 26)), strict=True)
    )
    assert [sample.image_id for sample in counterfactuals.samples_of(sets)] == [
        str(frame) for frame in range(1, 27)
    ]
    assert counterfactuals.read_sets(settings_of(two_sets), 1) == sets[:1]


def with_values_of(lines, frame, other):
    """The lines of samples.csv, in which a frame has the values of another one."""
    lines[frame] = f"{frame}," + lines[other].split(",", 1)[1]
    return lines


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda lines: [*lines[:-1], lines[-1].replace("26,", "27,", 1)], "27.png: image is missing"),
        (
            lambda lines: with_values_of(lines, 2, 3),
            "frame 2 differs from frame 1 in rotation_z, but should in model;",
        ),
        (
            lambda lines: with_values_of(lines, 2, 1),
            "frame 2 differs from frame 1 in nothing, but should in model;",
        ),
        (
            lambda lines: with_values_of(lines, 26, 16),
            "frame 26 differs from frame 14 in rotation_z, but should in nothing;",
        ),
    ],
)  # fmt: skip
def test_sets_that_are_none(two_sets, change, message):
    file = two_sets / "samples.csv"
    file.write_text("".join(change(file.read_text().splitlines(keepends=True))))
    with pytest.raises(InputError, match=message):
        counterfactuals.read_sets(settings_of(two_sets))


def test_incomplete_sets(two_sets):
    file = two_sets / "samples.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    (two_sets / "images" / "26.jpg").unlink()
    with pytest.raises(InputError, match="25 frames are not complete sets of 13 from frame 1 on"):
        counterfactuals.read_sets(settings_of(two_sets))
