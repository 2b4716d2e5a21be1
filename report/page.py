"""The report of a run, report.html: puts its sections, style and scripts together into one file."""

from common import safe_files
from common.errors import MissingFile
from report import browser, causes, controls, explorer, figures, findings, published, run, tables
from report.section import PAGE, NotYet, Section, rendered
from utils import ROOT

SECTIONS = [
    Section("run", "What was run", run.section),
    Section("findings", "What was found", findings.section),
    Section("tables", "Tables", tables.section),
    Section("published", "Published numbers beside these", published.section),
    Section("causes", "Causes", causes.section),
    Section("controls", "Controls", controls.section),
    Section("figures", "Figures", figures.section),
    Section("browser", "Saliency maps, image by image", browser.section),
    Section("explorer", "Nearest neighbours, property by property", explorer.section),
]
STYLES = ["page.css", "parts.css"]
SCRIPTS = ["page.js", "tables.js", "browser.js", "explorer.js"]


def file_of(settings):
    return settings.results / "report.html"


def write(settings):
    """Write the page; returns its file."""
    safe_files.write_text(file_of(settings), html(settings))
    return file_of(settings)


def html(settings, sections=SECTIONS):
    """The page as text."""
    return rendered(
        "page",
        settings=settings,
        sections=[(each, body(each, settings)) for each in sections],
        styles=[_source(name) for name in STYLES],
        scripts=[_source(name) for name in SCRIPTS],
    )


def body(section, settings):
    """The HTML of a section, or what to run first."""
    try:
        return section.make(settings)
    except (NotYet, MissingFile) as lacking:
        return rendered("lacking", what=str(lacking).replace(f"{ROOT}/", ""))


def _source(name):
    return (PAGE / name).read_text(encoding="utf-8")
