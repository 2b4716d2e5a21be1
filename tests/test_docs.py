"""The documentation: links lead somewhere, sizes, and the code in it runs."""

import re
from importlib import metadata
from urllib.parse import urlparse

import pandas as pd
import pytest
import torchvision
import yaml

import dml_analysis
from dml_analysis.checkout import ROOT
from dml_analysis.config import load_settings
from tests import fake_data

PAGES = sorted(
    file for file in ROOT.rglob("*.md")
    if not {".venv", ".venv-render", ".git", "site", "results"} & {*file.relative_to(ROOT).parts}
    and not any(part.startswith(".") for part in file.relative_to(ROOT).parts)
)  # fmt: skip
PAGES.append(ROOT / "results" / "README.md")
LINK = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>]+)>")
# Papers, datasets, repositories and documentation.
HOSTS = {
    "arxiv.org", "openaccess.thecvf.com", "github.com", "pytorch.org", "data.caltech.edu",
    "cvgl.stanford.edu", "www.kaggle.com", "pypi.org", "kevinmusgrave.github.io",
}  # fmt: skip


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and MkDocs make them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target, address in LINK.findall(text):
        url = urlparse(target or address)
        if url.scheme:
            assert url.scheme == "https" and url.netloc in HOSTS, url.geturl()
            continue
        file = (page.parent / url.path).resolve() if url.path else page
        assert file.exists(), f"{page.name}: {target}"
        assert not url.fragment or url.fragment in anchors(file), f"{page.name}: {target}"


def test_sizes():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1400
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert len([line for line in glossary.splitlines() if line.startswith("|")]) - 2 <= 15
    for readme in ROOT.glob("*/README.md"):
        if readme.parent.name != "results":
            assert len(readme.read_text(encoding="utf-8").splitlines()) <= 40, readme


def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[1]
    assert dml_analysis.__version__ == str(citation["version"]) == newest
    assert metadata.version("dml-analysis") == dml_analysis.__version__


def test_every_public_function_is_in_the_reference():
    text = (ROOT / "docs" / "api.md").read_text()
    listed = re.findall(r"^::: dml_analysis\.(\S+)$", text, re.M)
    assert sorted(listed) == sorted(
        f"{module}.{name}" for name, module in dml_analysis.MODULES.items()
    )


def test_every_script_is_in_the_list():
    text = (ROOT / "docs" / "pipeline.md").read_text()
    folders = (
        "reality_check",
        "saliency",
        "properties",
        "embedding_space",
        "causes",
        "controls",
        "report",
    )
    scripts = {
        f"{name}/{file.name}" for name in folders for file in (ROOT / name).glob("[0-9]*.py")
    }
    assert scripts == set(re.findall(r"^\| `(\S+\.py)`", text, re.M))


def code_of(page, language):
    """Return the page's blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)


def transform():
    steps = torchvision.transforms
    return steps.Compose([steps.Resize(32), steps.CenterCrop(32), steps.ToTensor()])


def test_the_python_of_the_readme(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    networks = [torchvision.models.resnet18(weights=None) for _ in range(2)]
    table = pd.read_csv("data/sample_cars/samples.csv", index_col="frame").loc[1:12]
    names = {
        "network_a": networks[0], "network_b": networks[1], "transform": transform(),
        "images": [f"data/sample_cars/images/{frame}.jpg" for frame in table.index],
        "properties": table[["sun_elevation"]],
    }  # fmt: skip
    exec(code_of("README.md", "python")[0].replace("images)", "images, noise_samples=2)", 1), names)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_python_of_the_quick_start(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(code_of("docs/quick_start.md", "python")[0], {})
    baseline = capsys.readouterr().out.split()[1]
    assert -1 <= float(baseline) <= 1


@pytest.mark.parametrize("page", ["README.md", "docs/quick_start.md"])
def test_the_settings_of_the_documentation(page, tmp_path):
    block = yaml.safe_load(code_of(page, "yaml")[0])
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(block))
    assert [model.name for model in load_settings(file).models] == ["A", "B"]


def test_the_settings_of_the_other_pages(tmp_path):
    """Blocks that are complete or parts of settings files are read as they stand."""
    for page in ("docs/own_models.md", "docs/own_losses.md"):
        block = yaml.safe_load(code_of(page, "yaml")[0])
        assert load_settings(fake_data.write_settings(tmp_path, **block)).models
