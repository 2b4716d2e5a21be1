"""The one way in which results come to be: shelves keep them, stages say how to make them, `run` makes what is missing.

A shelf is a folder: made_of.json says what its numbers were made of, 00000.npz, 00001.npz, ... are its parts. Each part
has some named rows (images, properties, ...) and arrays with an entry for each of these rows. A part exists whole or not
at all, and depends on nothing but what the shelf is made of; so a run can be stopped at any moment, and any number of
processes can fill a shelf together. CSV files are views of shelves: written whole, from whole shelves, never added to.

A new stage needs a function that lists its shelves, a function that makes a part, and a numbered script.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from common import array_files, csv_files, run_record, safe_files, threads
from common.errors import InputError, MissingFile, Unfinished, run_script
from common.seeds import fingerprint
from common.settings import options_parser, settings_from

PAUSE = 0.5  # seconds between two looks at what other processes are at


# ---------------------------------------------------------------------------------------------------------------------
# Shelves.
# ---------------------------------------------------------------------------------------------------------------------
class Shelf(NamedTuple):
    """A folder of parts. All of its parts are made of the same."""

    folder: Path
    made_of: dict  # what its numbers depend on and nothing else, defaults left out: name -> text, number, list or dict
    parts: list  # of lists: the names of each part's rows
    arrays: dict  # name -> array_files.Array; all that a part may have
    of: object = None  # what its numbers are about, such as a network; only for whoever makes or reads them
    labels: dict = {}  # the same for CSV files: column -> value
    wanted: tuple = ()  # of a shelf that grows by arrays: the names of those that a part must have now

    @property
    def fingerprint(self):
        """What it is made of in a word, for the made_of of shelves that are made of this one."""
        return fingerprint(_plain(self.made_of))

    @property
    def rows(self):
        """The names of all rows."""
        return [row for part in self.parts for row in part]

    def check(self):
        """Raise InputError, naming what differs, if the folder has parts that were made of something else."""
        recorded = self.recorded()
        if recorded is None and any(self.folder.glob("[0-9]*.npz")):
            raise InputError(f"{self.folder}: has parts, but no made_of.json to say what of; delete that folder")
        for key, (then, now) in differences(recorded, _plain(self.made_of)).items() if recorded is not None else ():
            raise InputError(
                f"{self.folder}: was made with {key} = {then}, but now {key} = {now}; put back what it was made with, "
                "delete that folder, or give the settings file a new name"
            )

    def recorded(self):
        """What made_of.json says; None if it does not exist."""
        file = self.folder / "made_of.json"
        return safe_files.read_json(file) if file.exists() else None

    def missing(self):
        """The numbers of the parts that lack something. Raises InputError as check does."""
        self.check()
        return [number for number in range(len(self.parts)) if self.lacks(number)]

    def is_whole(self):
        return not self.missing()

    def lacks(self, number):
        """Whether a part does not exist, or lacks an array that it must have."""
        return not self.has(number, self.wanted) if self.wanted else not self._file(number).exists()

    def has(self, number, names):
        """Whether a part has the arrays of these names. Raises InputError if it is broken."""
        return self._file(number).exists() and set(names) <= self._opened(number, lambda part: set(part.files))

    def common(self):
        """The names of the arrays that every part has."""
        numbers = range(len(self.parts))
        if not all(self._file(number).exists() for number in numbers):
            return set()
        return set.intersection(*(self._opened(number, lambda part: set(part.files)) for number in numbers))

    def begin(self):
        """Write down what its parts will be made of. Raises InputError as check does."""
        with safe_files.locked(self.folder / "made_of.json"):
            self.check()
            if self.recorded() is None:
                safe_files.write_json(self.folder / "made_of.json", _plain(self.made_of))

    def put(self, number, **arrays):
        """Write a part, keeping arrays that it has already; before the first, what it is made of. Raises InputError as check does."""
        self.begin()
        if lacking := set(self.wanted or self.arrays) - arrays.keys():
            raise KeyError(f"{self.folder}: was not given {min(lacking)}")  # a slip of whoever makes it
        others = {}
        if self.wanted and self._file(number).exists():
            others = self._opened(number, lambda part: {name: part[name] for name in part.files if name != "rows"})
        typed = {name: np.asarray(array, dtype=self.arrays[name].dtype) for name, array in arrays.items()}
        try:
            for name, array in typed.items():
                array_files.checked(name, array, self.arrays[name], len(self.parts[number]))
        except ValueError as error:  # lest it be refused once it is read
            raise InputError(
                f"{self.folder}: part {number} comes out wrong ({error}); check what it is made of"
            ) from None
        typed = dict(sorted((others | typed).items()))  # in one order, whatever came first
        array_files.write(self._file(number), rows=np.asarray(self.parts[number], dtype=str), **typed)

    def get(self, number, *names):
        """The named arrays of a part, all by default, by name.

        Raises InputError if the part does not exist, is broken, or has other rows or arrays than it should.
        """
        return self._opened(number, lambda part: self._checked(part, names or self.arrays, self.parts[number]))

    def _checked(self, part, names, rows):
        if part["rows"].tolist() != list(rows):
            raise ValueError("its rows are others")
        return {name: array_files.checked(name, part[name], self.arrays[name], len(rows)) for name in names}

    def _opened(self, number, look):
        """look(part) of an open part. All that goes wrong with it ends in one line."""
        file = self._file(number)
        exists = os.path.lexists(file)
        hint = f"{'delete it, and ' if exists else ''}run the script that makes it"
        with array_files.opened(file, "a readable part", hint) as part:
            return look(part)

    def read(self, *names):
        """The same for all parts together, rows in their order."""
        parts = [self.get(number, *names) for number in range(len(self.parts))]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def discard(self, number):
        """Delete a part."""
        self._file(number).unlink(missing_ok=True)

    def bytes(self, number):
        """The room that a part takes on disk."""
        arrays = [self.arrays[name] for name in self.wanted or self.arrays]
        row = sum(np.dtype(array.dtype).itemsize * int(np.prod(array.shape)) for array in arrays)
        return row * len(self.parts[number])

    def _file(self, number):
        return self.folder / f"{number:05d}.npz"


def _plain(made_of):
    """As JSON has it: tuples are lists there."""
    return json.loads(json.dumps(made_of))


def differences(then, now):
    """Key -> (value then, value now) where two made_of differ; a key that one of them lacks is at its default there."""
    default = "its default"
    return {key: (then.get(key, default), now.get(key, default)) for key in then | now if then.get(key) != now.get(key)}


def blocks(items, size):
    """The items in lists of so many, in their order."""
    return [items[start : start + size] for start in range(0, len(items), size)]


# ---------------------------------------------------------------------------------------------------------------------
# Stages.
# ---------------------------------------------------------------------------------------------------------------------
class Job(NamedTuple):
    """Shelves that are filled together, part by part, because they come from the same work on the same rows."""

    shelves: list
    # make(shelves, number, tick) returns the arrays, name -> array, of this part for each of these shelves, which are all
    # of the job's or some; it calls tick(n) whenever n ticks of the work are done.
    make: Callable
    ticks_per_row: int = 1
    trial: Callable | None = None  # what --dry-run times in the place of make, where that is long or writes
    kind: tuple = ()  # a tick takes all jobs of one kind about as long

    def ticks_of(self, number):
        return self.ticks_per_row * len(self.shelves[0].parts[number])


def no_trial(shelves, number, tick):
    """A trial where nothing can be timed beforehand."""


def rows_of(shelves, columns):
    """One row of a CSV file for each row of the shelves: their labels and arrays, and in any other column the row's name."""
    for shelf in shelves:
        arrays = shelf.read()
        for place, row in enumerate(shelf.rows):
            values = shelf.labels | {name: array[place] for name, array in arrays.items()}
            yield [values.get(column, row) for column in columns]


class View(NamedTuple):
    """A CSV file that shows what is on shelves."""

    file: Path
    columns: dict  # name -> str, int or float
    shelves: list  # of the whole run, not only of what a narrowed one was asked for
    rows: Callable = rows_of  # rows(whole shelves, columns)

    def write(self):
        with safe_files.locked(self.file):  # or what is read from shelves now would overwrite what another reads later
            whole = [shelf for shelf in self.shelves if shelf.is_whole()]
            csv_files.write(self.file, self.rows(whole, self.columns), self.columns)
        print(f"wrote {self.file}")


def _nothing(*_):
    """No check, nothing to keep."""


class Stage(NamedTuple):
    """All that a script makes."""

    what: str  # e.g. "saliency maps"
    unit: str  # what a tick is, e.g. "map"
    jobs: list
    views: list = ()  # View, or anything else that has `shelves` and can `write`
    keep: Callable = _nothing  # keeps what is known of the inputs, for when they are gone
    check: Callable = _nothing  # check(todo), of (job, number): raises InputError where an input of these is bad
    device: Callable = lambda: "cpu"  # returns the name of the device that works
    extra_bytes: int = 0  # that it takes on disk beside its shelves,
    hint: str = ""  # and what to do where the disk is too small
    about_time: str = ""  # what --dry-run says of the time
    lacking: str = ""  # what the script was asked for and cannot make yet, and what to do about it


def run(stage, settings, options, script):
    """Make what is missing of a stage, together with other processes that may be at it, then write its views.

    Ends only once all that was asked for exists. Raises Unfinished where it does not: with --no-wait, if other processes
    are still at some of it; or where something that it is made of is lacking.
    """
    _check_views(stage)
    todo = [(job, number) for job in stage.jobs for number in _missing(job)]
    if options.dry_run and stage.jobs:
        print(_described(stage, settings, todo))
        if seconds := _seconds(todo):
            each = seconds / sum(job.ticks_of(number) for job, number in todo)
            a_tick = f"{'an' if stage.unit[0] in 'aeiou' else 'a'} {stage.unit} (timed just now, {stage.device()})"
            print(f"time: {seconds / 3600:,.2f} hours, at {each:.3g} s {a_tick}{stage.about_time}")
    if options.dry_run:
        return
    left = []
    if todo:
        print(_described(stage, settings, todo))
        _check_room(stage, settings, todo)
        device = stage.device()
        stage.check(todo)
        stage.keep()
        run_record.record(settings, script, device)
        left = fill(todo, stage.what, stage.unit, wait=not options.no_wait)
    elif stage.jobs:
        print(f"all {stage.what} exist")
    for view in stage.views:
        view.write()
    if left:
        raise Unfinished(f"{stage.what}: other processes are at {len(left)} parts; run the same command again")
    if stage.lacking:
        raise Unfinished(f"{stage.what}: {stage.lacking}")


def _check_views(stage):
    """Raise InputError if a view would mix results of different making."""
    for view in stage.views:
        for shelf in view.shelves:
            shelf.check()


def refresh(views_of, settings):
    """Write CSV files anew from what is on their shelves now, before something else is made of them.

    views_of: a function of settings. Raises InputError if shelves were made with something else than what the settings
    say now. Where inputs are gone, so that nobody can tell, the CSV files are taken as they are.
    """
    try:
        views = views_of(settings)
    except MissingFile:
        return
    for shelf in (shelf for view in views for shelf in view.shelves):
        shelf.check()
    for view in views:
        if any(shelf.recorded() is not None for shelf in view.shelves):  # or someone has brought the CSV file alone
            view.write()


def fill(todo, what, unit, wait=True):
    """Make the parts of todo, a list of (job, number), but those that other processes are at; with `wait` until all exist.

    Where a process that was at a part has ended without making it, the part is made here. Returns what is left.
    """
    with tqdm(total=sum(job.ticks_of(number) for job, number in todo), desc=what, unit=unit, smoothing=0.05) as bar:
        left = [each for each in todo if not _made(*each, bar)]
        while left and wait:
            bar.set_description(f"{what}, waiting for other processes")
            time.sleep(PAUSE)
            left = [each for each in left if not _made(*each, bar)]
    return left


def _made(job, number, bar):
    """Make a part on those of the job's shelves that lack it and that nobody else is at; whether all have it then."""
    done = bar.n
    with ExitStack() as claims:
        ours = [shelf for shelf in job.shelves
                if shelf.lacks(number) and claims.enter_context(safe_files.claimed(shelf.folder, number))]  # fmt: skip
        ours = [shelf for shelf in ours if shelf.lacks(number)]  # it may have been made just before the claim
        if ours:
            with threads.kept():
                made = job.make(ours, number, bar.update)
            for shelf, arrays in zip(ours, made, strict=True):
                shelf.put(number, **arrays)
    if any(shelf.lacks(number) for shelf in job.shelves):
        bar.update(done - bar.n)
        return False
    bar.update(done + job.ticks_of(number) - bar.n)
    return True


def _missing(job):
    return sorted({number for shelf in job.shelves for number in shelf.missing()})


def stage_script(description, script, *stages_of, then=None):
    """All that a numbered script does to make stages: its command line, its settings, its exit status.

    stages_of: functions of settings, called one after the other; then: one that is called with the settings in the end.
    """

    def main():
        options = options_parser(description, long=True).parse_args()
        settings = settings_from(options)
        stages_of_all = [partial(_of_variants, stage_of, settings, script) for stage_of in stages_of]
        for stage_of in stages_of_all if len(stages_of) > 1 else ():
            _check_views(stage_of())  # of all, before the first makes anything
        for stage_of in stages_of_all:
            run(stage_of(), settings, options, script)
        for variant in settings.variants if then and not options.dry_run else ():
            then(variant)

    run_script(main)


def _of_variants(stage_of, settings, script):
    """The stage of the settings; of a sweep those of all its runs in one, so that processes share them all."""
    stages = [stage_of(variant) for variant in settings.variants]
    return stages[0] if len(stages) == 1 else _joined(stages, settings.variants, script)


def _joined(stages, settings, script):
    """Stages of a kind, each with its settings, as one."""

    def keep():
        for stage, each in zip(stages, settings):
            stage.keep()
            run_record.record(each, script, stage.device())

    def check(todo):
        for stage in stages:
            if some := [(job, number) for job, number in todo if any(job is each for each in stage.jobs)]:
                stage.check(some)

    lacking = [stage.lacking for stage in stages if stage.lacking]
    return stages[0]._replace(
        jobs=[job for stage in stages for job in stage.jobs], views=[view for stage in stages for view in stage.views],
        keep=keep, check=check, extra_bytes=sum(stage.extra_bytes for stage in stages), lacking="; ".join(lacking[:3]),
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# What is to do.
# ---------------------------------------------------------------------------------------------------------------------
def _described(stage, settings, todo):
    """Lines that say how much there is to do."""
    ticks, free = sum(job.ticks_of(number) for job, number in todo), safe_files.free_space(settings.results)
    return (
        f"{stage.what}: {ticks:,} {stage.unit}s to do, in {len(todo):,} parts\n"
        f"disk: {_bytes(stage, todo) / 1e9:,.1f} GB in {settings.results} ({free / 1e9:,.1f} GB free)"
    )


class _Enough(Exception):
    """Ends a trial."""


def _seconds(todo):
    """How long todo takes, by the first job of each kind; 0 if there is nothing to time, or a kind that cannot be timed."""
    kinds = {job.kind: (job, number) for job, number in reversed(todo)}
    per_tick = {kind: _seconds_per_tick(*first) for kind, first in kinds.items()}
    if not all(per_tick.values()):
        return 0
    return sum(per_tick[job.kind] * job.ticks_of(number) for job, number in todo)


def _seconds_per_tick(job, number):
    """How long a tick of a part takes: the second one, if there is one, as the first has to load things; 0 without ticks."""
    moments = [(time.perf_counter(), 0)]

    def tick(ticks):
        moments.append((time.perf_counter(), ticks))
        if len(moments) > 2:
            raise _Enough

    with suppress(_Enough):
        (job.trial or job.make)(job.shelves, number, tick)
    (begin, _), (end, ticks) = moments[-2:] if len(moments) > 1 else [(0, 0), (0, 1)]
    return (end - begin) / ticks


def _bytes(stage, todo):
    missing = [(shelf, number) for job, number in todo for shelf in job.shelves if shelf.lacks(number)]
    return stage.extra_bytes + sum(shelf.bytes(number) for shelf, number in missing)


def _check_room(stage, settings, todo):
    """Raise InputError if the disk has less room than the results take."""
    need, free = _bytes(stage, todo), safe_files.free_space(settings.results)
    if need > free:
        raise InputError(
            f"{settings.results}: the {stage.what} to come take {need / 1e9:,.1f} GB, but only {free / 1e9:,.1f} GB are free "
            f"there; make room, or set another `results` in the paths of the settings{stage.hint}"
        )
