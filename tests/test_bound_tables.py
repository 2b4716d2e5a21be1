"""Tables 2 to 4 with their bounds, from a made-up bounds_<dataset>.csv whose means are worked out by hand."""

import math

import pytest

from dml_analysis.config import Settings
from dml_analysis.controls import control_tables, noise_ceilings
from dml_analysis.files import csv_files
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import PROTOCOLS, Model
from dml_analysis.tables import markdown

PAPER, RELEASED = PROTOCOLS["paper"], PROTOCOLS["released"]
GROUPS = {"A": "Ranking", "B": "Ranking", "C": "Classification"}
MODELS = [Model(name, 2020, group, "Euclidean Distance") for name, group in GROUPS.items()]
NAMES = {number: f"table{number}" for number in (2, 3)}


@pytest.fixture
def settings(tmp_path):
    return Settings(name="made_up", protocols=[PAPER], models=MODELS, datasets=["SyntheticCars"], folds=[0, 1],
                    tables={2: "SyntheticCars", 3: "SyntheticCars"}, paths={"results": tmp_path, "figures": tmp_path, "SyntheticCars": tmp_path})  # fmt: skip


def row(kind, a, b, mean, corrected, std=0.1, images=12):
    """A row of the CSV file; a, b: (loss, fold)."""
    labels = [[name, GROUPS.get(name, noise_ceilings.RANDOM), fold] for name, fold in (a, b)]
    return [kind, *labels[0], *labels[1], images, mean, std, corrected, 0.5, 0.1]


def write(settings, without=()):
    rows = [
        row("other noise", (name, fold), (name, fold), value, 1)
        for name, value in zip("ABC", (0.9, 0.8, 0.7))
        for fold in (0, 1)
    ]
    rows += [row("same loss, other fold", (name, 0), (name, 1), 0.6, 0.75) for name in "ABC"]
    rows += [row("other loss, same fold", (a, fold), (b, fold), *values) for a, b, some in
             (("A", "B", [(0.2, 0.3), (0.6, 0.9)]), ("A", "C", [(0.5, 1.1), (0.5, 0.9)]), ("B", "C", [(0.3, 0.5), (0.3, 0.5)]))
             for fold, values in enumerate(some)]  # fmt: skip
    rows += [
        row("same loss, other fold", (name, 0), (name, 2), -0.9, -0.9) for name in "ABC"
    ]  # no fold of the settings
    rows += [row("other loss, other fold", ("A", 0), ("B", 1), -0.9, -0.9)]
    rows += [
        row("random weights", (name, fold), (noise_ceilings.RANDOM, ALL_FOLDS), 0.1, math.nan)
        for name in "ABC"
        for fold in (0, 1)
        for _ in "12"
    ]
    rows += [
        row(
            "two random",
            (noise_ceilings.RANDOM, ALL_FOLDS),
            (noise_ceilings.RANDOM, ALL_FOLDS),
            0.35,
            math.nan,
        )
    ]
    rows = [each for each in rows if (each[0], each[1], each[4]) not in without]
    csv_files.write(
        noise_ceilings.csv_file(settings, PAPER, "SyntheticCars"), rows, noise_ceilings.COLUMNS
    )


def texts(settings, number, corrected=False, protocol=PAPER):
    table = control_tables.bounded(settings, protocol, f"table{number}_x", number, corrected)
    return table, [[cell.text for cell in cells] for cells in table.cells]


def test_full_table(settings):
    write(settings)
    table, found = texts(settings, 2)
    assert (
        table.rows
        == table.columns
        == ["A", "B", "C", "Other noise", "Same loss, other fold", "Random weights"]
    )
    fisher = round(100 * math.tanh((math.atanh(0.2) + math.atanh(0.6)) / 2))
    assert found[0] == ["", f"{fisher}±10", "50±10", "90±10", "60±10", "10±10"]
    assert found[2][:3] == ["50±10", "30±10", ""]
    assert found[3:] == [
        ["90±10", "80±10", "70±10", "", "", ""],
        ["60±10"] * 3 + [""] * 3,
        ["10±10"] * 3 + ["", "", "35±10"],
    ]
    assert [list(each) for each in zip(*found)] == found  # symmetric
    assert table.row_groups == ["Ranking", "Ranking", "Classification", *["Bounds"] * 3]
    assert (
        "12 images; mean over fold 0, 1" in table.caption and "(the noise ceiling)" in table.caption
    )
    assert len(table.records) == 36 and table.records["mean"][5] == pytest.approx(0.1)
    assert "| Bounds | Other noise | 90±10 |" in markdown(table, table.caption)


def test_condensed_table_is_the_mean_of_the_full_ones(settings):
    write(settings)
    table, found = texts(settings, 3)
    assert table.rows == [
        "Ranking",
        "Classification",
        "Other noise",
        "Same loss, other fold",
        "Random weights",
    ]
    within = round(100 * math.tanh((math.atanh(0.2) + math.atanh(0.6)) / 2))
    assert found[0] == [f"{within}±10", "40±10", "85±10", "60±10", "10±10"]
    assert found[1] == ["40±10", "", "70±10", "60±10", "10±10"]  # one model has no pair within


def test_corrected_table(settings):
    write(settings)
    table, found = texts(settings, 2, corrected=True)
    assert table.rows == [
        "A",
        "B",
        "C",
        "Same loss, other fold",
    ]  # the ceilings' own is 1, and random weights have none
    assert found[0] == ["", "60", "100", "75"]  # (30 + 90) / 2, (110 + 90) / 2
    assert "divided by the root of both networks' noise ceilings" in table.caption


def test_one_fold_has_no_other_one(settings):
    write(settings)
    one = settings.model_copy(update={"folds": [0]})
    table, found = texts(one, 2)
    assert "Same loss, other fold" not in table.rows and found[0][1] == "20±10"


def test_what_lacks_is_missing(settings):
    write(settings, without=[("other loss, same fold", "A", "C"), ("other noise", "B", "B")])
    found = texts(settings, 2)[1]
    assert found[0][2] == found[2][0] == found[1][3] == "missing" and found[0][1] != "missing"
    assert texts(settings, 3)[1][0][1] == "missing" == texts(settings, 3)[1][0][2]


def test_models_without_maps(settings):
    write(settings)
    given = MODELS[0]._replace(name="Given", group="Other", embeddings={"SyntheticCars": "x"})
    found = texts(settings.model_copy(update={"models": [*MODELS, given]}), 2)[1]
    assert found[3][:3] == ["no maps"] * 3 and found[3][3:] == ["", *["no maps"] * 3]
