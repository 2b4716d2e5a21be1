"""Run scripts one after the other: python -m common.in_turn SCRIPT ... [-- OPTION ...]

Each gets the options, and runs in a copy of this process, which has the slow libraries loaded: for a small run, to load them is a
fifth of the time. On other systems than Linux each script loads them for itself. Ends with the status of the
first script that fails, and then runs no more.
"""

import atexit
import gc
import importlib
import os
import runpy
import subprocess
import sys
import traceback

LIBRARIES = ["torch", "torchvision.transforms", "timm", "numba", "pandas", "matplotlib.pyplot", "scipy.stats", "sklearn.manifold",
             "pytorch_metric_learning.losses", "pytorch_metric_learning.miners"]  # fmt: skip


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


def copied(script, options):
    """The status of a script that a copy of this process runs."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.argv, status = [script, *options], 1
    try:
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


def started(script, options):
    """The status of a script that a new process runs."""
    return subprocess.run([sys.executable, script, *options]).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
