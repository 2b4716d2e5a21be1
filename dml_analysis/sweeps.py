"""Sweeps: settings of several runs, each with one factor changed, and of several seeds."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from dml_analysis.blocks import Block, EachOnce, checked, text
from dml_analysis.errors import InputError
from dml_analysis.files.csv_files import MISSING_WORDS
from dml_analysis.methods import slug

BASE = "base"  # instead of a factor and its value: the settings without changes
MAX_RUNS = 1000
NAME = "a name of letters, digits, blanks and . , + -, not one such as NA that reads as a missing value in CSV files"


class Variant(NamedTuple):
    """One run of a sweep."""

    factor: str
    value: str
    seed: int
    settings: Any  # config.Settings, with their own folders of results and networks


# A name may be a number in YAML; it is a text everywhere else.
Name = Annotated[str, BeforeValidator(str), text(r"[\w .,+-]{1,60}", NAME, MISSING_WORDS)]


class Sweep(Block):
    """The block `sweep`. A factor's value is a block of changes; one without changes is the base's."""

    seeds: Annotated[list[int], EachOnce] = []  # by default the file's seed
    factors: dict[Name, dict[Name, dict[str, Any] | None]] = {}


def variants(
    given: Any, rest: dict, name: str, build: Callable[[dict, str], Any]
) -> tuple[list[Variant], dict]:
    """Return the Variants of a settings file, and the name of the base's value of each factor.

    given: the file's `sweep` block. rest: all others. name: of the file. build(content, name)
    returns Settings. Raise InputError, naming factor and value, for anything invalid.
    """
    sweep = checked(Sweep, given, "sweep.")
    runs = [
        (factor, value, changes)
        for factor, values in sweep.factors.items()
        for value, changes in values.items()
    ]
    base_names = {factor: value for factor, value, changes in runs if not changes}
    changed: dict[str, tuple[str, str, dict]] = {BASE: (BASE, BASE, {})}
    for factor, value, changes in runs:
        folder = f"{slug(factor)}_{slug(value)}"
        if changes and changed.setdefault(folder, (factor, value, changes)) != (
            factor,
            value,
            changes,
        ):
            both = f"{value!r} would share its files with another"
            raise InputError(f"sweep.factors.{factor}: {both}; rename one of them")
    seeds = sweep.seeds or [rest.get("seed", 0)]
    if len(changed) * len(seeds) > MAX_RUNS:
        raise InputError(f"sweep: {len(changed) * len(seeds)} runs; give at most {MAX_RUNS}")

    def variant(folder: str, seed: int) -> Variant:
        factor, value, changes = changed[folder]
        where, place = f"sweep.factors.{factor}.{value}", f"{folder}/seed{seed}"
        if "sweep" in changes:
            raise InputError(f"{where}: a sweep inside of another; leave it out")
        try:
            settings = build(_merged(rest, changes) | {"seed": seed}, f"{name}/{place}")
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        paths = settings.paths | {"models": settings.paths["models"] / place}
        return Variant(factor, value, seed, settings.model_copy(update={"paths": paths}))

    return [variant(folder, seed) for seed in seeds for folder in changed], base_names


def _merged(block: dict, changes: dict) -> dict:
    """Return the block with the changes, those of blocks in it one by one."""
    return block | {
        key: _merged(block[key], value)
        if isinstance(value, dict) and isinstance(block.get(key), dict)
        else value
        for key, value in changes.items()
    }
