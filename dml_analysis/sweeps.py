"""Sweeps: settings that describe several runs, which differ in one factor at a time from the file as it stands, and in seeds."""

import re
from typing import NamedTuple

from dml_analysis import schema
from dml_analysis.errors import InputError
from dml_analysis.files.csv_files import MISSING_WORDS
from dml_analysis.methods import slug

BASE = "base"  # in the place of a factor and of its value: the file as it stands
NAME = schema.Kind(
    lambda value: isinstance(value, str) and re.fullmatch(r"[\w .,+-]{1,60}", value) and value not in MISSING_WORDS,
    "a name of letters, digits, blanks and . , + -, not one such as NA that reads as a missing value in CSV files",
)
MOST = 1000  # runs


class Variant(NamedTuple):
    """One of the runs."""

    factor: str
    value: str
    seed: int
    settings: object  # dml_analysis.config.Settings; their results and networks are in folders of their own


KINDS = {
    "seeds": schema.Kind(
        lambda value: isinstance(value, list) and value and all(type(each) is int for each in value)
        and len(set(value)) == len(value), "a list of whole numbers, each once"),
    "factors": schema.Kind(lambda value: isinstance(value, dict), "a block of factors, each a block of `value: changes`"),
}  # fmt: skip


def variants(sweep, rest, name, build):
    """The Variants of a settings file whose `sweep` block has `seeds` and `factors`.

    rest: all of the file but that block; build(given, name) makes Settings. A factor is a mapping from the
    names of its values to what they change in the file; one that changes nothing gives the base's value its name. Raises
    InputError, naming the factor and its value, for anything else.
    """
    schema.check("sweep", sweep, KINDS)
    seeds, changed = sweep.get("seeds", [rest.get("seed", 0)]), [(BASE, BASE, {})]
    for factor, values in sweep.get("factors", {}).items():
        schema.check("sweep: factors: the name of a factor", str(factor), NAME)
        if not isinstance(values, dict):
            raise InputError(
                f"sweep: factors: {factor}: must be a block of `value: changes`, not {schema.shown(values)}"
            )
        changed += [(str(factor), str(value), changes) for value, changes in values.items() if changes]
    if len(changed) * len(seeds) > MOST:
        raise InputError(f"sweep: {len(changed) * len(seeds)} runs; at most {MOST}")
    _check_names(changed)
    return [_variant(rest, name, build, *change, seed) for seed in seeds for change in changed]


def base_names(sweep):
    """Factor -> the name of the base's value, of those factors that name it."""
    factors = sweep.get("factors", {})
    return {
        str(factor): str(value)
        for factor, values in factors.items()
        for value, changes in values.items()
        if not changes
    }


def _check_names(changed):
    folders = set()
    for factor, value, _ in changed:
        schema.check(f"sweep: factors: {factor}: the name of a value", value, NAME)
        folder = _folder(factor, value)
        if folder in folders:
            raise InputError(
                f"sweep: factors: {factor}: {value!r} would share its files with another; rename one of them"
            )
        folders.add(folder)


def _folder(factor, value):
    return BASE if factor == BASE else f"{slug(factor)}_{slug(value)}"


def _variant(rest, name, build, factor, value, changes, seed):
    where = f"sweep: factors: {factor}: {value}"
    if not isinstance(changes, dict) or "sweep" in changes:
        raise InputError(f"{where}: must be a block of settings, not {schema.shown(changes)}")
    run = f"{name}/{_folder(factor, value)}/seed{seed}"
    try:
        settings = build(_merged(rest, changes) | {"seed": seed}, run)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    paths = settings.paths | {"models": settings.paths["models"] / _folder(factor, value) / f"seed{seed}"}
    return Variant(factor, value, seed, settings._replace(paths=paths))


def _merged(block, changes):
    """The block with the changes, those of blocks in it one by one."""
    return block | {
        key: _merged(block[key], value) if isinstance(value, dict) and isinstance(block.get(key), dict) else value
        for key, value in changes.items()
    }
