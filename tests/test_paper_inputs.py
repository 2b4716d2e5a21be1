"""Mock inputs in the true formats, numbers and names of all real ones: are they found?"""

import pytest
import yaml

from dml_analysis import checkout
from tests import fake_data, mock_run
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """All of the paper's inputs: 168 checkpoints, 148,026 images of the datasets, 100,000 rendered cars."""
    folder = tmp_path_factory.mktemp("mock_run")
    mock_run.make(folder, trunks=1)
    return folder


@pytest.mark.parametrize("name, networks", [("paper", 168), ("released", 14 * (3 + 3))])
def test_everything_is_found(everything, fails, name, networks):
    """By the paper's settings, but for the folders; the ImageNet file has the true one's name, but not its checksum."""
    settings = yaml.safe_load((ROOT / "settings" / f"{name}.yaml").read_text())
    places = {key: path.relative_to(ROOT) for key, path in checkout.PATHS.items()}
    file = everything / f"{name}.yaml"
    file.write_text(
        yaml.safe_dump(
            settings | {"paths": {key: str(everything / path) for key, path in places.items()}}
        )
    )
    message = fails("reality_check/1_check_inputs.py", file)
    assert (
        "error: 1 inputs are missing or broken" in message
        and "52deb4733.pth: its sha256 begins" in message
    )
    rows = fake_data.read_rows(everything / "results" / name / "inputs.csv")
    found = [row for row in rows if row["state"] == "found"]
    assert (
        len(found) == len(rows) - 1 and sum(row["kind"] == "network" for row in found) == networks
    )
    assert {row["name"]: row["why"] for row in found if row["kind"] == "dataset"} == {
        "SOP": "60502 test images of 11316 classes",
        "Cars196": "8131 test images of 98 classes",
        "CUB200": "5924 test images of 100 classes",
    }
    assert found[-1]["why"] == "100000 images"


def test_all_networks_of_the_paper_can_be_trained(everything, run_inside):
    """By settings/reality_check.yaml, as far as a dry run goes."""
    settings = yaml.safe_load((ROOT / "settings" / "reality_check.yaml").read_text())
    places = {key: str(everything / path.relative_to(ROOT)) for key, path in checkout.PATHS.items()}
    paths = places | {"models": str(everything / "trained")}
    file = everything / "reality_check.yaml"
    file.write_text(yaml.safe_dump(settings | {"paths": paths}))
    output = run_inside("reality_check/2_train_models.py", file, "--dry-run")
    assert f"networks: {14 * 3 * 4 * 100_000:,} iterations to do, in 168 chunks" in output
    assert not (everything / "trained").exists()
