"""Precision@1, R-Precision and MAP@R by hand, and the script that lists them."""

import numpy as np
import pandas as pd
import pytest

import safe_files
from reality_check import accuracy_file, evaluate
from reality_check.evaluate import accuracies


def at(*degrees):
    """Points on the unit circle, not of unit length: only their direction counts."""
    angles = np.radians(degrees)
    return (np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.arange(1, len(degrees) + 1)[:, None]).astype(
        np.float32
    )


def test_by_hand():
    """Class 0 at 0, 10, 40 degrees; class 1 at 25, 90, 120. Neighbours of each, nearest first, R = 2 of them:

    0: 10, 25 -> hit, miss: P@1 1, RP 1/2, AP@R (1/1) / 2 = 1/2
    10: 0, 25 -> the same: 1, 1/2, 1/2
    40: 25, 10 -> miss, hit: 0, 1/2, (1/2) / 2 = 1/4
    25: 10 or 40, both misses: 0, 0, 0
    90: 120, 40 -> hit, miss: 1, 1/2, 1/2
    120: 90, 40 -> hit, miss: 1, 1/2, 1/2
    """
    values = accuracies(at(0, 10, 40, 25, 90, 120), [0, 0, 0, 1, 1, 1])
    assert values["precision_at_1"] == pytest.approx(4 / 6)
    assert values["r_precision"] == pytest.approx(2.5 / 6)
    assert values["mean_average_precision_at_r"] == pytest.approx(2.25 / 6)


def test_an_image_alone_in_its_class_is_no_query():
    values = accuracies(at(0, 10, 5), [0, 0, 1])
    assert values["precision_at_1"] == 0  # both see the lone one first
    assert accuracies(at(0, 1, 5), [0, 0, 1])["precision_at_1"] == 1


def test_measures_without_queries_are_left_open(tmp_path):
    """Where every image is alone in its class there is no number, also after reading the file again."""
    row = dict.fromkeys(accuracy_file.COLUMNS, "None") | accuracies(at(0, 10), [0, 1])
    accuracy_file.add(tmp_path / "accuracy.csv", [row])
    table = accuracy_file.read(tmp_path / "accuracy.csv")
    assert table[list(accuracy_file.MEASURES)].isna().all(axis=None) and table.loss[0] == "None"
    assert "nan" in accuracy_file.summary(table)


def test_queries_in_blocks_give_the_same(monkeypatch):
    random = np.random.default_rng(0)
    embeddings, labels = random.normal(size=(50, 8)).astype(np.float32), random.integers(0, 5, 50)
    whole = accuracies(embeddings, labels)
    monkeypatch.setattr(evaluate, "QUERIES_AT_ONCE", 7)
    assert accuracies(embeddings, labels) == pytest.approx(whole)


def test_script(project, run_inside):
    output = run_inside("reality_check/3_evaluate_models.py", project / "tiny.yaml")
    table = pd.read_csv(project / "results/tiny/reality_check/accuracy.csv", keep_default_na=False)
    assert list(table.loss) == ["Contrastive", "ArcFace", "None"] and list(table.columns) == accuracy_file.COLUMNS
    assert table[list(accuracy_file.MEASURES)].to_numpy().min() >= 0 and table.precision_at_1.max() <= 1
    assert "Demo networks" in output and f"{100 * table.precision_at_1[0]:8.2f}" in output


def test_script_goes_on(project, run_inside):
    run_inside("reality_check/3_evaluate_models.py", project / "tiny.yaml")
    file = project / "results/tiny/reality_check/accuracy.csv"
    whole = file.read_bytes()
    lines = whole.decode().splitlines(keepends=True)
    file.write_text("".join([*lines[:1], *lines[2:]]))
    run_inside("reality_check/3_evaluate_models.py", project / "tiny.yaml")
    assert file.read_bytes() == whole


def test_a_file_of_something_else(project, fails):
    file = project / "results/tiny/reality_check/accuracy.csv"
    file.parent.mkdir(parents=True)
    file.write_text("a,b\n1,2\n")
    assert "accuracy.csv: columns are a,b" in fails("reality_check/3_evaluate_models.py", project / "tiny.yaml")
    assert safe_files.read_rows(file) == [{"a": "1", "b": "2"}]
