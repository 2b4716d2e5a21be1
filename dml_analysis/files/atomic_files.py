"""Writers of files that appear complete or not at all: under another name first, then renamed."""

import json
import os
import shutil
import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dml_analysis import leases
from dml_analysis.errors import refused

MAX_TEXT = 10**9  # bytes
# Packed content may grow by this factor, and by this many bytes in addition. Images, weights and
# embeddings hardly grow.
MAX_GROWTH, SLACK = 200, 10**8


@contextmanager
def written_aside(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path next to `path`, which replaces `path` once it is completely written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    start = f".{path.stem}.{socket.gethostname()}-"
    # The suffix stays last, as many writers choose their format by it.
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


def _remove_leftovers(path: Path, start: str) -> None:
    """Delete temporary files of `path` by processes of this machine that were killed."""
    for entry in list(os.scandir(path.parent)):
        number = entry.name.removeprefix(start).removesuffix(path.suffix)
        is_temporary = entry.name == f"{start}{number}{path.suffix}" and number.isdecimal()
        if is_temporary and not _is_alive(int(number)):
            with suppress(OSError):
                os.unlink(entry)


def _is_alive(process: int) -> bool:
    """Return whether a process of this machine exists; always True on Windows."""
    if os.name == "nt":  # os.kill would end the process there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


@contextmanager
def named(path: Path, aside: Path | None = None) -> Iterator[None]:
    """Add the name of a file to an OSError raised inside, as that of a full disk has none.

    aside: the temporary path, whose name is replaced.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(aside), aside):
            error.filename = str(path)
        raise


def _sync_folder(folder: Path) -> None:
    """Make a file's new name survive a loss of power."""
    if os.name != "nt":  # Windows does not open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_bytes(path: str | os.PathLike, content: bytes | memoryview) -> None:
    """Write a file atomically.

    Content of libraries' writers is collected in memory first, as they do not report a full disk.
    """
    with written_aside(path) as aside:
        aside.write_bytes(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a file of text in UTF-8 atomically."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))  # file names need not be UTF-8


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_text(path: str | os.PathLike, what: str, hint: str, max_bytes: int = MAX_TEXT) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    Raise InputError as errors.refused does with `what` and `hint`, also for larger files.
    """
    with refused(path, what, hint):
        if (size := os.path.getsize(path)) > max_bytes:
            raise ValueError(f"{size} bytes, of at most {max_bytes}")
        return Path(path).read_text(encoding="utf-8-sig")


def read_json(path: Path) -> dict[str, Any]:
    """Return the dictionary in a JSON file. Raise InputError if it contains anything else."""
    what, hint = "readable", "delete it, or replace it by a complete copy"
    text = read_text(path, what, hint)
    with refused(path, what, hint):
        content = json.loads(text, object_pairs_hook=_dict_of, parse_constant=_raise_for_constant)
        if not isinstance(content, dict):
            raise ValueError("no dictionary")
        return content


def _dict_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as a dictionary. Raise ValueError if a key is listed twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key is listed twice")
    return content


def _raise_for_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def read_record(file: Path) -> dict[str, Any]:
    """Return the content of a JSON file, {} if it does not exist."""
    return read_json(file) if file.exists() else {}


def version(file: Path) -> tuple[int, ...]:
    """Return what differs after a file has been written again; () if it does not exist."""
    if not file.exists():
        return ()
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def add_to_record(file: Path, entries: dict[str, Any]) -> None:
    """Add entries to a JSON file; its other entries stay."""
    entries = json.loads(json.dumps(entries))  # as they will be read
    with leases.locked(file):
        content = read_record(file)
        if not entries.items() <= content.items():
            write_json(file, dict(sorted((content | entries).items())))


def check_growth(file: Path) -> None:
    """Raise ValueError if a zip file, such as .npz and .pth files, would grow without limit."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_GROWTH * os.path.getsize(file) + SLACK:
            raise ValueError(f"would grow to more than {MAX_GROWTH} times its size")


def free_space(folder: Path) -> int:
    """Return the free bytes of the disk where a folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
