"""The check of all inputs: what it finds, what it misses, what it does not take for what it should be."""

import hashlib

import pytest
import torch
import yaml

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


def test_a_missing_network(settings):
    network_file(settings, "embedder").unlink()
    assert rows(settings)["network", "Contrastive"].state == input_checks.TO_TRAIN
    row = rows(settings.model_copy(update={"training": None}))["network", "Contrastive"]
    assert row.state == input_checks.MISSING and "embedder_best.pth: missing" in row.why


def test_a_broken_network(settings):
    file = network_file(settings, "embedder")
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-2000])
    assert (
        rows(settings)["network", "Contrastive"].state == input_checks.FOUND
    )  # a glance does not tell
    row = rows(settings, deep=True)["network", "Contrastive"]
    assert (
        row.state == input_checks.BROKEN
        and "embedder_best.pth: not a readable checkpoint" in row.why
    )
    file.write_bytes(b"")
    assert "empty" in rows(settings)["network", "Contrastive"].why


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


def test_the_checksum_in_the_name_of_the_imagenet_file(settings, tmp_path):
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


def test_images(settings):
    image = settings.paths["RenderedCars"] / "images" / "3.png"
    image.write_bytes(image.read_bytes()[:300])
    assert rows(settings)["rendered cars", ""].state == input_checks.FOUND
    row = rows(settings, deep=True)["rendered cars", ""]
    assert row.state == input_checks.BROKEN and "3.png: not a readable image" in row.why
    image.unlink()
    assert rows(settings)["rendered cars", ""].state == input_checks.MISSING


def test_exit_status(project, fails, capsys):
    (project / "trunk.pth").unlink()
    settings = fake_data.write_settings(project, "real", training=None)
    assert fails("reality_check/1_check_inputs.py", settings).startswith(
        "error: 1 inputs are missing or broken"
    )
    assert fake_data.read_rows(project / "results/real/inputs.csv")[2]["state"] == "MISSING"
