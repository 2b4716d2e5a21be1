"""Result stores: folders that hold arrays, and a record of what these were computed from.

provenance.json says what the numbers depend on; 00000.npz, 00001.npz, ... are the chunks. A chunk
has some named rows (images, properties, ...) and arrays with an entry for each of these rows. It
appears complete or not at all, and depends on nothing but the provenance. So a run can be stopped
at any moment, and any number of processes can fill a store together.
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from dml_analysis import leases
from dml_analysis.blocks import default_of
from dml_analysis.errors import InputError
from dml_analysis.files import array_files, atomic_files
from dml_analysis.files.array_files import Array
from dml_analysis.seeds import digest

T = TypeVar("T")


class ResultStore(NamedTuple):
    """A folder of chunks that have the same provenance."""

    folder: Path
    # What its numbers depend on, defaults left out: name -> text, number, list or dict.
    provenance: dict[str, Any]
    chunks: Sequence[Sequence[str]]  # the names of each chunk's rows
    arrays: dict[str, Array]  # by name; all that a chunk may have
    subject: Any = None  # what its numbers are about, such as a network; not used here
    labels: dict[str, Any] = {}  # the same for CSV files: column -> value
    required: tuple[str, ...] = ()  # the arrays that a chunk must have, if not all of them

    @property
    def digest(self) -> str:
        """Return a digest of the provenance, for that of stores that are computed from this one."""
        return digest(_plain(self.provenance))

    @property
    def rows(self) -> list[str]:
        """Return the names of all rows."""
        return [row for chunk in self.chunks for row in chunk]

    def check(self) -> None:
        """Raise InputError if the folder's chunks have another provenance, naming a difference."""
        check_all([self])

    def changes(self) -> dict[str, tuple[str, str]]:
        """Return key -> (value then, value now) of how its provenance differs from the recorded.

        Raises InputError if it has chunks, but no provenance.json.
        """
        recorded = self.recorded()
        if recorded is not None:
            return differences(recorded, _plain(self.provenance))
        if any(self.folder.glob("[0-9]*.npz")):
            raise InputError(
                f"{self.folder}: has chunks, but no provenance.json; delete that folder"
            )
        return {}

    def recorded(self) -> dict[str, Any] | None:
        """Return what provenance.json says; None if it does not exist."""
        file = self.folder / "provenance.json"
        return atomic_files.read_json(file) if file.exists() else None

    def missing(self) -> list[int]:
        """Return the numbers of the missing chunks. Raises InputError as check does."""
        self.check()
        return [number for number in range(len(self.chunks)) if self.is_missing(number)]

    def is_complete(self) -> bool:
        """Return whether no chunk is missing. Raises InputError as check does."""
        return not self.missing()

    def is_missing(self, number: int) -> bool:
        """Return whether a chunk does not exist, or does not have all required arrays."""
        if not self._file(number).exists():
            return True
        return bool(set(self.required) - self._names(number)) if self.required else False

    def common(self) -> set[str]:
        """Return the names of the arrays that every chunk has; none if a chunk does not exist."""
        numbers = range(len(self.chunks))
        if not all(self._file(number).exists() for number in numbers):
            return set()
        return set.intersection(*map(self._names, numbers))

    def begin(self) -> None:
        """Write provenance.json unless it exists. Raises InputError as check does."""
        with leases.locked(self.folder / "provenance.json"):
            self.check()
            if self.recorded() is None:
                atomic_files.write_json(self.folder / "provenance.json", _plain(self.provenance))

    def save(self, number: int, **arrays: Any) -> None:
        """Write a chunk, after provenance.json; other arrays that it already has stay.

        Raises InputError as check does, or if an array is not what `arrays` says of it; KeyError
        if a required array was not given.
        """
        self.begin()
        if missing := set(self.required or self.arrays) - arrays.keys():
            raise KeyError(f"{self.folder}: was not given {min(missing)}")
        new = {
            name: np.asarray(array, dtype=self.arrays[name].dtype) for name, array in arrays.items()
        }
        try:
            for name, array in new.items():
                array_files.checked(name, array, self.arrays[name], len(self.chunks[number]))
        except ValueError as error:
            raise InputError(
                f"{self.folder}: chunk {number} comes out wrong ({error}); check its inputs"
            ) from None
        old: dict[str, np.ndarray] = {}
        if self.required and self._file(number).exists():
            old = self._opened(number, lambda chunk: {n: chunk[n] for n in chunk.files})
        rows = np.asarray(self.chunks[number], dtype=str)
        # Sorted, so that the file does not depend on which arrays came first.
        array_files.write(self._file(number), **dict(sorted((old | new | {"rows": rows}).items())))

    def load(self, number: int, *names: str) -> dict[str, np.ndarray]:
        """Return the named arrays of a chunk by name, or all of them.

        Raises InputError if the chunk does not exist, is broken, or has other rows or arrays than
        it should.
        """
        rows = self.chunks[number]
        return self._opened(number, lambda chunk: self._checked(chunk, names or self.arrays, rows))

    def _checked(
        self, chunk: Any, names: Iterable[str], rows: Sequence[str]
    ) -> dict[str, np.ndarray]:
        if chunk["rows"].tolist() != list(rows):
            raise ValueError("its rows are others")
        return {
            name: array_files.checked(name, chunk[name], self.arrays[name], len(rows))
            for name in names
        }

    def _names(self, number: int) -> set[str]:
        """Return the names of a chunk's arrays. Raises InputError if it is broken."""
        return self._opened(number, lambda chunk: set(chunk.files))

    def _opened(self, number: int, read: Callable[[Any], T]) -> T:
        """Return read(opened chunk). Raises InputError if that fails."""
        file = self._file(number)
        exists = os.path.lexists(file)
        hint = f"{'delete it, and ' if exists else ''}run the script that makes it"
        with array_files.opened(file, "a readable chunk", hint) as chunk:
            return read(chunk)

    def read(self, *names: str) -> dict[str, np.ndarray]:
        """Return the arrays of all chunks together, rows in their order; see load."""
        chunks = [self.load(number, *names) for number in range(len(self.chunks))]
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}

    def discard(self, number: int) -> None:
        """Delete a chunk, if it exists."""
        self._file(number).unlink(missing_ok=True)

    def bytes(self, number: int) -> int:
        """Return how many bytes a chunk takes on disk."""
        arrays = [self.arrays[name] for name in self.required or self.arrays]
        row = sum(np.dtype(array.dtype).itemsize * int(np.prod(array.shape)) for array in arrays)
        return row * len(self.chunks[number])

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:05d}.npz"


def _plain(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return provenance as JSON has it: with lists instead of tuples."""
    return json.loads(json.dumps(provenance))


def check_all(stores: Iterable[ResultStore]) -> None:
    """Raise InputError if chunks of stores have another provenance than the stores.

    The message names a difference of the first such store, and says how many stores have one.
    """
    stores = list({store.folder: store for store in stores}.values())
    changed = [(store.folder, changes) for store in stores if (changes := store.changes())]
    if not changed:
        return
    folder, changes = changed[0]
    key, (then, now) = next(iter(changes.items()))
    others = f" ({len(changed)} of {len(stores)} such folders differ)" if len(changed) > 1 else ""
    raise InputError(
        f"{folder}: was made with {key} = {then}, but now {key} = {now}{others}; restore what it "
        f"was made with, delete {'these folders' if others else 'that folder'}, or give the "
        "settings file a new name"
    )


def differences(then: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return key -> (value then, value now), as text, of what differs; provenance lacks defaults."""
    return {
        key: (_text(key, then), _text(key, now))
        for key in then | now
        if (key in then, then.get(key)) != (key in now, now.get(key))
    }


def _text(key: str, provenance: dict[str, Any]) -> str:
    """Return a value of provenance, or the default that it leaves out, as text."""
    value = provenance[key] if key in provenance else default_of(key, "its default")
    return "none" if value in (None, "", {}) else str(value)


def blocks(sequence: Sequence[T], size: int) -> list[Sequence[T]]:
    """Return a sequence in pieces of at most `size`, in their order."""
    return [sequence[start : start + size] for start in range(0, len(sequence), size)]
