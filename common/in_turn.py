"""Run scripts one after the other: python -m common.in_turn SCRIPT ... [-- OPTION ...]

Each gets the options, and runs in a copy of this process, which has the slow libraries loaded: for a small run, to load them is a
fifth of the time. A script that makes a stage runs in as many copies as there are cores, up to four, which share its parts
as workers do (workers.py), with a share of the cores each; much of a small run is nothing that one process could do on several
cores. Where there is a GPU, or another system than Linux, each script is one process. Ends with the status of the first script that
fails, and then runs no more.
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
GPU = Path("/dev/nvidiactl")  # there if Linux has one of NVIDIA's


def main(arguments):
    end = arguments.index("--") if "--" in arguments else len(arguments)
    scripts, options = arguments[:end], arguments[end + 1 :]
    run = copied if sys.platform == "linux" else started  # elsewhere libraries do not take to being copied
    if run is copied:
        for name in LIBRARIES:
            importlib.import_module(name)
        gc.freeze()  # lest the copies look through all of it
    for script in scripts:
        print("python", script, *options, flush=True)
        if status := run(script, options):
            return status
    return 0


def started(script, options):
    """The status of a script that a new process runs."""
    return subprocess.run([sys.executable, script, *options]).returncode


def copied(script, options):
    """The status of a script that copies of this process run: the first that is not 0."""
    cores = len(os.sched_getaffinity(0))
    count = min(cores, MOST_COPIES) if "stage_script(" in Path(script).read_text() and not GPU.exists() else 1
    with tempfile.TemporaryFile("w+") as others_say:
        children = [_copy(script, options, rank, count, cores // count, others_say) for rank in range(count)]
        statuses = [_ended(child) for child in children]
        if any(statuses[1:]) and not statuses[0]:
            others_say.seek(0)
            print(others_say.read(), file=sys.stderr)
    return next((status for status in statuses if status), 0)


def _ended(child):
    """The status of a child, once it has ended; an interrupt from the keyboard ends it by itself."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except KeyboardInterrupt:
        os.waitpid(child, 0)
        raise


def _copy(script, options, rank, count, threads, others_say):
    """Fork; returns the child's id. All but the first of them speak into a file."""
    if child := os.fork():
        return child
    status = 1
    try:
        if rank > 0:  # what libraries say by themselves, too
            sys.stdout = sys.stderr = others_say
            os.dup2(others_say.fileno(), 1)
            os.dup2(others_say.fileno(), 2)
        if count > 1:
            _share(rank, count, threads)
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


def _share(rank, count, threads):
    """Be one of several workers, with so many threads."""
    import numba
    import torch
    from threadpoolctl import threadpool_limits

    from common import workers

    os.environ |= workers.environment(rank, count)
    torch.set_num_threads(threads)
    numba.set_num_threads(threads)
    threadpool_limits(threads)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
