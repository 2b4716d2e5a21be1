"""The report: its numbers by hand, and its page in a browser: what reacts to clicks and keys, and whether all can use it."""

import base64
import io
import itertools
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dml_analysis import checkout, paper, tables
from dml_analysis.config import Settings, TrainingSettings, load_settings
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import Crop
from dml_analysis.embedding_space import measure_correlations
from dml_analysis.files import csv_files
from dml_analysis.methods import find
from dml_analysis.metrics.map_similarity import fisher_mean
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
from dml_analysis.saliency import map_comparisons, saliency_tables
from dml_analysis.saliency.saliency_tables import Similarity
from tests import fake_data
from tests.conftest import copied, run_all

PAPER, RELEASED = paper.PROTOCOLS.values()
MODELS = [
    find(name, paper.MODELS) for name in ("Contrastive", "Triplet", "ArcFace", "CosFace", "None")
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--no-first-run", "--disable-quic"]  # fmt: skip
MAX_BYTES, MAX_SECONDS = 25e6, 2


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
    "within, between, number, words, not_words",
    [(0.62, 0.5, "+0.120", "more alike within a group, by 0.120", "less"),
     (0.5, 0.62, "−0.120", "less alike within a group, by 0.120", "more"),
     (0.5001, 0.4999, "+0.000", "as alike within as between groups", "more")],
)  # fmt: skip
def test_words_follow_the_numbers_within_and_between_groups(
    within, between, number, words, not_words
):
    found = findings.within_and_between(known(within, between, 0.3), MODELS, "of D; fold 0")
    assert found.number == number and words in found.text and not_words not in found.text
    assert (
        f"one group correlate at {within:.3f}" in found.text
        and f"of two groups at {between:.3f}" in found.text
    )
    assert found.n == "2 pairs within, 4 between groups; 7 images of D; fold 0"


@pytest.mark.parametrize("to_none, number, words", [(0.4, "−0.100", "further from the trained models than these are from one another, by 0.100"), (0.6, "+0.100", "closer to the trained"),
                                                    (0.5, "+0.000", "as close to the trained models as these are")])  # fmt: skip
def test_words_follow_the_numbers_of_untrained_models(to_none, number, words):
    found = findings.untrained(known(0.5, 0.5, to_none), MODELS, "of D; fold 0")
    assert (
        found.number == number
        and words in found.text
        and found.n.startswith("4 and 6 pairs; 7 images")
    )


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
    assert found.number == "5.50" and found.n == "2 models; 1,200 rendered cars; folds 0, 1"
    assert (
        "most by car rotation (5.50), then sun elevation (3.50), then sun rotation (2.50)"
        in found.text
    )
    assert (
        "least by car model (1.50)" in found.text
        and "All 2 models have these 3 first" in found.text
    )
    other = findings.order(
        scored([1, 5, 3, 2], [2, 6, 3, 4]), MODELS, WORDS, "rendered cars"
    )  # together 3 and 3: the one that comes first
    assert (
        "then sun elevation (3.00), then sun rotation (3.00)" in other.text
        and "1 of the 2 models" in other.text
    )


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
    assert found.number == "2 of 3" and found.n == "9 values of Ranking, 5 of Classification"
    assert (
        "sun rotation (p\u00a0=\u00a00.001, Ranking has more); car model (p\u00a0=\u00a00.004, Classification has more)"
        in found.text
    )
    none = findings.differences(
        rows_of_tests(("model", 0.04, 1, 2), ("rotation_z", 0.01, 1, 2)), WORDS
    )  # not below 1%
    assert (
        none.number == "0 of 2"
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
    assert found.number == "0.50" and found.n.startswith("14 models")
    assert (
        "Recall@1 on test classes rises with density" in found.text
        and "it falls with spectral decay" in found.text
    )
    assert (
        "r\u00a0=\u00a0−0.70, 95% interval −0.90 to −0.20" in found.text
        and found.text.count("r\u00a0=") == 2
    )
    unclear = findings.shapes(pd.DataFrame([correlation("rho_2", -0.7, -0.9, 0.1)]), "D")
    assert (
        "cannot be said to rise or fall with spectral decay" in unclear.text
        and unclear.number == "−0.70"
    )


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
                    full = float(cell.full) * (
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


def test_the_studys_numbers_beside(tmp_path):
    def write(name, *rows):
        csv_files.write(
            tmp_path / name / "paper/compared_with_paper.csv", rows, published_comparison.COLUMNS
        )

    write(
        "demo",
        ("Table 3", "A", "B", "mean", 80.0, 50.0, -30.0, "Other networks."),
        ("Table 3", "A", "C", "mean", 80.0, 60.0, -20.0, ""),
    )
    write(
        "study",
        ("Table 3", "A", "B", "mean", 80.0, 70.0, -10.0, ""),
        ("Table 3", "A", "B", "std", 8.0, 7.0, -1.0, ""),
    )
    paths = checkout.PATHS | {"results": tmp_path}
    rows = published_comparison.rows_of(
        Settings(name="demo", protocols=[PAPER], paths=paths), PAPER
    )
    assert [row["ours"] for row in rows] == [50, 60] and [row["study"] for row in rows] == [
        70,
        None,
    ]
    assert published_comparison.notes_of(rows) == {"Table 3": "Other networks."}
    assert [
        row["study"]
        for row in published_comparison.rows_of(
            Settings(name="study", protocols=[PAPER], paths=paths), PAPER
        )
    ] == [None, None]


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
    assert pictures.no_wider(wide, 150).size == (150, 50) and pictures.no_wider(wide, 400).size == (
        300,
        100,
    )
    assert pictures.no_wider(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), 9).getpixel((1, 1)) == (
        255,
        255,
        255,
    )
    assert pictures.address(wide).startswith("data:image/webp;base64,")


def test_titles_of_figures():
    assert figure_section.title_of("figure2_more") == "Saliency maps of several images"
    assert (
        figure_section.title_of("gains_Cars196") == "Improvement by training, Cars196"
        and figure_section.title_of("own") == "own"
    )
    assert (
        figure_section.title_of("needed_Cars196").endswith(", Cars196")
        and figure_section.title_of("pairs") == "Explained pairs"
    )


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
        "<strong>Embedding spaces, D.</strong> What it shows, in two lines of &lt;text&gt;.</figcaption>"
        in html
    )


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


def test_correlations_of_images_are_those_of_the_pairs(reported):
    settings = load_settings(reported / "both.yaml")
    for comparison in saliency_browser.first_comparisons(settings):
        names, ids = (
            ["ArcFace", "Contrastive", "None"],
            [item.image_id for item in comparison.samples],
        )  # in another order
        correlation, jsd = saliency_browser.similarities(comparison, names, ids)
        file = map_comparisons.pairs_file(settings, comparison.protocol, comparison.dataset)
        pairs = csv_files.read(file, map_comparisons.COLUMNS, map_comparisons.KEY)
        for place, names in enumerate(
            [("ArcFace", "Contrastive"), ("ArcFace", "None"), ("Contrastive", "None")]
        ):
            row = pairs[
                (pairs.loss_a.isin(names))
                & pairs.loss_b.isin(names)
                & (pairs.loss_a != pairs.loss_b)
            ].iloc[0]
            assert fisher_mean(correlation[:, place]) == pytest.approx(row.correlation_mean)
            assert jsd[:, place].mean() == pytest.approx(row.jsd_mean)
        backwards = saliency_browser.similarities(comparison, ["ArcFace", "None"], ids[::-1])[0]
        assert backwards[:, 0].tolist() == correlation[::-1, 1].tolist()


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
    for name, script in (("findings", "numbered scripts"), ("published", "report/1_list_results.py"), ("figures", "saliency/4_plot_maps.py"),
                         ("causes", "causes/1_locate_maps.py"), ("controls", "controls/1_bound_maps.py"), ("browser", "saliency/1_compute_maps.py"), ("explorer", "properties/2_embed_cars.py")):  # fmt: skip
        assert "Nothing yet" in found[name] and script in found[name]
    assert (
        found["tables"].count("nothing yet") == 6
        and "Run saliency/2_compare_maps.py" in found["tables"]
    )  # 1 and 5 need none
    assert "none yet" in found["run"]
    assert len(page.html(settings)) > 10_000


def test_a_new_section_is_a_function_in_a_list(finished):
    settings = load_settings(finished / "tiny.yaml")
    html = page.html(
        settings,
        [*page.SECTIONS[:1], Section("more", "Something <else>", lambda settings: settings.name)],
    )
    assert (
        'id="more"' in html
        and "Something &lt;else&gt;" in html
        and html.count('<section id="') == 2
    )


# ---------------------------------------------------------------------------------------------------------------------
# In a browser.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def reported(finished, tmp_path_factory):
    """The finished project, run once more by both protocols on four images of cars that have masks, with its report."""
    folder = tmp_path_factory.mktemp("reported")
    copied(finished, folder)
    mask = np.zeros((256, 256), dtype=np.uint8)
    mask[90:170, 60:200] = mask_files.CAR
    (folder / "cars/masks").mkdir()
    for frame in range(1, 97):
        mask_files.write(folder / "cars/masks" / f"{frame}.png", mask)
    settings = fake_data.write_settings(
        folder, "both", protocol=["paper", "released"], saliency=fake_data.SALIENCY | {"images": 4},
        causes={"pairs": 3, "pair_models": 2},
    )  # fmt: skip
    scripts = ["saliency/1_compute_maps.py", "saliency/2_compare_maps.py", "saliency/3_make_tables.py", "saliency/4_plot_maps.py",
               "properties/2_embed_cars.py", "properties/3_score_properties.py", "properties/4_make_tables.py",
               "causes/1_locate_maps.py", "causes/4_explain_pairs.py", "causes/6_plot_causes.py", "controls/3_test_groups.py"]  # fmt: skip
    run_all(settings, scripts)
    loaded = load_settings(settings)
    for protocol in loaded.protocols:
        published_comparison.write(loaded, protocol)
    run_all(settings, ["report/2_make_report.py"])
    return folder


@pytest.fixture(scope="module")
def chromium():
    """A real browser, without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        reason = f"none of {', '.join(BROWSERS)} is installed (on Debian: apt-get install chromium)"
        (pytest.fail if os.environ.get("CI_NEEDS_BROWSER") else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(reported):
    return reported / "results/both/report.html"


@pytest.fixture
def opened(chromium, file):
    """A function that opens the page, by default in a window of 1280 pixels; nothing may go wrong in it, nor ask anything of anywhere."""
    contexts, wrong = [], []

    def opener(width=1280, scheme="light", file=file):
        window = {"width": width, "height": 800}
        contexts.append(
            chromium.new_context(viewport=window, color_scheme=scheme, reduced_motion="reduce")
        )
        shown = contexts[-1].new_page()
        shown.on(
            "console",
            lambda message: (
                wrong.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.on(
            "request",
            lambda request: (
                None if request.url.startswith(("data:", "file:")) else wrong.append(request.url)
            ),
        )
        if file is not None:
            shown.goto(file.as_uri())
            shown.wait_for_selector("#browser-view[data-shows]")
        return shown

    yield opener
    for context in contexts:
        context.close()
    assert wrong == []


def data_of(shown, name):
    return json.loads(shown.locator(f"#{name}-data").text_content())


def text_of(shown, selector):
    return shown.locator(selector).text_content().strip()


def test_the_page_is_one_file_of_moderate_size(file, opened):
    assert 50_000 < file.stat().st_size < MAX_BYTES
    shown = opened(file=None)
    metrics = shown.context.new_cdp_session(shown)
    metrics.send(
        "Performance.enable", {"timeDomain": "threadTicks"}
    )  # not the clock: other programs may be at work
    shown.goto(file.as_uri())
    shown.wait_for_selector("#browser-view[data-shows]")
    found = {
        each["name"]: each["value"] for each in metrics.send("Performance.getMetrics")["metrics"]
    }
    assert 0 < found["TaskDuration"] < MAX_SECONDS


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_is_wider_than_the_window(opened, width):
    shown = opened(width)
    shown.locator("summary").click()
    assert shown.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme, width", [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(opened, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    shown = opened(width, scheme)
    shown.locator("summary").click()
    shown.locator("#explorer-pairs button").first.click()
    shown.locator("td.n").first.focus()
    results = Axe().run(shown)
    assert results.violations_count == 0, results.generate_report()
    dark = shown.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_contents_and_skip_link(opened):
    shown = opened()
    for link in shown.locator("nav a").all():
        assert shown.locator(link.get_attribute("href")).count() == 1
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.className") == "skip"
    shown.keyboard.press("Enter")
    assert shown.evaluate("document.activeElement.id") == "main"


def test_theme_by_switch(opened):
    shown = opened()
    color = "getComputedStyle(document.body).backgroundColor"
    light = shown.evaluate(color)
    shown.get_by_label("dark", exact=True).check()
    assert shown.evaluate(color) != light
    shown.reload()
    assert (
        shown.evaluate(color) != light and shown.get_by_label("dark", exact=True).is_checked()
    )  # it is remembered
    shown.get_by_label("light", exact=True).check()
    assert shown.evaluate(color) == light


def test_the_protocol_switch_changes_all_tables(opened):
    shown = opened()
    cells = "#tables td.n:visible"
    before, jsd = shown.locator(cells).all_text_contents(), text_of(shown, "#browser-jsd")
    assert all(
        "Protocol paper" in text
        for text in shown.locator("#tables caption:visible").all_text_contents()
        if "Protocol" in text
    )
    shown.get_by_label("released", exact=True).check()
    after = shown.locator(cells).all_text_contents()
    assert len(before) == len(after) > 20 and before != after
    captions = [
        text
        for text in shown.locator("#tables caption:visible").all_text_contents()
        if "Protocol" in text
    ]
    assert captions and all("Protocol released" in text for text in captions)
    assert "protocol released" in text_of(shown, ".findings li:visible >> nth=0")
    shown.wait_for_selector("#browser-view[data-shows*=released]")
    assert text_of(shown, "#browser-jsd") != jsd and "base e" in text_of(shown, "#browser-numbers")


def test_a_number_explains_itself_to_keys_pointer_and_touch(opened):
    shown = opened()
    table = shown.locator("table[data-table^='Table 6']:visible")
    assert shown.locator("#number").is_hidden()
    assert table.locator("td[tabindex='0']").count() == 1  # one stop for the Tab key
    table.locator("td[tabindex='0']").focus()
    assert "Contrastive, Car model" in text_of(shown, "#number .of") and float(
        text_of(shown, "#number .full").replace("−", "-")
    )
    assert text_of(shown, "#number .more") == "NR-Precision; 96 rendered cars; mean over fold 0"
    shown.keyboard.press("ArrowRight")
    assert "Contrastive, Car rotation" in text_of(shown, "#number .of")
    shown.keyboard.press("ArrowDown")
    assert "ArcFace, Car rotation" in text_of(shown, "#number .of")
    shown.keyboard.press("ArrowUp")
    shown.keyboard.press("ArrowLeft")
    shown.keyboard.press("ArrowLeft")  # stays at the edge
    assert "Contrastive, Car model" in text_of(shown, "#number .of")
    shown.keyboard.press("Escape")
    assert shown.locator("#number").is_hidden()
    shown.locator("table[data-table^='Table 2,']:visible td.n").nth(1).hover()
    assert "Contrastive and ArcFace" in text_of(
        shown, "#number .of"
    ) and "4 images in each fold" in text_of(shown, "#number .more")
    shown.locator("#number button").click()
    shown.locator("table[data-table^='Table 2,']:visible td.n").nth(2).click()
    assert "Contrastive and None" in text_of(shown, "#number .of")


def test_published_numbers_are_filtered(opened):
    shown = opened()
    rows = "#published tr[data-row]:visible"
    shown.select_option("#compared-table", "Table 3")
    assert set(shown.locator(f"{rows} > td:first-child").all_text_contents()) == {"Table 3"}
    shown.select_option("#compared-table", "")
    every = shown.locator(rows).count()
    shown.fill("#compared-words", "arcface")
    some = shown.locator(rows).all_text_contents()
    assert 0 < len(some) < every and all("ArcFace" in text for text in some)
    assert text_of(shown, "#compared-count") == f"{len(some)} of {every} numbers"


def test_images_are_sorted_by_disagreement(opened):
    shown = opened()
    numbers = "#browser-images label span"
    as_given = [float(text) for text in shown.locator(numbers).all_text_contents()]
    assert as_given == pytest.approx(
        data_of(shown, "browser")["protocols"]["paper"]["agreement"], abs=5.1e-4
    )
    shown.select_option("#browser-order", "agreement")
    by_agreement = [float(text) for text in shown.locator(numbers).all_text_contents()]
    assert by_agreement == sorted(as_given) != as_given
    shown.select_option("#browser-order", "dataset")
    assert [float(text) for text in shown.locator(numbers).all_text_contents()] == as_given


def test_means_over_models_are_over_trained_ones(opened):
    shown = opened()
    shown.wait_for_selector("#browser-view[data-shows]")
    data = data_of(shown, "browser")
    assert [each["trained"] for each in data["models"]] == [True, True, False]
    trained, *with_untrained = data["protocols"]["paper"]["correlation"][0]
    assert data["protocols"]["paper"]["agreement"][0] == trained
    tiles = [
        float(text.replace("−", "-")) for text in shown.locator(".tile .r").all_text_contents()
    ]
    assert tiles == pytest.approx([trained, trained, sum(with_untrained) / 2], abs=5.1e-4)


def test_two_models_are_compared_by_click_and_by_key(opened, reported):
    shown = opened()
    settings = load_settings(reported / "both.yaml")
    (comparison,) = [
        each
        for each in saliency_browser.first_comparisons(settings)
        if each.protocol.name == "paper"
    ]
    ids = [each["id"] for each in data_of(shown, "browser")["images"]]
    assert ids == [item.image_id for item in comparison.samples] and len(ids) == 4
    tile = {
        name: shown.locator(".tile", has_text=name) for name in ("Contrastive", "ArcFace", "None")
    }
    assert text_of(shown, "#browser-pair") == "Contrastive and ArcFace"
    tile["Contrastive"].click()  # takes it back
    assert (
        text_of(shown, "#browser-pair") == "Choose a second model"
        and shown.locator(".panels").is_hidden()
    )
    tile["None"].focus()
    shown.keyboard.press("Enter")
    assert text_of(shown, "#browser-pair") == "ArcFace and None"
    assert (
        tile["None"].get_attribute("aria-pressed") == "true"
        and tile["Contrastive"].get_attribute("aria-pressed") == "false"
    )
    before = shown.evaluate("document.getElementById('browser-difference').toDataURL()")
    shown.locator("#browser-images input").first.focus()
    for image in range(1, 4):
        shown.keyboard.press("ArrowRight")
        shown.wait_for_selector(f"#browser-view[data-shows='{ids[image]} paper 1 2']")
    correlation, jsd = saliency_browser.similarities(comparison, ["ArcFace", "None"], ids)
    assert text_of(shown, "#browser-correlation") == f"{correlation[3, 0]:.3f}".replace("-", "−")
    assert text_of(shown, "#browser-jsd") == f"{jsd[3, 0]:.4f}"
    assert shown.evaluate("document.getElementById('browser-difference').toDataURL()") != before


def test_maps_are_drawn_in_their_colours(opened, reported):
    """The large map, without image and outline, has the colours of magma at the values of the map on its store."""
    shown = opened()
    shown.locator("#browser-opacity").evaluate(
        "each => { each.value = 100; each.dispatchEvent(new Event('input')) }"
    )
    shown.uncheck("#browser-outline")
    shown.wait_for_timeout(300)
    address = shown.evaluate("document.getElementById('browser-a').toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))) as picture:
        drawn = (
            np.asarray(picture.convert("RGB"), dtype=float)
            .reshape(112, 4, 112, 4, 3)
            .mean(axis=(1, 3))
        )
    comparison = saliency_browser.first_comparisons(load_settings(reported / "both.yaml"))[0]
    store = comparison.maps["Contrastive"]
    values = np.asarray(saliency_browser.sheet([store.load(0)["maps"][0].astype(np.float32)]))[
        :112, :112
    ]
    magma = (255 * saliency_browser.figures.matplotlib.colormaps["magma"](values)[..., :3]).reshape(
        -1, 3
    )
    assert np.corrcoef(drawn.reshape(-1, 3).sum(axis=1), magma.sum(axis=1))[0, 1] > 0.95
    assert np.abs(drawn.reshape(-1, 3) - magma).mean() < 12
    before = shown.evaluate("document.getElementById('browser-a').toDataURL()")
    shown.check("#browser-outline")
    shown.wait_for_timeout(300)
    assert shown.evaluate("document.getElementById('browser-a').toDataURL()") != before


def test_neighbours_and_what_they_share(opened, reported):
    shown = opened()
    data = data_of(shown, "explorer")
    queries = {each["query"] for each in data["explained"]}
    assert 40 <= len(data["queries"]) <= 40 + len(queries) and [
        each["name"] for each in data["models"]
    ] == ["Contrastive", "ArcFace", "None"]
    shown.locator("#explorer-queries input").first.focus()
    shown.keyboard.press("ArrowRight")
    shown.select_option("#explorer-model-b", label="ArcFace")
    car = data["cars"][data["queries"][1]]
    assert text_of(shown, "#explorer-about").startswith(f"Car {car['id']}:")
    assert shown.get_attribute("#explorer-view", "data-shows") == f"{car['id']} 0 1"
    items, codes = property_scores.images_and_codes(load_settings(reported / "both.yaml"))
    places = {item.image_id: place for place, item in enumerate(items)}
    for side, model in (("a", data["models"][0]), ("b", data["models"][1])):
        neighbors = [data["cars"][each]["id"] for each in model["neighbors"][1]]
        alts = shown.eval_on_selector_all(
            f"#explorer-{side} thead img", "all => all.map(each => each.alt)"
        )
        assert [alt.split("car ")[1].split(",")[0] for alt in alts] == neighbors and car[
            "id"
        ] not in neighbors
        same = np.array([codes[places[each]] == codes[places[car["id"]]] for each in neighbors])
        marks = [[cell == "shared" for cell in row.locator("td .hidden").all_text_contents()]
                 for row in shown.locator(f"#explorer-{side} tbody tr").all()]  # fmt: skip
        assert np.array(marks).tolist() == same.T.tolist()
        here = shown.locator(f"#explorer-{side} tbody td.r:nth-last-child(3)").all_text_contents()
        assert [int(text) for text in here] == pytest.approx(100 * same.mean(axis=0), abs=0.5001)
    assert text_of(shown, "#explorer-a caption") != text_of(shown, "#explorer-b caption")


def test_a_neighbour_is_opened(opened):
    shown = opened()
    shown.locator("#explorer-a button").nth(2).focus()
    shown.keyboard.press("Enter")
    assert (
        "Neighbour" in text_of(shown, "#explorer-detail")
        and shown.locator("#explorer-detail li").count() == 11
    )
    assert shown.locator("#explorer-a button").nth(2).get_attribute("aria-pressed") == "true"
    assert shown.evaluate("document.activeElement.tagName") == "BUTTON"  # the focus stays
    shown.keyboard.press("Enter")
    assert text_of(shown, "#explorer-detail") == ""


def explained_of(shown):
    """The data of the explorer, and those of its explained pairs whose neighbour is among the nearest under some model."""
    data = data_of(shown, "explorer")
    for pair in data["explained"]:
        explained = {each["model"] for maps in pair["maps"].values() for each in maps}
        ranks = [
            (
                model["name"] not in explained,
                model["neighbors"][pair["query"]].index(pair["neighbor"]),
                index,
            )
            for index, model in enumerate(data["models"])
            if pair["neighbor"] in model["neighbors"][pair["query"]]
        ]
        pair["model"] = min(ranks)[2] if ranks else None
    return data, [pair for pair in data["explained"] if pair["model"] is not None]


@pytest.mark.parametrize("key", [None, "Enter"])
def test_an_explained_pair_is_opened_by_its_button(opened, key):
    shown = opened()
    data, pairs = explained_of(shown)
    buttons = shown.locator("#explorer-pairs button")
    assert buttons.count() == len(data["explained"]) == 3 and pairs
    pair = pairs[-1]
    button, car, other = (
        buttons.nth(data["explained"].index(pair)),
        data["queries"][pair["query"]],
        pair["neighbor"],
    )
    shown.select_option("#explorer-model-a", str((pair["model"] + 1) % len(data["models"])))
    if key:
        button.focus()
        shown.keyboard.press(key)
    else:
        button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert shown.get_attribute("#explorer-view", "data-shows").startswith(
        f"{data['cars'][car]['id']} {pair['model']} "
    )
    assert shown.locator("#explorer-queries input").nth(pair["query"]).is_checked()
    assert shown.locator("#explorer-model-a").input_value() == str(pair["model"])
    marked = shown.locator("#explorer-a [data-explained]")
    assert marked.get_attribute(
        "aria-pressed"
    ) == "true" and f"car {data['cars'][other]['id']}," in marked.locator("img").get_attribute(
        "alt"
    )
    addresses = shown.eval_on_selector_all(
        "#explorer-detail .why img", "all => all.map(each => each.src)"
    )
    assert addresses == [each["address"] for each in pair["maps"]["paper"]] and len(addresses) == 2
    captions = shown.locator("#explorer-detail .why figcaption").all_text_contents()
    for caption, each in zip(captions, pair["maps"]["paper"]):
        (model,) = [some for some in data["models"] if some["name"] == each["model"]]
        nearest = model["neighbors"][pair["query"]]
        place = (
            f"neighbour {nearest.index(other) + 1}"
            if other in nearest
            else f"not among the nearest {len(nearest)}"
        )
        assert caption == f"{each['model']}: {place}"
    assert shown.locator("#explorer-detail").evaluate(
        "each => each.getBoundingClientRect().top < innerHeight"
    )
    shown.get_by_label("released", exact=True).check()
    addresses = shown.eval_on_selector_all(
        "#explorer-detail .why img", "all => all.map(each => each.src)"
    )
    assert addresses == [each["address"] for each in pair["maps"]["released"]]
    assert "(protocol released)" in text_of(shown, "#explorer-detail h3")
    button.click()
    assert (
        button.get_attribute("aria-pressed") == "false" and text_of(shown, "#explorer-detail") == ""
    )


def test_a_neighbour_that_has_been_explained_is_marked_and_opens(opened):
    shown = opened()
    data, pairs = explained_of(shown)
    pair = pairs[0]
    shown.locator("#explorer-queries input").nth(pair["query"]).check()
    for place, model in enumerate(
        data["models"]
    ):  # under all models that have it among the nearest
        shown.select_option("#explorer-model-b", str(place))
        assert shown.locator("#explorer-b [data-explained]").count() == (
            pair["neighbor"] in model["neighbors"][pair["query"]]
        )
    shown.select_option("#explorer-model-b", str(pair["model"]))
    known, model = (
        {(each["query"], each["neighbor"]) for each in data["explained"]},
        data["models"][pair["model"]],
    )
    inputs = shown.locator("#explorer-queries input")
    for query, neighbors in enumerate(
        model["neighbors"]
    ):  # of no other car, whoever its neighbours are
        inputs.nth(query).check()
        assert shown.locator("#explorer-b [data-explained]").count() == sum(
            (query, each) in known for each in neighbors
        )
    inputs.nth(pair["query"]).check()
    shown.locator("#explorer-b [data-explained]").first.focus()
    shown.keyboard.press("Enter")
    assert shown.locator("#explorer-detail .why img").count() == 2
    assert (
        shown.locator("#explorer-pairs button")
        .nth(data["explained"].index(pair))
        .get_attribute("aria-pressed")
        == "true"
    )
    shown.locator("#explorer-queries input").nth(pair["query"] - 1 if pair["query"] else 1).check()
    assert shown.locator("#explorer-pairs [aria-pressed=true]").count() == 0


def test_pairs_in_the_page_are_those_that_were_explained(opened, reported):
    settings = load_settings(reported / "both.yaml")
    chosen, stores = pair_section.pairs_and_stores(settings)
    data, _ = explained_of(opened())
    ids = [each["id"] for each in data["cars"]]
    found = [
        (ids[data["queries"][each["query"]]], ids[each["neighbor"]]) for each in data["explained"]
    ]
    assert found == [(pair.query.image_id, pair.neighbor.image_id) for pair in chosen]
    addresses = [data["cars"][each["neighbor"]]["address"] for each in data["explained"]]
    assert (
        addresses == [neighbor_explorer.thumbnail(pair.neighbor) for pair in chosen]
        and len(set(addresses)) > 1
    )
    names = {each["model"] for each in data["explained"][0]["maps"]["paper"]}
    assert names == {store.subject.network.model.name for store in stores["paper"]}


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


def test_shares_are_those_of_evenly_spaced_cars(reported):
    settings = load_settings(reported / "both.yaml")
    items, codes = property_scores.images_and_codes(settings)
    queries = np.array(readers.evenly_spaced(range(len(items)), neighbor_explorer.QUERIES))
    data = json.loads(
        str(neighbor_explorer.section(settings))
        .split('id="explorer-data">')[1]
        .split("</script>")[0]
    )
    assert len(data["queries"]) > len(queries) or {items[i].image_id for i in queries} >= {
        data["cars"][i]["id"] for i in data["queries"]
    }
    for name, store in neighbor_explorer.stores_of(settings, items).items():
        (model,) = [each for each in data["models"] if each["name"] == name]
        wanted = neighbor_explorer.shares(
            codes, queries, neighbor_explorer.neighbors_of(store, queries)
        )
        assert model["shares"] == pytest.approx(wanted, abs=5.1e-5)
