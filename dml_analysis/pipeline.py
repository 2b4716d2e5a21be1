"""Run scripts one after the other: python -m dml_analysis.pipeline SCRIPT ... [-- OPTION ...]

Each script gets the options and runs in a fork of this process, which has loaded the slow
modules. A script with a todo() loop runs in as many forks as there are cores, up to four, which
share its chunks (workers.py) and the cores. Scripts marked SCRIPT+ run alongside the others, one
after the other, and print when they have ended; the word `wait` waits for them. With a GPU each
script is one process. On other systems than Linux each is a process of its own, and nothing runs
alongside. The exit status is that of the first script that fails, after which no other starts.
"""

import gc
import importlib
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any, NamedTuple

MODULES = [
    "torch", "torchvision.transforms", "timm", "numba", "pandas", "matplotlib.pyplot", "scipy.stats",
    "sklearn.manifold", "pytorch_metric_learning.losses", "pytorch_metric_learning.miners",
    "dml_analysis.report.page",  # which imports most of the package
]  # fmt: skip
MAX_FORKS = 4
MARK, WAIT = "+", "wait"
GPU = Path("/dev/nvidiactl")  # exists if Linux has a GPU by NVIDIA


def main(arguments: Sequence[str]) -> int:
    """Run the scripts of a command line and return the exit status."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    scripts, options = arguments[:end], arguments[end + 1 :]
    if sys.platform != "linux":  # where libraries do not survive a fork
        return _run_as_commands(scripts, options)
    for name in MODULES:
        importlib.import_module(name)
    gc.freeze()  # so that collections in forks do not copy the memory of all modules
    background, status = Background(options), 0
    for script in scripts:
        if status := background.report(until_all_end=script == WAIT):
            break
        if script.endswith(MARK):
            background.add(script.removesuffix(MARK))
        elif script != WAIT and (status := _run(script, options, background)):
            break
    if status:
        background.scripts.clear()
    background_status = background.report(until_all_end=True)
    return status or background_status


def _run_as_commands(scripts: Sequence[str], options: Sequence[str]) -> int:
    for script in scripts:
        if script != WAIT:
            command = [script.removesuffix(MARK), *options]
            print("python", *command, flush=True)
            if status := subprocess.run([sys.executable, *command]).returncode:
                return status
    return 0


class Ended(NamedTuple):
    """A script that has ended."""

    name: str
    log: IO[str]
    status: int


class Background:
    """The scripts that run alongside the others."""

    def __init__(self, options: Sequence[str]):
        self.options = options
        self.scripts: list[str] = []  # not started yet
        self.running: tuple[str, IO[str], BaseProcess] | None = None
        self.ended: list[Ended] = []

    def add(self, script: str) -> None:
        """Run a script as soon as the one before it has ended."""
        self.scripts.append(script)
        self.advance()

    def advance(self, *sentinels: int) -> None:
        """Wait for a process with one of the sentinels or the running script; start the next."""
        if sentinels:
            wait({*sentinels, self.running[2].sentinel} if self.running else sentinels)
        if self.running and (status := self.running[2].exitcode) is not None:
            self.ended.append(Ended(*self.running[:2], status))
            self.running = None
        if self.scripts and not self.running:
            name, log = self.scripts.pop(0), tempfile.TemporaryFile("w+")
            self.running = name, log, _start(name, self.options, log, threads=1)

    def report(self, until_all_end: bool) -> int:
        """Print the output of scripts that have ended; return the first status that is not 0."""
        self.advance()
        while until_all_end and self.running:
            self.advance(self.running[2].sentinel)
        ended, self.ended = self.ended, []
        for script in ended:
            print("python", script.name, *self.options, flush=True)
            _print(script.log, sys.stderr if script.status else sys.stdout)
        return next((script.status for script in ended if script.status), 0)


def _run(script: str, options: Sequence[str], background: Background) -> int:
    """Run a script in one or several forks; return the first status that is not 0."""
    print("python", script, *options, flush=True)
    cores = len(os.sched_getaffinity(0))
    has_loop = "todo(" in Path(script).read_text()
    count = min(cores, MAX_FORKS) if has_loop and not GPU.exists() else 1
    with tempfile.TemporaryFile("w+") as log:  # of all but the first fork
        shares: list[tuple] = [()]  # with all threads
        if count > 1:
            shares = [(log if rank else None, rank, count, cores // count) for rank in range(count)]
        processes = [_start(script, options, *share) for share in shares]
        while running := [process.sentinel for process in processes if process.exitcode is None]:
            background.advance(*running)
        statuses = [process.exitcode or 0 for process in processes]
        if any(statuses[1:]) and not statuses[0]:
            _print(log, sys.stderr)
    return next((status for status in statuses if status), 0)


def _print(log: IO[str], stream: IO[str]) -> None:
    log.seek(0)
    print(log.read(), end="", file=stream, flush=True)


def _start(script: str, options: Sequence[str], *args: Any, **kwargs: Any) -> BaseProcess:
    """Start a script in a fork; further arguments as for _run_here."""
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_run_here, args=(script, options, *args), kwargs=kwargs)
    process.start()
    return process


def _run_here(
    script: str,
    options: Sequence[str],
    log: IO[str] | None = None,
    rank: int = 0,
    count: int = 1,
    threads: int | None = None,
) -> None:
    """Run a script in this process, as one of `count` workers. log: for its output."""
    if log:
        sys.stdout = sys.stderr = log
        os.dup2(log.fileno(), 1)  # for libraries that write there themselves
        os.dup2(log.fileno(), 2)
    if count > 1:
        from dml_analysis import workers

        os.environ |= workers.environment(rank, count)
    if threads:
        import numba
        import torch
        from threadpoolctl import threadpool_limits

        torch.set_num_threads(threads)
        numba.set_num_threads(threads)
        threadpool_limits(threads)
    sys.argv = [script, *options]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
