"""The example notebook: it runs, and gives the numbers that stand in it."""

import re

import nbformat
import numpy as np
import pytest

from tests.run_notebook import NOTEBOOK, executed

MAX_CELLS = 12


def texts(notebook):
    """Return what the cells print and what they end with, as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    of_cells = [output.get("text") or output.data.get("text/plain", "") for output in outputs]
    return "\n".join(of_cells)


def numbers(notebook):
    """Return the numbers with decimals in the outputs."""
    return np.array(re.findall(r"-?\d+\.\d+", texts(notebook)), dtype=float)


def pictures(notebook):
    return sum("image/png" in output.get("data", {})
               for cell in notebook.cells for output in cell.get("outputs", []))  # fmt: skip


@pytest.fixture
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_notebook_is_short_and_has_no_paths_of_a_machine(committed):
    nbformat.validate(committed)
    assert len(committed.cells) <= MAX_CELLS
    assert pictures(committed) == 3
    assert not re.search(r"/(home|work|root|tmp|usr)/", NOTEBOOK.read_text())
    counts = [cell.execution_count for cell in committed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    text = "".join(cell.source for cell in committed.cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\((.*?)\)", text) if not link.startswith("https:")]
    assert links and all((NOTEBOOK.parent / link).is_file() for link in links)


@pytest.mark.slow
def test_the_notebook_gives_the_numbers_in_it(committed):
    before, again = numbers(committed), executed(nbformat.read(NOTEBOOK, as_version=4))
    assert len(before) >= 20
    assert numbers(again) == pytest.approx(before, abs=0.011)  # another rounding of 2 decimals
    assert pictures(again) == 3
    *ceilings, between, baseline = before[:4]
    assert 0 < baseline < between < min(ceilings) < 1
