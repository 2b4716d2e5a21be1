"""The numbers and texts of the report, by hand and on a tiny project; test_report_page.py opens it in a browser."""

import base64
import io
import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dml_analysis import checkout, paper, tables
from dml_analysis.config import Settings, TrainingSettings, load_settings
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import Crop
from dml_analysis.embedding_space import measure_correlations
from dml_analysis.methods import find
from dml_analysis.properties import property_scores, property_tables
from dml_analysis.renderer import mask_files
from dml_analysis.report import (
    figure_section,
    findings,
    neighbor_explorer,
    page,
    pair_section,
    pictures,
    published_comparison,
    saliency_browser,
)
from dml_analysis.report import table_section as report_tables
from dml_analysis.report.section import Section
from dml_analysis.saliency import saliency_tables
from dml_analysis.saliency.saliency_tables import Similarity
from tests.conftest import copied

PAPER, RELEASED = paper.PROTOCOLS.values()
MODELS = [
    find(name, paper.MODELS) for name in ("Contrastive", "Triplet", "ArcFace", "CosFace", "None")
]


# ---------------------------------------------------------------------------------------------------------------------
# Findings.
# ---------------------------------------------------------------------------------------------------------------------
def known(within, between, to_none):
    """Similarities of MODELS: of pairs within Ranking and Classification, between these, and with None."""
    groups, found = {model.name: model.group for model in MODELS}, {}
    for a, b in itertools.product(groups, repeat=2):
        alike = to_none if "None" in (a, b) else within if groups[a] == groups[b] else between
        found[a, b] = Similarity(alike, 0.1, 7)
    return found


@pytest.mark.parametrize(
    "within, between, words, not_words",
    [(0.62, 0.5, "more alike within a type, by 0.120", "less"),
     (0.5, 0.62, "less alike within a type, by 0.120", "more"),
     (0.5001, 0.4999, "as alike within as between types", "more")],
)  # fmt: skip
def test_words_follow_the_numbers_within_and_between_groups(within, between, words, not_words):
    found = findings.within_and_between(known(within, between, 0.3), MODELS, "of D; fold 0")
    assert words in found.text and not_words not in found.text
    assert f"one type correlate at {within:.3f}" in found.text
    assert f"of two types at {between:.3f}" in found.text
    assert "has not been tested" in found.conclusion
    assert found.n == "2 pairs within, 4 between groups; 7 images of D; fold 0"


@pytest.mark.parametrize(
    "to_none, words",
    [(0.4, "further from the trained models"), (0.6, "closer to the trained models"),
     (0.5, "as close to the trained models")],
)  # fmt: skip
def test_words_follow_the_numbers_of_untrained_models(to_none, words):
    found = findings.untrained(known(0.5, 0.5, to_none), MODELS, "of D; fold 0")
    assert words in found.conclusion and "not tested" in found.conclusion
    assert f"“None” correlate at {to_none:.3f}" in found.text
    assert ("by 0.100" in found.text) == (to_none != 0.5)
    assert found.n.startswith("4 and 6 pairs; 7 images")


WORDS = {prop.name: prop.label.lower() for prop in paper.PROPERTIES}


def test_nothing_is_said_of_what_there_is_not():
    assert (
        findings.within_and_between({}, MODELS, "") is None
        and findings.untrained({}, MODELS, "") is None
    )
    one_group = [model for model in MODELS if model.group == "Ranking"]
    assert findings.within_and_between(known(0.5, 0.5, 0.5), one_group, "") is None
    assert (
        findings.order(pd.DataFrame(columns=list(property_scores.COLUMNS)), MODELS, WORDS, "cars")
        is None
    )
    assert (
        findings.differences(pd.DataFrame(columns=list(property_scores.TEST_COLUMNS)), WORDS)
        is None
    )
    assert findings.shapes(pd.DataFrame(columns=list(measure_correlations.COLUMNS)), "D") is None


def scored(*values):
    """Scores of model, rotation, sun elevation and sun rotation for Contrastive and ArcFace, in two folds each, and of None."""
    names = ("model", "rotation_z", "sun_elevation", "sun_rotation")
    rows = [{"loss": loss, "fold": fold, "property": name, "nr_precision": value, "n_images": 1200}
            for loss, some in zip(("Contrastive", "ArcFace"), values) for fold, shift in ((0, -0.5), (1, 0.5))
            for name, value in zip(names, np.add(some, shift))]  # fmt: skip
    rows += [
        {"loss": "None", "fold": 0, "property": name, "nr_precision": 99.0, "n_images": 1200}
        for name in names
    ]
    return pd.DataFrame(rows)


def test_order_of_properties():
    found = findings.order(scored([1, 5, 3, 2], [2, 6, 4, 3]), MODELS, WORDS, "rendered cars")
    assert found.n == "2 models; 1,200 rendered cars; folds 0, 1"
    assert found.conclusion == (
        "Embeddings cluster most by car rotation, then sun elevation, then sun rotation."
    )
    assert "car rotation 5.50, sun elevation 3.50, sun rotation 2.50" in found.text
    assert "least for car model, 1.50" in found.text
    assert "All 2 models have these 3 first" in found.text
    other = findings.order(
        scored([1, 5, 3, 2], [2, 6, 3, 4]), MODELS, WORDS, "rendered cars"
    )  # together 3 and 3: the one that comes first
    assert "sun elevation 3.00, sun rotation 3.00" in other.text
    assert "1 of the 2 models" in other.text


def rows_of_tests(*rows):
    columns = ("property", "p_value", "mean_a", "mean_b")
    same = {
        "unit": "loss_mean",
        "alternative": "two-sided",
        "group_a": "Ranking",
        "group_b": "Classification",
        "n_a": 9,
        "n_b": 5,
    }
    return pd.DataFrame([same | dict(zip(columns, row)) for row in rows])


def test_differences_between_groups():
    found = findings.differences(
        rows_of_tests(
            ("model", 0.004, 1, 2), ("rotation_z", 0.2, 1, 2), ("sun_rotation", 0.001, 2, 1)
        ),
        WORDS,
    )
    assert "differ in 2 of 3 properties at 1%, not corrected for 3 tests" in found.conclusion
    assert found.n == "9 values of Ranking, 5 of Classification"
    assert (
        "sun rotation (p\u00a0=\u00a00.001, Ranking has more); car model (p\u00a0=\u00a00.004, Classification has more)"
        in found.text
    )
    none = findings.differences(
        rows_of_tests(("model", 0.04, 1, 2), ("rotation_z", 0.01, 1, 2)), WORDS
    )  # not below 1%
    assert (
        "differ in none of 2 properties" in none.conclusion
        and "the smallest p is 0.01 (car rotation)" in none.text
        and "more" not in none.text
    )


def correlation(measure, value, low, high, **changes):
    row = {"points": "methods", "kind": "pearson", "measure": measure, "of": "train", "performance": "recall_at_1",
           "n_points": 14, "n_methods": 14, "correlation": value, "low": low, "high": high}  # fmt: skip
    return row | changes


def test_shapes_of_spaces():
    rows = [correlation("pi_ratio", 0.5, 0.1, 0.8), correlation("rho_2", -0.7, -0.9, -0.2),
            correlation("pi_ratio", -0.9, -1, -0.8, of="test"), correlation("rho_2", 0.9, 0.8, 1, kind="spearman"),
            correlation("rho_2", 0.9, 0.8, 1, performance="map_at_r")]  # fmt: skip
    found = findings.shapes(pd.DataFrame(rows), "D")
    assert found.n.startswith("14 models")
    assert found.conclusion == "Recall@1 rises with density; it falls with spectral decay."
    assert (
        "r\u00a0=\u00a0−0.70, 95% interval −0.90 to −0.20" in found.text
        and found.text.count("r\u00a0=") == 2
    )
    unclear = findings.shapes(pd.DataFrame([correlation("rho_2", -0.7, -0.9, 0.1)]), "D")
    assert "cannot be said to rise or fall with spectral decay" in unclear.conclusion


# ---------------------------------------------------------------------------------------------------------------------
# Tables and published numbers.
# ---------------------------------------------------------------------------------------------------------------------
def test_numbers_in_full_are_those_that_are_printed(finished):
    settings, found = load_settings(finished / "tiny.yaml"), 0
    for entry in [*saliency_tables.entries(settings), *property_tables.ENTRIES]:
        table = entry.make(settings, PAPER, entry.name)
        shown = report_tables.numbers(table, readers.labels_of(settings))
        assert [[cell.text for cell in row] for row in shown] == [
            [cell.text for cell in row] for row in table.cells
        ]
        for label, row in zip(table.rows, shown):
            for cell in row:
                if cell.what:
                    printed = float(cell.text.split("±")[0])
                    full = float(cell.full.replace("−", "-")) * (
                        100 if entry.name in ("table2", "table3", "table4") else 1
                    )
                    assert printed == pytest.approx(full, abs=0.5 if full > 20 else 0.0051), (
                        entry.name,
                        cell,
                    )
                    assert cell.what.split(" and ")[0].split(",")[0] == label
                    found += 1
    assert found > 60


@pytest.mark.parametrize("names", ["AB", "AAA"])  # of another row, one too many
def test_records_that_are_not_the_cells_are_refused(names):
    records = pd.DataFrame([(name, 1.0) for name in names], columns=["loss", "value"])
    table = tables.Table(
        "table6", "", [], ["x", "y"], [], ["A"], [[tables.Cell("1"), tables.Cell("2")]], records
    )
    with pytest.raises(ValueError, match=f"table6: has {len(names)} records for 1 rows of 2 cells"):
        report_tables.records_of(table)


def test_groups_of_rows_and_columns():
    table = tables.Table(
        "t",
        "",
        ["", "Car", "Car", ""],
        list("abcd"),
        ["R", "R", "C"],
        list("xyz"),
        [],
        pd.DataFrame(),
    )
    assert report_tables.row_groups(table) == [("R", 2), ("C", 1)]
    assert report_tables.column_groups(table) == [("", 1), ("Car", 2), ("", 1)]
    assert report_tables.row_groups(table._replace(row_groups=[])) == [("", 3)]
    assert report_tables.column_groups(table._replace(column_groups=[])) == []


def compared(table, row, column, published, ours, note="", statistic="mean"):
    difference = ours - published
    return (table, row, column, statistic, float(published), float(ours), difference, note)


def test_published_numbers_are_compared_with_their_like():
    other = "Ours is for D, the published number for SOP."
    rows = [
        compared("Table 2", "Triplet", "Triplet", 100, 100),  # by definition
        compared("Table 2", "Triplet", "ArcFace", 60, 50, other),
        compared("Table 2", "Triplet", "ArcFace", 12, 10, other, "std"),
        compared("Table 2", "ArcFace", "Triplet", 60, 50, other),  # again
        compared("Table 3", "Ranking", "None", 75, 70),  # of other methods
        compared("Table 3", "None", "None", 100, 90),
        compared("Table 6", "Classification Mean", "model", 50, 40),
        compared("Table 6", "Triplet", "model", 50, 40, "Ours uses a part of the images."),
    ]
    frame = pd.DataFrame(rows, columns=list(published_comparison.COLUMNS))
    found = published_comparison.like_with_like(frame, MODELS)
    assert found[["table", "row", "column"]].to_numpy().tolist() == [
        ["Table 2", "Triplet", "ArcFace"], ["Table 3", "None", "None"], ["Table 6", "Triplet", "model"],
    ]  # fmt: skip
    assert np.isnan(found.difference.iloc[0]) and found.difference.tolist()[1:] == [-10, -10]
    everything = published_comparison.like_with_like(frame, paper.MODELS)
    assert {"Ranking", "Classification Mean"} <= set(everything.row)


def test_the_order_of_published_numbers():
    """Properties by their means over trained methods: 5, 4, 3, 2, 1 published, here the last two swapped."""
    scores = {
        "model": (5, 9),
        "rotation_z": (4, 8),
        "color_hue": (3, 7),
        "color_sat": (2, 1),
        "color_val": (1, 2),
    }
    rows = [compared("Table 6", name, column, published + shift, ours + shift, statistic="NR-Precision")
            for name, shift in (("Triplet", -0.5), ("ArcFace", 0.5)) for column, (published, ours) in scores.items()]  # fmt: skip
    rows += [compared("Table 6", "None", name, 0, 99 * i) for i, name in enumerate(scores)]
    frame = pd.DataFrame(rows, columns=list(published_comparison.COLUMNS))
    (order,) = published_comparison.orders(frame, MODELS)
    assert order["rank_correlation"] == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert (order["table"], order["n"], order["what"]) == ("Table 6", 5, "means of properties over 2 methods")  # fmt: skip
    assert published_comparison.orders(frame[frame.column != "model"], MODELS) == []  # too few


def test_shades_of_table_6_and_between_bounds():
    cells = [[tables.Cell("", value) for value in row] for row in ((0, 100), (1, 300), (2, 200))]
    table = tables.Table("table6", "", [], ["x", "y"], [], list("abc"), cells, pd.DataFrame())
    assert report_tables.shades_of(table, None) == [[0, 0], [20, 40], [40, 20]]
    bounded = report_tables.shades_of(table._replace(name="table2"), (1, 201))
    assert bounded == [[0, 20], [0, 40], [0, 40]]


# ---------------------------------------------------------------------------------------------------------------------
# Pictures and figures.
# ---------------------------------------------------------------------------------------------------------------------
def test_outlines_of_a_square_and_of_a_ring():
    mask = np.zeros((6, 8), dtype=bool)
    assert saliency_browser.outline(mask) == ""
    mask[1:4, 2:6] = True  # corners are cut at half a pixel
    square = "M2.5 1L5.5 1L6 1.5L6 3.5L5.5 4L2.5 4L2 3.5L2 1.5L2.5 1Z"
    assert saliency_browser.outline(mask) == square
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    assert saliency_browser.outline(ring).endswith("ZM1.5 1L1 1.5L1.5 2L2 1.5L1.5 1Z")


def test_the_car_as_the_network_sees_it():
    mask = np.full((100, 200), mask_files.GROUND, dtype=np.uint8)
    mask[:, 110:] = mask_files.CAR
    seen = saliency_browser.car_seen(mask, Crop(100, (100, 100)))  # the middle, from 50 to 150
    edge = round(0.6 * saliency_browser.PICTURE)
    assert (
        seen.shape == (saliency_browser.PICTURE,) * 2
        and seen[:, edge:].all()
        and not seen[:, :edge].any()
    )


def test_a_sheet_of_maps():
    maps = [np.full((7, 7), float(value)) for value in (0, 0.5, 1, 0.25, 0.75, 1, 0.1)]
    maps[2][0, 0] = np.nan  # where a network sees nothing
    with np.errstate(invalid="raise"):
        grey = np.asarray(saliency_browser.sheet(maps))
    side = saliency_browser.SIDE
    assert grey.shape == (2 * side, saliency_browser.COLUMNS * side)
    assert [int(grey[side // 2, side // 2 + k * side]) for k in range(6)] == [
        0,
        128,
        255,
        64,
        191,
        255,
    ]
    assert grey[side + 50, 50] == 26 and grey[0, 2 * side] == 0 and not grey[side:, side:].any()


def test_pictures():
    wide = Image.new("RGB", (300, 100), "red")
    wide.paste("blue", (100, 0, 200, 100))
    assert pictures.square(wide, 10).getpixel((5, 5)) == (0, 0, 255) and pictures.square(
        wide, 10
    ).size == (10, 10)
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert pictures.on_white(clear).getpixel((1, 1)) == (255, 255, 255)
    assert pictures.address(wide).startswith("data:image/webp;base64,")


def decoded(address):
    content = io.BytesIO(base64.b64decode(address.removeprefix("data:image/webp;base64,")))
    return np.asarray(Image.open(content).convert("RGB")).astype(int)


def test_charts_are_lossless_and_photographs_are_not_larger_than_they_may_be():
    chart = np.zeros((40, 60, 3), dtype=np.uint8)
    chart[::7, :, 0], chart[:, ::5, 2] = 200, 77
    found = decoded(pictures.lossless_address(Image.fromarray(chart)))
    assert (found == chart).all()
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    address = pictures.lossless_address(Image.fromarray(noise))
    assert (decoded(address) != noise).any()


def test_titles_of_figures():
    assert figure_section.title_of("figure2_more") == "Saliency maps of several images"
    assert (
        figure_section.title_of("gains_Cars196") == "Improvement by training, Cars196"
        and figure_section.title_of("own") == "own"
    )
    assert figure_section.title_of("needed_Cars196").endswith(", Cars196")
    assert figure_section.title_of("trees") == "Trees of models"


def test_captions_are_those_beside_the_figures(tmp_path):
    settings = Settings(
        name="demo",
        protocols=[PAPER],
        paths=checkout.PATHS | {"figures": tmp_path},
        training=TrainingSettings(),
    )
    settings.figures.mkdir()
    for name in ("regions_D", "spaces_D", "spaces_E"):
        Image.new("RGB", (4, 3), "red").save(settings.figures / f"{name}.png")
    (settings.figures / "spaces_D.txt").write_text(
        f"What it shows,\nin two lines of <text>. {settings.note}\n"
    )
    html = str(figure_section.section(settings))
    assert html.count("<figure") == 2  # that of a question stands under the question
    assert (
        'alt="What it shows, in two lines of &lt;text&gt;."' in html
        and 'alt="Embedding spaces, E"' in html
    )
    assert (
        "<strong>Figure 3. Embedding spaces, D.</strong> What it shows, in two lines of &lt;text&gt;."
        in html
    )  # the figure of a question is the second
    assert 'id="figure-spaces_E"' in html and "/demo/spaces_E.png</code>" in html
    assert '<h3 id="figures-embeddings-and-properties">' in html


# ---------------------------------------------------------------------------------------------------------------------
# Maps and neighbours.
# ---------------------------------------------------------------------------------------------------------------------
def test_agreement_is_the_mean_over_pairs_of_trained_models():
    nan = np.nan
    correlations = np.array(
        [[0.2, 0.4, nan], [0.9, 0.1, 0.5], [nan, nan, nan]]
    )  # of 0 and 1, 0 and 2, 1 and 2
    with_untrained = saliency_browser.agreement(correlations, [True, False, True])
    assert with_untrained[:2] == pytest.approx([0.4, 0.1]) and np.isnan(with_untrained[2])
    assert np.isnan(saliency_browser.agreement(correlations, [True, False, False])).all()
    found = saliency_browser.agreement(correlations, [True] * 3)
    assert found[:2] == pytest.approx([0.3, 0.5]) and np.isnan(found[2])
    assert saliency_browser._plain(found) == [0.3, 0.5, None]


def test_nearest_neighbours_of_a_tiny_embedding():
    coordinates = np.array([[0, 0], [3, 0], [1, 0], [0, 2], [0, -2]])
    assert neighbor_explorer.nearest(coordinates, [0, 1], 3).tolist() == [
        [2, 3, 4],
        [2, 0, 3],
    ]  # 3 and 4 are as far from 0
    assert neighbor_explorer.nearest(coordinates, [2], 8).tolist() == [[0, 1, 3, 4]]  # all others
    assert neighbor_explorer.nearest(np.zeros((3, 2)), [1], 2).tolist() == [[0, 2]]


def test_shares_and_chance():
    codes = np.array([[0, 0], [0, 1], [0, 2], [1, 0]])
    assert neighbor_explorer.shares(codes, [0, 3], np.array([[1, 2], [0, 1]])).tolist() == [
        0.5,
        0.25,
    ]
    # Of the three others: two have the first's model, and one its colour; none has the last's model
    assert neighbor_explorer.chance(codes, np.array([0, 3])) == pytest.approx(
        np.array([[2 / 3, 1 / 3], [0, 1 / 3]])
    )


def test_a_section_whose_inputs_do_not_exist_says_what_to_run(trained, tmp_path):
    settings = load_settings(copied(trained, tmp_path))
    found = {each.name: str(page.body(each, settings)) for each in page.SECTIONS}
    for name, script in (("accuracy", "reality_check/3_evaluate_models.py"), ("findings", "numbered scripts"), ("published", "report/1_list_results.py"), ("figures", "saliency/4_plot_maps.py"),
                         ("causes", "causes/1_locate_maps.py"), ("controls", "controls/1_bound_maps.py"), ("browser", "saliency/1_compute_maps.py"), ("explorer", "properties/2_embed_cars.py")):  # fmt: skip
        assert "Nothing yet" in found[name] and script in found[name]
    assert (
        found["tables"].count("nothing yet") == 6
        and "Run saliency/2_compare_maps.py" in found["tables"]
    )  # 1 and 5 need none
    assert "none yet" in found["run"] and "too small to test the papers' claims" in found["claims"]
    assert len(page.html(settings)) > 10_000


def test_a_new_section_is_a_function_in_a_list(finished):
    settings = load_settings(finished / "tiny.yaml")
    html = page.html(
        settings,
        [
            *page.SECTIONS[:1],
            Section("more", "Something <else>", "Else", lambda settings: settings.name),
        ],
    )
    assert (
        'id="more"' in html
        and "Something &lt;else&gt;" in html
        and html.count('<section id="') == 2
    )


def test_without_explained_pairs_there_is_no_list(finished):
    settings = load_settings(finished / "tiny.yaml")
    html = str(neighbor_explorer.section(settings))
    assert (
        pair_section.pairs_and_stores(settings) == ([], {})
        and "explorer-pairs" not in html
        and '"explained": []' in html
    )
    assert "more above are of explained pairs" not in html and "marked <em>why</em>" not in html


def test_a_map_is_laid_over_its_picture():
    picture = np.full((2, 2, 3), 100, dtype=np.uint8)
    found = pair_section.laid_over(picture, np.array([[0, 1], [0, 0]], dtype=np.float16))
    assert found[0, 0].tolist() == [40, 40, 42]  # 0.4 * 100 + 0.6 * magma(0), which is (0, 0, 4)
    assert found[0, 1].tolist() == [
        191,
        192,
        155,
    ]  # 0.4 * 100 + 0.6 * magma(1), which is (252, 253, 191)
