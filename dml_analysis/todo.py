"""The loop of a long script: which chunks of results are missing, and which of them this process makes.

Any number of processes may run the same script. Each takes a lease on a chunk before it makes it, and a chunk appears complete or not at
all. So a script may be stopped or killed at any moment; the same command goes on where it was.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from tqdm import tqdm

from dml_analysis import cluster, leases, provenance, threads, workers
from dml_analysis.errors import Finished, InputError, Unfinished, Unmeasured, printable
from dml_analysis.files import atomic_files
from dml_analysis.scripts import Run
from dml_analysis.store import ResultStore
from dml_analysis.views import View

PAUSE = 0.5  # seconds between two looks at chunks that other processes make
Subject = TypeVar("Subject")


class Missing(NamedTuple):
    """A chunk that is missing in some of the stores which one pass over the same rows fills."""

    subject: Any
    stores: list[ResultStore]
    number: int

    def in_stores(self) -> list[ResultStore]:
        """Return the stores that do not have it."""
        return [store for store in self.stores if store.lacks(self.number)]

    @property
    def size(self) -> int:
        """How many rows it has."""
        return len(self.stores[0].chunks[self.number])

    @property
    def rows(self) -> slice:
        """Which of all rows of the stores the chunk is of."""
        start = sum(map(len, self.stores[0].chunks[: self.number]))
        return slice(start, start + self.size)


class Chunk:
    """A chunk for the caller to make: `rows` of all rows, for each of `stores`."""

    def __init__(self, missing: Missing, bar: tqdm):
        self.number, self.rows, self.stores = missing.number, missing.rows, missing.in_stores()
        self.problems: list[str] = []
        self.advance: Callable[[int], Any] = bar.update  # moves the progress bar on

    def save(self, *arrays: dict[str, Any] | InputError) -> None:
        """Write arrays by name for each of the stores, in their order.

        An InputError in place of a store's arrays leaves that store out; see fail.
        """
        for store, of_store in zip(self.stores, arrays, strict=True):
            if isinstance(of_store, InputError):
                self.fail(of_store)
            else:
                store.save(self.number, **of_store)

    def fail(self, problem: object) -> None:
        """Leave it out, since it cannot be made of what there is; the script says why at its end, and the rest is made."""
        self.problems.append(str(problem))


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
    that works, for run.json. last: whether no other loop follows in the script. optional: whether
    there may be no work. extra_bytes: disk space that the work takes in addition to the stores.
    hint: how to need less of it.

    Raises InputError if a store was made with something else, or the disk is too small; Finished
    after a dry run; Unfinished if the work was given to a cluster, or if other processes make the
    rest and --no-wait was given; Unmeasured, after everything else is done, if stores failed.
    """
    work = list(work)
    if not work and not optional:
        raise InputError(
            f"{what}: no model of the settings can give any; "
            "see `network` and `embeddings` of the settings' models"
        )
    for view in views:
        view.check()
    missing = [
        Missing(subject, stores, number) for subject, stores in work for number in _missing(stores)
    ]
    size = extra_bytes * bool(missing)
    size += sum(store.bytes(each.number) for each in missing for store in each.in_stores())
    total = sum(map(units, missing))
    free = atomic_files.free_space(run.settings.results)
    if missing:
        print(f"{what}: {total:,} {unit}s to do, in {len(missing):,} chunks")
        print(f"disk: {size / 1e9:,.1f} GB in {run.settings.results} ({free / 1e9:,.1f} GB free)")
    elif work:
        print(f"all {what} exist")
    if run.options.dry_run:
        if last:
            raise Finished
        return
    problems: list[str] = []
    if missing:
        if size > free:
            raise InputError(
                f"{run.settings.results}: the {what} to come take {size / 1e9:,.1f} GB, but only "
                f"{free / 1e9:,.1f} GB are free there; make room, or set another `results` in the "
                f"paths of the settings{hint}"
            )
        prepare(missing)
        if run.options.executor == "slurm":
            folder = run.settings.results / "workers"
            job = cluster.submit(run.settings.cluster, len(missing), folder)
            raise Unfinished(
                f"{what}: given to job {job}; run this command again once it has ended"
            )
        for settings in run.variants:
            provenance.record(settings, run.script, device())
        with tqdm(total=total, desc=what, unit=unit, smoothing=0.05) as bar:
            wait = not (run.options.no_wait and last)
            yield from _chunks(missing, what, units, bar, wait, problems)
        for folder in {store.folder for each in missing for store in each.stores}:
            leases.tidy(folder)
    for view in views:
        view.write()
    for problem in problems:
        print(f"not measured: {printable(problem)}", file=sys.stderr)
    if problems:
        raise Unmeasured(
            f"{what}: {len(problems)} could not be measured, see above; the others are"
        )


def _chunks(
    missing: list[Missing],
    what: str,
    units: Callable[[Missing], int],
    bar: tqdm,
    wait: bool,
    problems: list[str],
) -> Iterator[tuple[Any, Chunk]]:
    """Yield the missing chunks that no other process makes, until none is missing.

    wait: whether to wait for the chunks that other processes make; else raise Unfinished.
    problems: gets the reasons why stores failed.
    """
    pending = workers.own_share_first(missing)
    while pending:
        elsewhere = []
        for each in pending:
            done = bar.n
            with leases.leased(each.stores[0].folder, each.number) as ours:
                chunk = Chunk(each, bar)
                if ours and chunk.stores:
                    with threads.kept():
                        yield each.subject, chunk
                    problems += chunk.problems
            if ours or not each.in_stores():
                bar.update(done + units(each) - bar.n)
            else:
                elsewhere.append(each)
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
