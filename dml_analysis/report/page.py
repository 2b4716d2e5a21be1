"""The report of a run, report.html: puts its sections, style and scripts together into one file."""

from dml_analysis.checkout import ROOT
from dml_analysis.errors import MissingFile
from dml_analysis.files import atomic_files
from dml_analysis.report import (
    cause_section,
    control_section,
    figure_section,
    findings,
    neighbor_explorer,
    published_section,
    run_section,
    saliency_browser,
    table_section,
)
from dml_analysis.report.section import PAGE, NotYet, Section, rendered

SECTIONS = [
    Section("run", "What was run", run_section.section),
    Section("findings", "What was found", findings.section),
    Section("tables", "Tables", table_section.section),
    Section("published", "Published numbers beside these", published_section.section),
    Section("causes", "Causes", cause_section.section),
    Section("controls", "Controls", control_section.section),
    Section("figures", "Figures", figure_section.section),
    Section("browser", "Saliency maps, image by image", saliency_browser.section),
    Section("explorer", "Nearest neighbours, property by property", neighbor_explorer.section),
]
STYLES = ["page.css", "parts.css"]
SCRIPTS = ["page.js", "tables.js", "browser.js", "explorer.js"]


def file_of(settings):
    return settings.results / "report.html"


def write(settings):
    """Write the page; returns its file."""
    atomic_files.write_text(file_of(settings), html(settings))
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
