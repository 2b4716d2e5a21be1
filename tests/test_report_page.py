"""The report in a browser: what reacts to clicks and keys, and whether everybody can use it."""

import base64
import io
import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from dml_analysis.config import load_settings
from dml_analysis.datasets import readers
from dml_analysis.files import csv_files
from dml_analysis.metrics.map_similarity import fisher_mean
from dml_analysis.properties import property_scores
from dml_analysis.renderer import mask_files
from dml_analysis.report import (
    neighbor_explorer,
    pair_section,
    published_comparison,
    saliency_browser,
)
from dml_analysis.saliency import map_comparisons
from tests import fake_data
from tests.conftest import copied, run_all

pytestmark = pytest.mark.slow
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--no-first-run", "--disable-quic"]  # fmt: skip
MAX_BYTES, MAX_SECONDS = 25e6, 2


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
               "causes/1_locate_maps.py", "causes/4_explain_pairs.py", "causes/6_plot_causes.py", "controls/1_bound_maps.py",
               "controls/3_test_groups.py", "reality_check/3_evaluate_models.py"]  # fmt: skip
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

    def opener(width=1280, scheme="light", file=file, link=""):
        window = {"width": width, "height": 800}
        contexts.append(
            chromium.new_context(
                viewport=window,
                color_scheme=scheme,
                reduced_motion="reduce",
                permissions=["clipboard-read", "clipboard-write"],
            )
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
            shown.goto(file.as_uri() + link)
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
    shown.locator("#further-tables summary").click()
    assert shown.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme, width", [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(opened, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    shown = opened(width, scheme)
    for summary in shown.locator("summary").all():
        summary.click()
    shown.locator("#explorer-pairs button").first.click()
    shown.locator("td.n").first.focus()
    results = Axe().run(shown)
    assert results.violations_count == 0, results.generate_report()
    dark = shown.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_contents_and_skip_link(opened):
    shown = opened()
    for link in shown.locator("a[href^='#']").all():
        assert shown.locator(link.get_attribute("href")).count() == 1
    ids = shown.eval_on_selector_all("[id]", "all => all.map(each => each.id)")
    assert len(ids) == len(set(ids))
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
    assert text_of(shown, "#browser-jsd") != jsd and "base e" in text_of(shown, "#browser-jsd")


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
    assert re.fullmatch(r"−?\d\.\d{3}", text_of(shown, "#number .full"))
    shown.locator("h1").hover()
    assert shown.locator("#number").is_hidden()  # it leaves with the pointer
    shown.locator("table[data-table^='Table 2,']:visible td.n").nth(2).click()
    assert "Contrastive and None" in text_of(shown, "#number .of")


def test_published_numbers_are_filtered_and_sorted(opened):
    shown = opened()
    rows = "#published tr[data-row]:visible"
    shown.select_option("#compared-table", "Table 6")
    assert set(shown.locator(f"{rows} > td:nth-last-child(2)").all_text_contents()) == {"Table 6"}
    shown.select_option("#compared-table", "")
    every = shown.locator(rows).count()
    shown.fill("#compared-words", "MODEL arcface")
    some = shown.locator(rows).all_text_contents()
    assert 0 < len(some) < every
    assert all("ArcFace" in text and "Car model" in text for text in some)
    assert text_of(shown, "#compared-count") == f"{len(some)} of {every} numbers"
    shown.fill("#compared-words", "arcface nothing")
    assert shown.locator("[data-no-result]:visible").count() == 1
    shown.fill("#compared-words", "arcface")
    heading = shown.locator("#published thead:visible button", has_text="Published")
    for _ in range(2):
        heading.click()
    published = shown.locator(f"{rows} > td:nth-of-type(2)").all_text_contents()
    numbers = [float(text.replace("−", "-")) for text in published]
    assert numbers == sorted(numbers, reverse=True) != [numbers[0]] * len(numbers)
    assert shown.locator("#published [aria-sort='descending']:visible").count() == 1


# ---------------------------------------------------------------------------------------------------------------------
# What is shown is in the address; what is shown can be taken away.
# ---------------------------------------------------------------------------------------------------------------------
STATE = """() => ({
  protocol: document.documentElement.dataset.protocol, browser: document.getElementById("browser-view").dataset.shows,
  explorer: document.getElementById("explorer-view").dataset.shows, wrong: document.getElementById("explorer-wrong").checked,
  words: document.getElementById("compared-words").value, table: document.getElementById("compared-table").value,
  rows: [...document.querySelectorAll("tr[data-row]")].filter((row) => row.offsetWidth).map((row) => row.textContent).join(),
})"""


def test_a_link_opens_the_same_view(opened):
    shown = opened()
    assert "?" not in shown.url
    shown.get_by_label("released", exact=True).check()
    shown.locator("#browser-images input").nth(2).check()
    shown.select_option("#browser-method-a", "ArcFace")
    shown.locator(".tile", has_text="None").click()
    shown.locator("#explorer-queries input").nth(3).check()
    shown.check("#explorer-wrong")
    shown.select_option("#compared-table", "")
    shown.fill("#compared-words", "car model")
    shown.locator("#explorer > h2 .permalink").click()
    shown.wait_for_selector("#browser-view[data-shows$='released 1 2']")
    link = shown.url.split("report.html")[1]
    assert link.startswith("#explorer?") and "protocol=released" in link
    before, top = (
        shown.evaluate(STATE),
        "document.getElementById('explorer').getBoundingClientRect().top",
    )
    assert before["explorer"].endswith(" 1 2") and before["words"] == "car model"
    again = opened(link=link)
    again.wait_for_selector("#browser-view[data-shows$='released 1 2']")
    assert again.evaluate(STATE) == before != opened().evaluate(STATE)
    again.wait_for_function(f"Math.abs({top}) < 150")
    pasted = opened()
    pasted.evaluate(f"location.hash = {json.dumps(link)}")
    pasted.wait_for_selector("#browser-view[data-shows$='released 1 2']")
    assert pasted.evaluate(STATE) == before


def test_a_permalink_opens_its_protocol_and_what_is_folded(opened, file):
    shown = opened(link="#table-2_jsd-released?wrong=only")
    assert shown.get_by_label("released", exact=True).is_checked()
    assert shown.locator("#table-2_jsd-released").is_visible()
    shown = opened(link="#nothing?protocol=other&image=none&a=nobody")  # not of this page
    assert shown.evaluate(STATE) == opened().evaluate(STATE)


def test_back_returns_to_the_place_and_keeps_what_was_chosen(opened):
    shown = opened()
    shown.locator(".bar nav a", has_text="Tables").click()
    place = shown.evaluate("scrollY")
    shown.locator(".bar nav a", has_text="Glossary").click()
    shown.get_by_label("released", exact=True).check()
    shown.go_back()
    shown.wait_for_function("location.hash.startsWith('#tables')")
    assert abs(shown.evaluate("scrollY") - place) < 300
    assert shown.get_by_label("released", exact=True).is_checked()


def test_switching_the_protocol_keeps_the_place(opened):
    shown = opened()
    place = "document.getElementById('table-6-{}').getBoundingClientRect().top"
    shown.evaluate("document.getElementById('table-6-paper').scrollIntoView()")
    before = shown.evaluate(place.format("paper"))
    shown.get_by_label("released", exact=True).check()
    assert shown.evaluate(place.format("released")) == pytest.approx(before, abs=2)


def test_copied_csv_and_latex_are_the_files(opened, reported):
    shown = opened()
    for summary in shown.locator("summary").all():
        summary.click()
    tables = shown.locator(".table:has(.take code):visible")
    names = []
    for table in tables.all():
        name = table.locator(".take code").text_content()
        names.append(name)
        for label, ending in (("Copy CSV", ".csv"), ("Copy LaTeX", ".tex")):
            button = table.locator("button[data-copy]", has_text=label)
            copied = button.get_attribute("data-copy")
            assert copied == (reported / name).with_suffix(ending).read_text(), name
    assert {
        "results/both/paper/tables/table2.csv",
        "results/both/paper/report/published.csv",
    } <= set(names)
    assert any("/report/accuracy_" in name for name in names) and len(names) == len(set(names))
    button = shown.locator("#table-6-paper button", has_text="Copy LaTeX")
    expected = button.get_attribute("data-copy")
    button.click()
    shown.wait_for_selector("#table-6-paper button:text('Copied')")
    assert shown.evaluate("navigator.clipboard.readText()") == expected
    assert shown.locator("#cite button[data-copy*='@inproceedings']").count() == 1


def test_figures_are_enlarged(opened):
    shown = opened()
    picture = shown.locator("#figures .picture:visible").first
    width = picture.locator("img").get_attribute("width")
    picture.locator("button.enlarge").click()
    large = shown.locator("#enlarged img")
    assert large.is_visible() and large.evaluate("each => each.naturalWidth") == int(width)
    shown.keyboard.press("Escape")
    assert large.is_hidden()
    shown.locator("button.enlarge:has(#browser-a)").click()
    assert large.is_visible() and "Saliency map of Contrastive" in large.get_attribute("alt")
    numbers = shown.locator(".picture:visible figcaption strong").all_text_contents()
    found = [int(text.split(".")[0].removeprefix("Figure ")) for text in numbers]
    assert found == sorted(set(found)) and found[0] > 1


@pytest.mark.parametrize("scrolled", [0, 37, 10_000])
def test_no_digit_is_hidden_in_a_narrow_window(opened, scrolled):
    """A number under the names of rows, or beyond the edge, is shown either completely or not at all."""
    shown = opened(390)
    shown.locator("#further-tables summary").click()
    shown.evaluate(
        f"document.querySelectorAll('.table .box').forEach((box) => box.scrollLeft = {scrolled})"
    )
    shown.wait_for_timeout(500)
    cells = shown.evaluate("""() => [...document.querySelectorAll(".table .box")].filter((box) => box.offsetWidth).flatMap((box) => {
      const [left, right] = [[...box.querySelectorAll("tbody th[scope=row]")].find((each) => each.offsetWidth).getBoundingClientRect().right, box.getBoundingClientRect().right];
      return [...box.querySelectorAll("td.n, td.r")].filter((cell) => cell.offsetWidth && cell.offsetWidth < box.clientWidth / 3).map((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        const text = range.getBoundingClientRect();
        return { text: cell.textContent, cut: text.left < left - 1 || text.right > right + 1, shown: !cell.matches(".cut") };
      });
    })""")
    assert len(cells) > 50 and any(cell["cut"] for cell in cells)
    assert [cell["text"] for cell in cells if cell["cut"] and cell["shown"] and cell["text"]] == []
    assert any(cell["shown"] for cell in cells)


def test_a_term_shows_its_definition(opened):
    shown = opened()
    term = shown.locator("button.term:visible", has_text="protocol").first
    term.focus()
    shown.keyboard.press("Enter")
    assert "as the paper's text defines it" in text_of(shown, "#term-protocol:popover-open")
    shown.keyboard.press("Escape")
    assert shown.locator("#term-protocol").is_hidden()


def test_wrong_neighbours_only(opened):
    shown = opened()
    data = data_of(shown, "explorer")
    shown.check("#explorer-wrong")
    for side in ("a", "b"):
        first = shown.locator(f"#explorer-{side} tbody tr").first
        assert "shared" not in first.locator(".hidden").all_text_contents()
        assert set(first.locator(".share").first.all_text_contents()) <= {"0", "–"}
    car, (model, *_) = data["queries"][0], data["models"]
    wrong = [other for other in model["neighbors"][0] if data["cars"][other]["codes"][0] != data["cars"][car]["codes"][0]]  # fmt: skip
    assert shown.locator("#explorer-a thead button").count() == len(wrong)


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
    methods = [shown.locator(f"#browser-method-{letter}") for letter in "ab"]
    assert [each.input_value() for each in methods] == ["Contrastive", "ArcFace"]
    tile["None"].focus()
    shown.keyboard.press("Enter")
    assert [each.input_value() for each in methods] == ["Contrastive", "None"]  # A stays
    tile["ArcFace"].click()
    shown.locator("#browser-swap").click()
    tile["None"].click()
    assert [each.input_value() for each in methods] == ["ArcFace", "None"]
    shown.wait_for_selector("#browser-view[data-shows$=' 1 2']")
    assert tile["None"].get_attribute("aria-pressed") == "true"
    assert tile["Contrastive"].get_attribute("aria-pressed") == "false"
    before = shown.evaluate("document.getElementById('browser-difference').toDataURL()")
    shown.locator("#browser-images input").first.focus()
    for image in range(1, 4):
        shown.keyboard.press("ArrowRight")
        shown.wait_for_selector(f"#browser-view[data-shows='{ids[image]} paper 1 2']")
    correlation, jsd = saliency_browser.similarities(comparison, ["ArcFace", "None"], ids)
    assert text_of(shown, "#browser-correlation") == f"r = {correlation[3, 0]:.3f}".replace(
        "-", "−"
    )
    assert f"{jsd[3, 0]:.3f}" in text_of(shown, "#browser-jsd")
    assert "of 1 pairs of trained methods" in text_of(shown, "#browser-percentile")
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
            .reshape(112, 6, 112, 6, 3)
            .mean(axis=(1, 3))
        )
    comparison = saliency_browser.first_comparisons(load_settings(reported / "both.yaml"))[0]
    store = comparison.maps["Contrastive"]
    values = np.asarray(saliency_browser.sheet([store.load(0)["maps"][0].astype(np.float32)]))[
        :112, :112
    ]
    magma = 255 * saliency_browser.figures.matplotlib.colormaps["magma"](values)[..., :3]
    address = data_of(shown, "browser")["images"][0]["address"]
    with Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))) as image:
        under = np.asarray(image.convert("RGB").resize((112, 112), Image.Resampling.BOX), float)
    share = values[..., None] / 255  # the larger a value, the less of the image shows through
    expected = share * magma + (1 - share) * under
    assert np.abs(drawn - expected).mean() < 6 < np.abs(drawn - magma).mean()
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
    shown.select_option("#explorer-method-b", "ArcFace")
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
        here = shown.locator(f"#explorer-{side} tbody td.share:nth-child(2)").all_text_contents()
        assert [int(text) for text in here] == pytest.approx(100 * same.mean(axis=0), abs=0.5001)
    assert text_of(shown, "#explorer-a caption") != text_of(shown, "#explorer-b caption")


def test_a_neighbour_is_opened(opened):
    shown = opened()
    shown.locator("#explorer-a button").nth(2).focus()
    shown.keyboard.press("Enter")
    detail = shown.locator("#explorer-a thead .detail")  # under the neighbour
    assert "Neighbour" in detail.text_content() and detail.locator("li").count() == 11
    assert shown.locator("#explorer-a button").nth(2).get_attribute("aria-pressed") == "true"
    assert shown.evaluate("document.activeElement.tagName") == "BUTTON"  # the focus stays
    shown.keyboard.press("Enter")
    assert shown.locator(".detail").count() == 0


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


def test_an_explained_pair_is_opened_by_its_button(opened):
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
    other_model = data["models"][(pair["model"] + 1) % len(data["models"])]
    shown.select_option("#explorer-method-a", other_model["name"])
    button.focus()
    shown.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert shown.get_attribute("#explorer-view", "data-shows").startswith(
        f"{data['cars'][car]['id']} {pair['model']} "
    )
    assert shown.locator("#explorer-queries input").nth(pair["query"]).is_checked()
    assert (
        shown.locator("#explorer-method-a").input_value() == data["models"][pair["model"]]["name"]
    )
    marked = shown.locator("#explorer-a [data-explained]")
    assert marked.get_attribute(
        "aria-pressed"
    ) == "true" and f"car {data['cars'][other]['id']}," in marked.locator("img").get_attribute(
        "alt"
    )
    addresses = shown.eval_on_selector_all(".detail .why img", "all => all.map(each => each.src)")
    assert addresses == [each["address"] for each in pair["maps"]["paper"]] and len(addresses) == 2
    captions = shown.locator(".detail .why figcaption").all_text_contents()
    for caption, each in zip(captions, pair["maps"]["paper"]):
        (model,) = [some for some in data["models"] if some["name"] == each["model"]]
        nearest = model["neighbors"][pair["query"]]
        place = (
            f"neighbour {nearest.index(other) + 1}"
            if other in nearest
            else f"not among the nearest {len(nearest)}"
        )
        assert caption == f"{each['model']}: {place}"
    assert shown.locator(".detail").evaluate(
        "each => each.getBoundingClientRect().top < innerHeight"
    )
    shown.get_by_label("released", exact=True).check()
    addresses = shown.eval_on_selector_all(".detail .why img", "all => all.map(each => each.src)")
    assert addresses == [each["address"] for each in pair["maps"]["released"]]
    assert "(protocol released)" in text_of(shown, ".detail h3")
    button.click()
    assert button.get_attribute("aria-pressed") == "false" and shown.locator(".detail").count() == 0


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


# ---------------------------------------------------------------------------------------------------------------------
# Its numbers are those of the stores.
# ---------------------------------------------------------------------------------------------------------------------
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
