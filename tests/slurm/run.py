"""The demo's work as job arrays on a real Slurm, and in one process: the same results, whoever is killed.

run.py: installs Slurm where it is not (Debian or Ubuntu, as root), starts a cluster of two slots, and
- trains four of the demo's models, makes and compares their maps, embeds and scores cars, each as a job array;
- tells one task of the maps that its time is over: it is put back into the queue, and finishes;
- kills another task's process: the others make its part;
- compares all arrays and CSV files with those of the same commands without a cluster, up to float32 rounding.
Ends with status 0 if all of this holds, and with status 77 and the reason where there can be no Slurm.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests import fake_data
from tests.slurm import small_cluster

SKIPPED = 77
MODELS = ["Contrastive", "ArcFace", "Triplet", "None"]
IMAGES = 40
ONE_THREAD = {
    "OMP_NUM_THREADS": "1"
}  # a task has one CPU, and the last digits depend on the number of threads
RECORDS = ("run.json", "files.json", "images.json")  # they hold times
MAPS = "saliency/1_compute_maps.py"
BEFORE = ["reality_check/2_train_models.py"]
AFTER = [
    "saliency/2_compare_maps.py",
    "properties/2_embed_cars.py",
    "properties/3_score_properties.py",
]
PATIENCE = 600  # seconds


def main():
    if why := small_cluster.missing():
        print(f"skipped: {why}")
        sys.exit(SKIPPED)
    if not small_cluster.install():
        print("skipped: the packages of Slurm cannot be had")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in ("slurm", "cluster", "local"):
            (folder / name).mkdir()
        settings = {name: write_settings(folder / name) for name in ("cluster", "local")}
        try:
            with small_cluster.running(folder / "slurm") as environment:
                on_the_cluster(settings["cluster"], environment | ONE_THREAD)
        except small_cluster.NotReady as error:
            print(f"skipped: {error}")
            sys.exit(SKIPPED)
        for script in [*BEFORE, MAPS, *AFTER]:
            run(script, settings["local"], os.environ | ONE_THREAD)
        compare(folder)


def write_settings(folder):
    """The demo's settings for some models and images, with results of their own."""
    settings = yaml.safe_load((ROOT / "settings" / "demo.yaml").read_text())
    paths = {name: str(folder / name) for name in ("results", "figures", "models")}
    settings |= {"models": MODELS, "paths": settings["paths"] | paths}
    settings["saliency"] |= {"images": IMAGES}
    settings["cluster"] = {"tasks": 2, "cpus": 1, "gpus": 0, "hours": 1}
    (folder / "small.yaml").write_text(yaml.safe_dump(settings))
    return folder / "small.yaml"


def command(script, settings, *options):
    return [sys.executable, str(ROOT / script), "--settings", str(settings), *options]


def run(script, settings, environment, *options):
    """Run a script to its end. Raises RuntimeError if it does not end with status 0."""
    begin = time.monotonic()
    ended = subprocess.run(
        command(script, settings, *options), env=environment, capture_output=True, text=True
    )
    said = " ".join([script, *options])
    print(f"{said}: status {ended.returncode}, {time.monotonic() - begin:.0f} s", flush=True)
    if ended.returncode:
        raise RuntimeError(f"{script}: {ended.stdout[-3000:]}{ended.stderr[-3000:]}")
    return ended.stdout + ended.stderr


# ---------------------------------------------------------------------------------------------------------------------
# On the cluster.
# ---------------------------------------------------------------------------------------------------------------------
def on_the_cluster(settings, environment):
    for script in BEFORE:
        by_an_array(script, settings, environment)
    maps_with_kills(settings, environment)
    for script in AFTER:
        by_an_array(script, settings, environment)


def by_an_array(script, settings, environment):
    """Submit what is missing, and wait for it; the same command then finds all, and writes the CSV files."""
    wait_until_gone(submitted(script, settings, environment), environment)
    run(script, settings, environment, "--executor", "slurm")


def submitted(script, settings, environment):
    """The number of the job array that a script gives its work to."""
    asked = command(script, settings, "--executor", "slurm")
    ended = subprocess.run(asked, env=environment, capture_output=True, text=True)
    given = re.search(r"given to job (\d+)", ended.stderr)
    assert ended.returncode == 3 and given, ended
    print(f"{script}: given to job {given[1]}", flush=True)
    return given[1]


def wait_until_gone(job, environment):
    wait_for(lambda: not states(job, environment), f"job {job} to end")


def maps_with_kills(settings, environment):
    """The maps, while one task is preempted and another killed."""
    folder = settings.parent / "results" / "small"
    job = submitted(MAPS, settings, environment)
    wait_for(lambda: len(list(folder.rglob("maps/**/[0-9]*.npz"))) >= 1, "a part of the maps")
    assert states(job, environment) == {f"{job}_0": "RUNNING", f"{job}_1": "RUNNING"}, states(
        job, environment
    )
    subprocess.run(["scancel", "--signal=USR2", f"{job}_1"], env=environment, check=True)
    wait_for(
        lambda: states(job, environment).get(f"{job}_1") == "PENDING",
        "the task that was preempted to be put back",
    )
    print("a task was told that its time is over, and is back in the queue", flush=True)
    (victim,) = processes_of(f"{job}_0", environment)
    os.kill(victim, signal.SIGKILL)
    print("the process of the other task was killed", flush=True)
    now = ["scontrol", "update", f"job={job}_1", "StartTime=now"]  # two minutes later, by itself
    subprocess.run(now, env=environment, check=True)
    wait_until_gone(job, environment)
    run(MAPS, settings, environment, "--executor", "slurm")


def states(job, environment):
    """Name of a task -> its state, of those that are in the queue."""
    found = subprocess.run(
        ["squeue", "-h", "-r", "-j", job, "-o", "%i %T"],
        env=environment,
        capture_output=True,
        text=True,
    )
    return dict(line.split() for line in found.stdout.splitlines())


def processes_of(task, environment):
    """The processes that run the script of a task."""
    found = subprocess.run(
        ["scontrol", "show", "job", task],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    number = next(
        word.removeprefix("JobId=") for word in found.split() if word.startswith("JobId=")
    )
    of_job = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables, words = (
                (process / name).read_bytes().split(b"\0") for name in ("environ", "cmdline")
            )
        except OSError:
            continue
        if (
            f"SLURM_JOB_ID={number}".encode() in variables
            and b"submitit.core._submit" in words
            and b"srun" not in words[0]
        ):
            of_job.append(int(process.name))
    return of_job


def wait_for(condition, what):
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > PATIENCE:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(0.2)


# ---------------------------------------------------------------------------------------------------------------------
# The results.
# ---------------------------------------------------------------------------------------------------------------------
def compare(folder):
    found = {name: results(folder / name / "results" / "small") for name in ("cluster", "local")}
    assert found["local"] and any(name.endswith(".csv") for name in found["local"])
    if differing := fake_data.differing(found["cluster"], found["local"]):
        sys.exit(f"error: these results of the cluster are others: {', '.join(differing)}")
    print(f"all {len(found['local'])} results of the cluster are those of one process")


def results(folder):
    shutil.rmtree(folder / "workers", ignore_errors=True)  # logs
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in RECORDS]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


if __name__ == "__main__":
    main()
