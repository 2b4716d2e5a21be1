"""The check of all inputs: what it finds, what it misses, what it does not take for what it should be."""

import hashlib
import shutil

import pytest
import torch
import yaml
from PIL import Image

from dml_analysis import paper
from dml_analysis.config import load_settings
from dml_analysis.errors import InputError
from dml_analysis.methods import find
from dml_analysis.networks.bn_inception import bninception_trunk
from dml_analysis.networks.checkpoint_files import saved_models_folder
from dml_analysis.reality_check import input_checks
from tests import fake_data
from tests.conftest import forget

CONTRASTIVE, ARCFACE = (find(name, paper.MODELS) for name in ("Contrastive", "ArcFace"))


@pytest.fixture
def settings(project):
    return load_settings(project / "tiny.yaml")


def rows(settings, deep=False):
    forget()
    return {(row.kind, row.name.split(",")[0]): row for row in input_checks.checked(settings, deep)}


def test_all_there(settings):
    found = rows(settings)
    assert {row.state for row in found.values()} == {input_checks.FOUND} and len(found) == 5
    assert (
        found["dataset", "RenderedCars"].why.endswith("classes")
        and found["rendered cars", ""].why == "96 images"
    )


def test_the_file(project, run_inside):
    assert "all inputs exist" in run_inside(
        "reality_check/1_check_inputs.py", project / "tiny.yaml", "--deep"
    )
    table = fake_data.read_rows(project / "results/tiny/inputs.csv")
    assert [row["state"] for row in table] == ["found"] * 5 and list(table[0]) == list(
        input_checks.Input._fields
    )


def network_file(settings, part):
    return saved_models_folder(settings, CONTRASTIVE, "RenderedCars", 0) / f"{part}_best.pth"


def test_a_misspelt_loss(project):
    own = {"name": "Mine", "group": "Ranking", "loss": "ArcFaceLos", "loss_learning_rate": 0.1}
    settings = load_settings(fake_data.write_settings(project, models=[own]))
    row = rows(settings)["network", "Mine"]
    assert row.state == input_checks.BROKEN and "did you mean ArcFaceLoss, " in row.why


def test_a_missing_network(settings):
    network_file(settings, "embedder").unlink()
    assert rows(settings)["network", "Contrastive"].state == input_checks.TO_TRAIN
    row = rows(settings.model_copy(update={"training": None}))["network", "Contrastive"]
    assert row.state == input_checks.MISSING and "embedder_best.pth: missing" in row.why


def replaced(file, content):
    """Write a file that was a link to that of another network."""
    file.unlink()
    file.write_bytes(content)


@pytest.mark.parametrize(
    "change, reason",
    [(lambda content: content[:-2000], "its end is missing"), (lambda content: b"", "empty"),
     (lambda content: b" \n<!DOCTYPE html><title>Quota exceeded", "a web page"),
     (lambda content: content[100:], "neither a zip file nor a pickle")],
)  # fmt: skip
def test_a_glance_tells_what_is_no_checkpoint(settings, change, reason):
    file = network_file(settings, "trunk")
    replaced(file, change(file.read_bytes()))
    row = rows(settings)["network", "Contrastive"]
    assert row.state == input_checks.BROKEN
    assert row.why == f"{file}: not a readable checkpoint ({reason}); fetch it again"


@pytest.mark.parametrize("part, deep", [("trunk", True), ("embedder", False), ("embedder", True)])
def test_a_broken_network(settings, part, deep):
    """Embedders are always read, trunks with --deep."""
    file = network_file(settings, part)
    replaced(file, file.read_bytes().replace(b"torch._utils", b"torch._other"))
    row = rows(settings, deep)["network", "Contrastive"]
    assert row.state == input_checks.BROKEN and f"{part}_best.pth: not a readable" in row.why


@pytest.mark.parametrize("deep", [False, True])
def test_swapped_trunk_and_embedder(settings, deep):
    trunk, embedder = (network_file(settings, part) for part in ("trunk", "embedder"))
    trunk.rename(trunk.with_name("x"))
    embedder.rename(trunk)
    trunk.with_name("x").rename(embedder)
    row = rows(settings, deep)["network", "Contrastive"]
    assert row.state == input_checks.BROKEN and "_best.pth: has no tensor" in row.why
    assert row.why.endswith("; or exchange trunk_best.pth and embedder_best.pth")


def test_a_copied_experiment(settings):
    """The files of one network in the folder of another; links of one file are meant to be the same."""
    first, second = (
        saved_models_folder(settings, model, "RenderedCars", 0) / "embedder_best.pth"
        for model in (CONTRASTIVE, ARCFACE)
    )
    replaced(second, first.read_bytes())
    row = rows(settings)["network", "ArcFace"]
    assert row.state == input_checks.BROKEN
    assert row.why.startswith(f"{second}: equal to {first}; was a folder copied?")
    second.unlink()
    second.hardlink_to(first)
    assert rows(settings)["network", "ArcFace"].state == input_checks.FOUND


def test_many_missing_networks_and_near_misses(project, run_inside, capsys):
    """One line for those of a dataset, with a hint at what lies elsewhere; inputs.csv has each."""
    settings = fake_data.write_settings(project, "real", training=None, folds=[0, 1])
    folders = sorted((project / "models").glob("rendered_cars_*"))
    folders[1].rename(project / "models" / f"{folders[1].name} (1)")
    (project / "models/cars").mkdir()
    folders[0].rename(project / "models/cars" / folders[0].name)
    with pytest.raises(SystemExit):
        run_inside("reality_check/1_check_inputs.py", settings)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("MISSING  4 networks of RenderedCars: ") and len(lines) == 4
    table = fake_data.read_rows(project / "results/real/inputs.csv")
    hints = {row["name"]: row["why"].split("; is it ")[-1] for row in table[:2]}
    assert hints == {
        "ArcFace, RenderedCars, fold 0": f"{project}/models/cars/{folders[0].name}?",
        "Contrastive, RenderedCars, fold 0": f"{project}/models/{folders[1].name} (1)?",
    }


def test_networks_that_are_still_to_be_trained(project, fails):
    shutil.rmtree(project / "models")
    line = fails("saliency/1_compute_maps.py", project / "tiny.yaml")
    assert line.endswith("_best.pth: missing; run reality_check/2_train_models.py")


def config(settings, model, **blocks):
    folder = saved_models_folder(settings, model, "Cars196", 0).parents[1] / "configs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(blocks))
    return folder


@pytest.mark.parametrize(
    "blocks, message",
    [({"loss_funcs": {"metric_loss": {"ContrastiveLoss": {"pos_margin": 0}}}, "dataset": {"Cars196": None}}, None),
     ({"loss_funcs~OVERRIDE~": {"metric_loss~SWAP~1": {"ContrastiveLoss": {}}}, "dataset~OVERRIDE~": {"CARS196": {}}}, None),
     ({"loss_funcs": {"metric_loss": {"ArcFaceLoss": {}}}}, "names ArcFaceLoss, but the folder is for Contrastive"),
     ({"dataset": "StanfordOnlineProducts"}, "names StanfordOnlineProducts, but the folder is for Cars196")],
)  # fmt: skip
def test_configurations(settings, blocks, message):
    folder = config(settings, CONTRASTIVE, **blocks)
    if message is None:
        input_checks.check_configs(folder, CONTRASTIVE, "Cars196")
    else:
        with pytest.raises(InputError, match=f"config.yaml: {message}"):
            input_checks.check_configs(folder, CONTRASTIVE, "Cars196")


def test_every_loss_is_known_to_its_configuration(settings):
    """Each names its own class, and none passes for ArcFace."""
    for model in paper.MODELS:
        if model.trained and model is not ARCFACE:
            folder = config(settings, model, loss_funcs={"metric_loss": "ArcFaceLoss"})
            with pytest.raises(InputError, match="names ArcFaceLoss"):
                input_checks.check_configs(folder, model, "Cars196")
    input_checks.check_configs(folder, ARCFACE, "Cars196")


def test_the_checksum_in_the_name_of_the_imagenet_file(settings, tmp_path, monkeypatch):
    torch.save(bninception_trunk().state_dict(), tmp_path / "saved.pth")
    content = (tmp_path / "saved.pth").read_bytes()

    def row(name):
        (tmp_path / name).write_bytes(content)
        paths = settings.paths | {"imagenet_trunk": tmp_path / name}
        return rows(settings.model_copy(update={"training": None, "paths": paths}))[
            "trunk of None", "bn_inception"
        ]

    assert (
        row(f"bn_inception-{hashlib.sha256(content).hexdigest()[:8]}.pth").state
        == input_checks.FOUND
    )
    assert row("bn_inception.pth").state == input_checks.FOUND  # promises nothing
    wrong = row("bn_inception-52deb473.pth")
    assert wrong.state == input_checks.BROKEN and "its sha256 begins" in wrong.why
    monkeypatch.setattr(input_checks, "OTHER_CONVERSION", hashlib.sha256(content).hexdigest()[:8])
    wrong = row("bn_inception-0123456789.pth")
    assert wrong.state == input_checks.BROKEN and "another conversion of BN-Inception" in wrong.why


def test_images(settings):
    image = settings.paths["RenderedCars"] / "images" / "3.png"
    image.write_bytes(image.read_bytes()[:300])
    assert rows(settings)["rendered cars", ""].state == input_checks.FOUND
    row = rows(settings, deep=True)["rendered cars", ""]
    assert row.state == input_checks.BROKEN and "3.png: not a readable image" in row.why
    image.unlink()
    assert rows(settings)["rendered cars", ""].state == input_checks.MISSING


def test_what_is_unexpected_in_a_dataset(settings, tmp_path):
    """Files that are left out; with --deep images of training, too: broken, in two classes, turned."""
    folder = tmp_path / "mine"
    fake_data.make_classes(folder, classes=20, images=2)
    (folder / "class00/notes.txt").write_text("")
    (folder / "list.csv").write_text("")
    (folder / "Thumbs.db").write_text("")
    shutil.copy(folder / "class00/0.png", folder / "class19/copy.png")
    image = Image.new("RGB", (40, 30), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(folder / "class03/turned.jpg", exif=exif)
    changed = {"datasets": ["Mine"], "paths": settings.paths | {"Mine": folder}}
    settings = settings.model_copy(update=changed)

    def why(deep):
        return rows(settings, deep)["dataset", "Mine"].why

    plain = "21 test images of 10 classes; files that are no images of a class are left out: 1 .csv, 1 .txt"
    assert why(deep=False) == plain
    assert why(deep=True) == (
        f"{plain}; 1 images have an EXIF orientation, which is ignored; 2 images are also in another "
        "class, byte by byte, such as class19/copy.png and class00/0.png"
    )
    (folder / "class01/0.png").write_bytes((folder / "class01/0.png").read_bytes()[:60])
    assert "class01/0.png: not a readable image" in why(deep=True)


def test_exit_status(project, fails, capsys):
    (project / "trunk.pth").unlink()
    settings = fake_data.write_settings(project, "real", training=None)
    assert fails("reality_check/1_check_inputs.py", settings).startswith(
        "error: 1 inputs are missing or broken"
    )
    assert fake_data.read_rows(project / "results/real/inputs.csv")[2]["state"] == "MISSING"
