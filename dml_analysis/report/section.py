"""What a section of the report is, and how its template becomes HTML."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jinja2

PAGE = Path(__file__).parent / "templates"
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(PAGE),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class NotYet(Exception):
    """What a section is about does not exist yet; the message is a sentence that says which script makes it."""


class Section(NamedTuple):
    """A section of the report, in the list of page.SECTIONS."""

    name: str  # its address in the page
    title: str
    make: Callable  # make(settings) returns its HTML; raises NotYet, or MissingFile, where its inputs do not exist


def rendered(template, **values):
    """The HTML that report/page/<template>.html.j2 makes of the values, whose texts are escaped."""
    return TEMPLATES.get_template(f"{template}.html.j2").render(values)


def run_first(what, script):
    """The NotYet of what a script makes."""
    return NotYet(f"{what} do not exist yet: run {script}, then make this page again.")
