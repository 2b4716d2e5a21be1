"""Tables of numbers and sentences as the report prints them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import jinja2
import pandas as pd

from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.number_texts import number, p, percent

Values = TypeVar("Values", pd.Series, pd.DataFrame)


def numbers(values: Values, digits: int) -> Values:
    """Return a column or a table of numbers as texts."""
    return values.map(lambda value: number(value, digits))


def percents(shares: Values, digits: int = 1) -> Values:
    """Return a column or a table of shares as texts, in per cent."""
    return numbers(100 * shares.astype(float), digits)


def p_values(values: Values) -> Values:
    """Return a column or a table of p-values as texts."""
    return values.map(p)


def count(value: int) -> str:
    """Return a count with commas between thousands."""
    return f"{int(value):,}"


def several(value: int, what: str) -> str:
    """Return a count with its noun, such as "1 image" and "2 images"."""
    return f"{count(value)} {what}{'' if value == 1 else 's'}"


def compared(a: float, b: float, digits: int, more: str, less: str, same: str) -> str:
    """Return one of three texts, by two numbers as they are printed.

    {} in the text becomes their difference.
    """
    difference = round(round(a, digits) - round(b, digits), digits)
    text = same if difference == 0 else more if difference > 0 else less
    return text.format(f"{abs(difference):.{digits}f}")


def folds(names: Sequence[int]) -> str:
    """Return folds as text."""
    if list(names) == [ALL_FOLDS]:
        return "one network for all folds"
    words = ["all" if name == ALL_FOLDS else str(name) for name in names]
    return f"fold{'s' * (len(words) > 1)} {', '.join(words)}"


TEXTS = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)
TEXTS.filters |= {
    "number": number, "percent": percent, "p": p, "count": count, "several": several, "folds": folds
}  # fmt: skip
TEXTS.globals["compared"] = compared


def text(name: str, **values: Any) -> str:
    """Return a macro of templates/texts.j2 with these values, on one line."""
    module: Any = TEXTS.get_template("texts.j2").module
    return re.sub("[ \n]+", " ", getattr(module, name)(**values)).strip()
