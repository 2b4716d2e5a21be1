"""The replication's results as text: a template in which every number comes from a CSV file."""

import re
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from dml_analysis.checkout import ROOT
from dml_analysis.config import Settings
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.number_texts import number, p, percent, signed
from dml_analysis.paper import PROPERTIES
from dml_analysis.replication import (
    claims,
    evidence,
    learning_rates,
    similarity_questions,
    trainings,
)

FOLDER = ROOT / "replication"
TEMPLATE, FINDINGS = "results.md.j2", "findings.md.j2"
# The README has the findings between these two lines.
MARKERS = "<!-- findings -->", "<!-- /findings -->"


# -------------------------------------------------------------------------------------------------
# Numbers in words.
# -------------------------------------------------------------------------------------------------
def interval(row: Any, digits: int = 3) -> str:
    """Return "estimate [low, high]" of a test or a claim."""
    estimate = signed(row.estimate, digits)
    if np.isnan(row.low):
        return estimate
    return f"{estimate} [{signed(row.low, digits)}, {signed(row.high, digits)}]"


FILTERS = {"number": number, "signed": signed, "percent": percent, "p": p, "interval": interval}
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.filters |= FILTERS


# -------------------------------------------------------------------------------------------------
# Where numbers come from.
# -------------------------------------------------------------------------------------------------
class Tables:
    """The replication's CSV files, for templates."""

    def __init__(self, runs: evidence.Runs, rates: Settings):
        """Read them. Raises MissingFile if one is missing. rates: of the learning-rate trials."""
        settings = runs.best
        self.robustness = csv_files.table(claims.robustness_file(settings), claims.ROBUSTNESS)
        self.reached = trainings.read(runs.reached)
        self.tests = evidence.read(settings)
        self.claims = claims.read(settings)
        self.trainings = trainings.read(settings)
        self.rates = csv_files.table(
            learning_rates.rates_file(rates), learning_rates.COLUMNS, ["loss"]
        )
        self.shares = csv_files.table(
            similarity_questions.shares_file(settings), similarity_questions.SHARES
        )
        self.properties = {prop.name: prop.label for prop in PROPERTIES}
        self.checkpoints = evidence.CHECKPOINTS
        assert settings.training is not None
        self.options = settings.training

    def test(self, question: int, measure: str, **labels: Any) -> Any:
        """Return the one test with these labels, by default of all methods and trainings.

        Raises KeyError unless there is one.
        """
        usual: dict[str, Any] = {"covariate": ""}
        usual |= {"methods": evidence.METHODS[0], "trainings": evidence.TRAININGS[0]}
        labels = usual | labels | {"question": question, "measure": measure}
        rows = self.tests
        for name, value in labels.items():
            rows = rows[rows[name] == value]
        if len(rows) != 1:
            raise KeyError(f"{len(rows)} tests have {labels}")
        return rows.iloc[0]

    def of_methods(self) -> pd.DataFrame:
        """Return the means over the trainings of each method, with the number of failed ones."""
        table = self.trainings.assign(is_failed=self.trainings.failed == "yes")
        columns = ["validation_map_at_r", "map_at_r", "precision_at_1", "improvement", "iterations"]
        groups = table.groupby(["loss", "type"], sort=False)
        means = groups[columns].mean().join(groups.is_failed.sum()).reset_index()
        rates = self.rates[["loss", "learning_rate", "loss_rate_factor"]]
        return means.merge(rates, on="loss", how="left")


def rendered(name: str, tables: Tables) -> str:
    """Return a template of replication/ with its numbers."""
    text = TEMPLATES.get_template(name).render(
        {name: getattr(tables, name) for name in dir(tables) if not name.startswith("_")}
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def literal_numbers(name: str) -> list[str]:
    """Return the numbers that a template has of its own, outside of expressions and names."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    text = re.sub(
        r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|`[^`]*`|\]\([^)]*\)", " ", text, flags=re.DOTALL
    )
    return re.findall(r"(?<![\w@.])[-+−]?\d+(?:[.,]\d+)*%?", text)


def with_findings(readme: str, findings: str) -> str:
    """Return the README with other findings. Raises InputError if it lacks the markers."""
    start, end = MARKERS
    if not 0 <= readme.find(start) < readme.find(end):
        raise InputError(f"README.md: has no lines {start} and {end}; add them")
    before, after = readme.split(start)[0], readme.split(end)[1]
    return f"{before}{start}\n{findings.strip()}\n{end}{after}"


def texts(runs: evidence.Runs, rates: Settings, readme: Path) -> dict[Path, str]:
    """Return the text of results/README.md and of the README, by their paths."""
    tables = Tables(runs, rates)
    findings = rendered(FINDINGS, tables)
    return {
        ROOT / "results" / "README.md": rendered(TEMPLATE, tables),
        readme: with_findings(readme.read_text(encoding="utf-8"), findings),
    }
