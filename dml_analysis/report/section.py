"""Sections of the report, and the templates that make their HTML."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from dml_analysis.config import Settings
from dml_analysis.number_texts import number, percent

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATE_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {"number": number, "percent": percent}


class NotYet(Exception):
    """The results that a section shows do not exist; the message says which script makes them."""


class Section(NamedTuple):
    """A section of the report, in the list page.SECTIONS."""

    name: str  # its address in the page
    title: str
    short: str  # its title in the bar
    # Returns its HTML; raises NotYet or MissingFile if its inputs do not exist.
    make: Callable[[Settings], str]


def rendered(template: str, **values: Any) -> str:
    """Return the HTML of templates/<template>.html.j2 with these values, their texts escaped."""
    return TEMPLATES.get_template(f"{template}.html.j2").render(values)


def run_first(what: str, script: str) -> NotYet:
    """Return the NotYet for results that a script makes."""
    return NotYet(f"{what} do not exist yet: run {script}, then make this page again.")
