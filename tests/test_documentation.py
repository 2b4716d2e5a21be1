"""README, documentation and metadata: links, lengths, examples that run, and one version."""

import re
import subprocess
import tomllib
from urllib.parse import urlsplit

import torch
import yaml

import dml_analysis
from dml_analysis.config import load_settings
from tests.conftest import ROOT

HOSTS = {
    "arxiv.org",
    "cvgl.stanford.edu",
    "data.caltech.edu",
    "github.com",
    "jmlr.org",
    "mmlab.ie.cuhk.edu.hk",
    "openaccess.thecvf.com",
    "pypi.org",
    "semver.org",
    "www.blender.org",
    "www.kaggle.com",
    "www.vision.caltech.edu",
}


def listed(*patterns):
    """Files of the repository, by git's patterns."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in dict.fromkeys(done.stdout.splitlines())]


PAGES = [page for page in listed("*.md") if page.exists()]


def without_code(page):
    return re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(page):
    """The anchors of a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(page, language):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def broken(page):
    """The links of a page that lead nowhere, or to a host that is not in the list."""
    text = without_code(page)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"https?://[^\s)>,]+", text)
    for link in links:
        target = urlsplit(link)
        if target.scheme:
            if target.scheme != "https" or target.netloc not in HOSTS:
                yield link
            continue
        file = (page.parent / target.path) if target.path else page
        if not file.exists() or (target.fragment and target.fragment not in anchors(file)):
            yield link


def test_links(tmp_path):
    """Every link leads to a file and a heading, or to an address of a known host."""
    assert {page.relative_to(ROOT).as_posix(): list(broken(page)) for page in PAGES} == {
        page.relative_to(ROOT).as_posix(): [] for page in PAGES
    }
    (tmp_path / "other.md").write_text("# A heading, here\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md#a-heading-here) [b](https://arxiv.org/abs/1) `[c](not/a/link)`\n"
        "[d](missing.md) [e](other.md#nothing) [f](https://example.com/x) [g](#gone)\n"
    )
    assert set(broken(page)) == {"missing.md", "other.md#nothing", "https://example.com/x", "#gone"}


def test_lengths():
    """The README is at most 1,400 words, one of a folder a screen, a definition one sentence."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1400
    written = {ROOT / "README.md", ROOT / "results" / "README.md"}
    lines = {page: len(page.read_text(encoding="utf-8").splitlines()) for page in PAGES}
    assert not [page for page, n in lines.items() if page.name == "README.md" and page not in written and n > 40]  # fmt: skip
    rows = re.findall(
        r"^\| (.+) \| (.+) \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE
    )
    assert rows[0] == ("word", "meaning") and 5 < len(rows) - 1 <= 15
    assert all(
        meaning.endswith(".") and ". " not in meaning and meaning[0].isupper()
        for _, meaning in rows[1:]
    )


def test_every_script_is_documented():
    text = "".join((ROOT / f"docs/{page}.md").read_text() for page in ("pipeline", "replication"))
    scripts = [path for path in listed("*/[0-9]_*.py") if path.exists()]
    assert len(scripts) > 40
    documented = text + (ROOT / "docs/benchmarks.md").read_text()
    missing = [path.name for path in scripts if path.parent.name != "benchmarks" and path.name not in documented]  # fmt: skip
    assert not missing


def test_named_files_exist():
    """Scripts, settings, examples and modules that pages name by a path from the top."""
    kinds = r"\b(?:[a-z_]+/\d_\w+\.py|(?:settings|examples|tests|docs|dml_analysis)/[\w/]+\.[a-z]+)"
    names = {
        name
        for page in PAGES
        for name in re.findall(kinds, page.read_text(encoding="utf-8"))
        if page.name not in ("analysis_plan.md", "CHANGELOG.md")
    }
    assert len(names) > 60
    assert not [name for name in names - {"settings/mine.yaml"} if not (ROOT / name).exists()]


def test_every_public_name_is_in_the_reference():
    text = (ROOT / "docs/api.md").read_text()
    shown = re.findall(r"^::: dml_analysis\.(\w+)$", text, re.MULTILINE)
    assert sorted(shown) == dml_analysis.__all__


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    newest = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[0]
    dynamic = project["tool"]["setuptools"]["dynamic"]["version"]
    assert "version" in project["project"]["dynamic"] and "version" not in project["project"]
    assert dynamic == {"attr": "dml_analysis.__version__"}
    assert citation["version"] == newest == dml_analysis.__version__


def test_two_networks_in_five_lines(monkeypatch, capsys):
    """What README and quick start print runs as it is."""
    monkeypatch.chdir(ROOT)
    (code,) = blocks("README.md", "python")
    shown, more = blocks("docs/quickstart.md", "python")
    assert shown == code and len([line for line in code.splitlines() if line]) == 5
    torch.manual_seed(0)  # the networks' weights are random
    names: dict = {}
    exec(code, names)
    printed = capsys.readouterr().out
    correlations = [float(number) for number in re.findall(r"correlation=(-?[\d.e-]+)", printed)]
    between, *ceilings, baseline = correlations
    assert len(ceilings) == 2 and -1 < baseline < 1 and between < min(ceilings) < 1
    exec(more, names)
    assert re.search(
        r"RepresentationSimilarity\(.*\nPrecision\(r_precision", capsys.readouterr().out
    )


def test_two_networks_in_six_lines(tmp_path):
    """The settings of README and quick start can be read, and build both networks."""
    (text,) = blocks("README.md", "yaml")
    assert blocks("docs/quickstart.md", "yaml") == [text] and len(text.splitlines()) == 6
    (tmp_path / "demo.yaml").write_text((ROOT / "settings/demo.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(text)
    settings = load_settings(tmp_path / "mine.yaml")
    assert [model.name for model in settings.models] == ["Mine", "Theirs"]
    assert settings.training is None and settings.saliency.images == 8
