"""Questions of the sections "Causes" and "Controls", each answered by tables and figures."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dml_analysis import tables
from dml_analysis.config import Settings
from dml_analysis.methods import counted, groups, slug
from dml_analysis.paper import Protocol
from dml_analysis.report import figure_section, table_files
from dml_analysis.report.section import rendered, run_first


class Table(NamedTuple):
    """A small table of texts."""

    name: str  # of its files and in its address
    caption: str  # what its numbers are of, their units, their n
    corner: str  # the heading of the row labels
    cells: pd.DataFrame  # of texts; its index has the row labels

    @property
    def headings(self) -> list[str]:
        """Return the headings of all columns, that of the row labels first."""
        return [self.corner, *self.cells]

    @property
    def rows(self) -> list[list[str]]:
        """Return the texts of each row, its label first."""
        return [list(row) for row in self.cells.itertuples()]

    @property
    def data(self) -> tables.Table:
        """Return the table for its files, whose CSV has plain minus signs and empty cells."""
        records = pd.DataFrame(self.rows, columns=self.headings)
        plain = records.map(lambda text: "" if text == "–" else text.replace("−", "-"))
        labels, cells = list(map(str, self.cells.index)), self.cells.to_numpy().tolist()
        return tables.Table(
            self.name, self.caption, [], list(self.cells), [], labels,
            [[tables.Cell(text) for text in row] for row in cells], plain,
        )  # fmt: skip


class Question(NamedTuple):
    title: str
    tables: Callable[[Settings, Protocol], Iterable[Table]]  # yields those whose CSV files exist
    figures: tuple[str, ...] = ()  # how the names of its figures begin
    text: str = ""
    elsewhere: str = ""  # the section of the page that shows what the figures show, instead of them


def section(settings: Settings, questions: Sequence[Question], script: str) -> str:
    """Return the HTML of a section. script: the first one that makes what it shows."""
    figures = figure_section.files_of(settings)
    answers = {}
    for protocol in settings.protocols:
        files = [file for name, file in figures if name == protocol.name]
        answers[protocol.name] = _answers(settings, protocol, questions, files)
    if not any(answers.values()):
        raise run_first("Answers", f"{script} and those after it")
    return rendered("questions", answers=answers, script=script)


def _answers(
    settings: Settings, protocol: Protocol, questions: Sequence[Question], files: list[Path]
) -> list[dict[str, Any]]:
    """Return the questions to which there is a table or a figure, each with these."""
    answers = []
    for question in questions:
        shown_tables = [table for table in question.tables(settings, protocol) if len(table.cells)]
        own = [
            file for file in files if question.figures and file.stem.startswith(question.figures)
        ]
        shown = [] if question.elsewhere else own
        if shown_tables or own:
            figures = [figure_section.described(settings, protocol.name, file) for file in shown]
            copies = [
                table_files.write(settings, f"{protocol.name}/report", table.data)
                for table in shown_tables
            ]
            answers.append(
                question._asdict()
                | {"id": f"{slug(question.title)}-{protocol.name}", "figures": figures}
                | {"tables": list(zip(shown_tables, copies))}
            )
    return answers


def by_group(settings: Settings, table: pd.DataFrame, column: str, by: str) -> pd.DataFrame:
    """Return the mean of a column for each value of `by` (rows) and each group (columns).

    The mean is over a group's models, each of which is first averaged over its rows. Trained
    models count; if a group has none, all do. Column names are the group and its number of models.
    """
    of_models = table.pivot_table(column, by, "loss", sort=False)
    means = {}
    for group in groups(settings.models):
        names = [model.name for model in counted(settings.models, group) if model.name in of_models]
        if names:
            means[f"{group} ({len(names)})"] = of_models[names].mean(axis=1)
    return pd.DataFrame(means)
