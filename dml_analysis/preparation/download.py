"""Fetching a file by http, https or ftp: cut connections are taken up again, and nothing half or wrong is left behind.

What has come so far is in <name>.part; <name>.part.json beside it says which address and which version it is of.
"""

import http.client
import os
import re
import urllib.request
from contextlib import suppress
from pathlib import PurePosixPath
from time import sleep
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit

from dml_analysis.datasets import manifest
from dml_analysis.datasets.manifest import CHUNK, byte_bar
from dml_analysis.errors import InputError, one_line
from dml_analysis.files import atomic_files
from dml_analysis.preparation.archives import check_room, looks_like_page

TIMEOUT = 30  # seconds without an answer, or without a byte
PAUSES = (1, 3, 10, 30)  # seconds between tries that bring nothing new; after the fifth of them it is given up
RETRIED = (408, 429, 500, 502, 503, 504)  # answers of servers that may be better soon
SAFE = ":/?#[]@!$&'()*+,;=%~"  # what stays as it is in an address; a blank and a letter with an accent do not
AGENT = "Mozilla/5.0 (compatible; Python-urllib)"  # some servers refuse urllib's own


class Cut(Exception):
    """The connection failed; the next one may not."""


class Unreachable(Cut):
    """There was no connection to begin with."""


def is_address(text):
    return re.match("(https?|ftp)://", text, re.IGNORECASE) is not None


def file_name(address):
    """The last part of an address' path, as the name of a file of ours."""
    try:
        name = PurePosixPath(unquote(urlsplit(address).path).replace("\\", "/")).name
    except ValueError as error:
        raise InputError(f"{address}: not an address ({one_line(error)})") from None
    name = re.sub(r"[^\w .()+-]", "_", name).strip(" .")[-150:]
    if not name:
        raise InputError(f"{address}: names no file; fetch it by hand, and give the file")
    return name


def fetch(address, folder, source):
    """The file at an address, fetched into `folder` unless it is there; `source` may know its checksum.

    Raises InputError if nothing comes, or something else.
    """
    file = folder / file_name(address)
    known = source.known(file.name)
    if file.is_file() and not _wrong(file, known):
        print(f"{file}: fetched already")
        return file
    part = file.with_name(file.name + ".part")
    resumed = _fetch_part(address, part, source)
    wrong = _wrong(part, known)
    if wrong and resumed:  # its parts may be of two versions
        print(f"{address}: {wrong}; fetching it once more from its start")
        _forget(part)
        _fetch_part(address, part, source)
        wrong = _wrong(part, known)
    if wrong:
        _forget(part)
        raise InputError(f"{address}: {wrong}; where else to look: {source.look}")
    os.replace(part, file)
    _forget(part)
    return file


def _wrong(file, known):
    if looks_like_page(file):
        return f"the server sent a web page ({file.stat().st_size} bytes)"
    return manifest.mismatch(file, known) if known else ""


def _fetch_part(address, part, source):
    """Fetch an address into `part`, in as many tries as bring something new; returns whether a try built on another."""
    most, tries, met = _size(part), 0, False
    while True:
        try:
            return _try(address, part, source)
        except Cut as error:
            if isinstance(error, Unreachable) and not met:
                raise InputError(f"{address}: {error}; where else to look: {source.look}") from None
            met, tries = True, 0 if _size(part) > most else tries + 1
            most = max(most, _size(part))
            if tries > len(PAUSES):
                raise InputError(
                    f"{address}: {error}, {tries} times; what has come is kept: run the same command later to go on, "
                    f"or look elsewhere: {source.look}"
                ) from None
            sleep(PAUSES[max(tries - 1, 0)])


def _try(address, part, source):
    """Fetch what is missing of `part`; returns whether some of it was there. Raises Cut if the end does not come."""
    start = _size(part)
    with _answer(address, _for_the_rest(address, part), source) as answer:
        said = answer.headers.get
        first, total = _content_range(said("Content-Range", ""))
        if answer.status == 416 and total == start:
            return True  # all of it was there
        if answer.status == 416 or (answer.status == 206 and first != start):
            _forget(part)
            raise Cut("the server has not the rest of what was there")
        resumed = answer.status == 206
        if not resumed:
            start, total = 0, int(said("Content-Length")) if said("Content-Length", "").isdecimal() else None
        check_room(address, part.parent, (total or 0) - start)
        if not resumed:
            _forget(part)  # before its note is of another version
            note = {"address": address, "etag": said("ETag", ""), "last_modified": said("Last-Modified", "")}
            atomic_files.write_json(_note(part), note)
        with (
            atomic_files.named(part),
            open(part, "ab") as output,
            byte_bar(total, f"fetching {part.stem}", start) as bar,
        ):
            for chunk in _chunks(answer, None if total is None else total - start):
                output.write(chunk)
                bar.update(len(chunk))
        if total is not None and _size(part) != total:
            raise Cut(f"the connection was cut after {_size(part)} of {total} bytes")
        return resumed


def _for_the_rest(address, part):
    """The headers that ask for what is missing of `part`; none if it is not of this address, or has no version."""
    with suppress(InputError, OSError, KeyError, TypeError):
        note = atomic_files.read_json(_note(part))
        is_strong = note["etag"] and not note["etag"].startswith("W/")  # If-Range takes no weak one
        version = note["etag"] if is_strong else note["last_modified"]
        if note["address"] == address and version and _size(part):
            return {"Range": f"bytes={_size(part)}-", "If-Range": version}
    return {}


def _answer(address, headers, source):
    """The server's answer, also if it is that there is no more to send (416)."""
    try:
        request = urllib.request.Request(quote(address, safe=SAFE), headers=headers | {"User-Agent": AGENT})
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416:
            return error
        if error.code in RETRIED:
            raise Cut(f"the server answers {error.code} ({error.reason})") from None
        raise InputError(
            f"{address}: the server answers {error.code} ({error.reason}); where else to look: {source.look}"
        ) from None
    except URLError as error:
        raise Unreachable(f"no connection ({one_line(error.reason)})") from None
    except (ValueError, http.client.InvalidURL) as error:
        raise InputError(f"{address}: not an address ({one_line(error)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise Cut(f"no answer ({one_line(error)})") from None


def _chunks(answer, left):
    """Yield what comes, as it comes: `left` bytes at most, or all of it if that is None."""
    try:
        while left != 0 and (chunk := answer.read1(CHUNK if left is None else min(CHUNK, left))):
            left = None if left is None else left - len(chunk)
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise Cut(f"the connection was cut ({one_line(error)})") from None


def _content_range(text):
    """(first byte, size of the whole) of "bytes 5-9/10", "bytes */10", "bytes 5-9/*"; None for what is not said."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", text.strip())
    return tuple(int(number) if number else None for number in match.groups()) if match else (None, None)


def _note(part):
    return part.with_name(part.name + ".json")


def _forget(part):
    for file in (part, _note(part)):
        file.unlink(missing_ok=True)


def _size(part):
    return part.stat().st_size if part.is_file() else 0
