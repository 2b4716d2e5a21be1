"""Precision@1, R-Precision and MAP@R by hand, and the script that lists them."""

import numpy as np
import pandas as pd
import pytest

from dml_analysis.files import csv_files
from dml_analysis.reality_check import accuracy
from dml_analysis.reality_check.accuracy import MEASURES, accuracies


def at(*degrees):
    """Points on the unit circle, not of unit length: only their direction counts."""
    angles = np.radians(degrees)
    return (
        np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.arange(1, len(degrees) + 1)[:, None]
    ).astype(np.float32)


def test_by_hand():
    """Class 0 at 0, 10, 40 degrees; class 1 at 25, 90, 120. Neighbours of each, nearest first, R = 2 of them:

    0: 10, 25 -> hit, miss: P@1 1, RP 1/2, AP@R (1/1) / 2 = 1/2
    10: 0, 25 -> the same: 1, 1/2, 1/2
    40: 25, 10 -> miss, hit: 0, 1/2, (1/2) / 2 = 1/4
    25: 10 or 40, both misses: 0, 0, 0
    90: 120, 40 -> hit, miss: 1, 1/2, 1/2
    120: 90, 40 -> hit, miss: 1, 1/2, 1/2
    """
    values = accuracies(at(0, 10, 40, 25, 90, 120), [0, 0, 0, 1, 1, 1], "Cosine Similarity")
    assert values["precision_at_1"] == pytest.approx(4 / 6)
    assert values["r_precision"] == pytest.approx(2.5 / 6)
    assert values["mean_average_precision_at_r"] == pytest.approx(2.25 / 6)


def test_an_image_alone_in_its_class_is_no_query():
    values = accuracies(at(0, 10, 5), [0, 0, 1], "Cosine Similarity")
    assert values["precision_at_1"] == 0  # both see the lone one first
    assert accuracies(at(0, 1, 5), [0, 0, 1], "Cosine Similarity")["precision_at_1"] == 1


def test_measures_without_queries_are_left_open(tmp_path):
    """Where every image is alone in its class there is no number, also after reading the file again."""
    row = (
        "None",
        "SOP",
        0,
        "None",
        2,
        2,
        *accuracies(at(0, 10), [0, 1], "Cosine Similarity").values(),
    )
    csv_files.write(tmp_path / "accuracy.csv", [row], accuracy.COLUMNS)
    table = csv_files.read(tmp_path / "accuracy.csv", accuracy.COLUMNS)
    assert table[list(MEASURES)].isna().all(axis=None) and table.loss[0] == "None"
    assert "nan" in accuracy.summary(table)


def test_script(project, run_inside):
    output = run_inside("reality_check/3_evaluate_models.py", project / "tiny.yaml")
    table = pd.read_csv(project / "results/tiny/reality_check/accuracy.csv")
    assert list(table.loss) == ["Contrastive", "ArcFace", "Untrained"] and list(
        table.columns
    ) == list(accuracy.COLUMNS)
    assert table[list(MEASURES)].to_numpy().min() >= 0 and table.precision_at_1.max() <= 1
    assert "Networks trained here" in output and f"{100 * table.precision_at_1[0]:8.2f}" in output


def test_the_file_is_a_view(copy, run_inside):
    """Whatever has become of it, the next run writes it from what is on the stores."""
    file = copy / "results/tiny/reality_check/accuracy.csv"
    whole = file.read_bytes()
    file.write_text("a,b\n1,2\n")
    run_inside(
        "reality_check/3_evaluate_models.py", copy / "tiny.yaml", "--models", "ArcFace", "ArcFace"
    )
    assert file.read_bytes() == whole
