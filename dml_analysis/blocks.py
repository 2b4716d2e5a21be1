"""Blocks of settings and records as pydantic models, and one-line messages for invalid ones."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)

from dml_analysis.errors import InputError, printable

T = TypeVar("T")
MAX_SHOWN = 100  # characters of a wrong value in a message
ALLOWED = {  # pydantic's type of an error -> what is allowed instead
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a block of `key: value` lines",
    "model_type": "a block of `key: value` lines",
    "greater_than": "a number above {gt:,}",
    "greater_than_equal": "a number of at least {ge:,}",
    "less_than": "a number below {lt:,}",
    "less_than_equal": "a number of at most {le:,}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "literal_error": "{expected}",
}


class UnknownKey(ValueError):
    """A key that a block does not have; .args: it and those that the block has."""


class Block(BaseModel):
    """A mapping with known keys, whose values are not converted: "5" and true are not numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_by_name=True)

    @classmethod
    def in_provenance(cls) -> tuple[str, ...]:
        """Return the settings that provenance has, unless they are at their defaults."""
        return ()

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        known = [
            field.alias or name for name, field in cls.model_fields.items() if not field.exclude
        ]
        for key in given if isinstance(given, dict) else ():
            if key not in known and key not in cls.model_fields:
                raise UnknownKey(key, known)
        return given


def default_of(key: str, otherwise: str) -> Any:
    """Return the default of a setting that provenance leaves out; `otherwise` if there is none."""
    for kind in Block.__subclasses__():
        if key in kind.in_provenance():
            return kind.model_fields[key].get_default()
    return otherwise


def unknown_key(key: Any, known: Iterable[str]) -> str:
    """Return the message for a key that is not known."""
    known = list(dict.fromkeys(known))
    nearest = get_close_matches(str(key), known, cutoff=0.5)
    return f"unknown key; {'did you mean' if nearest else 'known:'} {', '.join(nearest or known)}"


# --------------------------------------------------------------------------------------------------
# Kinds of values. Their ValueErrors say what is allowed.
# --------------------------------------------------------------------------------------------------
# 2 stays 2 and does not become 2.0.
Number = Annotated[float, WrapValidator(lambda value, check: (check(value), value)[1])]


def text(pattern: str, words: str, without: Iterable[str] = ()) -> AfterValidator:
    """Return a validator of texts that match a regular expression. words: describe it for people."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value) or value in without:
            raise ValueError(words)
        return value

    return AfterValidator(check)


def each_once(values: list) -> list:
    """Return a list. Raise ValueError if it is empty or has a value twice."""
    if not values or len(set(values)) < len(values):
        raise ValueError("a list of one or more, each once")
    return values


EachOnce = AfterValidator(each_once)


# --------------------------------------------------------------------------------------------------
# One line.
# --------------------------------------------------------------------------------------------------
def checked(kind: Callable[..., T], value: Any, where: str = "") -> T:
    """Return a value as a Block, or another type that pydantic knows.

    Raise InputError if it is not valid. where: how the message begins, such as the file's name.
    """
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        raise InputError(problem(error.errors()[0], where)) from None


@cache
def _adapter(kind: Any) -> TypeAdapter:
    return TypeAdapter(kind)


def problem(error: Mapping[str, Any], where: str) -> str:
    """Return the message of a pydantic error.

    Such as `saliency.images: 0 is not allowed; give a number of at least 1`.
    """
    keys = [str(part)[:MAX_SHOWN] for part in error["loc"] if part != "[key]"]
    context = {
        name: int(n) if isinstance(n, float) and n.is_integer() else n
        for name, n in error.get("ctx", {}).items()
    }
    reason = context.get("error")
    if isinstance(reason, UnknownKey):
        keys.append(str(reason.args[0])[:MAX_SHOWN])
        words = unknown_key(*reason.args)
    elif error["type"] == "missing":
        words = "missing; add it"
    else:
        allowed = reason or ALLOWED.get(error["type"], f"another ({error['msg']})").format(
            **context
        )
        words = f"{shown(error['input'])} is not allowed; give {allowed}"
    place = (where + ".".join(keys)).rstrip(".: ")
    return printable(f"{place}: {words}") if place else words


def shown(value: Any) -> str:
    """Return a value as messages show it, on one line of limited length."""
    words = printable(repr(value))
    return words if len(words) <= MAX_SHOWN else f"{words[:MAX_SHOWN]} ..."
