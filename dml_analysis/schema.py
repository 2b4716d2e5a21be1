"""What the values of settings may be: a description for each, and one way to check them all.

Standard library alone, for the renderer's environment.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from dml_analysis.errors import InputError, printable

FINGERPRINT = re.compile("[0-9a-f]{16}")
LONGEST = 100  # characters of a wrong value in a message


class Kind(NamedTuple):
    fits: Callable  # fits(value), of any type: whether it is one
    words: str  # in "... must be <words>"


FLAG = Kind(lambda value: isinstance(value, bool), "true or false")


def whole(low, high=2**63 - 1):
    return Kind(lambda value: type(value) is int and low <= value <= high, f"a whole number from {low:,} to {high:,}")


def above(low, high):
    """A number that is not `low` itself."""
    return Kind(lambda value: type(value) in (int, float) and low < value <= high,
                f"a number above {low:,}, at most {high:,}")  # fmt: skip


def between(low, high):
    return Kind(
        lambda value: type(value) in (int, float) and low <= value <= high, f"a number from {low:,} to {high:,}"
    )


def one_of(known):
    """One of some words or numbers, and of their type: true is not 1 here."""
    known = list(known)
    return Kind(lambda value: any(value == each and type(value) is type(each) for each in known),
                f"one of {', '.join(map(str, known))}")  # fmt: skip


def several_of(known):
    each = one_of(known)
    return Kind(lambda value: isinstance(value, list) and value and all(map(each.fits, value))
                and len(set(value)) == len(value), f"a list, each once, of {each.words.removeprefix('one of ')}")  # fmt: skip


def mapping_of(keys, values, words):
    """A mapping with at least one key; keys and values are of these kinds."""
    return Kind(lambda value: isinstance(value, dict) and value
                and all(keys.fits(key) and values.fits(value[key]) for key in value), words)  # fmt: skip


def either(first, second):
    return Kind(lambda value: first.fits(value) or second.fits(value), f"{first.words}, or {second.words}")


def word(pattern, words):
    """A text that a compiled regular expression knows."""
    return Kind(lambda value: isinstance(value, str) and bool(pattern.fullmatch(value)), words)


def check(where, value, kind):
    """Raise InputError unless the value is of its kind: a Kind, or a dictionary of the kinds of a block's keys.

    where: what a message calls it.
    """
    if isinstance(kind, Kind):
        if not kind.fits(value):
            raise InputError(f"{where} is {shown(value)}, but must be {kind.words}")
        return
    if not isinstance(value, dict):
        raise InputError(f"{where or 'the file'} must be a block of `key: value` lines, not {shown(value)}")
    for key, each in value.items():
        if key not in kind:
            raise InputError(f"{f'{where}: ' if where else ''}unknown key {shown(key)}; known: {', '.join(kind)}")
        check(f"{where}: {key}" if where else key, each, kind[key])


def shown(value):
    """A value as messages have it."""
    text = printable(repr(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
