"""A stage as a job array on a Slurm cluster, by submitit: each task of the array is a worker (workers.py).

As workers share parts by leases, an array has as many tasks as may run at once, not as many as there are parts; so it never
comes near a cluster's limit. A task that is preempted, or that comes near its limit of time, is put back into the queue, and
goes on where it was; one that is killed otherwise leaves its parts to the others.
"""

import datetime
import importlib.util
import math
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from dml_analysis import workers
from dml_analysis.checkout import ROOT
from dml_analysis.errors import InputError
from dml_analysis.files import atomic_files

RECORD = "submitted.json"
REQUEUES = 10_000  # so often a task may come to its limit of time
SIGNAL_BEFORE = 120  # seconds, that a task is told before its limit
RUNNING = ("RUNNING", "COMPLETING")  # of what squeue lists; all else there is waiting
PATIENCE = 15  # looks at a task that is in the queue no more, before it is taken to be lost: its files may come late


# ---------------------------------------------------------------------------------------------------------------------
# What a task does.
# ---------------------------------------------------------------------------------------------------------------------
class ScriptTask(NamedTuple):
    """A numbered script, with its command line, as one of several workers. submitit keeps it in a file, and calls it."""

    command: list
    rank: int
    workers: int
    folder: str  # of the array

    def __call__(self):
        """Run it. Raises RuntimeError if the script does not end well."""
        os.environ.update(workers.environment(self.rank, self.workers))
        sys.argv, status = list(self.command), 0
        try:
            runpy.run_path(self.command[0], run_name="__main__")
        except SystemExit as end:
            if end.code == -1:  # submitit's, which has put the task back into the queue
                raise
            status = end.code or 0
        if status:
            print(status if isinstance(status, str) else f"ended with status {status}", file=sys.stderr)
        atomic_files.write_json(status_file(self.folder, self.rank), {"failed": bool(status)})
        if status:
            raise RuntimeError(f"{self.command[0]} did not end well")

    def checkpoint(self):
        """What submitit puts back into the queue: the same, as parts that exist are not made again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def status_file(folder, rank):
    return Path(folder) / f"task{rank}.json"


# ---------------------------------------------------------------------------------------------------------------------
# Job arrays.
# ---------------------------------------------------------------------------------------------------------------------
class Array:
    """A job array that has been submitted."""

    def __init__(self, folder):
        """folder: its files. Raises InputError if its record is not readable."""
        record = atomic_files.read_json(folder / RECORD)
        self.folder, self.job, self.tasks, self.command = folder, record["job"], record["tasks"], record["command"]
        self.names = [self.job] if self.tasks == 1 else [f"{self.job}_{rank}" for rank in range(self.tasks)]
        self.gone, self.nodes = [0] * self.tasks, [""] * self.tasks

    def look(self):
        """Each of its tasks, as workers.Seen."""
        queue = queued(self.job)
        return [self._seen(rank, *queue.get(name, ("", ""))) for rank, name in enumerate(self.names)]

    def _seen(self, rank, listed, node):
        self.nodes[rank] = node or self.nodes[rank]
        self.gone[rank] = 0 if listed else self.gone[rank] + 1
        log = self.folder / f"{self.names[rank]}_0_log.out"
        return workers.Seen(self.names[rank], self._state(rank, listed), self.nodes[rank], log)

    def _state(self, rank, listed):
        if listed:
            return workers.RUNNING if listed in RUNNING else workers.PENDING
        if status_file(self.folder, rank).exists():
            failed = atomic_files.read_json(status_file(self.folder, rank)).get("failed")
            return workers.FAILED if failed else workers.DONE
        return workers.FAILED if self.gone[rank] > PATIENCE else workers.RUNNING

    def is_queued(self):
        """Whether any of its tasks runs or waits."""
        return bool(queued(self.job))


def queued(job):
    """Name of a task -> (its state, its node) of the tasks of a job that are in the queue."""
    command = ["squeue", "--noheader", "--array", "--jobs", job, "--format", "%i|%T|%N"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode and "Invalid job id" not in found.stderr:  # which the cluster has forgotten
        raise InputError(f"squeue: {found.stderr.strip() or 'failed'}; ask who runs the cluster, or try again")
    rows = (line.split("|") for line in found.stdout.splitlines())
    return {name: (state, node) for name, state, node in rows}


def at_work(folder, command):
    """The newest Array of a command, in a folder of their folders, that is in the queue; None if there is none."""
    for record in sorted(folder.glob(f"*/{RECORD}"), reverse=True):
        array = Array(record.parent)
        if array.command == command and array.is_queued():
            return array
    return None


def check():
    """Raise InputError if this machine cannot submit jobs."""
    if importlib.util.find_spec("submitit") is None:
        raise InputError("--executor slurm: pip install submitit")
    for program in ("sbatch", "squeue", "srun"):
        if shutil.which(program) is None:
            raise InputError(f"--executor slurm: no {program} here; run this where jobs can be submitted")


def submit(options, tasks, folder, command):
    """Submit an Array of so many tasks, whose files go into a new folder in this one.

    options: settings.ClusterSettings; command: the script, and what follows it. Raises InputError if the cluster refuses.
    """
    import submitit

    folder = folder / datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d_%H-%M-%S")
    folder.mkdir(parents=True)
    executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=REQUEUES)
    executor.update_parameters(name=Path(command[0]).stem, **parameters(options, tasks))
    try:
        with executor.batch():
            jobs = [executor.submit(ScriptTask(command, rank, tasks, str(folder))) for rank in range(tasks)]
    except submitit.core.utils.FailedJobError as error:
        raise InputError(f"sbatch: {str(error).strip().splitlines()[-1]}; look at `cluster` in the settings") from None
    job = jobs[0].job_id.split("_")[0]
    atomic_files.write_json(folder / RECORD, {"job": job, "tasks": tasks, "command": command})
    return Array(folder)


def parameters(options, tasks):
    """What submitit is told of ClusterSettings, which are left to the cluster where they are None."""
    told = {
        "timeout_min": math.ceil(60 * options.hours),
        "cpus_per_task": options.cpus,
        "gpus_per_node": options.gpus or None,
        "mem_gb": options.memory,
        "slurm_partition": options.partition,
        "slurm_account": options.account,
        "slurm_array_parallelism": tasks,
        "slurm_signal_delay_s": SIGNAL_BEFORE,
        "stderr_to_stdout": True,
        "slurm_setup": [f"export PYTHONPATH={ROOT}:$PYTHONPATH", *options.setup],
        "slurm_additional_parameters": options.sbatch,
    }
    return {name: value for name, value in told.items() if value not in (None, {})}
