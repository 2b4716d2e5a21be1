"""How the report prints numbers, words that follow them as they are printed, and what a finding is."""

from typing import NamedTuple

import numpy as np

from dml_analysis.networks.specifications import ALL_FOLDS


class Finding(NamedTuple):
    """A sentence, with what it rests on."""

    number: str  # the one that it is about
    text: str
    n: str  # of how many what
    floor: str = ""  # what the number, or those that it is made of, would be at the least and at the most, where measured
    ceiling: str = ""


def number(value, digits):
    """With a minus sign that is one, no zero below zero, and a dash for NaN."""
    return (
        f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−")
        if np.isfinite(value)
        else "–"
    )


def percent(share, digits=1):
    return number(100 * share, digits)


def signed(value, digits):
    """A difference with its sign."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def interval(value, low, high, digits):
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def p(value):
    """A p-value to three digits after the point, or to one that is not 0."""
    return number(value, 3) if not value < 0.001 else f"{value:.1g}".replace("-", "−")


def count(value):
    return f"{int(value):,}"


def several(value, what):
    """Such as "1 image" and "2 images"."""
    return f"{count(value)} {what}{'' if value == 1 else 's'}"


def compared(a, b, digits, more, less, same):
    """One of three texts, by two numbers as they are printed; {} in it becomes how far they are apart."""
    apart = round(round(a, digits) - round(b, digits), digits)
    return same if apart == 0 else (more if apart > 0 else less).format(f"{abs(apart):.{digits}f}")


def folds(names):
    names = ["all" if name == ALL_FOLDS else str(name) for name in names]
    return (
        "one network for all folds"
        if names == ["all"]
        else f"fold{'s' * (len(names) > 1)} {', '.join(names)}"
    )


def of_all(some, all_of_them):
    return f"All {some}" if some == all_of_them else f"{some or 'None'} of the {all_of_them}"
