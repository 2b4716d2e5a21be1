"""What images hold: results are told apart by what is in their images, not by the names of these alone.

The files are read once; results/<settings>/images.json keeps what was found, with a word for their sizes and times.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Annotated

from tqdm import tqdm

from dml_analysis.blocks import Block, checked, text
from dml_analysis.datasets.images import open_image
from dml_analysis.errors import MissingFile
from dml_analysis.files import atomic_files
from dml_analysis.seeds import digest

HINT = "compare the folder with data/README.md"
AT_ONCE = 1000  # images
LISTS = 256  # of images, that a process remembers
Digest = Annotated[str, text("[0-9a-f]{16}", "16 hexadecimal digits, or delete this file")]


class Entry(Block):
    """What images.json says of a list of images."""

    state: Digest
    content: Digest


def described(records, items):
    """How many images the items have, and which, for the provenance of results; of images that are gone, what is kept.

    Raises MissingFile if an image is missing and was never read, and InputError if it cannot be read.
    """
    return _entry(_file(records), tuple(items))[0]


def keep(records, lists):
    """Write what is known of these lists of items to images.json, beside that of others."""
    file = _file(records)
    atomic_files.add_to_record(
        file, {_key(items): _entry(file, tuple(items))[1] for items in lists}
    )


@lru_cache(maxsize=LISTS)
def _entry(file, items):
    """(description, what images.json is to say) of a list of items."""
    known = checked(dict[str, Entry], atomic_files.read_record(file), f"{file}: ").get(_key(items))
    try:
        state = digest(
            [
                (status.st_size, status.st_mtime_ns)
                for status in (os.stat(item.path) for item in items)
            ]
        )
    except OSError as error:
        if known is None:
            raise MissingFile(f"{error.filename}: image is missing; {HINT}") from None
        state = known.state
    content = known.content if known and known.state == state else _content(items, state)
    return f"{len(items)} ({digest([_key(items), content])})", {"state": state, "content": content}


@lru_cache(maxsize=LISTS)
def _content(items, state):
    """Of all files together, which are in this state. Raises InputError on one that is no readable image: results would be made of it, in part."""
    sha = hashlib.sha256()
    with (
        tqdm(total=len(items), desc="reading images", unit="image", leave=False) as bar,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for start in range(
            0, len(items), AT_ONCE
        ):  # a broken one ends it before all others are read
            for each in pool.map(_content_of, items[start : start + AT_ONCE]):
                sha.update(each)
                bar.update()
    return sha.hexdigest()[:16]


def _content_of(item):
    open_image(item.path)
    with open(item.path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _key(items):
    return digest([item.image_id for item in items])


def _file(records):
    return records.results / "images.json"
