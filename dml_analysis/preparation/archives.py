"""Archives: what is in them, whether that may be unpacked, and unpacking.

Nothing in an archive is trusted. All of its members are looked at before any is unpacked, and one that none of these
datasets has a use for (a link, a path that leads elsewhere) is reason to refuse the whole archive.
"""

import errno
import hashlib
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import NamedTuple

from dml_analysis.datasets.manifest import CHUNK, Row, byte_bar, is_plain
from dml_analysis.errors import InputError
from dml_analysis.files.atomic_files import MOST_GROWTH, free_space, most_unpacked, named

GB = 10**9
RESERVE = GB  # bytes to leave free on a disk
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError,
          RuntimeError, IndexError, KeyError)  # fmt: skip


class Entry(NamedTuple):
    """A member of an archive."""

    name: str  # its parts, joined by /
    raw: str  # its name as it stands there
    size: int
    is_file: bool
    flaw: str  # why it may not be unpacked, whatever its name; "" if it may
    source: object  # TarInfo or ZipInfo


def looks_like_page(file):
    """Whether a file is a web page: what a server sends in the place of a file that it does not have."""
    with open(file, "rb") as stream:
        start = stream.read(500).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head"))


@contextmanager
def _opened(archive):
    """The archive as an open TarFile or ZipFile. What they raise of a broken one ends in one line."""
    try:
        if tarfile.is_tarfile(archive):  # first, as a tar of a zip looks like a zip from its end
            with tarfile.open(archive) as opened:
                yield opened
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                yield opened
        else:
            what = "a web page" if looks_like_page(archive) else "not a .tar, .tgz or .zip archive, or cut short"
            raise InputError(f"{archive}: {what}; fetch it again")
    except (*BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # those come of broken data too
            raise
        reason = " ".join(str(error).split())
        raise InputError(f"{archive}: cut short or damaged ({reason}); delete it and fetch it again") from None


def _entries(opened):
    """Yield an Entry for each member, in the archive's order."""
    if isinstance(opened, zipfile.ZipFile):
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            odd = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
            flaw = "is encrypted" if info.flag_bits & 1 else "is a link or a device" if odd else ""
            name = info.orig_filename.replace("\\", "/")
            is_folder = name.endswith("/") or kind == stat.S_IFDIR
            yield Entry(_joined(name), info.orig_filename, info.file_size, not is_folder, flaw, info)
        return
    for info in opened:
        flaw = "" if info.isreg() or info.isdir() else "is a link or a device"
        yield Entry(_joined(info.name.replace("\\", "/")), info.name, info.size, info.isreg(), flaw, info)
    opened.fileobj.seek(opened.offset)
    if opened.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):  # TarFile takes a damaged header for the end
        raise tarfile.ReadError("a header is damaged")
    for _ in range(100):  # to its end, where gzip and the like have their checksums; not for ever
        if not opened.fileobj.read(CHUNK):
            break


def _joined(name):
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _name_flaw(entry):
    """Why the entry may not be unpacked under its name; "" if it may."""
    if entry.raw.startswith(("/", "\\")):
        return "has an absolute path"
    if entry.is_file and not entry.name:  # a tar of "." has a folder without one
        return "has no name"
    if re.match("[A-Za-z]:", entry.name):
        return "has a drive letter"
    if ".." in entry.name.split("/"):
        return "leads out of its folder"
    if not is_plain(entry.name):
        return "has a name that is no plain text"
    if any(len(part.encode()) > 255 for part in entry.name.split("/")):
        return "has too long a name"
    return "has a size below zero" if entry.size < 0 else ""


def check_room(what, folder, size, files=1):
    """Raise InputError unless the disk that `folder` is on, or will be on, can take so many bytes and files."""
    while not folder.exists():
        folder = folder.parent
    free = max(free_space(folder) - RESERVE, 0)
    if size > free:
        raise InputError(
            f"{what}: {size / GB:.1f} GB do not fit on the disk of {folder} ({free / GB:.1f} GB are free, beside a "
            f"reserve of {RESERVE / GB:.0f}); make room"
        )
    inodes = os.statvfs(folder) if hasattr(os, "statvfs") else None
    if inodes and inodes.f_files and files > inodes.f_favail:  # some file systems count none
        raise InputError(f"{what}: {files} files are more than the disk of {folder} can take; make room")


def listed(archive):
    """Name -> size of the files in an archive; hidden ones, which systems leave behind, are left out.

    Raises InputError if there is anything in it that may not be unpacked, or if it would grow without measure.
    """
    files, folders, total = {}, set(), 0
    with _opened(archive) as opened:
        for entry in _entries(opened):
            flaw = entry.flaw or _name_flaw(entry) or ("is there twice" if entry.name in files else "")
            if flaw:
                raise InputError(f"{archive}: {entry.raw!a} in it {flaw}; nothing of it was unpacked")
            total += entry.size + tarfile.BLOCKSIZE
            if total > most_unpacked(archive.stat().st_size):  # at once: all of a .tgz is unpacked to list it
                raise InputError(f"{archive}: would grow to more than {MOST_GROWTH} times its size; fetch it again")
            if entry.is_file:
                files[entry.name] = entry.size
            folders.update(map(str, PurePosixPath(entry.name).parents) if entry.is_file else [entry.name])
    both = sorted(files.keys() & folders)
    if both:
        raise InputError(f"{archive}: {both[0]!r} in it is a file and a folder; nothing of it was unpacked")
    return {name: size for name, size in files.items() if not re.search(r"(^|/)(\.|__MACOSX/)", name)}


def unpack(archive, sizes, places, folder):
    """Unpack those members that have a place into `folder`; returns place -> Row."""
    rows = {}
    with _opened(archive) as opened, byte_bar(sum(sizes[name] for name in places), f"unpacking {archive.name}") as bar:
        read = opened.open if isinstance(opened, zipfile.ZipFile) else opened.extractfile
        for entry in _entries(opened):
            if entry.is_file and entry.name in places:
                place = places[entry.name]
                with read(entry.source) as stream:
                    rows[place] = _write(stream, sizes[entry.name], folder, place, bar)
    return rows


def copy(file, sizes, places, folder):
    """The same for a file that is no archive, but the only member of itself."""
    ((name, place),) = places.items()
    with open(file, "rb") as stream, byte_bar(sizes[name], f"copying {file.name}") as bar:
        return {place: _write(stream, sizes[name], folder, place, bar)}


def _write(stream, size, folder, place, bar):
    """Write the `size` bytes of a stream, and not one more, to a new file; returns its Row."""
    summed, left, file = hashlib.sha256(), size, folder / place
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        output = open(file, "xb")
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{file}: two names of the archive are one on this disk; unpack it by hand") from None
    with named(file), output:
        while left:
            chunk = stream.read(min(CHUNK, left))
            if not chunk:
                raise EOFError(f"{place} ends early")
            output.write(chunk)
            summed.update(chunk)
            bar.update(len(chunk))
            left -= len(chunk)
    return Row(place, size, summed.hexdigest())
