"""Files that are whole or do not exist, whoever stops or shares the work: written aside, and renamed."""

import json
import os
import shutil
import socket
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

from dml_analysis import leases
from dml_analysis.errors import refused

MOST_TEXT = 10**9  # bytes
# What is packed may grow to so many times its size, and so many bytes beside: images, weights and embeddings hardly grow.
MOST_GROWTH, SLACK = 200, 10**8


@contextmanager
def written_aside(path):
    """Yield a temporary path beside `path`; it takes the place of `path` only once it is written out whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    start = f".{path.stem}.{socket.gethostname()}-"
    # The ending stays last: many writers choose their format by it.
    aside = path.with_name(f"{start}{os.getpid()}{path.suffix}")
    _remove_leftovers(path, start)
    try:
        with named(path, aside):
            yield aside
            with open(aside, "rb") as file:
                os.fsync(file.fileno())
            os.replace(aside, path)
            _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _remove_leftovers(path, start):
    """Delete what processes of this machine that live no more, as they were killed, have left half-written beside `path`."""
    for entry in list(os.scandir(path.parent)):
        number = entry.name.removeprefix(start).removesuffix(path.suffix)
        if (
            entry.name == f"{start}{number}{path.suffix}"
            and number.isdecimal()
            and not _lives(int(number))
        ):
            with suppress(OSError):
                os.unlink(entry)


def _lives(process):
    """Whether a process of this machine is there; on Windows, where the question would end it, it is taken to be."""
    try:
        if os.name != "nt":
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


@contextmanager
def named(path, aside=None):
    """A full disk does not say which file it is full for; inside of this, it does. aside: by what other name it is written."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(aside), aside):
            error.filename = str(path)
        raise


def _sync_folder(folder):
    """Make sure that a file's new name survives a loss of power, where folders can be synchronised."""
    if os.name != "nt":  # Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_bytes(path, content):
    """Write a file whole. What libraries write goes into memory first: of a full disk they say nothing that is of use."""
    with written_aside(path) as aside:
        aside.write_bytes(content)


def write_text(path, text):
    write_bytes(path, text.encode("utf-8", "backslashreplace"))  # names of files need not be UTF-8


def write_json(path, content):
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_text(path, what, hint, most=MOST_TEXT):
    """The text of a file in UTF-8, with or without a byte order mark. Raises InputError as errors.refused says.

    what, hint: as for refused; most: bytes.
    """
    with refused(path, what, hint):
        if (size := os.path.getsize(path)) > most:
            raise ValueError(f"{size} bytes, of at most {most}")
        return Path(path).read_text(encoding="utf-8-sig")


def read_json(path):
    """The dictionary in a JSON file. Raises InputError if the file holds anything else."""
    what, hint = "readable", "delete it, or put a whole copy in its place"
    text = read_text(path, what, hint)
    with refused(path, what, hint):
        content = json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_no_number)
        if not isinstance(content, dict):
            raise ValueError("no dictionary")
        return content


def _each_key_once(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(word):
    raise ValueError(f"{word} is no number")


def read_record(file: Path) -> dict:
    """What a JSON file says, by name; {} if it does not exist."""
    return read_json(file) if file.exists() else {}


def add_to_record(file: Path, found: dict) -> None:
    """Write entries (name -> what JSON can hold) to such a file, beside the others in it."""
    found = json.loads(json.dumps(found))  # as they will be read
    with leases.locked(file):
        kept = read_record(file)
        if not found.items() <= kept.items():
            write_json(file, dict(sorted((kept | found).items())))


def check_growth(file):
    """Raise ValueError if a file is a zip, as .npz and .pth files are, that would grow without measure."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            if sum(each.file_size for each in packed.infolist()) > most_unpacked(
                os.path.getsize(file)
            ):
                raise ValueError(f"would grow to more than {MOST_GROWTH} times its size")


def most_unpacked(size):
    """To how many bytes what is packed in so many may grow."""
    return MOST_GROWTH * size + SLACK


def free_space(folder):
    """Bytes free where the folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
