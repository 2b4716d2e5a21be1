"""What others call: `import dml_analysis`, from any folder."""

import doctest
import importlib
import inspect
import subprocess
import sys

import pytest

import dml_analysis
from tests.conftest import ROOT


def test_importing_it_loads_nothing_slow(tmp_path):
    code = "import dml_analysis, sys; dir(dml_analysis); print([m for m in ('torch', 'numba', 'pandas', 'scipy') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "[]\n", done.stderr


def test_all_names_are_there():
    assert dml_analysis.__all__ == sorted(dml_analysis.MODULES) and set(
        dml_analysis.__all__
    ) <= set(dir(dml_analysis))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dml_analysis.nothing  # noqa: B018


@pytest.mark.parametrize("name", dml_analysis.__all__)
def test_each_function_is_documented(name, monkeypatch):
    """Types of all arguments, what it returns, where it is from, what it raises, and an example that runs."""
    monkeypatch.chdir(ROOT)  # examples name sample images
    function = getattr(dml_analysis, name)
    signature, text = inspect.signature(function), " ".join(inspect.getdoc(function).split())
    assert inspect.Signature.empty not in (
        signature.return_annotation, *(each.annotation for each in signature.parameters.values())
    )  # fmt: skip
    assert text.startswith("Return ") and "Raises " in text and "Source: " in text
    module = importlib.import_module(function.__module__)
    (test,) = doctest.DocTestFinder(recurse=False).find(function, name, module=module)
    assert test.examples and doctest.DocTestRunner(verbose=False).run(test).failed == 0


def test_the_packages_example():
    assert doctest.testmod(dml_analysis).failed == 0
