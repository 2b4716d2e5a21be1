"""Tables from hand-made CSVs: numbers, missing cells, the two protocols' roundings, files, the paper alongside ours."""

import itertools

import pandas as pd
import pytest

from dml_analysis import checkout, paper, tables
from dml_analysis.config import Settings
from dml_analysis.files import csv_files
from dml_analysis.methods import find
from dml_analysis.properties import property_scores, property_tables
from dml_analysis.report import contents, published_comparison
from dml_analysis.saliency import map_comparisons, saliency_tables

NAMES = ["Contrastive", "Triplet", "ArcFace", "None"]
MODELS = [find(name, paper.MODELS) for name in NAMES]
PAPER, RELEASED = paper.PROTOCOLS.values()


@pytest.fixture
def settings(tmp_path):
    paths = checkout.PATHS | {"results": tmp_path, "figures": tmp_path}
    datasets = {2: "SOP", 3: "SOP", 4: "CUB200"}
    return Settings(
        name="test",
        protocols=[PAPER, RELEASED],
        models=MODELS,
        folds=[0, 1],
        paths=paths,
        tables=datasets,
    )


def write_pairs(settings, without=()):
    """Fold 0 has r = 0.299, fold 1 r = 0.299 too, except Contrastive-Triplet (0.6 and 0.0); the diagonal is 1."""
    rows = []
    for fold, (a, b) in itertools.product(
        (0, 1), itertools.combinations_with_replacement(NAMES, 2)
    ):
        if (fold, a, b) in without:
            continue
        mean = (
            1.0 if a == b else (0.6, 0.0)[fold] if {a, b} == {"Contrastive", "Triplet"} else 0.299
        )
        rows.append(
            (
                "SOP",
                fold,
                a,
                b,
                10,
                0,
                mean,
                0.0 if a == b else 0.119,
                0.0 if a == b else 0.02,
                0.01,
            )
        )
    for protocol in settings.protocols:
        csv_files.write(
            map_comparisons.pairs_file(settings, protocol, "SOP"), rows, map_comparisons.COLUMNS
        )


def texts(table):
    return [[cell.text for cell in row] for row in table.cells]


def test_full_table(settings):
    write_pairs(settings)
    table = saliency_tables.full(settings, PAPER, "table2", 2, "correlation")
    assert table.rows == NAMES and table.row_groups == [
        "Ranking",
        "Ranking",
        "Classification",
        "None",
    ]
    assert texts(table)[0] == [
        "100±0",
        "33±12",
        "30±12",
        "30±12",
    ]  # Fisher: tanh(arctanh(0.6) / 2) = 1/3
    assert table.missing == 0 and table.records["mean"][1] == pytest.approx(1 / 3)
    assert "10 images" in table.caption and "fold 0, 1" in table.caption


def test_released_takes_fold_0_and_truncates(settings):
    write_pairs(settings)
    table = saliency_tables.full(settings, RELEASED, "table2", 2, "correlation")
    assert texts(table)[0] == ["100±0", "60±11", "29±11", "29±11"]


def test_condensed_table_averages_entries(settings):
    write_pairs(settings)
    table = saliency_tables.condensed(settings, PAPER, "table3", 3, "correlation")
    assert table.rows == ["Ranking", "Classification", "None"]
    assert texts(table) == [
        ["33±12", "30±12", "30±12"],
        ["30±12", "100±0", "30±12"],
        ["30±12", "30±12", "100±0"],
    ]
    assert texts(saliency_tables.condensed(settings, PAPER, "x", 3, "jsd"))[0][1] == "0.020±0.010"


def test_missing_inputs_are_missing_cells(settings):
    table = saliency_tables.full(
        settings, PAPER, "table4", 4, "correlation"
    )  # no pairs file at all
    assert table.missing == 16 and set(sum(texts(table), [])) == {"missing"}
    assert "16 of 16 cells are missing" in tables.full_caption(table, settings.note)
    write_pairs(settings, without=[(1, "Triplet", "ArcFace"), (0, "None", "None")])
    table = saliency_tables.full(settings, PAPER, "table2", 2, "correlation")
    assert table.missing == 3  # the pair twice, and no made-up diagonal
    assert texts(table)[3][3] == texts(table)[1][2] == texts(table)[2][1] == "missing"
    assert (
        texts(saliency_tables.condensed(settings, PAPER, "x", 2, "correlation"))[0][1] == "missing"
    )


def test_constant_maps_are_named_and_what_they_leave_undefined(settings):
    """ArcFace has no pattern in fold 1 at all, Triplet none on three of ten images of fold 0."""
    nothing = (0, 10, *[float("nan")] * 4)
    rows = []
    for fold, (a, b) in itertools.product(
        (0, 1), itertools.combinations_with_replacement(NAMES, 2)
    ):
        left_out = 3 if fold == 0 and "Triplet" in (a, b) else 0
        numbers = (10 - left_out, left_out, 0.299, 0.1, 0.02, 0.01)
        rows.append(
            ("SOP", fold, a, b, *(nothing if fold == 1 and "ArcFace" in (a, b) else numbers))
        )
    csv_files.write(
        map_comparisons.pairs_file(settings, PAPER, "SOP"), rows, map_comparisons.COLUMNS
    )
    note = "Constant maps, which have no correlation or divergence and are left out: Triplet (3 of 20), ArcFace (10 of 20)."
    for form, places in ((saliency_tables.full, (2,)), (saliency_tables.condensed, (1,))):
        for measure in ("correlation", "jsd"):
            table = form(settings, PAPER, "x", 2, measure)
            found = texts(table)
            for i, j in itertools.product(range(len(found)), repeat=2):
                assert (found[i][j] == "undefined") == (i in places or j in places)
            assert (
                note in table.caption and "; 7 to 10 images;" in table.caption and not table.missing
            )
            assert "missing" not in tables.full_caption(table, "")
    assert "Constant" not in saliency_tables.full(settings, RELEASED, "x", 2, "correlation").caption
    known = saliency_tables.similarities(
        saliency_tables.Subject("", settings, PAPER, "SOP", "correlation")
    )
    assert (
        len(known) == 16
        and {pair for pair in known if "ArcFace" in pair}
        == known.keys() - saliency_tables.defined(known).keys()
    )


def write_scores(settings, models=MODELS):
    rows = []
    for model, fold, (j, prop) in itertools.product(models, (0, 1), enumerate(paper.PROPERTIES)):
        value = j + 0.001 * fold + (5 if model.group == "Ranking" else 0)
        rows.append(
            (model.name, model.group, fold, prop.name, model.distance, "all", 600, 0.5, value)
        )
    for protocol in settings.protocols:
        csv_files.write(
            property_scores.scores_file(settings, protocol), rows, property_scores.COLUMNS
        )


def write_tests(settings, p_value):
    groups = ("Ranking", "Classification", 9, 5, 0)
    rows = [
        ("model", "loss_mean", "two-sided", *groups, p_value, 5.0, 0.0),
        ("model", "loss_fold", "half two-sided", *groups, 0.5, 5.0, 0.0),
    ]
    for protocol in settings.protocols:
        csv_files.write(
            property_scores.tests_file(settings, protocol), rows, property_scores.TEST_COLUMNS
        )


def test_table_6(settings):
    write_scores(settings)
    write_tests(settings, 0.009)
    table = property_tables.nr_precision_table(settings, PAPER, "table6")
    assert table.rows == [*NAMES, "Ranking Mean", "Classification Mean"]
    assert texts(table)[0][:2] == ["5.00", "6.00"] and texts(table)[2][:4] == [
        "0.00",
        "1.00",
        "2.00",
        "3.00",
    ]
    assert [cell.underline for cell in table.cells[2]][:4] == [
        False,
        False,
        False,
        True,
    ]  # above 2.576
    assert table.cells[4][0].bold and not table.cells[4][1].bold and not table.cells[5][0].bold
    write_tests(settings, 0.011)
    assert not property_tables.nr_precision_table(settings, PAPER, "table6").cells[4][0].bold
    write_tests(settings, 0.009)
    released = property_tables.nr_precision_table(settings, RELEASED, "table6")
    assert not released.cells[4][0].bold  # its test is another row of the file


def test_a_property_more_is_a_column_more(settings, monkeypatch):
    """With its head, in every file; by itself it stands under no group of columns."""
    more = paper.Property("wheel_size", "Wheel size", (1, 2))
    monkeypatch.setattr(property_tables, "properties_of", lambda _: [*paper.PROPERTIES, more])
    write_scores(settings)
    table = property_tables.nr_precision_table(settings, PAPER, "table6")
    assert table.columns[-2:] == ["Rotation", "Wheel size"] and table.column_groups[-2:] == [
        "Sun",
        "",
    ]
    assert texts(table)[0][-2:] == ["15.00", "missing"]
    tables.write(table, settings.results / "table6", "")
    lines = (settings.results / "table6.md").read_text().splitlines()[2:]
    assert {line.count("|") for line in lines} == {
        1 + 2 + 12
    } and "| Sun: Rotation | Wheel size |" in lines[0]
    (line,) = [
        line
        for line in (settings.results / "table6.tex").read_text().splitlines()
        if "Camera Height" in line
    ]
    assert line.count("&") == 1 + 12 and "Wheel size" in line
    rows = pd.read_csv(settings.results / "table6.csv")
    assert rows.property.value_counts()["wheel_size"] == len(table.rows)


@pytest.mark.parametrize(
    "change",
    [{"columns": ["a"]}, {"row_groups": ["a"]}, {"cells": [[tables.Cell("1")] * 2, [tables.Cell("1")] * 3]}],
)  # fmt: skip
def test_heads_that_do_not_fit_the_cells_are_no_table(tmp_path, change):
    table = tables.Table(
        "x",
        "",
        ["", ""],
        ["a", "b"],
        ["", ""],
        ["a", "b"],
        [[tables.Cell("1")] * 2] * 2,
        pd.DataFrame(),
    )
    tables.write(table, tmp_path / "x", "")
    with pytest.raises(ValueError, match="headings of .* do not match its cells"):
        tables.write(table._replace(**change), tmp_path / "y", "")
    assert not list(tmp_path.glob("y*"))


def test_table_6_of_other_groups(settings):
    """As many means as there are groups of trained models, in their order, each bold where it exceeds another's."""
    write_scores(settings)
    groups = dict(zip(NAMES, ["A", "B", "C", "None"]))
    settings = settings.model_copy(
        update={"models": [model._replace(group=groups[model.name]) for model in MODELS]}
    )
    rows = [("model", "loss_mean", "two-sided", "C", "B", 2, 2, 0, 0.001, 5.0, 0.0)]
    csv_files.write(property_scores.tests_file(settings, PAPER), rows, property_scores.TEST_COLUMNS)
    table = property_tables.nr_precision_table(settings, PAPER, "table6")
    assert table.rows[4:] == ["A Mean", "B Mean", "C Mean"] and table.row_groups[:4] == [
        "A",
        "B",
        "C",
        "None",
    ]
    assert [row[0].bold for row in table.cells[4:]] == [False, False, True]


def test_table_6_without_a_model(settings):
    write_scores(settings, MODELS[1:])
    table = property_tables.nr_precision_table(settings, PAPER, "table6")
    assert (
        texts(table)[0] == ["missing"] * 11 and texts(table)[4] == ["missing"] * 11
    )  # its group has no mean either
    assert table.missing == 22


def make_tables(settings):
    tables.make(settings, saliency_tables.entries(settings) + property_tables.ENTRIES)


def test_files(settings):
    write_pairs(settings, without=[(1, "Triplet", "ArcFace")])
    make_tables(settings)
    folder = tables.folder(settings, PAPER)
    tables.write_document(contents.table_names(settings), folder)
    # Table 3 is Table 2's other form, as both are of one dataset.
    names = {"table1", "table2", "table2_jsd", "table2_jsd_condensed", "table3", "table4", "table4_full",
             "table4_jsd", "table4_jsd_condensed", "table5", "table6"}  # fmt: skip
    assert {file.stem for file in folder.glob("*.csv")} == names
    bounded = {
        f"table{number}_{word}" for number in (2, 3, 4) for word in ("bounds", "corrected")
    }  # made by controls
    assert set(contents.table_names(settings)) == names | bounded
    assert {file.stem for file in folder.glob("*.tex")} == names | {"all_tables"}
    markdown = (folder / "table2.md").read_text()
    assert (
        "| Ranking | Contrastive | 100±0 | 33±12 |" in markdown
        and "2 of 16 cells are missing" in markdown
    )
    latex = (folder / "table2.tex").read_text()
    assert (
        r"100$\pm$0 & \cellcolor{black!40}33$\pm$12" in latex
        and r"\multicolumn{2}{c}{Ranking}" in latex
    )
    assert latex.count(r"\\") == 6 and r"\toprule" in latex
    assert pd.read_csv(folder / "table2.csv")["mean"].isna().sum() == 2
    released = (tables.folder(settings, RELEASED) / "table2.md").read_text()
    assert (
        "| Ranking | Contrastive | 100±0 | 60±11 |" in released and "Protocol released" in released
    )


def test_special_characters():
    assert tables._escaped("50% of A & B_1 ±3°") == r"50\% of A \& B\_1 $\pm$3$^\circ$"
    assert tables._markdown_row(["a|b"]) == r"| a\|b |"


def test_beside_the_paper(settings):
    write_pairs(settings)
    write_scores(settings)
    make_tables(settings)
    published_comparison.write(settings, PAPER)
    rows = pd.read_csv(
        settings.results / "paper/compared_with_paper.csv", keep_default_na=False
    )  # a note may be empty
    assert list(rows.columns) == list(published_comparison.COLUMNS)
    pair = rows[
        (rows.table == "Table 2")
        & (rows.row == "Contrastive")
        & (rows.column == "Triplet")
        & (rows.statistic == "mean")
    ]
    assert pair.published.item() == 62 and pair.ours.item() == pytest.approx(100 / 3)
    assert pair.difference.item() == pytest.approx(100 / 3 - 62) and pair.note.item() == ""
    score = rows[
        (rows.table == "Table 6") & (rows.row == "ArcFace") & (rows.column == "sun_rotation")
    ]
    assert (score.published.item(), score.ours.item()) == (0.78, pytest.approx(10.0005))
    assert set(rows.table) == {"Table 2", "Table 3", "Table 6"}  # nothing of CUB200 is there
    assert "Ours is for SOP, the published number for Cars196." in set(rows.note)


def test_every_published_number_has_a_place(settings):
    """The keys of dml_analysis/published are those of our tables."""
    published = {
        name: csv_files.read(published_comparison.PUBLISHED / f"{name}.csv", columns)
        for name, columns in (
            ("table2_sop", {"loss_a": str, "loss_b": str, "mean": float, "std": float}),
            ("table3_cars196", {"group_a": str, "group_b": str, "mean": float, "std": float}),
            ("table6_nrprec", published_comparison.SCORES),
        )
    }
    everything = settings.model_copy(update={"models": paper.MODELS})
    full, condensed, *_ = saliency_tables.entries(everything)
    ours = full.make(everything, PAPER, "table2").records
    assert (
        len(published["table2_sop"].merge(ours, on=["loss_a", "loss_b"]))
        == len(published["table2_sop"])
        == 225
    )
    ours = condensed.make(everything, PAPER, "table3").records
    assert len(published["table3_cars196"].merge(ours, on=["group_a", "group_b"])) == 9
    ours = property_tables.nr_precision_table(everything, PAPER, "table6").records
    assert len(published["table6_nrprec"].merge(ours, on=["loss", "property"])) == 165
