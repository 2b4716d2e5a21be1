"""A script as a job array on a Slurm cluster, by submitit: each task is the same command, and tasks share chunks by leases.

So an array has as many tasks as may run at once, not as many as there are chunks. A task that is preempted, or that comes near its limit
of time, is put back into the queue, and goes on where it was; one that is killed otherwise leaves its chunks to the others.
"""

import importlib.util
import math
import os
import runpy
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dml_analysis import workers
from dml_analysis.errors import UNFINISHED, InputError

REQUEUES = 10_000  # so often a task may come to its limit of time
SIGNAL_BEFORE = 120  # seconds, that a task is told before its limit


@dataclass(frozen=True)
class ScriptTask:
    """A numbered script, with its command line, as one of several workers. submitit keeps it in a file, and calls it."""

    command: list
    rank: int
    workers: int

    def __call__(self) -> None:
        """Run it. Raises RuntimeError if the script does not end well; other tasks may still be at work."""
        os.environ.update(workers.environment(self.rank, self.workers))
        sys.argv = list(self.command)
        try:
            runpy.run_path(self.command[0], run_name="__main__")
        except SystemExit as end:
            if end.code == -1:  # submitit's, which has put the task back into the queue
                raise
            if end.code not in (None, 0, UNFINISHED):
                raise RuntimeError(f"{self.command[0]} did not end well: {end.code}") from None

    def checkpoint(self) -> Any:
        """Return what submitit puts back into the queue: the same, as chunks that exist are not made again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def check() -> None:
    """Raise InputError if this machine cannot submit jobs."""
    if importlib.util.find_spec("submitit") is None:
        raise InputError(
            "--executor slurm: submitit is not installed; pip install -r requirements-cluster.txt"
        )
    for program in ("sbatch", "squeue", "srun"):
        if shutil.which(program) is None:
            raise InputError(
                f"--executor slurm: no {program} on this machine; run this where jobs can be submitted"
            )


def submit(options: Any, chunks: int, folder: Path) -> str:
    """Submit this process's own command as a job array; return the job's number.

    options: the settings' `cluster`; chunks: how many are missing; folder: of logs. Raises InputError if the cluster refuses.
    """
    import submitit

    words = [word for word in sys.argv if word not in ("--executor", "slurm", "--executor=slurm")]
    tasks, folder = min(options.tasks, chunks), folder / Path(words[0]).stem
    folder.mkdir(parents=True, exist_ok=True)
    executor: Any = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=REQUEUES)
    executor.update_parameters(name=Path(words[0]).stem, **parameters(options, tasks))
    try:
        with executor.batch():
            jobs = [
                executor.submit(ScriptTask([*words, "--no-wait"], rank, tasks))
                for rank in range(tasks)
            ]
    except submitit.core.utils.FailedJobError as error:
        raise InputError(
            f"sbatch: {str(error).strip().splitlines()[-1]}; look at `cluster` in the settings"
        ) from None
    return jobs[0].job_id.split("_")[0]


def parameters(options: Any, tasks: int) -> dict[str, Any]:
    """Return what submitit is told of the settings' `cluster`; what is None is left to the cluster."""
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
        "slurm_setup": options.setup or None,
        "slurm_additional_parameters": options.sbatch,
    }
    return {name: value for name, value in told.items() if value not in (None, {})}
