"""Numbers as the report and the results print them."""

import numpy as np


def number(value: float, digits: int = 3) -> str:
    """Return a number with a true minus sign and without negative zero, or a dash for NaN."""
    if not np.isfinite(value):
        return "–"
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """Return a difference with its sign, also where that is a plus."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def percent(share: float, digits: int = 1) -> str:
    """Return a share as text, in per cent."""
    return number(100 * share, digits)


def p(value: float) -> str:
    """Return a p-value with three decimals, or with one significant digit if it is below 0.001."""
    return f"{value:.1g}".replace("-", "−") if value < 0.001 else number(value, 3)
