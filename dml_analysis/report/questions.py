"""What the sections "Causes" and "Controls" share: questions, each answered by condensed tables and by figures."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from dml_analysis.methods import counted, groups
from dml_analysis.paper import PROPERTIES
from dml_analysis.report import figure_section
from dml_analysis.report.section import rendered, run_first

LABELS = {prop.name: prop.label for prop in PROPERTIES}


class Question(NamedTuple):
    title: str
    tables: Callable  # tables(settings, protocol) yields the Tables whose CSV files exist
    figures: tuple = ()  # the beginnings of the names of its figures
    text: str = ""  # before all else
    elsewhere: str = ""  # the section of the page that has what the figures show, in their place


class Table(NamedTuple):
    caption: str  # what its numbers are of, their units, their n
    heads: list  # of columns, the first of which heads the rows
    rows: list  # of lists of texts


def section(settings, questions, script):
    """The HTML of a section; script: the first one that makes what it shows."""
    found = {
        protocol.name: _answers(settings, protocol, questions) for protocol in settings.protocols
    }
    if not any(found.values()):
        raise run_first("Answers", f"{script} and those after it")
    return rendered("questions", found=found, script=script)


def _answers(settings, protocol, questions):
    """The questions to which there is a table or a figure, each with these."""
    drawn, found = (
        [file for name, file in figure_section.files_of(settings) if name == protocol.name],
        [],
    )
    for each in questions:
        tables = [checked(table) for table in each.tables(settings, protocol) if table.rows]
        files = (
            [file for file in drawn if file.stem.startswith(each.figures)] if each.figures else []
        )
        if tables or files:
            shown = (
                []
                if each.elsewhere
                else [figure_section.described(settings, file) for file in files]
            )
            found.append(each._asdict() | {"tables": tables, "figures": shown})
    return found


def checked(table):
    """The Table. Raises ValueError unless each of its rows has a cell for each of its heads."""
    if any(len(row) != len(table.heads) for row in table.rows):
        raise ValueError(
            f"heads {table.heads} do not fit rows of {sorted({len(row) for row in table.rows})} cells"
        )
    return table


def by_group(settings, table, column, by):
    """Group, with the number of its models -> values of a column by another one: mean over models, each over its rows.

    As in other tables, the trained models of a group count, or all where none is trained.
    """
    of_models, found = table.pivot_table(column, by, "loss", sort=False), {}
    for group in groups(settings.models):
        names = [model.name for model in counted(settings.models, group) if model.name in of_models]
        if names:
            found[f"{group} ({len(names)})"] = of_models[names].mean(axis=1)
    return pd.DataFrame(found)
