"""CSV files that show what is in result stores: each is written complete, and never added to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dml_analysis import leases
from dml_analysis.errors import MissingFile
from dml_analysis.files import csv_files
from dml_analysis.store import ResultStore, check_all

Rows = Iterable[Sequence[Any]]


def rows_of(stores: Sequence[ResultStore], columns: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield a row of a CSV file for each row of the stores.

    Cells are a store's labels and arrays; a column that is neither holds the row's name.
    """
    for store in stores:
        arrays = store.read()
        for index, name in enumerate(store.rows):
            values = store.labels | {column: array[index] for column, array in arrays.items()}
            yield [values.get(column, name) for column in columns]


class View(NamedTuple):
    """A CSV file, and the stores whose contents it shows."""

    file: Path
    columns: dict[str, Any]  # name -> str, int, float or another kind of csv_files
    stores: Sequence[ResultStore]  # of the complete run, not only of what a narrowed one makes
    rows: Callable[[list[ResultStore], dict[str, Any]], Rows] = rows_of

    def write(self) -> None:
        """Write the file from all complete stores."""
        # Locked from reading to writing, so that no newer content is overwritten.
        with leases.locked(self.file):
            complete = [store for store in self.stores if store.is_complete()]
            csv_files.write(self.file, list(self.rows(complete, self.columns)), self.columns)
        print(f"wrote {self.file}")


def check_views(views: Iterable[View]) -> None:
    """Raise InputError if a store was made with something else than the settings say now."""
    check_all(store for view in views for store in view.stores)


def write_all(views: Sequence[View], dry_run: bool = False) -> None:
    """Check all views, then write them unless `dry_run`. Raises InputError as check_views does."""
    check_views(views)
    for view in () if dry_run else views:
        view.write()


def refresh(views_of: Callable[[Any], Sequence[View]], settings: Any) -> None:
    """Write CSV files again from the stores, before something else is made of them.

    views_of: returns the views of settings. Raises InputError if a store was made with something
    else than the settings say now. Where inputs are missing, so that this cannot be told, the CSV
    files are taken as they are.
    """
    try:
        views = views_of(settings)
    except MissingFile:
        return
    check_views(views)
    for view in views:
        # Without any store, the CSV file was copied here alone.
        if any(store.recorded() is not None for store in view.stores):
            view.write()
