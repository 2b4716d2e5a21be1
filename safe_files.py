"""Files that are whole or not there, whoever stops or shares the work: written aside, renamed, claimed.

Beside utils.py this file imports the standard library alone, so that the renderer's own environment can use it too.
"""

import csv
import json
import os
import socket
from contextlib import contextmanager, suppress
from pathlib import Path

import utils

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


class Claims:
    """Which of the processes that share a folder does what: numbered claims, let go of when their process ends.

    A claim is a lock on a byte of the folder's .lock. Where there are no locks, everybody gets every claim: then two may
    do the same work, to the same result. A process keeps to one Claims of a folder at a time: once one is closed, the
    system lets go of the claims of all.
    """

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / ".lock", "ab")

    def take(self, number, wait=False):
        """Whether the claim is ours now; with `wait`, it is as soon as nobody else has it."""
        if fcntl is None:
            return True
        try:
            fcntl.lockf(self.file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, number)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:  # this file system has no locks
            pass
        return True

    def take_cell(self, loss, dataset, fold):
        """Whether the claim to a network's results is ours now."""
        return self.take(utils.derived_seed("claim", loss.name, dataset, fold))

    def give(self, number):
        with suppress(OSError, AttributeError):
            fcntl.lockf(self.file, fcntl.LOCK_UN, 1, number)

    @contextmanager
    def held(self, number):
        """Waits for the claim and holds it."""
        self.take(number, wait=True)
        try:
            yield
        finally:
            self.give(number)


def is_newer(file, source):
    """Whether a result is there and, where its source is still there, newer than that."""
    return file.is_file() and (not source.is_file() or file.stat().st_mtime_ns > source.stat().st_mtime_ns)


def write_text(path, text):
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path, content):
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write_rows(path, rows):
    """A CSV file of rows, the first of which names the columns."""
    with written_aside(path) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def read_rows(path):
    """The rows of a CSV file as dictionaries of strings."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
