"""Images that are decoded once, and then are in memory that processes share."""

import mmap
import multiprocessing
import sys
from contextlib import suppress

import numpy as np
from PIL import Image

from dml_analysis.datasets.images import open_image

FORKS = sys.platform == "linux"  # elsewhere processes are begun anew, and share no memory


class Decoded:
    """n image files as RGB, each decoded when it is first asked for, and kept as far as there is room.

    paths: of the files; prepared: a function of an image that gives what is wanted of it; room: bytes for all that is kept. What
    one process has kept is there for all that are forked from the one that made this.
    """

    def __init__(self, paths, prepared, room):
        self.paths, self.prepared, self._kept = paths, prepared, None
        if FORKS and room and paths:
            with suppress(OSError):  # of a system that does not promise so much: then none is kept
                self._kept = _Kept(len(paths), room)

    def __getitem__(self, place):
        """The prepared image of the file at this place. Raises InputError on one that open_image refuses."""
        if self._kept and (image := self._kept.get(place)):
            return image
        image = self.prepared(open_image(self.paths[place]))
        if self._kept:
            self._kept.put(place, image)
        return image


class _Kept:
    """RGB images by their places from 0 to n - 1, in memory of which the system gives what is used, and no more."""

    def __init__(self, n, room):
        self.room, self.content = room, mmap.mmap(-1, room)
        self.index = np.frombuffer(mmap.mmap(-1, 24 * n), np.int64).reshape(
            n, 3
        )  # first byte, width, height
        self.used = multiprocessing.get_context("fork").Value("q", 0)

    def get(self, place):
        """The image, or None."""
        with self.used.get_lock():
            start, width, height = self.index[place].tolist()
        if not width:
            return None
        content = memoryview(self.content)[start : start + 3 * width * height]
        return Image.frombytes("RGB", (width, height), content)

    def put(self, place, image):
        """Keep an image if there is room."""
        content = image.tobytes()
        with self.used.get_lock():
            start = self.used.value
            if start + len(content) > self.room:
                return
            self.content[start : start + len(content)] = content
            self.used.value += len(content)
            self.index[place] = start, *image.size
