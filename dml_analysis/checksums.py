"""Checksums (sha256) of input files such as checkpoints.

Files are read once: results/<settings>/files.json records the checksums with sizes and times.
"""

import hashlib
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from dml_analysis.blocks import Block, checked, text
from dml_analysis.checkout import ROOT
from dml_analysis.errors import MissingFile
from dml_analysis.files import atomic_files


class Records(NamedTuple):
    """Where the digests of inputs are recorded, in files.json and the like."""

    results: Path
    models: Path  # the folder that the paths of checkpoints are relative to


class Entry(Block):
    """What files.json says of a file."""

    bytes: Annotated[int, Field(ge=0)]
    modified: int
    sha256: Annotated[str, text("[0-9a-f]{64}", "64 hexadecimal digits, or delete this file")]


@cache
def sha256(file: Path, *_: Any) -> str:
    """Return the sha256 of a file. Other arguments, such as its size, are for the cache alone."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksum(records: Records, file: Path) -> str:
    """Return the sha256 of an input file, the recorded one if the file does not exist any more.

    Raise MissingFile if there is neither, and InputError if files.json is not readable.
    """
    record = _file(records)
    entry = _entries(record, atomic_files.version(record)).get(_name(records, file))
    if file.is_file():
        state = _state(file)
        is_same = entry and (entry.bytes, entry.modified) == state
        return entry.sha256 if entry and is_same else sha256(file, *state)
    if not entry:
        raise MissingFile(f"{file}: missing; docs/inputs.md says where it comes from")
    return entry.sha256


@lru_cache(maxsize=8)
def _entries(record: Path, version: tuple[int, ...]) -> dict[str, Entry]:
    """Return what files.json says. version: of that file, for the cache alone."""
    return checked(dict[str, Entry], atomic_files.read_record(record), f"{record}: ")


def short(records: Records, file: Path) -> str:
    """Return the first 16 digits of the checksum."""
    return checksum(records, file)[:16]


def keep(records: Records, files: Iterable[Path]) -> None:
    """Add the checksums of files that exist to files.json."""
    entries = {}
    for file in files:
        if file.is_file():
            values = (*_state(file), checksum(records, file))
            entries[_name(records, file)] = dict(zip(Entry.model_fields, values))
    atomic_files.add_to_record(_file(records), entries)


def _file(records: Records) -> Path:
    return records.results / "files.json"


def _state(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _name(records: Records, file: Path) -> str:
    """Return a file's path, relative to the models folder or the repository if it is inside."""
    folders = (records.models, ROOT)
    return next(
        (file.relative_to(folder).as_posix() for folder in folders if file.is_relative_to(folder)),
        str(file),
    )
