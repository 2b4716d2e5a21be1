"""The page report.html: its sections, styles and scripts in one file."""

from collections.abc import Sequence
from pathlib import Path

from dml_analysis.checkout import ROOT
from dml_analysis.config import Settings
from dml_analysis.errors import MissingFile
from dml_analysis.files import atomic_files
from dml_analysis.report import (
    accuracy_section,
    cause_section,
    claim_section,
    control_section,
    figure_section,
    findings,
    glossary,
    neighbor_explorer,
    published_comparison,
    run_section,
    saliency_browser,
    summary,
    table_section,
)
from dml_analysis.report.section import TEMPLATE_FOLDER, NotYet, Section, rendered

TOP = Section("top", "Summary", "Summary", summary.section)
SECTIONS = [
    Section("claims", "Claims", "Claims", claim_section.section),
    Section("accuracy", "Accuracy", "Accuracy", accuracy_section.section),
    Section("findings", "Findings", "Findings", findings.section),
    Section("tables", "Tables", "Tables", table_section.section),
    Section("published", "Published numbers", "Published", published_comparison.section),
    Section("browser", "Saliency maps", "Maps", saliency_browser.section),
    Section("explorer", "Nearest neighbours", "Neighbours", neighbor_explorer.section),
    Section("causes", "Causes", "Causes", cause_section.section),
    Section("controls", "Controls", "Controls", control_section.section),
    Section("figures", "Figures", "Figures", figure_section.section),
    Section("glossary", "Glossary", "Glossary", glossary.section),
    Section("run", "What was run", "Run", run_section.section),
]
STYLES = ["page.css", "parts.css"]
SCRIPTS = ["page.js", "tables.js", "browser.js", "explorer.js"]


def write(settings: Settings) -> Path:
    """Write the page of a run and return its path."""
    file = settings.results / "report.html"
    atomic_files.write_text(file, html(settings))
    return file


def html(settings: Settings, sections: Sequence[Section] = SECTIONS) -> str:
    """Return the page as text."""
    return rendered(
        "page",
        settings=settings,
        top=body(TOP, settings),
        sections=[(section, body(section, settings)) for section in sections],
        styles=[(TEMPLATE_FOLDER / name).read_text(encoding="utf-8") for name in STYLES],
        scripts=[(TEMPLATE_FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS],
    )


def body(section: Section, settings: Settings) -> str:
    """Return the HTML of a section, or what to run first."""
    try:
        return glossary.marked(section.make(settings))
    except (NotYet, MissingFile) as missing:
        return rendered("missing", what=str(missing).replace(f"{ROOT}/", ""))
