"""Stores: folders that keep results.

provenance.json says what its numbers were made of, 00000.npz, 00001.npz, ... are its parts. Each part has some named rows
(images, properties, ...) and arrays with an entry for each of these rows. A part exists whole or not at all, and depends on
nothing but what the store is made of; so a run can be stopped at any moment, and any number of processes can fill a store
together.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dml_analysis import leases
from dml_analysis.errors import InputError
from dml_analysis.files import array_files, atomic_files
from dml_analysis.seeds import digest


class ResultStore(NamedTuple):
    """A folder of parts. All of its parts are made of the same."""

    folder: Path
    provenance: dict  # what its numbers depend on and nothing else, defaults left out: name -> text, number, list or dict
    chunks: list  # of lists: the names of each chunk's rows
    arrays: dict  # name -> array_files.Array; all that a part may have
    subject: Any = None  # what its numbers are about, such as a network, for its callers
    labels: dict = {}  # the same for CSV files: column -> value
    required: tuple = ()  # of a store that grows by arrays: the names of those that a part must have now

    @property
    def digest(self):
        """What it is made of in a word, for the provenance of stores that are made of this one."""
        return digest(_plain(self.provenance))

    @property
    def rows(self):
        """The names of all rows."""
        return [row for part in self.chunks for row in part]

    def check(self):
        """Raise InputError, naming what differs, if the folder has parts that were made of something else."""
        recorded = self.recorded()
        if recorded is None and any(self.folder.glob("[0-9]*.npz")):
            raise InputError(
                f"{self.folder}: has parts, but no provenance.json to say what of; delete that folder"
            )
        for key, (then, now) in (
            differences(recorded, _plain(self.provenance)).items() if recorded is not None else ()
        ):
            raise InputError(
                f"{self.folder}: was made with {key} = {then}, but now {key} = {now}; put back what it was made with, "
                "delete that folder, or give the settings file a new name"
            )

    def recorded(self):
        """What provenance.json says; None if it does not exist."""
        file = self.folder / "provenance.json"
        return atomic_files.read_json(file) if file.exists() else None

    def missing(self):
        """The numbers of the parts that lack something. Raises InputError as check does."""
        self.check()
        return [number for number in range(len(self.chunks)) if self.lacks(number)]

    def is_complete(self):
        return not self.missing()

    def lacks(self, number):
        """Whether a part does not exist, or lacks an array that it must have."""
        return (
            not self.has(number, self.required)
            if self.required
            else not self._file(number).exists()
        )

    def has(self, number, names):
        """Whether a part has the arrays of these names. Raises InputError if it is broken."""
        return self._file(number).exists() and set(names) <= self._opened(
            number, lambda part: set(part.files)
        )

    def common(self):
        """The names of the arrays that every part has."""
        numbers = range(len(self.chunks))
        if not all(self._file(number).exists() for number in numbers):
            return set()
        return set.intersection(
            *(self._opened(number, lambda part: set(part.files)) for number in numbers)
        )

    def begin(self):
        """Write down what its parts will be made of. Raises InputError as check does."""
        with leases.locked(self.folder / "provenance.json"):
            self.check()
            if self.recorded() is None:
                atomic_files.write_json(self.folder / "provenance.json", _plain(self.provenance))

    def save(self, number, **arrays):
        """Write a part, keeping arrays that it has already; before the first, what it is made of. Raises InputError as check does."""
        self.begin()
        if lacking := set(self.required or self.arrays) - arrays.keys():
            raise KeyError(
                f"{self.folder}: was not given {min(lacking)}"
            )  # a slip of whoever makes it
        others = {}
        if self.required and self._file(number).exists():
            others = self._opened(
                number, lambda part: {name: part[name] for name in part.files if name != "rows"}
            )
        typed = {
            name: np.asarray(array, dtype=self.arrays[name].dtype) for name, array in arrays.items()
        }
        try:
            for name, array in typed.items():
                array_files.checked(name, array, self.arrays[name], len(self.chunks[number]))
        except ValueError as error:  # lest it be refused once it is read
            raise InputError(
                f"{self.folder}: part {number} comes out wrong ({error}); check what it is made of"
            ) from None
        typed = dict(sorted((others | typed).items()))  # in one order, whatever came first
        array_files.write(
            self._file(number), rows=np.asarray(self.chunks[number], dtype=str), **typed
        )

    def load(self, number, *names):
        """The named arrays of a part, all by default, by name.

        Raises InputError if the part does not exist, is broken, or has other rows or arrays than it should.
        """
        return self._opened(
            number, lambda part: self._checked(part, names or self.arrays, self.chunks[number])
        )

    def _checked(self, part, names, rows):
        if part["rows"].tolist() != list(rows):
            raise ValueError("its rows are others")
        return {
            name: array_files.checked(name, part[name], self.arrays[name], len(rows))
            for name in names
        }

    def _opened(self, number, look):
        """look(part) of an open part. All that goes wrong with it ends in one line."""
        file = self._file(number)
        exists = os.path.lexists(file)
        hint = f"{'delete it, and ' if exists else ''}run the script that makes it"
        with array_files.opened(file, "a readable part", hint) as part:
            return look(part)

    def read(self, *names):
        """The same for all parts together, rows in their order."""
        parts = [self.load(number, *names) for number in range(len(self.chunks))]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def discard(self, number):
        """Delete a part."""
        self._file(number).unlink(missing_ok=True)

    def bytes(self, number):
        """The room that a part takes on disk."""
        arrays = [self.arrays[name] for name in self.required or self.arrays]
        row = sum(np.dtype(array.dtype).itemsize * int(np.prod(array.shape)) for array in arrays)
        return row * len(self.chunks[number])

    def _file(self, number):
        return self.folder / f"{number:05d}.npz"


def _plain(provenance):
    """As JSON has it: tuples are lists there."""
    return json.loads(json.dumps(provenance))


def differences(then, now):
    """Key -> (value then, value now) where two provenance differ; a key that one of them lacks is at its default there."""
    default = "its default"
    return {
        key: (then.get(key, default), now.get(key, default))
        for key in then | now
        if then.get(key) != now.get(key)
    }


def blocks(items, size):
    """The items in lists of so many, in their order."""
    return [items[start : start + size] for start in range(0, len(items), size)]
