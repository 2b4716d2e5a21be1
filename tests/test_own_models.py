"""Models of one's own beside the paper's: a tiny network and files of embeddings through every script, and what is refused."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from dml_analysis import checkout, methods, paper
from dml_analysis.config import load_settings
from dml_analysis.datasets import readers
from dml_analysis.errors import InputError
from dml_analysis.networks import specifications
from tests import fake_data
from tests.conftest import AFTER_TRAINING, ROOT, SCRIPTS, run_all
from tests.networks import tiny

TINY = {
    "name": "Tiny",
    "group": "Mine",
    "distance": "tests.networks:stretched",
    "network": "tests.networks:tiny",
}
FOLDS = {
    "name": "Tiny per fold",
    "group": "Ranking",
    "network": "tests.networks:tiny",
    "checkpoint": "{folder}/tiny_fold{{fold}}.pth",
}
GIVEN = {
    "name": "Given",
    "group": "Mine",
    "embeddings": {"RenderedCars": "{folder}/cars_fold{{fold}}.npz"},
}
ELSEWHERE = {"name": "Elsewhere", "group": "Mine", "embeddings": {"SOP": "{folder}/products.npz"}}
UNTRAINED = {"name": "Fresh", "group": "Mine", "trained": False, "network": "tests.networks:tiny"}
EXAMPLES = [each for each in methods.read_list("examples/models.yaml") if each != methods.PAPER]
NAMES = [
    "Contrastive",
    "ArcFace",
    "None",
    "Tiny",
    "Tiny per fold",
    "Given",
    "Elsewhere",
    "Fresh",
    *(each["name"] for each in EXAMPLES),
]
IN_FILES = set(map(paper.as_in_files, NAMES))
ONCE = (
    "Tiny, Elsewhere, Fresh, EfficientNet-Lite2, Mean colours, Random weights 1, Random weights 2"
)


def entry(base, folder, **changes):
    """An entry of `models` whose paths are in the folder."""
    return yaml.safe_load(
        yaml.safe_dump(base | changes)
        .replace("{folder}", str(folder))
        .replace("{{", "{")
        .replace("}}", "}")
    )


def write_embeddings(file, ids, d=7, seed=0):
    np.savez(
        file,
        embeddings=np.random.default_rng(seed).normal(size=(len(ids), d)),
        image_ids=np.array(ids),
    )


def own_settings(folder, *own, **changes):
    return fake_data.write_settings(
        folder, models=["Contrastive", "ArcFace", "None", *own], **changes
    )


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    """A project with all kinds of models and those of the worked example, after every script."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "cars").symlink_to(trained / "cars")
    for fold in (0, 1):
        network = tiny()[0]
        torch.nn.init.normal_(network[3].weight, std=0.1 + fold)
        torch.save(
            {"state_dict": network.state_dict(), "epoch": 3}, folder / f"tiny_fold{fold}.pth"
        )
        write_embeddings(folder / f"cars_fold{fold}.npz", range(1, 97), seed=fold)
    write_embeddings(folder / "products.npz", ["a"])
    small = {"dml_analysis.networks.efficientnet_lite:lite2": "tests.networks:tiny_too"}
    trained_here = "reality_check/models_demo/synthetic", f"{folder}/models/rendered"
    examples = [
        each
        | {"network": small.get(each["network"], each["network"].replace(*trained_here))}
        | ({"crop": [48, 32]} if "crop" in each else {})
        for each in EXAMPLES
    ]
    own = (entry(each, folder) for each in (TINY, FOLDS, GIVEN, ELSEWHERE, UNTRAINED, *examples))
    settings = own_settings(folder, *own, folds=[0, 1], trunk="tests.networks:tiny_trunk")
    run_all(
        settings,
        ["reality_check/2_train_models.py", *AFTER_TRAINING, *SCRIPTS, "data/4_list_images.py"],
    )
    return folder


def table(made, name):
    return pd.read_csv(made / "results/tiny/paper/tables" / f"{name}.csv")


def markdown(made, name):
    return (made / "results/tiny/paper/tables" / f"{name}.md").read_text()


def cells(made, name, row):
    (line,) = [line for line in markdown(made, name).splitlines() if f"| {row} |" in line]
    return [cell.strip() for cell in line.split(f"| {row} |")[1].split("|")[:-1]]


def test_rows_and_columns(made):
    full, scores = table(made, "table2"), table(made, "table6")
    assert set(full.loss_a) == set(full.loss_b) == IN_FILES
    assert set(scores.loss) == {*IN_FILES, "Ranking Mean", "Classification Mean", "Mine Mean"}
    assert cells(made, "table1", "Tiny") == ["", "Mine", "tests.networks:stretched"]
    condensed = table(made, "table3")
    assert set(condensed.group_a) == {
        "Ranking",
        "Classification",
        "Untrained",
        "Mine",
        "Other networks",
        "Ceiling and floor",
    }
    assert not condensed["mean"].isna().any()


def test_csv_files_are_read_as_they_are_meant(made):
    """Also where some networks are for all folds, and others not."""
    found = fake_data.check_csv_files(made / "results")
    spaces = found["tiny/embedding_space/embedding_space.csv"].set_index("loss").fold
    assert set(spaces["Tiny"]) == {-1} and set(spaces["Untrained"]) == {0, 1}


def test_cells_that_have_no_number_say_why(made):
    assert set(cells(made, "table2", "Given")) == {"no maps"}
    assert set(cells(made, "table6", "Elsewhere")) == {"not given"}
    assert "missing" not in markdown(made, "table2") + markdown(made, "table6") + markdown(
        made, "table3"
    )
    assert (
        "Given by embeddings, which have no gradients, hence no maps: Given, Elsewhere."
        in markdown(made, "table2")
    )
    others = "Mean colours, Random weights 1, Random weights 2"
    caption = markdown(made, "table2").splitlines()[0]
    assert set(
        caption.split("whose averages are more alike: ")[1].split(".")[0].split(", ")
    ) == set(others.split(", "))


def test_one_network_for_all_folds_counts_once(made):
    """In the rows of every CSV file, in the means and in the tests."""
    results = made / "results/tiny"
    scores = pd.read_csv(results / "paper/properties/nr_precision.csv")
    folds = scores.groupby("loss", sort=False).fold.unique().map(list).to_dict()
    assert folds["Tiny"] == [-1] and folds["Tiny per fold"] == folds["Given"] == [0, 1]
    accuracy = pd.read_csv(results / "reality_check/accuracy.csv")
    assert accuracy.loss.value_counts().to_dict() == dict(
        zip(
            [paper.as_in_files(name) for name in NAMES if name != "Elsewhere"],
            (2, 2, 2, 1, 2, 2, 1, 1, 1, 2, 1, 1),
        )
    )
    pairs = pd.read_csv(results / "paper/saliency/pairs_RenderedCars.csv")
    between = pairs.set_index(["loss_a", "loss_b"]).sort_index().fold
    assert list(between.loc[[("Tiny", "Tiny")]]) == [-1] and list(
        between.loc[[("Contrastive", "Tiny")]]
    ) == [0, 1]
    tests = pd.read_csv(results / "paper/properties/mann_whitney.csv")
    mine = tests[
        (tests.group_a == "Ranking") & (tests.group_b == "Mine") & (tests.property == "model")
    ]
    assert set(zip(mine.unit, mine.n_a, mine.n_b)) == {("loss_mean", 2, 2), ("loss_fold", 4, 3)}
    assert f"One network for all folds, which counts once: {ONCE}." in markdown(made, "table6")
    means = (
        scores[(scores.type == "Mine") & (scores.loss != "Fresh") & (scores.property == "model")]
        .groupby("loss")
        .nr_precision.mean()
    )
    expected = table(made, "table6").set_index(["loss", "property"]).value[("Mine Mean", "model")]
    assert expected == pytest.approx(means.mean())


def test_the_ceiling_of_the_example(made):
    """The same network under another name: as accurate, and as alike as its noise allows."""
    accuracy = pd.read_csv(made / "results/tiny/reality_check/accuracy.csv").set_index("loss")
    pd.testing.assert_frame_equal(
        accuracy.loc[["Contrastive"]].reset_index(drop=True).drop(columns="type"),
        accuracy.loc[["Contrastive, other noise"]].reset_index(drop=True).drop(columns="type"),
    )
    full = table(made, "table2").set_index(["loss_a", "loss_b"])["mean"]
    assert (
        0.1
        < full[("Contrastive", "Contrastive, other noise")]
        < 1
        == full[("Contrastive", "Contrastive")]
    )


def test_groups_are_tested_pair_by_pair(made):
    tests = pd.read_csv(made / "results/tiny/paper/properties/mann_whitney.csv")
    assert set(zip(tests.group_a, tests.group_b)) == {
        ("Ranking", "Classification"),
        ("Ranking", "Mine"),
        ("Classification", "Mine"),
    }


def test_the_distance_of_ones_own_reaches_maps_and_neighbours(made, tmp_path):
    from dml_analysis.metrics.coordinates import coordinates_of
    from dml_analysis.networks.distances import distance_function

    embeddings = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    coordinates = coordinates_of(embeddings, "tests.networks:stretched")
    np.testing.assert_allclose(coordinates, embeddings * [1, 3, 1, 1, 1], rtol=1e-6)
    a, b = torch.tensor([[1.0, 2.0, 0, 0, 0]]), torch.tensor([[0.0, 1.0, 0, 0, 0]])
    distance = distance_function("tests.networks:stretched")(a.requires_grad_(), b)
    assert distance.item() == pytest.approx(np.sqrt(1 + 9))
    (gradient,) = torch.autograd.grad(
        distance.sum(), a
    )  # of the root of x^2 + 9 y^2: (x, 9 y) over the distance
    np.testing.assert_allclose(gradient[0, :2].numpy(), np.array([1, 9]) / np.sqrt(10), rtol=1e-6)


def test_only_embeddings(small, tmp_path, fails, run_inside):
    """Whatever needs networks says so; the rest is made."""
    write_embeddings(tmp_path / "RenderedCars_fold0.npz", range(1, 97))
    given = GIVEN | {"embeddings": {"RenderedCars": str(tmp_path / "{dataset}_fold{fold}.npz")}}
    settings = small("given", models=[given], folds=[0])
    for script in ("saliency/1_compute_maps.py", "saliency/4_plot_maps.py"):
        assert "none of the models has a network" in fails(script, settings)
    for script in ("properties/2_embed_cars.py", "properties/3_score_properties.py", "properties/4_make_tables.py"):  # fmt: skip
        run_inside(script, settings)
    assert "| Mine | Given |" in (tmp_path / "results/given/paper/tables/table6.md").read_text()
    settings = small("elsewhere", models=[entry(ELSEWHERE, tmp_path)])
    line = fails("properties/2_embed_cars.py", settings)
    assert "no model of the settings can give any" in line


def test_what_a_network_sees_is_recorded(made):
    (record,) = [each for each in json.loads((made / "results/tiny/run.json").read_text())["networks"]
                 if each["of"] == "tests.networks:tiny" and each["crop"] == {"resized": 24, "size": [20, 20]}][:1]  # fmt: skip
    assert record["outputs"] == 5 and "CenterCrop(size=(20, 20))" in record["transform"]
    settings = load_settings(made / "tiny.yaml")
    network = specifications.network_of(settings, settings.models[3], "RenderedCars", 0)
    assert network.crop == (24, (20, 20)) and network.dimensions == 5 and network.fold == -1


def test_only_what_is_new_is_computed(made, run_inside, capsys):
    before = {path: path.stat().st_mtime_ns for path in (made / "results").rglob("*.npz")}
    run_inside("saliency/1_compute_maps.py", made / "tiny.yaml")
    run_inside("saliency/2_compare_maps.py", made / "tiny.yaml")
    assert before == {path: path.stat().st_mtime_ns for path in (made / "results").rglob("*.npz")}


def test_embeddings_are_those_of_the_file(made):
    from dml_analysis.properties import car_embeddings

    settings = load_settings(made / "tiny.yaml")
    items = readers.property_images(settings)[0]
    (network,) = [
        each
        for each in car_embeddings.embedding_networks(settings)
        if each.name == "Given, RenderedCars, fold 1"
    ]
    with np.load(made / "cars_fold1.npz") as file:
        rows = {str(image_id): row for image_id, row in zip(file["image_ids"], file["embeddings"])}
    expected = np.array([rows[item.image_id] for item in items], dtype=np.float32)
    np.testing.assert_array_equal(
        car_embeddings.read(car_embeddings.store_of(network, items)), expected
    )


def test_list_of_images(made):
    rows = pd.read_csv(made / "results/tiny/images_RenderedCars.csv")
    settings = load_settings(made / "tiny.yaml")
    assert len(rows) == 96 and set(rows.needed) == {"yes"}
    for fold in paper.FOLDS:
        for part in ("train", "validation", "test"):
            items = readers.load_samples(settings, "RenderedCars", part, fold)
            assert set(rows[rows[f"fold{fold}"] == part].image_id) == {
                int(item.image_id) for item in items
            }


def test_checksums_of_images(made, run_inside):
    run_inside("data/4_list_images.py", made / "tiny.yaml", "--sha256")
    rows = fake_data.read_rows(made / "results/tiny/images_RenderedCars.csv")
    assert len(rows) == 96 and all(
        hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() == row["sha256"] for row in rows
    )


def test_own_models_instead_of_the_papers(small, tmp_path, run_inside):
    write_embeddings(tmp_path / "cars_fold0.npz", range(1, 97))
    settings = small("own", models=[entry(each, tmp_path) for each in (TINY, GIVEN)])
    for script in SCRIPTS:
        if script != "properties/6_probe_features.py":  # there is no "None"
            output = run_inside(script, settings)
    assert "figure3.png" in output and "linear_probe" not in output and "MISSING" not in output
    table6 = (tmp_path / "results/own/paper/tables/table6.md").read_text()
    assert (
        "| Mine | Tiny |" in table6 and "| Mean | Mine Mean |" in table6 and "missing" not in table6
    )
    assert pd.read_csv(tmp_path / "results/own/properties/tsne.csv").loss.unique().tolist() == [
        "Tiny"
    ]


def test_a_network_with_a_zero_embedding_is_left_out(small, tmp_path, capfd):
    """All name image, network and, for a mean, class; they measure the other networks, and raw distances."""
    ids = np.arange(1, 97)
    arrays = {
        name: np.random.default_rng(0).normal(size=(96, 7)) for name in ("good", "zero", "mean")
    }
    settings = small("given")
    items = readers.load_samples(load_settings(settings), "RenderedCars", "test")
    zero, label = int(items[5].image_id), items[0].label
    arrays["zero"][zero - 1] = 0
    members = [int(item.image_id) - 1 for item in items if item.label == label]
    arrays["mean"][members] = [[(-1) ** place, 0, 0, 0, 0, 0, 0] for place in range(len(members))]
    assert len(members) % 2 == 0
    for name, array in arrays.items():
        np.savez(tmp_path / f"{name}.npz", embeddings=array, image_ids=ids)
    given = {"Zero": ("zero", "Euclidean Distance"), "Good": ("good", "Euclidean Distance"), "Mean": ("mean", "Cosine Similarity"),
             "Raw": ("zero", "Raw Euclidean Distance"), "Good, raw": ("good", "Raw Euclidean Distance")}  # fmt: skip
    entries = [{"name": name, "group": "Mine", "distance": distance, "embeddings": {"RenderedCars": str(tmp_path / f"{file}.npz")}}
               for name, (file, distance) in given.items()]  # fmt: skip
    settings = small("given", models=entries)

    def fails(script):
        assert (
            subprocess.run([sys.executable, ROOT / script, "--settings", settings]).returncode == 1
        )
        return [
            line
            for line in capfd.readouterr().err.splitlines()
            if line.startswith(("not measured", "error"))
        ]

    words = f"the embedding of image {zero} is zero, so it has no direction; check the network's weights"
    assert fails("reality_check/3_evaluate_models.py") == [
        f"not measured: Zero, RenderedCars: {words}",
        "error: accuracies: 1 could not be measured, see above; the others are",
    ]
    table = pd.read_csv(tmp_path / "results/given/reality_check/accuracy.csv").set_index("loss")
    assert list(table.index) == ["Good", "Mean", "Raw", "Good, raw"]
    assert table.loc["Good", "r_precision"] != table.loc["Good, raw", "r_precision"]
    assert fails("embedding_space/1_measure_spaces.py") == [
        f"not measured: Zero, RenderedCars, test images: {words}",
        f"not measured: Mean, RenderedCars, test images: the mean of class {label} is zero, so it has no direction; check the network's weights",
        f"not measured: Raw, RenderedCars, test images: {words}",
        "error: embedding spaces: 3 could not be measured, see above; the others are",
    ]
    spaces = pd.read_csv(tmp_path / "results/given/embedding_space/embedding_space.csv").set_index(
        "loss"
    )
    assert (
        list(spaces.index) == ["Good", "Good, raw"] and spaces.map_at_r.nunique() == 1
    )  # by cosine
    assert spaces.loc["Good", "map_at_r"] == table.loc["Good", "mean_average_precision_at_r"]

    subprocess.run([sys.executable, ROOT / "properties/2_embed_cars.py", "--settings", settings], check=True)  # fmt: skip
    capfd.readouterr()
    for script, rows in (("properties/3_score_properties", 1), ("controls/2_bound_scores", 3)):
        assert fails(f"{script}.py")[:-1] == [f"not measured: Zero, RenderedCars: {words}"] * rows
    scores = pd.read_csv(tmp_path / "results/given/paper/properties/nr_precision.csv")
    assert list(scores.loss.unique()) == ["Good", "Mean", "Raw", "Good, raw"]
    done = subprocess.run([sys.executable, ROOT / "causes/3_explain_errors.py", "--settings", settings])  # fmt: skip
    assert (
        done.returncode == 0
        and f"not measured: Zero, RenderedCars: {words}" in capfd.readouterr().err
    )
    errors = pd.read_csv(tmp_path / "results/given/paper/causes/wrong_neighbors.csv")
    assert list(errors[errors.unit == "model"].loss.unique()) == [
        "Good",
        "Mean",
        "Raw",
        "Good, raw",
    ]


def test_the_raw_distance_reaches_maps_neighbours_and_captions():
    from dml_analysis.networks.distances import distance_function
    from dml_analysis.properties.property_scores import coordinates_of
    from dml_analysis.properties.property_tables import models_table

    array = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    np.testing.assert_array_equal(coordinates_of(array, paper.RAW_EUCLIDEAN), array)
    a, b = torch.tensor([[3.0, 4.0]], requires_grad=True), torch.zeros(1, 2)
    distance = distance_function(paper.RAW_EUCLIDEAN)(a, b)
    assert distance.item() == 5
    (gradient,) = torch.autograd.grad(distance.sum(), a)
    np.testing.assert_allclose(gradient[0].numpy(), [0.6, 0.8], rtol=1e-6)
    own = methods.models_from(
        [{"name": "Mine", "group": "x", "network": "a:b", "distance": paper.RAW_EUCLIDEAN}, "None"]
    )
    caption = models_table(SimpleNamespace(models=own), None, "table1").caption
    assert "Distances are of embeddings of unit length (embeddings as they are: Mine)." in caption


@pytest.mark.parametrize("keep_maps", [True, False])
def test_constant_maps_are_named_wherever_they_are(small, tmp_path, run_inside, keep_maps):
    """A network whose embeddings no small change moves: when its maps are made and compared, in the table and in the figure."""
    own = [
        entry(TINY, tmp_path),
        {"name": "Signs", "group": "Mine", "network": "tests.networks:signs"},
    ]
    options = fake_data.SALIENCY | {"keep_maps": keep_maps}
    settings = small("own", models=own, saliency=options, protocol=["paper", "released"])
    line = "Signs, RenderedCars: saliency maps that are constant, as gradients are zero or alike: 2 of 2 by protocol paper and 2 of 2 by protocol released;"
    for script in SCRIPTS[2:6]:
        output = run_inside(script, settings) if keep_maps or "compare" not in script else ""
        assert (
            output.count("that are constant")
            == output.count(line)
            == int(script in SCRIPTS[2:4] and bool(output))
        )
        if script == SCRIPTS[2]:
            assert (line in run_inside(script, settings)) == (
                not keep_maps
            )  # of maps that a run makes; or of its CSV file
    pairs = pd.read_csv(tmp_path / "results/own/paper/saliency/pairs_RenderedCars.csv").set_index(
        ["loss_a", "loss_b"]
    )
    assert pairs.loc[("Signs", "Signs"), ["n_images", "n_undefined"]].tolist() == [0, 2]
    assert pairs.loc[
        ("Tiny", "Tiny"), ["n_images", "n_undefined", "correlation_mean"]
    ].tolist() == [2, 0, 1]
    assert pairs.loc[("Tiny", "Signs")].correlation_mean is not None and np.isnan(
        pairs.loc[("Tiny", "Signs")].correlation_mean
    )
    table = (tmp_path / "results/own/paper/tables/table2.md").read_text()
    assert (
        "| Mine | Tiny | 100±0 | undefined |" in table
        and "Signs (2 of 2)." in table
        and "missing" not in table
    )
    for name, shown in (("figure2", 1), ("figure2_more", 2)):
        caption = " ".join((tmp_path / "figures/own/paper" / f"{name}.txt").read_text().split())
        assert (
            f"Constant maps, black here, as their gradients are zero or alike: Signs ({shown} of {shown})."
            in caption
        )


# ---------------------------------------------------------------------------------------------------------------------
# What is refused, in one line, before any long work.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "own, message",
    [({"name": "x"}, "name its `group`"),
     ({"name": "A", "group": "x"}, "either a `network` or `embeddings`"),
     ({"name": "A", "group": "x", "network": "a:b", "weights": "x"}, "models.'A'.weights: unknown key; known: name"),
     ({"name": "A", "group": "x", "network": "a:b", "distance": "Euclid"}, "models.'A'.distance: 'Euclid' is not allowed; give one of Euclidean Distance, Cosine Similarity"),
     ({"name": "A", "group": "x", "network": "a b:c"}, "neither module:function, timm:name nor a folder"),
     ({"name": "A", "group": "x", "network": "timm:resnet18"}, "timm networks come without weights"),
     ({"name": "A", "group": "x", "network": "timm:resnet18", "checkpoint": "x", "crop": [224, 256]}, "crop: [224, 256] is not allowed; give [shorter side"),
     ({"name": "A", "group": "x", "network": "a:b", "checkpoint": "w_{epoch}.pth"}, "'w_{epoch}.pth' is not allowed; give a path, in whose braces only {fold} and {dataset} may stand"),
     ({"name": "A", "group": "x", "embeddings": {"SOP": "a{fold}", "Cars196": "b"}}, "of all its embeddings, or of none"),
     ({"name": "A", "group": "classification", "network": "a:b"}, "differ by their letters' case only"),
     ({"name": "A" * 300, "group": "x", "network": "a:b"}, "at most 80"),
     ({"name": "arcface", "group": "x", "network": "a:b"}, "'arcface' and 'ArcFace' would share their files"),
     ({"name": "Mine Mean", "group": "Mine", "network": "a:b"}, "'Mine Mean' of group 'Mine': tables use this word; choose another"),
     ({"name": "NA", "group": "B", "network": "a:b"}, "models.'NA': 'NA' reads as a missing value in CSV files; choose another name"),
     ({"name": "A", "group": "x", "loss": "c d"}, "loss: 'c d' is not allowed; give a class of pytorch_metric_learning"),
     ("more.yaml", "more.yaml: missing; it must contain a list of models")],
)  # fmt: skip
def test_bad_entries(tmp_path, own, message):
    chosen = own if own == "more.yaml" else ["ArcFace", own]
    file = fake_data.write_settings(tmp_path, models=chosen)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        load_settings(file)
    assert "\n" not in str(error.value) and str(file) in str(error.value)


def test_the_models_of_the_documentation(tmp_path):
    text = (checkout.ROOT / "docs/own_models.md").read_text(encoding="utf-8")
    block = re.findall(r"```yaml\n(.*?)```", text, re.S)[0]
    settings = load_settings(fake_data.write_settings(tmp_path, **yaml.safe_load(block)))
    loss, given = settings.models[-2:]
    network = specifications.network_of(settings, loss, "Cars196", 2)
    assert network.source.network == "timm:resnet50.tv_in1k" and network.inputs() == [
        checkout.ROOT / "runs/Cars196/fold2.pth"
    ]
    network = specifications.network_of(settings, given, "Cars196", 1, "RenderedCars")
    assert (
        network.inputs() == [checkout.ROOT / "theirs/renders_fold1.npz"]
        and given.per_fold
        and loss.per_fold
    )


def test_models_from_a_file(tmp_path):
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(["paper", TINY]))
    settings = load_settings(
        fake_data.write_settings(tmp_path, models=str(tmp_path / "models.yaml"))
    )
    assert [model.name for model in settings.models] == [
        *(model.name for model in paper.MODELS),
        "Tiny",
    ]
    assert (
        settings.models[-1].is_own
        and not settings.models[-1].per_fold
        and settings.models[-1].trained
    )


BROKEN = """
import itertools, torch
from torch import nn
from tests.networks import small_transform, tiny
calls = itertools.count()
class Odd(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, self.inside, self.noise = kind, tiny()[0], itertools.count()
    def forward(self, images):
        found = self.inside(images)
        return {
            "tuple": lambda: (found, found), "square": lambda: found[:, None],
            "grows": lambda: torch.cat([found] * (1 + next(self.noise)), dim=1), "nan": lambda: found / 0 * 0,
            "mixes": lambda: found - found.mean(dim=0),
            "detached": lambda: found.detach(), "fails": lambda: 1 / 0,
        }[self.kind]()
class Sizes:
    def __call__(self, image):
        return small_transform(40, 20 + next(calls) % 2)(image)
def of(kind):
    return lambda: (Odd(kind), small_transform())
tuple_, square, grows, nan, mixes, detached, fails = map(
    of, "tuple square grows nan mixes detached fails".split())
def alone(): return tiny()[0]
def raises(): raise RuntimeError("no weights here")
def sizes(): return tiny()[0], Sizes()
def whole_image(): return tiny()[0], lambda image: small_transform()(image)[:, :, torch.arange(19, -1, -1)]
def extra():
    network = tiny()[0]
    network.get_extra_state = lambda: {"epoch": 3}
    network.register_buffer("sparse", torch.eye(3).to_sparse())
    return network, small_transform()
def in_place(embeddings): embeddings /= embeddings.norm(dim=1, keepdim=True); return embeddings
def drawn(embeddings): return embeddings + torch.rand_like(embeddings)
def without_gradients(embeddings): return embeddings.detach()
"""


@pytest.fixture
def odd(small, tmp_path, monkeypatch):
    """A function that returns a settings file with a model of a module of one's own that has the given function."""
    monkeypatch.delitem(sys.modules, "odd_networks", raising=False)
    (tmp_path / "odd_networks.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    specifications.sources._fresh.cache_clear()
    return lambda function, **more: small(
        models=[TINY | {"network": f"odd_networks:{function}"} | more]
    )


@pytest.mark.parametrize(
    "function, message",
    [("raises", "odd_networks:raises: failed (RuntimeError: no weights here)"),
     ("alone", "odd_networks:alone: must return (torch.nn.Module, transform), not Sequential"),
     ("tuple_", "odd_networks:tuple_: gives tuple for 3 images"),
     ("square", "odd_networks:square: gives (3, 1, 5) for 3 images"),
     ("grows", "odd_networks:grows: gives 5 numbers an image, and then 10"),
     ("nan", "odd_networks:nan: gives NaN or infinite numbers"),
     ("mixes", "odd_networks:mixes: an image's numbers depend on the other images of its batch"),
     ("detached", "odd_networks:detached: gives no gradients"),
     ("fails", "odd_networks:fails: fails for images (3, 3, 20, 20) (division by zero)"),
     ("sizes", "odd_networks:sizes: its transform gives images of several sizes"),
     ("whole_image", "odd_networks:whole_image: its transform does more than to resize an image"),
     ("extra", "odd_networks:extra: its state_dict must hold plain tensors alone")],
)  # fmt: skip
def test_networks_that_are_none(tmp_path, odd, fails, function, message):
    assert message in fails("saliency/1_compute_maps.py", odd(function))
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize(
    "distance, message",
    [("in_place", "changes the embeddings that it is given"), ("drawn", "gives other coordinates for the same embeddings"),
     ("without_gradients", "gives no gradients")],
)  # fmt: skip
def test_distances_that_are_none(odd, fails, distance, message):
    settings = odd("of_tiny", network="tests.networks:tiny", distance=f"odd_networks:{distance}")
    line = fails("saliency/1_compute_maps.py", settings)
    assert f"distance odd_networks:{distance}: {message}" in line


@pytest.mark.parametrize(
    "changes, message",
    [({"network": "no_such_module:build"}, "no_such_module:build: there is no module no_such_module"),
     ({"network": "timm:resnet81", "checkpoint": "random"}, "timm has no such network; the nearest are resnet"),
     ({"checkpoint": "no/such/file.pth"}, "no/such/file.pth: missing"),
     ({"distance": "tests.networks:no_such_function"}, "tests.networks:no_such_function: cannot be imported")],
)  # fmt: skip
def test_what_cannot_be_found(small, tmp_path, fails, changes, message):
    specifications.sources._fresh.cache_clear()
    assert message in fails("properties/2_embed_cars.py", small(models=[TINY | changes]))
    assert not list(tmp_path.rglob("*.npz"))


def test_the_classifier_of_a_timm_network(project, fails, run_inside):
    import timm

    network = timm.create_model("resnet10t", num_classes=6)
    torch.save(
        {"model": {f"module.{name}": each for name, each in network.state_dict().items()}},
        project / "r.pth",
    )
    own = {
        "name": "R",
        "group": "Mine",
        "network": "timm:resnet10t",
        "checkpoint": str(project / "r.pth"),
        "crop": [48, 32],
    }
    line = fails("reality_check/3_evaluate_models.py", own_settings(project, own))
    assert "r.pth: has a classifier, fc, of 6 outputs" in line and "`head: keep`" in line
    for head, dimensions in (("keep", 6), ("drop", 512)):
        settings = load_settings(own_settings(project, own | {"head": head}, paths=_paths(project)))
        found = specifications.network_of(settings, settings.models[3], "RenderedCars", 0)
        assert (found.dimensions, found.crop) == (dimensions, (48, (32, 32)))


def _paths(folder):
    return {name: str(folder / place) for name, place in (("models", "models"), ("imagenet_trunk", "trunk.pth"),
            ("RenderedCars", "cars"), ("results", "results"), ("figures", "figures"))}  # fmt: skip


def test_weights_that_change_between_two_scripts(small, tmp_path, fails, run_inside, monkeypatch):
    """Where no file tells that they have: the build function draws or finds others."""
    module = tmp_path / "fickle.py"
    module.write_text(
        "import os, torch\nfrom tests.networks import tiny\ndef build():\n    network, transform = tiny()\n"
        "    torch.nn.init.constant_(network[3].bias, float(os.environ['BIAS']))\n    return network, transform\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("BIAS", "1")
    settings = small(models=[TINY | {"network": "fickle:build"}])
    run_inside("saliency/1_compute_maps.py", settings)
    monkeypatch.setenv("BIAS", "2")
    assert "its weights are others than when results were first made" in fails(
        "properties/2_embed_cars.py", settings
    )
    module.write_text(module.read_text() + "\n# edited\n")
    monkeypatch.setenv("BIAS", "1")
    assert "was made with code = " in fails("saliency/1_compute_maps.py", settings)


def test_a_transform_that_changes_between_two_scripts(
    small, tmp_path, fails, run_inside, monkeypatch
):
    """As one that comes from another module may, or from a library of another version."""
    code = "import os\nfrom tests.networks import small_transform, tiny\ndef build(): return tiny()[0], eval(os.environ['TRANSFORM'])\n"
    (tmp_path / "turncoat.py").write_text(code)
    monkeypatch.delitem(sys.modules, "turncoat", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = small(models=[TINY | {"network": "turncoat:build"}])
    specifications.sources._fresh.cache_clear()
    monkeypatch.setenv("TRANSFORM", "small_transform()")
    run_inside("saliency/1_compute_maps.py", settings)
    monkeypatch.setenv("TRANSFORM", "lambda image: 2 * small_transform()(image)")
    line = fails("properties/2_embed_cars.py", settings)
    assert "its transform makes something else of an image" in line
    (tmp_path / "results/small/networks.json").unlink()
    specifications.sources._fresh.cache_clear()
    assert "was made with " in fails("saliency/1_compute_maps.py", settings)


class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    "arrays, message",
    [({"embeddings": np.ones((96, 3)), "image_ids": np.arange(2, 98)}, "image '1' is missing (1 of 96)"),
     ({"embeddings": np.ones((96, 3)), "image_ids": np.array([1, *range(1, 96)])}, "lists '1' twice"),
     ({"embeddings": np.ones((96, 3))}, "has no array image_ids, but embeddings"),
     ({"features": np.ones((96, 3)), "names": np.arange(96)}, "has no array embeddings, but features, names"),
     ({"embeddings": np.ones((96, 3)), "image_ids": np.array([f"cars\\{i}" for i in range(96)])}, "write its image_ids with / instead of"),
     ({"embeddings": np.ones(96), "image_ids": np.arange(1, 97)}, "embeddings are float64 (96,)"),
     ({"embeddings": np.ones((96, 3)) * [[1], *[[np.nan]] * 95], "image_ids": np.arange(1, 97)}, "of image '2' has NaN"),
     ({"embeddings": np.ones((96, 3)), "image_ids": np.array([Evil()] * 96, dtype=object)},
      "image_ids are Python objects, as columns of pandas are; save np.array(image_ids, dtype=str)")],
)  # fmt: skip
def test_bad_files_of_embeddings(small, tmp_path, fails, capsys, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    given = GIVEN | {"embeddings": {"RenderedCars": str(tmp_path / "bad.npz")}}
    line = fails("properties/2_embed_cars.py", small(models=[given]))
    assert "bad.npz: " in line and message in line
    assert "executed" not in capsys.readouterr().out
