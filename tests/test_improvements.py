"""Improvements over the frozen trunk: MAP@R class by class, intervals, and the scripts for them."""

import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dml_analysis import checkout
from dml_analysis.config import load_settings
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.networks import embedding, loading
from dml_analysis.reality_check import accuracy, improvements, training_figures
from dml_analysis.training.training_loop import TrainingLoop
from tests import fake_data


def on_circle(*degrees):
    return np.array(
        [[math.cos(math.radians(each)), math.sin(math.radians(each))] for each in degrees]
    )


def test_map_at_r_of_classes_by_hand():
    """Six directions. Class 3 at 0, 10 and 25 degrees; class 5 at 12, 60 and 70; R is 2 for all.

    At 0 the neighbours are 10 (right) and 12 (wrong): (1 + 0) / 2. At 10: 12 (wrong), 0 (right): (0 + 1/2) / 2. At 25: 12
    (wrong), 10 (right): 1/4. At 12: 10, 0 and not 25, both wrong: 0. At 60: 70 (right), 25 (wrong): 1/2; so too at 70.
    """
    embeddings, labels = on_circle(0, 10, 25, 12, 60, 70), np.array([3, 3, 3, 5, 5, 5])
    values = improvements.map_at_r_of_classes(embeddings, labels)
    np.testing.assert_allclose(values, [(0.5 + 0.25 + 0.25) / 3, (0 + 0.5 + 0.5) / 3])
    order = [4, 0, 5, 2, 3, 1]
    np.testing.assert_allclose(
        improvements.map_at_r_of_classes(7 * embeddings[order], labels[order]), values
    )


def test_a_network_with_a_zero_embedding_is_not_measured(monkeypatch):
    """Its images are named; the other networks on the same trunk are measured."""
    items = [Sample(f"car{place}", Path("x"), place // 2) for place in range(4)]
    arrays = [on_circle(0, 10, 50, 60), on_circle(0, 10, 50, 60) * [[1], [1], [0], [1]]]
    monkeypatch.setattr(embedding, "embedded", lambda *_: arrays)
    requests = [(SimpleNamespace(name=name), True) for name in "ab"]
    good, bad = accuracy.arrays_of(requests, items, 1, None, improvements.measure)
    assert good["map_at_r"].tolist() == [1, 1] and good["n_images"].tolist() == [2, 2]
    assert isinstance(bad, InputError) and str(bad).startswith(
        "b: the embedding of image car2 is zero"
    )


def test_a_validation_step_with_a_zero_embedding_ends_the_training():
    items = [Sample(f"car{place}", Path("x"), 0) for place in range(2)]
    run = SimpleNamespace(name="Mine, fold 0", splits={"validation": items})
    loop = SimpleNamespace(run=run, training=SimpleNamespace(iteration=7))
    with pytest.raises(
        InputError,
        match="Mine, fold 0, iteration 7, validation images: the embedding of image car1 is",
    ):
        TrainingLoop.scores(loop, np.array([[1.0, 2], [0, 0]]), "validation")


def test_bootstrap_interval():
    """Of the mean of two values, samples have one of three means; with many values it is that of the normal distribution."""
    assert improvements.bootstrap_interval([1, 1, 1], 0) == (1, 1)
    assert improvements.bootstrap_interval([0, 1], 0) == (
        0,
        1,
    )  # each end is the mean of a quarter of all samples
    assert improvements.bootstrap_interval([0, 1], 0, level=0.4) == (0.5, 0.5)
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = improvements.bootstrap_interval(values, 5)
    half = 1.96 * values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.02) and high == pytest.approx(
        values.mean() + half, abs=0.02
    )
    assert (
        improvements.bootstrap_interval(values, 5)
        == (low, high)
        != improvements.bootstrap_interval(values, 6)
    )


def classes(loss, kind, values, fold=0, part="validation", first=0):
    """Rows of a table of classes, numbered from `first`."""
    return [
        (loss, kind, "Tiles", part, fold, first + number, 4, value)
        for number, value in enumerate(values)
    ]


def test_improvements_are_over_the_same_classes_of_the_frozen_trunk():
    start = improvements.START
    rows = classes(start, start, [0.1, 0.2, 0.3]) + classes(start, start, [0.4], fold=1, first=3)
    rows += classes("A", "Ranking", [0.3, 0.4, 0.4]) + classes(
        "A", "Ranking", [0.6], fold=1, first=3
    )
    rows += classes("B", "Classification", [0.0, 0.2, 0.5])
    rows += classes(
        "C", "Classification", [0.5], fold=2, first=7
    )  # a fold of which the trunk has not been measured
    found = improvements.improvements(pd.DataFrame(rows, columns=list(improvements.CLASSES)), 0)
    a, b = (dict(zip(improvements.COLUMNS, row)) for row in found)
    assert (a["loss"], a["type"], a["n_folds"], a["n_classes"], a["clear"]) == (
        "A",
        "Ranking",
        2,
        4,
        "yes",
    )
    assert (a["frozen_trunk"], a["trained"], a["gain"]) == pytest.approx((0.25, 0.425, 0.175))
    assert 0.1 <= a["low"] < a["gain"] < a["high"] <= 0.2
    assert (b["loss"], b["n_folds"], b["n_classes"], b["clear"]) == ("B", 1, 3, "no")
    assert b["gain"] == pytest.approx(0.1 / 3) and b["low"] == pytest.approx(-0.1)


def test_folds_that_test_the_same_classes_count_once():
    """A class's gain is the mean over its folds: .1 and .3 of class 0, 0 and .2 of class 1."""
    rows = []
    for fold, values in enumerate(([0.2, 0.1], [0.4, 0.3])):
        rows += classes(improvements.START, improvements.START, [0.1, 0.1], fold, "test")
        rows += classes("A", "Ranking", values, fold, "test")
    (row,) = improvements.improvements(pd.DataFrame(rows, columns=list(improvements.CLASSES)), 0)
    row = dict(zip(improvements.COLUMNS, row))
    assert (row["part"], row["n_folds"], row["n_classes"]) == ("test", 2, 2)
    assert (row["gain"], row["low"], row["high"]) == pytest.approx((0.15, 0.1, 0.2))


def test_improvements_of_trained_networks(whole, tiles, run_inside, monkeypatch):
    """The frozen trunk's value is that of its features; what was trained on is not measured."""
    # As in training, so that rounding does not decide between images that are equally near.
    monkeypatch.setattr(loading, "with_folded_batchnorm", lambda network: network)
    settings = fake_data.write_tiles_settings(tiles, whole)
    output = run_inside("reality_check/4_measure_gains.py", settings)
    folder = whole / "results/tiles/reality_check"
    rows = fake_data.read_rows(folder / "classes_Tiles.csv")
    for part, expected in (
        ("validation", {"6", "7"}),
        ("test", {str(label) for label in range(8, 16)}),
    ):
        some = [row for row in rows if row["part"] == part]
        assert {row["loss"] for row in some} == {"Contrastive", "ArcFace", improvements.START}
        assert {row["class"] for row in some} == expected and {row["n_images"] for row in some} == {
            "6"
        }
        assert len(some) == 3 * len(expected)
    best = {row["loss"]: row for row in fake_data.read_rows(folder / "training_Tiles.csv")}
    steps = fake_data.read_rows(folder / "training_log_Tiles.csv")
    found = {
        (row["loss"], row["part"]): row for row in fake_data.read_rows(folder / "gains_Tiles.csv")
    }
    assert len(found) == 4
    for loss, run in best.items():
        (step,) = [
            row for row in steps if row["loss"] == loss and row["iteration"] == run["iteration"]
        ]
        for part, column in (
            ("validation", "validation_map_at_r"),
            ("test", "test_map_at_r_only_shown"),
        ):
            row = {
                name: float(found[loss, part][name]) for name in ("frozen_trunk", "trained", "gain")
            }
            assert row["trained"] == pytest.approx(float(step[column]), abs=1e-4)
            assert row["gain"] == pytest.approx(row["trained"] - row["frozen_trunk"], abs=1e-4)
            assert f"{100 * row['gain']:8.2f}" in output
    run_inside("reality_check/5_plot_training.py", settings)
    for name in ("classes_Tiles", "training_Tiles", "gains_Tiles"):
        assert (whole / f"figures/tiles/{name}.png").stat().st_size > 5000


def test_without_none_there_is_nothing_to_improve_on(whole, tiles, run_inside, fails):
    settings = fake_data.write_tiles_settings(tiles, whole, models=["Contrastive", "ArcFace"])
    assert "an improvement takes None, whose trunk training starts from" in fails(
        "reality_check/4_measure_gains.py", settings
    )
    shutil.rmtree(whole / "results/tiles/reality_check/classes", ignore_errors=True)
    (whole / "results/tiles/reality_check/classes_Tiles.csv").unlink(missing_ok=True)
    output = run_inside("reality_check/5_plot_training.py", settings)
    assert "training_Tiles.png" in output and "left out: " in output


def test_published_values_stand_beside_the_same_network_and_dataset_alone(tiles, tmp_path):
    settings = load_settings(checkout.ROOT / "settings/reality_check.yaml")
    found = training_figures._published(settings, "CUB200")
    assert (
        len(found) == 13
        and 0 < min(found.values())
        and max(found.values()) < 1
        and "FastAP" not in found
    )
    assert training_figures._published(settings, "SyntheticCars") == {}
    assert (
        training_figures._published(
            load_settings(fake_data.write_tiles_settings(tiles, tmp_path)), "CUB200"
        )
        == {}
    )
