"""Time functions that take turns, and measure the memory that a function takes."""

import ctypes
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

PROCESS = Path("/proc/self")  # Linux has it


class Row(NamedTuple):
    """A comparison of this package with another way to compute the same."""

    what: str
    against: str
    unit: str  # of ours and theirs: "s", the median, or "GB"
    target: float  # the smallest ratio that docs/benchmarks.md promises
    ours: float
    theirs: float
    difference: float = math.nan  # the largest between the two results

    @property
    def ratio(self) -> float:
        """Return how many times as fast, or as small, ours is."""
        return self.theirs / self.ours


def medians(functions: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of functions by name, which take turns.

    Whatever slows the machine down for a while then slows down all of them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in seconds.items()}


@contextmanager
def in_own_process(prepare: Callable[..., Callable], *arguments: Any) -> Iterator[Callable]:
    """Yield a function that runs prepare(*arguments)() in a process of its own.

    What one process asks of the system or of its libraries then does not affect the others.
    `prepare` must be a function of a module; it is called once.
    """
    with get_context("spawn").Pool(1) as pool:
        yield partial(pool.apply, _run, (prepare, *arguments))


def _run(prepare: Callable[..., Callable], *arguments: Any) -> None:
    _prepared(prepare, *arguments)()


@cache
def _prepared(prepare: Callable[..., Callable], *arguments: Any) -> Callable:
    return prepare(*arguments)


def peak_memory(prepare: Callable[..., Callable], *arguments: Any) -> float:
    """Return the GB that prepare(*arguments)() takes beyond what was in use before it ran.

    It runs in a process of its own. NaN anywhere but on Linux.
    """
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (prepare, *arguments))


def _peak(prepare: Callable[..., Callable], *arguments: Any) -> float:
    function = prepare(*arguments)
    if not PROCESS.exists():
        return math.nan
    # Memory that was freed but not returned is returned first; otherwise as much would not count.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    (PROCESS / "clear_refs").write_text("5")  # sets the peak to what is in use
    before = _status("VmRSS")
    function()
    return (_status("VmHWM") - before) / 1e9


def _status(key: str) -> int:
    """Return a value of this process's status in bytes."""
    lines = (PROCESS / "status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))
