"""Images that are decoded once and then stay in memory that processes share."""

import mmap
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from dml_analysis.datasets.images import open_image

FORKS = sys.platform == "linux"  # elsewhere new processes share no memory with their parent


class DecodedImages:
    """The RGB images of files, each decoded when it is first requested and saved if there is space.

    What one process saves is available to all that are forked from the one that created this.
    """

    def __init__(
        self, paths: Sequence[Path], prepare: Callable[[Image.Image], Image.Image], max_bytes: int
    ) -> None:
        """Reserve memory, which the system provides as it is used.

        prepare: what is done to an image before it is saved. max_bytes: of all saved images.
        """
        self.paths, self.prepare, self.max_bytes = paths, prepare, max_bytes
        self.content: mmap.mmap | None = None
        if FORKS and max_bytes and paths:
            with suppress(OSError):  # a system that does not promise as much: nothing is saved
                # First byte, width and height of each image; a width of 0 marks a missing one.
                index = np.frombuffer(mmap.mmap(-1, 24 * len(paths)), np.int64)
                self.index = index.reshape(len(paths), 3)
                self.used = multiprocessing.get_context("fork").Value("q", 0)
                self.content = mmap.mmap(-1, max_bytes)

    def __getitem__(self, index: int) -> Image.Image:
        """Return the prepared image of a file. Raises InputError if open_image refuses it."""
        if self.content is None:
            return self.prepare(open_image(self.paths[index]))
        with self.used.get_lock():
            start, width, height = self.index[index].tolist()
        if width:
            saved = memoryview(self.content)[start : start + 3 * width * height]
            return Image.frombytes("RGB", (width, height), saved)
        image = self.prepare(open_image(self.paths[index]))
        content = image.tobytes()
        with self.used.get_lock():
            start, end = self.used.value, self.used.value + len(content)
            if end <= self.max_bytes:
                self.content[start:end] = content
                self.used.value, self.index[index] = end, (start, *image.size)
        return image
