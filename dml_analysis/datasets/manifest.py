"""Manifests: manifest.csv in a folder has the size and the sha256 of its files, so that they can be verified later."""

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from dml_analysis.errors import InputError
from dml_analysis.files import csv_files

NAME = "manifest.csv"
COLUMNS = {"file": str, "bytes": int, "sha256": str}
CHUNK = 1 << 20  # bytes that are read at once


class Row(NamedTuple):
    file: str  # relative to the manifest's folder, with / on every system
    bytes: int
    sha256: str


def is_plain(name):
    """Whether a file's name is text without line breaks and the like, which CSV files and messages can hold."""
    return not re.search("[\x00-\x1f\x7f\ud800-\udfff]", name)


def byte_bar(total, what, initial=0):
    return tqdm(total=total, initial=initial, desc=what, unit="B", unit_scale=True, leave=False, disable=total == 0)


def digest(file, method, bar):
    """The checksum of a file in hexadecimal digits."""
    summed = hashlib.new(method, usedforsecurity=False)
    with open(file, "rb") as stream:
        while chunk := stream.read(CHUNK):
            summed.update(chunk)
            bar.update(len(chunk))
    return summed.hexdigest()


def mismatch(file, known):
    """How the checksum of `file` differs from that of the known file; "" if it does not."""
    for method, expected in (("md5", known.md5), ("sha256", known.sha256)):
        if expected:
            with byte_bar(file.stat().st_size, f"{method} of {file.name}") as bar:
                got = digest(file, method, bar)
            if not got.startswith(expected):
                verb = "is" if len(expected) == len(got) else "begins"
                return f"its {method} {verb} {got[: len(expected)]}, that of {known.name} {expected}"
    return ""


def described(folder, files):
    """File -> Row, for some files of a folder."""
    sizes = {file: (folder / file).stat().st_size for file in files}
    with byte_bar(sum(sizes.values()), f"sha256 of {folder.name}") as bar:
        return {file: Row(file, size, digest(folder / file, "sha256", bar)) for file, size in sizes.items()}


def files_in(folder):
    """The files of a folder and of all folders in it, but for hidden ones and the manifest."""
    files = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent, name).relative_to(folder).as_posix() for name in names if not name.startswith(".")]
    for file in files:
        if not is_plain(file):
            raise InputError(f"{folder}: the name {file!a} in it cannot be listed; rename it")
    return sorted(set(files) - {NAME})


def read(folder):
    """File -> Row; empty if there is no manifest."""
    file = folder / NAME
    if not os.path.lexists(file):
        return {}
    hint = "delete it, data/1_prepare.py writes it anew"
    rows = csv_files.read_rows(file, COLUMNS, key=["file"], what="a manifest", hint=hint)
    return {row["file"]: Row(**row) for row in rows}


def add(folder, rows):
    """Write rows into the folder's manifest, over those of the same files."""
    rows = read(folder) | {row.file: row for row in rows}
    csv_files.write_rows(folder / NAME, [Row._fields, *(rows[file] for file in sorted(rows))])


def compared(folder, listed, there):
    """(missing, changed, not listed): how the files `there` in a folder differ from the rows `listed`."""
    found = described(folder, [file for file in there if file in listed])
    changed = [file for file, row in found.items() if row != listed[file]]
    return sorted(listed.keys() - set(there)), changed, [file for file in there if file not in listed]
