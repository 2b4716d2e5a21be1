"""Run scripts one after the other: python -m dml_analysis.pipeline SCRIPT ... [-- OPTION ...]

Each gets the options, and runs in a copy of this process, which has the slow libraries loaded: for a small run, to load them is a
fifth of the time. A script that makes a stage runs in as many copies as there are cores, up to four, which share its parts
as workers do (workers.py), with a share of the cores each; much of a small run is nothing that one process could do on several
cores. What SCRIPT+ makes, only later ones of this kind read, up to the word `wait`: they run one after the other, too, but beside the
rest, and are heard when they have ended. Where there is a GPU, each script is one process, and on other systems than Linux all wait for
the one before. Ends with the status of the first script that is seen to fail, and then begins no more.
"""

import atexit
import gc
import importlib
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

LIBRARIES = ["torch", "torchvision.transforms", "timm", "numba", "pandas", "matplotlib.pyplot", "scipy.stats", "sklearn.manifold",
             "pytorch_metric_learning.losses", "pytorch_metric_learning.miners"]  # fmt: skip
MOST_COPIES = 4
MARK, WAIT = "+", "wait"
GPU = Path("/dev/nvidiactl")  # there if Linux has one of NVIDIA's


def main(arguments):
    end = arguments.index("--") if "--" in arguments else len(arguments)
    scripts, options = arguments[:end], arguments[end + 1 :]
    run = (
        copied if sys.platform == "linux" else started
    )  # elsewhere libraries do not take to being copied
    if run is copied:
        for name in LIBRARIES:
            importlib.import_module(name)
        gc.freeze()  # lest the copies look through all of it
    beside, status = Beside(), 0
    for script in scripts:
        name = script.removesuffix(MARK)
        if status := beside.heard(wait=script == WAIT):
            break
        if script == WAIT:
            continue
        if name != script and run is copied:
            beside.begin(name, options)
            continue
        _say(name, options)
        if status := run(name, options):
            break
    of_beside = beside.heard(wait=True)
    return status or of_beside


def _say(script, options):
    print("python", script, *options, flush=True)


def started(script, options):
    """The status of a script that a new process runs."""
    return subprocess.run([sys.executable, script, *options]).returncode


def copied(script, options):
    """The status of a script that copies of this process run: the first that is not 0."""
    cores = len(os.sched_getaffinity(0))
    count = min(cores, MOST_COPIES) if _makes_a_stage(script) and not GPU.exists() else 1
    with tempfile.TemporaryFile("w+") as others_say:
        say = [None] + [others_say] * (count - 1)
        share = [(rank, count, cores // count) for rank in range(count)] if count > 1 else [None]
        children = [_copy(script, options, *each) for each in zip(say, share)]
        statuses = [_ended(child) for child in children]
        if any(statuses[1:]) and not statuses[0]:
            _repeat(others_say, sys.stderr)
    return next((status for status in statuses if status), 0)


def _makes_a_stage(script):
    return any(call in Path(script).read_text() for call in ("stage_script(", "todo("))


class Beside:
    """Scripts that run beside others, in copies of this process, each as soon as the one before it has ended."""

    def __init__(self):
        self.scripts = []  # (name, options, the process, the file it speaks into)
        self.ends, end = (
            os.pipe()
        )  # when nobody has the other end any more, the last script has ended
        os.close(end)

    def begin(self, script, options):
        says, before = tempfile.TemporaryFile("w+"), self.ends
        self.ends, end = os.pipe()
        child = _copy(script, options, says, (0, 1, 1), before)
        os.close(before)
        os.close(end)
        self.scripts.append((script, options, child, says))

    def heard(self, wait):
        """Print what those say that have ended, all of them if so asked; the status of the first that failed, or 0."""
        status = 0
        while self.scripts:
            script, options, child, says = self.scripts[0]
            ended, how = os.waitpid(child, 0 if wait else os.WNOHANG)
            if not ended:
                break
            del self.scripts[0]
            _say(script, options)
            _repeat(says, sys.stderr if how else sys.stdout)
            says.close()
            status = status or os.waitstatus_to_exitcode(how)
        return status


def _repeat(says, stream):
    says.seek(0)
    print(says.read(), end="", file=stream, flush=True)


def _ended(child):
    """The status of a child, once it has ended; an interrupt from the keyboard ends it by itself."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except KeyboardInterrupt:
        os.waitpid(child, 0)
        raise


def _copy(script, options, says, share, before=None):
    """Fork; returns the child's id.

    says: a file that it speaks into, or None; share: its rank, of how many, with how many threads, or None, for all there is; before: a
    pipe that ends when it may begin.
    """
    if child := os.fork():
        return child
    status = 1
    try:
        if says:  # what libraries say by themselves, too
            sys.stdout = sys.stderr = says
            os.dup2(says.fileno(), 1)
            os.dup2(says.fileno(), 2)
        if before is not None:
            os.read(before, 1)
        if share:
            _take(*share)
        sys.argv = [script, *options]
        runpy.run_path(script, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:  # as a script ends, but without taking apart all that was loaded, which takes a second
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _take(rank, count, threads):
    """Be one of several workers, if there are several, with so many threads."""
    import numba
    import torch
    from threadpoolctl import threadpool_limits

    from dml_analysis import workers

    if count > 1:
        os.environ |= workers.environment(rank, count)
    torch.set_num_threads(threads)
    numba.set_num_threads(threads)
    threadpool_limits(threads)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
