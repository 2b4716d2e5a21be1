"""The loop of a long script: which chunks of results are missing, and which of them to make here.

Any number of processes may run the same script. Each takes a lease on a chunk before it makes it,
and a chunk appears complete or not at all. So a script may be stopped or killed at any moment; the
same command goes on where it was.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tqdm import tqdm

from dml_analysis import cluster, leases, provenance, threads, workers
from dml_analysis.errors import Finished, InputError, Unfinished, Unmeasured, printable
from dml_analysis.files import atomic_files
from dml_analysis.scripts import Run
from dml_analysis.store import ResultStore, check_all
from dml_analysis.views import View

PAUSE = 0.5  # seconds between two checks for chunks that other processes make
Subject = TypeVar("Subject")


class Missing(NamedTuple):
    """A chunk that is missing in some of the stores that one pass over the same rows fills."""

    subject: Any
    stores: list[ResultStore]
    number: int

    def in_stores(self) -> list[ResultStore]:
        """Return the stores in which it is missing."""
        return [store for store in self.stores if store.is_missing(self.number)]

    @property
    def size(self) -> int:
        """Return its number of rows."""
        return len(self.stores[0].chunks[self.number])

    @property
    def rows(self) -> slice:
        """Return its place among all rows of the stores."""
        start = sum(map(len, self.stores[0].chunks[: self.number]))
        return slice(start, start + self.size)


class Chunk:
    """A chunk for the caller to make: `rows` of all rows, for each of `stores`."""

    def __init__(self, missing: Missing, stores: list[ResultStore], bar: tqdm):
        self.number, self.rows, self.stores = missing.number, missing.rows, stores
        self.failed: dict[Path, str] = {}  # the folder of a store -> why it cannot be made
        self.advance: Callable[[int], Any] = bar.update  # moves the progress bar on

    def save(self, *arrays: dict[str, Any] | InputError) -> None:
        """Write arrays by name for each of the stores, in their order.

        An InputError in place of a store's arrays says why that store cannot be made. The script
        prints it at its end, and makes all others.
        """
        for store, of_store in zip(self.stores, arrays, strict=True):
            if isinstance(of_store, InputError):
                self.failed[store.folder] = str(of_store)
            else:
                store.save(self.number, **of_store)


def todo(
    work: Iterable[tuple[Subject, list[ResultStore]]],
    what: str,
    run: Run,
    views: Sequence[View] = (),
    unit: str = "image",
    units: Callable[[Missing], int] = lambda missing: missing.size,
    prepare: Callable[[list[Missing]], None] = lambda missing: None,
    device: Callable[[], str] = lambda: "cpu",
    last: bool = True,
    optional: bool = False,
    extra_bytes: int = 0,
    hint: str = "",
) -> Iterator[tuple[Subject, Chunk]]:
    """Yield each missing chunk with its subject, until all stores are complete; then write views.

    work: subjects, such as networks, each with the stores that one pass over the same rows fills.
    unit, units: of the progress bar. prepare: is called with all that is missing before the first
    chunk is made, to check inputs and record their digests. device: returns the name of the device
    that works, for run.json. last: whether no other loop follows in the script. extra_bytes: disk
    space that the work takes in addition to the stores. hint: how to need less of it. optional:
    whether there may be no work at all.

    Raises InputError if a store was made with something else, or the disk is too small; Finished
    after a dry run, and after the last loop in all workers but the first, which goes on alone;
    Unfinished if the work was given to a cluster, or if other processes make the rest and --no-wait
    was given; Unmeasured, at the end of the script's last loop, if stores failed in any of them.
    """
    work = list(work)
    if not work and not optional:
        raise InputError(
            f"{what}: no model of the settings can give any; "
            "see `network` and `embeddings` of the settings' models"
        )
    check_all(
        [store for _, stores in work for store in stores]
        + [store for view in views for store in view.stores]
    )
    missing = [
        Missing(subject, stores, number) for subject, stores in work for number in _missing(stores)
    ]
    results = run.settings.results
    size = _size(missing) + extra_bytes * bool(missing)
    if work:
        _announce(missing, what, unit, units, size, results)
    if run.options.dry_run:
        if last:
            raise Finished
        return
    if missing:
        if size > (free := atomic_files.free_space(results)):
            raise InputError(
                f"{results}: the {what} to come take {size / 1e9:,.1f} GB, but only "
                f"{free / 1e9:,.1f} GB are free there; make room, or set another `results` in the "
                f"paths of the settings{hint}"
            )
        prepare(missing)
        if run.options.executor == "slurm":
            job = cluster.submit(run.settings.cluster, len(missing), results / "workers")
            raise Unfinished(
                f"{what}: given to job {job}; run this command again once it has ended"
            )
        for settings in run.variants:
            provenance.record(settings, run.script, device())
        with tqdm(total=sum(map(units, missing)), desc=what, unit=unit, smoothing=0.05) as bar:
            wait = not (run.options.no_wait and last)
            yield from _chunks(missing, what, units, bar, wait, run.failed)
        for folder in {store.folder for each in missing for store in each.stores}:
            leases.tidy(folder)
    # The first worker waits for all others, so it can do what follows alone.
    is_first = workers.place()[0] == 0 or run.options.no_wait
    for view in views if is_first else ():
        view.write()
    if last and run.failed:
        for problem in run.failed.values():
            print(f"not measured: {printable(problem)}", file=sys.stderr)
        raise Unmeasured(
            f"{what}: {len(run.failed)} could not be measured, see above; the others are"
        )
    if last and not is_first:
        raise Finished


def _size(missing: list[Missing]) -> int:
    """Return how many bytes missing chunks take on disk."""
    return sum(store.bytes(each.number) for each in missing for store in each.in_stores())


def _announce(
    missing: list[Missing],
    what: str,
    unit: str,
    units: Callable[[Missing], int],
    size: int,
    results: Path,
) -> None:
    """Print how much is missing, and how much disk space it takes."""
    if not missing:
        print(f"all {what} exist")
        return
    total, free = sum(map(units, missing)), atomic_files.free_space(results)
    print(f"{what}: {total:,} {unit}s to do, in {len(missing):,} chunks")
    print(f"disk: {size / 1e9:,.1f} GB in {results} ({free / 1e9:,.1f} GB free)")


def _chunks(
    missing: list[Missing],
    what: str,
    units: Callable[[Missing], int],
    bar: tqdm,
    wait: bool,
    failed: dict[Path, str],
) -> Iterator[tuple[Any, Chunk]]:
    """Yield the missing chunks that no other process makes, until none is missing.

    wait: whether to wait for the chunks that other processes make; else raise Unfinished.
    failed: gets the folders of stores that cannot be made, with the reasons.
    """
    pending = workers.own_share_first(missing)
    while pending:
        elsewhere = []
        for each in pending:
            done = bar.n
            with ExitStack() as held:
                stores = [store for store in each.in_stores() if store.folder not in failed]
                # All or none, as one pass makes them all: all() ends at the first that is taken.
                if not all(
                    held.enter_context(leases.leased(s.folder, each.number)) for s in stores
                ):
                    stores = []
                # One may have been made just before the lease.
                stores = [store for store in stores if store.is_missing(each.number)]
                chunk = Chunk(each, stores, bar)
                if chunk.stores:
                    with threads.kept():
                        yield each.subject, chunk
                    failed |= chunk.failed
                    if any(
                        s.is_missing(each.number) for s in chunk.stores if s.folder not in failed
                    ):
                        raise RuntimeError(f"{what}: chunk {each.number} was not saved")
            if any(store.folder not in failed for store in each.in_stores()):
                elsewhere.append(each)
                bar.update(done - bar.n)
            else:
                bar.update(done + units(each) - bar.n)
        if elsewhere and not wait:
            raise Unfinished(
                f"{what}: other processes make {len(elsewhere)} chunks; run this command again"
            )
        if elsewhere:
            bar.set_description(f"{what}, waiting for other processes")
            time.sleep(PAUSE)
        pending = elsewhere


def _missing(stores: list[ResultStore]) -> list[int]:
    return sorted({number for store in stores for number in store.missing()})
