"""All real inputs in their true formats, numbers and names, stood in for by small files: are they found?"""

import re

import pytest
import yaml

from dml_analysis import checkout, mock_inputs
from dml_analysis.config import load_settings
from dml_analysis.networks.specifications import by_trunk, networks_of
from tests import fake_data, stand_in
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The paper's inputs, whole: 168 checkpoints, 148,026 images of the datasets, 100,000 rendered cars."""
    folder = tmp_path_factory.mktemp("stand_in")
    stand_in.make(folder, trunks=1)
    return folder


@pytest.mark.parametrize("name, networks", [("paper", 168), ("released", 14 * (3 + 3))])
def test_everything_is_found(everything, fails, name, networks):
    """By the paper's settings, but for the folders; the ImageNet file has the true one's name, but not its checksum."""
    settings = yaml.safe_load((ROOT / "settings" / f"{name}.yaml").read_text())
    places = {key: path.relative_to(ROOT) for key, path in checkout.PATHS.items()}
    file = everything / f"{name}.yaml"
    file.write_text(yaml.safe_dump(settings | {"paths": {key: str(everything / path) for key, path in places.items()}}))
    message = fails("reality_check/1_check_inputs.py", file)
    assert "error: 1 inputs are missing or broken" in message and "52deb4733.pth: its sha256 begins" in message
    rows = fake_data.read_rows(everything / "results" / name / "inputs.csv")
    found = [row for row in rows if row["state"] == "found"]
    assert len(found) == len(rows) - 1 and sum(row["kind"] == "network" for row in found) == networks
    assert {row["name"]: row["why"] for row in found if row["kind"] == "dataset"} == {
        "SOP": "60502 test images of 11316 classes",
        "Cars196": "8131 test images of 98 classes",
        "CUB200": "5924 test images of 100 classes",
    }
    assert found[-1]["why"] == "100000 images"


def test_all_networks_of_the_paper_can_be_trained(everything, run_inside):
    """By settings/reality_check.yaml, as far as a dry run goes: images read, batches made, steps of the network timed."""
    settings = yaml.safe_load((ROOT / "settings" / "reality_check.yaml").read_text())
    places = {key: str(everything / path.relative_to(ROOT)) for key, path in checkout.PATHS.items()}
    paths = places | {"models": str(everything / "trained")}
    file = everything / "reality_check.yaml"
    file.write_text(yaml.safe_dump(settings | {"paths": paths}))
    output = run_inside("reality_check/2_train_models.py", file, "--dry-run")
    assert f"networks: {14 * 3 * 4 * 100_000:,} iterations to do, in 168 parts" in output
    assert re.search(
        r"time: [\d,.]+ hours, at [\d.]+ s an iteration \(timed just now, cpu\): for as many iterations", output
    )
    assert not (everything / "trained").exists()


# ---------------------------------------------------------------------------------------------------------------------
# Dry runs before there is anything.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def nothing(tmp_path):
    """paper.yaml and reality_check.yaml, whose paths lead nowhere."""
    for name in ("paper", "reality_check"):
        settings = yaml.safe_load((ROOT / "settings" / f"{name}.yaml").read_text())
        paths = {key: str(tmp_path / key) for key in checkout.PATHS}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(settings | {"paths": paths}))
    return tmp_path


@pytest.mark.parametrize(
    "script, name, options, said",
    [("saliency/1_compute_maps.py", "paper", ("--models", "Triplet", "None"), f"{2 * 4 * 5_924:,} maps to do"),
     ("reality_check/3_evaluate_models.py", "paper", ("--models", "Triplet"), f"{4 * 5_924:,} images to do"),
     ("reality_check/2_train_models.py", "reality_check", ("--models", "Triplet"), "400,000 iterations to do, in 4 parts")],
)  # fmt: skip
def test_a_dry_run_from_nothing(nothing, run_inside, script, name, options, said):
    """By the true numbers of images, and random weights; nothing is written."""
    output = run_inside(script, nothing / f"{name}.yaml", "--dry-run", "--datasets", "CUB200", *options)
    assert ": missing; " in output and "reckoned by stand-ins for what is missing" in output and said in output
    seconds = float(re.search(r"time: [\d,.]+ hours, at ([\d.e-]+) s an? \w+ \(timed just now, cpu\)", output)[1])
    assert 0.002 < seconds < 60
    assert sorted(path.name for path in nothing.iterdir()) == ["paper.yaml", "reality_check.yaml"]


def test_what_a_dry_run_cannot_stand_in_for(nothing, fails):
    """Results that others are made of, and networks of one's own."""
    message = fails("saliency/2_compare_maps.py", nothing / "paper.yaml", "--dry-run", "--datasets", "CUB200")
    assert "no saliency maps; run saliency/1_compute_maps.py first" in message
    settings = yaml.safe_load((nothing / "paper.yaml").read_text())
    own = {"name": "Mine", "group": "Ranking", "distance": "Cosine Similarity", "network": "timm:resnet18"}
    settings |= {"models": [own | {"checkpoint": "nowhere.pth", "head": "drop"}]}
    (nothing / "own.yaml").write_text(yaml.safe_dump(settings))
    message = fails("saliency/1_compute_maps.py", nothing / "own.yaml", "--dry-run", "--datasets", "CUB200")
    assert "nowhere.pth: missing" in message


def test_stand_ins_share_no_trunk(tmp_path):
    """Or one pass through it would be reckoned for all of them."""
    settings = load_settings(ROOT / "settings" / "paper.yaml")._replace(datasets=["CUB200"])
    settings = settings._replace(properties=settings.properties._replace(networks="CUB200"))
    settings = settings._replace(paths=settings.paths | {"models": tmp_path, "imagenet_trunk": tmp_path / "i.pth"})
    mock_inputs.make_networks(settings)
    sizes = sorted(len(group) for group in by_trunk(networks_of(settings, "CUB200", settings.folds)))
    assert sizes == [1] * 14 * 4 + [4]  # "None" has one trunk in all folds
