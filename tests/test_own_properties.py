"""Properties of one's own: a small set like dSprites through all scripts that score properties, and invalid files."""

import csv
import math

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image, ImageDraw

from dml_analysis import figures, paper
from dml_analysis.config import load_settings
from dml_analysis.controls import compared_groupings
from dml_analysis.datasets import own_properties, readers
from dml_analysis.errors import InputError
from dml_analysis.metrics.inputs import property_codes
from dml_analysis.metrics.nr_precision import nr_precision
from dml_analysis.properties import property_figures
from tests import fake_data
from tests.conftest import ROOT, built_once, copied, run_all

PAPER = paper.PROTOCOLS["paper"]
DECLARED = """name,kind,bins,order,label,unit
shape,categorical,,,Shape,
scale,ordinal,,small|medium|large,,
orientation,continuous,4,,,°
pos_x,continuous,5,,Position x,
pos_y,continuous,5,,Position y,px
"""
NAMES = ["shape", "scale", "orientation", "pos_x", "pos_y"]
SIZES = {"small": 8, "medium": 12, "large": 16}
N = 40


def make_sprites(folder, count=N):
    """A white shape on black for each row of samples.csv, whose values are drawn independently; returns the rows."""
    rng = np.random.default_rng(0)
    (folder / "sprites").mkdir(parents=True)
    (folder / "properties.csv").write_text(DECLARED)
    rows = []
    for number in range(count):
        scale = rng.choice(list(SIZES))
        shape, angle, (x, y) = rng.choice(["square", "ellipse", "heart"]), rng.uniform(0, 360), rng.uniform(20, 76, 2)  # fmt: skip
        rows.append({"image": f"sprites/{number}.png", "shape": shape, "scale": scale,
                     "orientation": f"{angle:.2f}", "pos_x": f"{x:.3f}", "pos_y": f"{y:.3f}"})  # fmt: skip
        draw_sprite(shape, SIZES[scale], angle, x, y).save(folder / rows[-1]["image"])
    write(folder / "samples.csv", rows)
    return rows


def draw_sprite(shape, size, angle, x, y):
    image = Image.new("RGB", (96, 96))
    canvas = ImageDraw.Draw(image)
    turns = [math.radians(angle) + math.tau * k / 40 for k in range(40)]
    radius = {"square": lambda t: 1 / max(abs(math.cos(t)), abs(math.sin(t))),
              "ellipse": lambda t: 1 / math.hypot(math.cos(t), 2 * math.sin(t)),
              "heart": lambda t: 1 - 0.7 * abs(math.sin(t / 2))}[shape]  # fmt: skip
    start = turns[0]
    canvas.polygon(
        [(x + size * radius(t - start) * math.cos(t), y + size * radius(t - start) * math.sin(t)) for t in turns],
        fill="white",
    )  # fmt: skip
    return image


def write(file, rows):
    with open(file, "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def settings_file(folder):
    """The tiny project's settings, with the sprites and with embeddings that are their positions x."""
    given = {"name": "Positions", "group": "Mine", "trained": False, "distance": "Raw Euclidean Distance",
             "embeddings": {"Sprites": str(folder / "positions.npz")}}  # fmt: skip
    file = fake_data.write_settings(
        folder,
        models=["Contrastive", "ArcFace", "None", given],
        properties={"dataset": "Sprites", "networks": "RenderedCars", "tsne_images": 40},
        controls={"permutations": 20},
    )
    settings = yaml.safe_load(file.read_text())
    settings["paths"]["Sprites"] = str(folder / "sprites")
    file.write_text(yaml.safe_dump(settings))
    return file


SCRIPTS = [
    "reality_check/1_check_inputs.py",
    "properties/2_embed_cars.py",
    "properties/3_score_properties.py",
    "properties/4_make_tables.py",
    "properties/5_plot_embeddings.py",
    "properties/6_probe_features.py",
    "controls/2_bound_scores.py",
    "controls/3_test_groups.py",
    "report/2_make_report.py",
]


@pytest.fixture(scope="module")
def sprites(trained, tmp_path_factory):
    """The trained project after all scripts that score properties, of sprites."""

    def build(folder):
        copied(trained, folder)
        rows = make_sprites(folder / "sprites")
        positions = np.array([[float(row["pos_x"]), 0] for row in rows], dtype=np.float32)
        ids = np.array([row["image"] for row in rows])
        np.savez(folder / "positions.npz", embeddings=positions, image_ids=ids)
        run_all(settings_file(folder), SCRIPTS)

    return built_once(tmp_path_factory, "sprites", build)


def result(folder, name):
    return pd.read_csv(folder / "results/tiny" / name)


def test_scores_are_those_of_the_declared_values(sprites):
    """By hand: each fifth of the sorted positions is a bin, and scales and shapes are as they are."""
    samples = pd.read_csv(sprites / "sprites/samples.csv")
    codes = np.stack(
        [pd.factorize(samples["shape"])[0], pd.factorize(samples.scale)[0],
         *(samples[name].rank(method="first").to_numpy().astype(int).__sub__(1) * bins // N
           for name, bins in (("orientation", 4), ("pos_x", 5), ("pos_y", 5)))],
        axis=1,
    )  # fmt: skip
    embeddings = np.stack([samples.pos_x, 0 * samples.pos_x], axis=1).astype(np.float32)
    expected = nr_precision(embeddings, codes).nr_precision
    scores = result(sprites, "paper/properties/nr_precision.csv")
    own = scores[scores.loss == "Positions"].set_index("property").nr_precision
    assert list(own.index) == NAMES and own.to_numpy() == pytest.approx(expected)
    assert own.idxmax() == "pos_x" and own.pos_x > 3
    nulls = result(sprites, "paper/controls/nulls.csv")
    p_values = nulls[nulls.loss == "Positions"].set_index("property").p_value
    assert p_values.pos_x == pytest.approx(1 / 21)  # no permutation scores as high


def test_every_result_is_about_the_declared_properties(sprites):
    of_properties = {
        name: table
        for name, table in fake_data.check_csv_files(sprites / "results").items()
        if "property" in table and "/report/" not in name  # tables of the page, with labels
    }
    assert len(of_properties) >= 9  # tests, nulls and the like
    for name, table in of_properties.items():
        assert list(table.property.unique()) == NAMES, name
    assert not list((sprites / "results").rglob("claims.csv"))  # about the paper's properties
    published = (sprites / "results").rglob("published/*")
    assert [file.name for file in published] == ["table2_tests.csv"]  # about maps


def test_tables_figures_and_report_name_the_declared_properties(sprites):
    table5 = (sprites / "results/tiny/paper/tables/table5.md").read_text()
    assert "small, medium, large" in table5 and "ellipse, heart, square" in table5
    assert "images of Sprites" in table5 and "px" in table5
    table6 = (sprites / "results/tiny/paper/tables/table6.md").read_text()
    assert "| Position x | Position y |" in table6 and "40 images of Sprites" in table6
    caption = (sprites / "figures/tiny/figure4.txt").read_text()
    assert "Shape, Scale, Orientation, Position x, Position y" in " ".join(caption.split())
    page = (sprites / "results/tiny/report.html").read_text()
    assert "Choose an image." in page and "car model" not in page.lower()
    probes = result(sprites, "properties/linear_probe.csv")
    assert list(probes["values"]) == [3, 3, 4, 5, 5]


def test_profiles_and_nulls_have_the_declared_properties(sprites, tmp_path):
    settings = load_settings(sprites / "tiny.yaml")
    assert list(compared_groupings._profiles(settings, PAPER)) == NAMES
    from dml_analysis.controls import control_figures, score_controls
    from dml_analysis.files import csv_files

    tables = [
        csv_files.table(score_controls.file_of(settings, PAPER, name), columns)
        for name, columns in (("nulls", score_controls.NULLS), ("intervals", score_controls.INTERVALS))
    ]  # fmt: skip
    figure = control_figures.nulls_figure(settings, *tables)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Shape", "Scale", "Orientation", "Position x", "Position y"]
    figures.plt.close(figure)


@pytest.mark.parametrize(
    "script", ["causes/2_shift_embeddings.py", "causes/3_explain_errors.py", "causes/4_explain_pairs.py"]
)  # fmt: skip
def test_what_needs_rendered_cars_says_so(sprites, fails, script):
    line = fails(script, sprites / "tiny.yaml")
    assert "need rendered cars, but properties.dataset is 'Sprites'; leave this script out" in line


def test_images_are_listed_for_those_who_bring_embeddings(sprites, tmp_path, run_inside):
    settings = yaml.safe_load((sprites / "tiny.yaml").read_text())
    settings["paths"]["results"] = str(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    run_inside("data/4_list_images.py", tmp_path / "tiny.yaml")
    rows = fake_data.read_rows(tmp_path / "tiny/images_Sprites.csv")
    assert [row["image_id"] for row in rows] == [f"sprites/{number}.png" for number in range(N)]
    assert {row["needed"] for row in rows} == {"yes"} and {row["fold0"] for row in rows} == {"none"}


def test_results_of_other_properties_are_not_mixed(sprites, tmp_path, fails):
    """After a change of properties.csv: scores are made again, and are shown by no other script before."""
    copied(sprites, tmp_path)
    file = settings_file(tmp_path)
    declared = tmp_path / "sprites/properties.csv"
    declared.write_text(DECLARED.replace("scale,", "size,"))
    samples = tmp_path / "sprites/samples.csv"
    samples.write_text(samples.read_text().replace("scale", "size", 1))
    line = fails("properties/3_score_properties.py", file)
    assert "was made with properties = " in line and "delete these folders" in line
    assert "column property: 'scale' is not one of shape, size" in fails("report/2_make_report.py", file)  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Values.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "values, bins, codes, labels",
    [([4, 1, 3, 2], 2, [1, 0, 1, 0], ["1 to 2", "3 to 4"]),
     ([0, 0, 0, 1], 2, [0, 0, 0, 1], ["0", "1"]),  # equal numbers share a bin
     ([5, 0, 0, 0, 0, 9], 3, [1, 0, 0, 0, 0, 1], ["0", "5 to 9"]),  # so one bin less
     ([1.0001, 1.0002, 1.0003, 1.0004], 2, [0, 0, 1, 1], ["1.0001 to 1.0002", "1.0003 to 1.0004"]),
     (range(10), 3, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2], ["0 to 3", "4 to 6", "7 to 9"])],
)  # fmt: skip
def test_bins_have_equal_frequencies(values, bins, codes, labels):
    found = own_properties.binned(np.array(values, dtype=float), bins)
    assert found[0].tolist() == codes and found[1] == labels


def read(folder, declared, columns):
    """The properties and the table of a folder with these files; columns: name -> cells."""
    (folder / "properties.csv").write_text(declared)
    n = len(next(iter(columns.values())))
    table = {"image": [f"{number}.png" for number in range(n)]} | columns
    pd.DataFrame(table).to_csv(folder / "samples.csv", index=False)
    return own_properties.read(folder)


def test_defaults_and_orders_of_values(tmp_path):
    """All but the name has a default; texts that are numbers are sorted as such; an order is kept."""
    columns = {"hair_color": ["red", "black"] * 2, "count": [10, 9] * 2, "size": ["s", "L"] * 2}
    (hair, count, size), table = read(tmp_path, "name\nhair_color\ncount\nsize\n", columns)
    assert hair[:3] == ("hair_color", "Hair color", ("black", "red")) and count.values == (
        "9",
        "10",
    )
    declared = "kind,order,name\nordinal,s|m|L,size\nordinal,,count\n"
    (size, count), table = read(tmp_path, declared, columns)
    assert size.values == ("s", "m", "L") and count.values == (9, 10)
    codes = property_codes(table)
    assert codes.tolist() == [[0, 1], [1, 0]] * 2  # m does not occur
    assert readers.occurring(table["size"]) == ["s", "L"]


def test_the_documentation_shows_valid_files(tmp_path):
    text = (ROOT / "docs/own_properties.md").read_text(encoding="utf-8")
    declared, samples = (
        next(block for block in text.split("```") if block.startswith(f"\n{first},"))
        for first in ("name", "image")
    )
    (tmp_path / "properties.csv").write_text(declared.strip(), encoding="utf-8")
    (tmp_path / "samples.csv").write_text(samples.strip())
    properties = own_properties.declared(tmp_path / "properties.csv")
    assert [prop[:2] for prop in properties] == [
        ("shape", "Shape"),
        ("scale", "Size"),
        ("orientation", "Orientation"),
    ]
    with pytest.raises(InputError, match="shape: 2 values are too many for 2 images"):
        own_properties.read(tmp_path)  # two rows are an example, not a set


def test_many_values_are_not_all_named(tmp_path):
    """The legend of Figure 3 would cover the page."""
    cells = [f"kind {number:02}" for number in range(40)] * 2
    (prop,), table = read(tmp_path, "name\nspecies\n", {"species": cells})
    points = np.random.default_rng(0).normal(size=(80, 2))
    coordinates = pd.DataFrame(points, columns=["x", "y"]).assign(image_id=table.index, loss="A")
    figure = property_figures.tsne_figure(coordinates, table, [prop])
    (panel,) = figure.axes
    assert panel.get_legend() is None and panel.get_xlabel() == "40 values, kind 00 to kind 39"
    figures.plt.close(figure)


GOOD = "name,kind,bins,order\nshape,,,\nx,continuous,2,\n"
COLUMNS = {"shape": ["a", "b"] * 3, "x": [1, 2, 3, 4, 5, 6]}


@pytest.mark.parametrize(
    "declared, columns, message",
    [("name,kind\nshape,nominal\n", {}, "line 2, column kind: 'nominal' is not one of categorical, ordinal, continuous"),
     ("kind\nordinal\n", {}, "column 'name' is missing"),
     ("name,bin\nshape,3\n", {}, "column 'bin' is none of name, kind, bins"),
     ("name\n", {}, "declares no property"),
     ("name\nshape\nshape\n", {}, "name shape is listed twice"),
     ("name,label\nshape,It\nx,It\n", {}, "two properties have the same label"),
     ("name\nimage\n", {}, "'image' is not a name of"),
     ("name\nNA\n", {}, "'NA' is not a name of"),
     ("name,bins\nshape,3\n", {}, "shape: is categorical, but only a continuous property has bins"),
     ("name,kind,bins\nx,continuous,1\n", {}, "1 bins are too few"),
     ("name,kind,order\nx,continuous,1|2\n", {}, "x: is continuous, but only an ordinal property has an order"),
     ("name,kind,order\nshape,ordinal,a|a\n", {}, "'a|a' is not a list of distinct values separated by |"),
     ("name,kind,order\nshape,ordinal,a|c\n", {}, "line 3, column shape: 'b' is not one of a, c"),
     ("name,kind\nshape,ordinal\n", {}, "line 2, column shape: 'a' is not a number"),
     ("name\ncolor\n", {}, "column 'color' is missing"),
     (GOOD, {"x": [1, 2, "", 4, 5, 6]}, "line 4, column x: '' is no value; fill the cell, or leave the image out"),
     (GOOD, {"x": [1, 2, "nan", 4, 5, 6]}, "line 4, column x: 'nan' is not a number"),
     (GOOD, {"shape": ["a"] * 6}, "shape: all images have the value a; leave it out"),
     (GOOD, {"x": [1, *[7] * 5]}, "x: all images are in one bin; declare more bins"),
     (GOOD, {"x": [7] * 6}, "x: all images have the value 7; leave it out"),
     (GOOD, {"shape": list("abcdef")}, "shape: 6 values are too many for 6 images; declare it continuous, or leave it out"),
     ("name,kind,bins\nx,continuous,4\n", {}, "x: 4 values are too many for 6 images; declare fewer bins, or leave it out"),
     (GOOD, {"image": ["0.png"] * 6}, "image 0.png is listed twice"),
     (GOOD, {"image": ["../0.png", *"12345"]}, "leads out of the dataset's folder"),
     (GOOD, {"shape": [], "x": []}, "lists no image")],
)  # fmt: skip
def test_invalid_files_are_refused_by_name(tmp_path, declared, columns, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, declared, COLUMNS | columns)
    line = str(error.value)
    assert message in line and "\n" not in line
    assert line.startswith((f"{tmp_path / 'properties.csv'}: ", f"{tmp_path / 'samples.csv'}: "))
    assert line.endswith("docs/own_properties.md shows both files")


def test_missing_images(tmp_path):
    """They are refused by name, or left out of an incomplete set, as rendered cars are."""
    make_sprites(tmp_path / "sprites", 20)
    (tmp_path / "sprites/sprites/3.png").unlink()
    settings = load_settings(settings_file(tmp_path))
    with pytest.raises(InputError, match=r"sprites/3.png: image is missing \(1 of the 20 in "):
        readers.property_images(settings)
    partial = settings.model_copy(update={"allow_partial": True})
    samples, table = readers.property_images(partial)
    assert len(samples) == len(table) == 19 and "sprites/3.png" not in table.index


@pytest.mark.parametrize(
    "dataset, words",
    [("Sprites", "properties.dataset: 'Sprites' is not allowed; give one of RenderedCars, SyntheticCars; for images of your own, give their folder in `paths`"),
     ("CUB200", "properties.dataset: 'CUB200' is not allowed")],
)  # fmt: skip
def test_a_dataset_without_a_folder(tmp_path, dataset, words):
    file = fake_data.write_settings(tmp_path, properties={"dataset": dataset, "networks": "RenderedCars"})  # fmt: skip
    with pytest.raises(InputError) as error:
        load_settings(file)
    assert words in str(error.value)
