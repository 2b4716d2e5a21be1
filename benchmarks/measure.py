"""Timing contestants fairly, and the memory that a function takes."""

import ctypes
import multiprocessing
import statistics
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

PROCESS = Path("/proc/self")  # Linux has it


class Row(NamedTuple):
    """A contest. Ratio and target say how many times as fast, or as small, ours is; ours and theirs
    are medians.
    """

    what: str
    against: str
    device: str
    unit: str  # of ours and theirs: "s" or "GB"
    target: float
    ours: float = np.nan  # where it was not measured
    theirs: float = np.nan
    rounds: int = 1
    difference: float = (
        np.nan
    )  # the largest between what the two compute, where that is the same; of maps in float64
    their_rounding: float = (
        np.nan
    )  # the largest difference that float32 makes to what they compute, compared with float64,
    our_rounding: float = np.nan  # and to ours
    batch_size: int | None = None  # the best for them, where several were tried

    @property
    def ratio(self):
        return self.theirs / self.ours

    @property
    def reached(self):
        return (
            "not measured" if np.isnan(self.ratio) else "yes" if self.ratio >= self.target else "no"
        )

    def in_words(self):
        """A line that says who is how fast."""
        if np.isnan(self.ratio):
            return f"{self.what}, against {self.against}, on {self.device}: not measured"
        return (
            f"{self.what}, against {self.against}, on {self.device}: {self.ratio:.3g} times "
            f"(at least {self.target:g}: {self.reached}); {self.ours:.3g} vs. {self.theirs:.3g} {self.unit}"
        )


def alternately(contestants, rounds):
    """Name -> seconds of every round, for functions by name, which take turns.

    What else goes on at the machine for a while then slows down all of them alike.
    """
    seconds = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, function in contestants.items():
            begin = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def medians(contestants, rounds):
    """Name -> median seconds of functions by name, which take turns."""
    return {
        name: statistics.median(times) for name, times in alternately(contestants, rounds).items()
    }


def fastest(contestants):
    """The name of the fastest of functions by name."""
    seconds = medians(contestants, 2)
    return min(seconds, key=seconds.get)


@contextmanager
def apart(contestants):
    """Yield name -> a function that runs a contestant once, in a process of its own.

    contestants: name -> a function of a module, called there, that returns what is run. So nothing
    that one contestant asks of the system or of its libraries helps or hinders the others.
    """
    context, processes, runs = multiprocessing.get_context("spawn"), [], {}
    for name, prepare in contestants.items():
        here, there = context.Pipe()
        processes.append(context.Process(target=_serve, args=(there, prepare), daemon=True))
        processes[-1].start()
        there.close()  # or a process that ends would be waited for
        runs[name] = partial(_one_round, here)
    try:
        yield runs
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _serve(connection, prepare):
    function = prepare()
    while True:
        connection.recv()
        function()
        connection.send(None)


def _one_round(connection):
    connection.send(None)
    connection.recv()


def time_and_memory(prepare, *arguments):
    """(seconds, bytes) that the function which prepare(*arguments) returns takes, beyond what was
    there before it ran.

    In a process of its own, since what a process has once had, it keeps. `prepare` must be a
    function of a module. Only Linux tells the memory: elsewhere it is NaN.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measured, (prepare, arguments))


def _measured(prepare, arguments):
    function = prepare(*arguments)
    before = _forget_peak()
    begin = time.perf_counter()
    function()
    seconds = time.perf_counter() - begin
    return seconds, _status("VmHWM") - before


def _forget_peak():
    """Bytes in use now, from which on the peak is counted."""
    if PROCESS.exists():
        # Memory that was freed but not returned is returned first; otherwise as much would not be counted.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        (PROCESS / "clear_refs").write_text("5")  # sets the peak to what is in use
    return _status("VmRSS")


def _status(key):
    if not PROCESS.exists():
        return np.nan
    lines = (PROCESS / "status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))
