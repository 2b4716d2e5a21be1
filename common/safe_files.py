"""Files that are whole or do not exist, whoever stops or shares the work: written aside, renamed, locked, claimed.

Standard library alone, for the renderer's environment.
"""

import csv
import errno
import json
import os
import shutil
import socket
from contextlib import contextmanager, suppress
from pathlib import Path

from common.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def written_aside(path):
    """Yield a temporary path beside `path`; it takes the place of `path` only once it is written out whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays last: many writers choose their format by it.
    aside = path.with_name(f".{path.stem}.{socket.gethostname()}-{os.getpid()}{path.suffix}")
    try:
        with named(path):
            yield aside
            with open(aside, "rb") as file:
                os.fsync(file.fileno())
            os.replace(aside, path)
            _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def named(path):
    """A full disk does not say which file it is full for; inside of this, it does."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = error.filename or str(path)
        raise


def _sync_folder(folder):
    """Make sure that a file's new name survives a loss of power, where folders can be synchronised."""
    if fcntl is not None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def claimed(folder, number):
    """Yield whether a numbered claim in a folder is ours; it is until the end of the block, or of this process.

    A claim is a lock on a byte of the folder's .lock. Where the file system has no locks, everybody gets every claim:
    then two may do the same work, to the same result. A process has one claim in a folder at a time: the system lets go
    of all that it has there as soon as one is given up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "ab") as file:
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            ours = True
        except OSError as error:
            ours = error.errno not in (errno.EACCES, errno.EAGAIN)  # another error: there are no locks here
        yield ours


@contextmanager
def locked(path):
    """Wait until no other process has the lock of this file, and hold it: what is read inside stays true until written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "ab") as file:
        if fcntl is not None:
            with suppress(OSError):  # this file system has no locks
                fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def write_text(path, text):
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path, content):
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path):
    """The dictionary in a JSON file. Raises InputError if the file holds anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no dictionary")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable ({error}); delete it, or put a whole copy in its place") from None
    return content


def write_rows(path, rows):
    """A CSV file of rows, the first of which names the columns."""
    with written_aside(path) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def read_rows(path):
    """The rows of a CSV file as dictionaries of strings. Raises InputError if it is no such file."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from None


def free_space(folder):
    """Bytes free where the folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
