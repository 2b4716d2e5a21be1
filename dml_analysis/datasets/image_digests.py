"""Digests of images' contents, so that results of other images under the same names are noticed.

Files are read once: results/<settings>/images.json records the digests with sizes and times.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from dml_analysis.blocks import Block, checked, text
from dml_analysis.checksums import Records
from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import MissingFile
from dml_analysis.files import atomic_files
from dml_analysis.seeds import digest

HINT = "compare the folder with docs/inputs.md"
AT_ONCE = 1000  # images
LISTS = 256  # of images that a process remembers
Digest = Annotated[str, text("[0-9a-f]{16}", "16 hexadecimal digits, or delete this file")]


class Entry(Block):
    """What images.json says of a list of images."""

    state: Digest  # of the files' sizes and times
    content: Digest


def described(records: Records, samples: Sequence[Sample]) -> str:
    """Return the number of images and the digest of their ids and contents, for provenance.

    If files are missing, use the recorded digest. Raise MissingFile if there is none, and
    InputError if an image is not readable.
    """
    return _entry(_file(records), tuple(samples))[0]


def keep(records: Records, lists: Iterable[Sequence[Sample]]) -> None:
    """Add the digests of lists of images to images.json."""
    file = _file(records)
    entries = {_key(samples): _entry(file, tuple(samples))[1] for samples in lists}
    atomic_files.add_to_record(file, entries)


@lru_cache(maxsize=LISTS)
def _entry(file: Path, samples: tuple[Sample, ...]) -> tuple[str, dict[str, str]]:
    """Return the description of a list of images, and its entry in images.json."""
    record = atomic_files.read_record(file)
    known = checked(dict[str, Entry], record, f"{file}: ").get(_key(samples))
    try:
        statuses = [os.stat(sample.path) for sample in samples]
        state = digest([(status.st_size, status.st_mtime_ns) for status in statuses])
    except OSError as error:
        if known is None:
            raise MissingFile(f"{error.filename}: image is missing; {HINT}") from None
        state = known.state
    content = known.content if known and known.state == state else _content(samples, state)
    return f"{len(samples)} ({digest([_key(samples), content])})", {
        "state": state,
        "content": content,
    }


@lru_cache(maxsize=LISTS)
def _content(samples: tuple[Sample, ...], state: str) -> str:
    """Return the digest of all files together. state: of the files, for the cache alone.

    Raise InputError if a file is not a readable image.
    """
    return hashlib.sha256(b"".join(file_digests(samples))).hexdigest()[:16]


def file_digests(samples: Sequence[Sample]) -> Iterator[bytes]:
    """Yield the sha256 of each image file. Raise InputError if one is not a readable image."""
    with (
        tqdm(total=len(samples), desc="reading images", unit="image", leave=False) as bar,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for start in range(0, len(samples), AT_ONCE):  # an invalid image ends it early
            for file_digest in pool.map(_file_digest, samples[start : start + AT_ONCE]):
                yield file_digest
                bar.update()


def _file_digest(sample: Sample) -> bytes:
    open_image(sample.path)  # raises InputError if it is not readable
    with open(sample.path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _key(samples: Sequence[Sample]) -> str:
    return digest([sample.image_id for sample in samples])


def _file(records: Records) -> Path:
    return records.results / "images.json"
