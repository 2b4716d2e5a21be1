"""The sha256 of input files such as checkpoints, read once: results/<settings>/files.json keeps it with size and time."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from dml_analysis.blocks import Block, checked, text
from dml_analysis.checkout import ROOT
from dml_analysis.errors import MissingFile
from dml_analysis.files import atomic_files


class Records(NamedTuple):
    """Where it is recorded what the inputs of results were: in files.json and its like."""

    results: Path
    models: Path  # the folder that the paths of checkpoints are relative to


class Entry(Block):
    """What files.json says of a file."""

    bytes: Annotated[int, Field(ge=0)]
    modified: int
    sha256: Annotated[str, text("[0-9a-f]{64}", "64 hexadecimal digits, or delete this file")]


@cache
def sha256(file, *_):
    """Hexadecimal digits, without reading the file into memory at once. What else is given tells two states of it apart."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksum(records: Records, file: Path) -> str:
    """The sha256 of an input file. Of a file that does not exist any more, the one that is kept.

    Raises MissingFile if there is neither, and InputError if files.json is not readable.
    """
    record = _file(records)
    kept = checked(dict[str, Entry], atomic_files.read_record(record), f"{record}: ").get(
        _name(records, file)
    )
    if file.is_file():
        state = _state(file)
        return (
            kept.sha256 if kept and (kept.bytes, kept.modified) == state else sha256(file, *state)
        )
    if not kept:
        raise MissingFile(f"{file}: missing; data/README.md says where it comes from")
    return kept.sha256


def short(records, file):
    """The beginning of the checksum, which is enough to tell files apart."""
    return checksum(records, file)[:16]


def keep(records: Records, some: Iterable[Path]) -> None:
    """Write the checksums of these files to files.json, beside those of others."""
    found = {
        _name(records, each): dict(
            zip(Entry.model_fields, (*_state(each), checksum(records, each)))
        )
        for each in some
        if each.is_file()
    }
    atomic_files.add_to_record(_file(records), found)


def _file(records: Records) -> Path:
    return records.results / "files.json"


def _state(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _name(records: Records, file: Path) -> str:
    """The file's path, below the models folder or the repository if it is there: so results can be moved with their files."""
    folders = (records.models, ROOT)
    return next(
        (file.relative_to(folder).as_posix() for folder in folders if file.is_relative_to(folder)),
        str(file),
    )
