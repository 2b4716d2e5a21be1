"""Submission of a script to a Slurm cluster as a job array, by submitit.

Each task is the same command, and tasks share chunks by leases. So an array has as many tasks as
may run at once, not as many as there are chunks. A task that is preempted or reaches its time limit
is put back into the queue and continues; the chunks of a task that is killed are made by the
others.
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

REQUEUES = 10_000  # times that a task may reach its time limit
SIGNAL_BEFORE = 120  # seconds between the signal to a task and its time limit


@dataclass(frozen=True)
class ScriptTask:
    """A numbered script with its command line, as one of several workers, which submitit calls."""

    command: list
    rank: int
    workers: int

    def __call__(self) -> None:
        """Run the script. Raise RuntimeError if it fails; other tasks may still run."""
        os.environ.update(workers.environment(self.rank, self.workers))
        sys.argv = list(self.command)
        try:
            runpy.run_path(self.command[0], run_name="__main__")
        except SystemExit as end:
            if end.code == -1:  # by submitit, which has put the task back into the queue
                raise
            if end.code not in (None, 0, UNFINISHED):
                raise RuntimeError(f"{self.command[0]} failed: {end.code}") from None

    def checkpoint(self) -> Any:
        """Return what submitit puts back into the queue: the same script, which skips complete
        chunks.
        """
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
    """Submit this process's command as a job array and return the job's number.

    options: the settings' `cluster`. chunks: the number of missing ones. folder: of logs. Raise
    InputError if the cluster refuses the job.
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
            f"sbatch: {str(error).strip().splitlines()[-1]}; check `cluster` in the settings"
        ) from None
    return jobs[0].job_id.split("_")[0]


def parameters(options: Any, tasks: int) -> dict[str, Any]:
    """Return submitit's parameters for the settings' `cluster`, without those that are None."""
    values = {
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
    return {name: value for name, value in values.items() if value not in (None, {})}
