"""The one way in which results come to be: stores keep them, stages say how to make them, `run` makes what is missing.

CSV files are views of stores: written whole, from whole stores, never added to.

A new stage needs a function that lists its stores, a function that makes a part, and a numbered script.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from tqdm import tqdm

from dml_analysis import cluster, leases, provenance, threads, workers
from dml_analysis.errors import InputError, Unfinished, Unmeasured, printable
from dml_analysis.files import atomic_files

PAUSE = 0.5  # seconds between two looks at what other processes are at


# ---------------------------------------------------------------------------------------------------------------------
# Stages.
# ---------------------------------------------------------------------------------------------------------------------
class Job(NamedTuple):
    """Stores that are filled together, part by part, because they come from the same work on the same rows."""

    stores: list
    # make(stores, number, tick) returns the arrays, name -> array, of this part for each of these stores, which are all
    # of the job's or some; it calls tick(n) whenever n ticks of the work are done. In place of a store's arrays it may return
    # an InputError, which says why there are none; the others are made all the same.
    make: Callable
    ticks_per_row: int = 1

    def ticks_of(self, number):
        return self.ticks_per_row * len(self.stores[0].chunks[number])


def _nothing(*_):
    """No check, nothing to keep."""


class Stage(NamedTuple):
    """All that a script makes."""

    what: str  # e.g. "saliency maps"
    unit: str  # what a tick is, e.g. "map"
    jobs: list
    views: Sequence = ()  # View, or anything else that has `stores` and can `write`
    keep: Callable = _nothing  # keeps what is known of the inputs, for when they are gone
    check: Callable = (
        _nothing  # check(todo), of (job, number): raises InputError where an input of these is bad
    )
    device: Callable = lambda: "cpu"  # returns the name of the device that works
    extra_bytes: int = 0  # that it takes on disk beside its stores,
    hint: str = ""  # and what to do where the disk is too small
    lacking: str = ""  # what the script was asked for and cannot make yet, and what to do about it


def run(stage, settings, options, script, last=True):
    """Make what is missing of a stage, together with other processes that may be at it, then write its views.

    Ends only once all that was asked for exists. Raises Unfinished where it does not exist: with --no-wait at a script's last stage, if other
    processes are still at some of it; where it was given to a cluster; or where something that it is made of is missing. Raises Unmeasured, once all else is made, where there
    are stores that `make` gives an InputError for. Returns whether all exists.
    """
    check_views(stage)
    todo = [(job, number) for job in stage.jobs for number in _missing(job)]
    if options.dry_run and stage.jobs:
        print(_described(stage, settings, todo))
    if options.dry_run:
        return False
    left, problems = [], {}
    if todo:
        print(_described(stage, settings, todo))
        _check_room(stage, settings, todo)
        stage.check(todo)
        stage.keep()
        if options.executor == "slurm":
            job = cluster.submit(settings.cluster, len(todo), settings.results / "workers")
            raise Unfinished(
                f"{stage.what}: given to job {job}; run the same command again once it has ended"
            )
        provenance.record(settings, script, stage.device())
        wait = not (options.no_wait and last)
        left, problems = fill(workers.own_share_first(todo), stage.what, stage.unit, wait)
    elif stage.jobs:
        print(f"all {stage.what} exist")
    for view in stage.views:
        view.write()
    for problem in problems.values():
        print(f"not measured: {printable(problem)}", file=sys.stderr)
    if problems:
        raise Unmeasured(
            f"{stage.what}: {len(problems)} could not be measured, see above; the others are"
        )
    if left:
        raise Unfinished(
            f"{stage.what}: other processes are at {len(left)} parts; run the same command again"
        )
    if stage.lacking:
        raise Unfinished(f"{stage.what}: {stage.lacking}")
    return True


def _lacks(job, number):
    return any(store.lacks(number) for store in job.stores)


def check_views(stage):
    for view in stage.views:
        for store in view.stores:
            store.check()


def fill(todo, what, unit, wait=True):
    """Make the parts of todo, a list of (job, number), but those that other processes are at; with `wait` until all exist.

    Where a process that was at a part has ended without making it, the part is made here. Returns (what is left, problems: the
    folder of a store that cannot be made -> why).
    """
    problems = {}
    with tqdm(
        total=sum(job.ticks_of(number) for job, number in todo),
        desc=what,
        unit=unit,
        smoothing=0.05,
    ) as bar:
        left = [each for each in todo if not _made(*each, bar, problems)]
        while left and wait:
            bar.set_description(f"{what}, waiting for other processes")
            time.sleep(PAUSE)
            left = [each for each in left if not _made(*each, bar, problems)]
    for folder in {store.folder for job, _ in todo for store in job.stores}:
        leases.tidy(folder)
    # Looked at anew: of workers that wait for none, the last to end is to see that all exists.
    return [each for each in left if _lacks(*each)], problems


def _made(job, number, bar, problems):
    """Make a part on those of the job's stores that lack it and that nobody else is at; whether all have it then.

    A store that cannot be made goes into `problems` and counts as made.
    """
    done = bar.n
    with ExitStack() as held:
        ours = [store for store in job.stores
                if store.folder not in problems and store.lacks(number) and held.enter_context(leases.leased(store.folder, number))]  # fmt: skip
        ours = [
            store for store in ours if store.lacks(number)
        ]  # it may have been made just before the lease
        if ours:
            with threads.kept():
                made = job.make(ours, number, bar.update)
            for store, arrays in zip(ours, made, strict=True):
                if isinstance(arrays, InputError):
                    problems[store.folder] = str(arrays)
                else:
                    store.save(number, **arrays)
    if any(store.folder not in problems and store.lacks(number) for store in job.stores):
        bar.update(done - bar.n)
        return False
    bar.update(done + job.ticks_of(number) - bar.n)
    return True


def _missing(job):
    return sorted({number for store in job.stores for number in store.missing()})


# ---------------------------------------------------------------------------------------------------------------------
# What is to do.
# ---------------------------------------------------------------------------------------------------------------------
def _described(stage, settings, todo):
    """Lines that say how much there is to do."""
    ticks, free = (
        sum(job.ticks_of(number) for job, number in todo),
        atomic_files.free_space(settings.results),
    )
    return (
        f"{stage.what}: {ticks:,} {stage.unit}s to do, in {len(todo):,} parts\n"
        f"disk: {_bytes(stage, todo) / 1e9:,.1f} GB in {settings.results} ({free / 1e9:,.1f} GB free)"
    )


def _bytes(stage, todo):
    missing = [
        (store, number) for job, number in todo for store in job.stores if store.lacks(number)
    ]
    return stage.extra_bytes + sum(store.bytes(number) for store, number in missing)


def _check_room(stage, settings, todo):
    """Raise InputError if the disk has less room than the results take."""
    need, free = _bytes(stage, todo), atomic_files.free_space(settings.results)
    if need > free:
        raise InputError(
            f"{settings.results}: the {stage.what} to come take {need / 1e9:,.1f} GB, but only {free / 1e9:,.1f} GB are free "
            f"there; make room, or set another `results` in the paths of the settings{stage.hint}"
        )
