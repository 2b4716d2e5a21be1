"""Several processes at one stage: one for each device of this machine, or the tasks of a cluster's job array (cluster.py).

Each of them is the same command, and they share its parts by leases. So there is nothing to hand out, none of them is needed
for the rest to be made, and what they make is the same however many there are. A process knows that it is one of several
by the variables that torchrun sets, RANK, WORLD_SIZE and LOCAL_RANK; started by torchrun, it behaves just so.
"""

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from dml_analysis.errors import InputError, printable

PAUSE = 2.0  # seconds between two looks at the workers
LAST_LINES = 8  # of the log of a worker that failed, that are shown
LOG_EVERY = "30"  # seconds between two lines of a progress bar in a log
DEVICE = re.compile("cpu|[0-9]{1,3}")
PENDING, RUNNING, DONE, FAILED = "pending", "running", "done", "failed"


class Seen(NamedTuple):
    """A worker at a moment."""

    name: str
    state: str  # PENDING, RUNNING, DONE or FAILED
    where: str
    log: Path


def place():
    """(rank, how many): which worker of how many this process is; (0, 1) if it is alone."""
    with suppress(KeyError, ValueError):
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        if 0 <= rank < count:
            return rank, count
    return 0, 1


def local_rank():
    """Which GPU of its machine a worker takes, of those that it may see."""
    number = os.environ.get("LOCAL_RANK", "")
    return int(number) if number.isdecimal() else 0


def is_one_of_several():
    """Whether others are at the same work, so that this process need not wait for them in the end."""
    return "RANK" in os.environ


def environment(rank, count):
    """The environment variables of a worker."""
    return {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": "0", "TQDM_MININTERVAL": LOG_EVERY}


def own_share_first(todo):
    """The list, begun at this worker's share of it and gone round: so that workers rarely meet."""
    rank, count = place()
    begin = rank * len(todo) // count
    return todo[begin:] + todo[:begin]


# ---------------------------------------------------------------------------------------------------------------------
# On this machine.
# ---------------------------------------------------------------------------------------------------------------------
def devices_from(text):
    """The devices that --devices names: numbers of GPUs, `all` of them, or `cpu` for a worker without one.

    Raises InputError for anything else, and where `all` are none.
    """
    if text == "all":
        import torch  # takes seconds to load

        if not torch.cuda.device_count():
            raise InputError("--devices all: no GPU is to be had here; name cpu as often as processes shall work")
        return [str(number) for number in range(torch.cuda.device_count())]
    devices = text.split(",")
    if not all(DEVICE.fullmatch(each) for each in devices):
        raise InputError(f"--devices {text}: must be numbers of GPUs, or cpu, with commas between; or all")
    return devices


class Local:
    """A worker for each of some devices of this machine, which runs this process's own command there."""

    def __init__(self, devices, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.workers = []
        for rank, device in enumerate(devices):
            log, more = folder / f"worker{rank}.log", environment(rank, len(devices))
            more["CUDA_VISIBLE_DEVICES"] = "" if device == "cpu" else visible_gpu(int(device))
            with open(log, "wb") as output:
                process = subprocess.Popen([sys.executable, *sys.argv], env=os.environ | more, stdin=subprocess.DEVNULL,
                                           stdout=output, stderr=subprocess.STDOUT)  # fmt: skip
            self.workers.append((f"worker {rank}", process, "CPU" if device == "cpu" else f"GPU {device}", log))

    def look(self):
        """Each of them, as Seen."""
        states = {None: RUNNING, 0: DONE}
        return [
            Seen(name, states.get(process.poll(), FAILED), where, log) for name, process, where, log in self.workers
        ]

    def stop(self):
        for _, process, *_ in self.workers:
            process.terminate()
        for _, process, *_ in self.workers:
            process.wait()


def visible_gpu(number):
    """What CUDA calls the GPU of this number, of those that this process may see."""
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    if not visible:
        return str(number)
    if number >= len(visible):
        raise InputError(f"--devices {number}: CUDA_VISIBLE_DEVICES allows for {len(visible)} GPUs, counted from 0")
    return visible[number]


# ---------------------------------------------------------------------------------------------------------------------
# Watching.
# ---------------------------------------------------------------------------------------------------------------------
def watch(look, missing, what, pause=PAUSE):
    """Wait until all workers have ended, showing what they are at, and the end of the logs of those that fail.

    look(): the workers, as Seen; missing(): how many parts there are still to make. Returns the names of those that failed.
    """
    before, total = [], missing()
    with tqdm(total=total, desc=what, unit="part") as bar:
        while True:
            seen = look()
            if seen != before:
                bar.write("\n".join(table_of(seen) + failures(seen, before)))
            before, begin = seen, time.monotonic()
            bar.update(total - missing() - bar.n)
            if all(each.state in (DONE, FAILED) for each in seen):
                return [each.name for each in seen if each.state == FAILED]
            time.sleep(max(pause, 10 * (time.monotonic() - begin)))  # to look for many parts burdens a file system


def table_of(seen):
    """Lines that show the workers."""
    widths = [max(len(each[column]) for each in seen) for column in range(3)]
    rows = [
        "  ".join([*(f"{each[column]:{width}}" for column, width in enumerate(widths)), str(each.log)]) for each in seen
    ]
    return [time.strftime("workers at %H:%M:%S"), *(f"  {row}" for row in rows)]


def failures(seen, before):
    """Lines that show the end of the logs of the workers that have failed since they were seen before."""
    known, lines = {each.name for each in before if each.state == FAILED}, []
    for each in seen:
        if each.state == FAILED and each.name not in known:
            lines += [
                f"{each.name} has failed; the end of {each.log}:",
                *(f"  | {line}" for line in last_lines(each.log)),
            ]
    return lines


def last_lines(log):
    """The last lines of a log; of what a progress bar has written over itself the last."""
    try:
        text = log.read_bytes()[-20_000:].decode("utf-8", "replace")
    except OSError:
        return ["(it does not exist)"]
    lines = [line.rstrip("\r").split("\r")[-1] for line in text.split("\n")]
    return [printable(line) for line in lines if line.strip()][-LAST_LINES:]
