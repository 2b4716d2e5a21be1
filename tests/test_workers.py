"""Several workers at a stage: processes of this machine, torchrun's, and what a job array's tasks look like from outside."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dml_analysis import cluster, workers
from dml_analysis.config import ClusterSettings, load_settings
from dml_analysis.errors import InputError
from dml_analysis.workers import DONE, FAILED, PENDING, RUNNING, Seen
from tests import fake_data, small_stage
from tests.conftest import ROOT, snapshot
from tests.small_stage import settings_of


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No variables of whoever has started the tests."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def expected(tmp_path):
    """The results of one process."""
    settings = settings_of(tmp_path / "alone")
    subprocess.run([sys.executable, small_stage.__file__, settings.paths["results"]], check=True, capture_output=True)
    return list(snapshot(settings.results).values())


def run_small(folder, *options, start=(sys.executable,)):
    command = [*start, small_stage.__file__, str(folder), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


# ---------------------------------------------------------------------------------------------------------------------
# Places.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "rank, count, place",
    [
        ("1", "4", (1, 4)),
        ("0", "1", (0, 1)),
        ("4", "4", (0, 1)),
        ("-1", "4", (0, 1)),
        ("x", "4", (0, 1)),
        (None, "4", (0, 1)),
    ],
)
def test_places(monkeypatch, rank, count, place):
    for name, value in (("RANK", rank), ("WORLD_SIZE", count)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert workers.place() == place


@pytest.mark.parametrize("count", [1, 3, 7, 10])
def test_every_worker_begins_elsewhere_and_has_all(monkeypatch, count):
    todo, begun = list(range(20)), set()
    for rank in range(count):
        for name, value in workers.environment(rank, count).items():
            monkeypatch.setenv(name, value)
        own = workers.own_share_first(todo)
        assert sorted(own) == todo and own == [*todo[own[0] :], *todo[: own[0]]]
        begun.add(own[0])
    assert (
        len(begun) == count and max(b - a for a, b in zip(sorted(begun), [*sorted(begun)[1:], 20])) <= 20 // count + 1
    )


@pytest.mark.parametrize("text", ["", "0,", "gpu", "cpu cpu", "-1", "0;1", "1000"])
def test_devices_that_are_none(text):
    with pytest.raises(InputError, match="--devices .*: must be numbers of GPUs"):
        workers.devices_from(text)


def test_devices(monkeypatch):
    import torch

    assert workers.devices_from("0,2,cpu") == ["0", "2", "cpu"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert workers.devices_from("all") == ["0", "1", "2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="no GPU is to be had here"):
        workers.devices_from("all")


def test_a_gpu_is_one_of_those_that_may_be_seen(monkeypatch):
    assert workers.visible_gpu(3) == "3"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert [workers.visible_gpu(number) for number in (0, 1)] == ["4", "6"]
    with pytest.raises(InputError, match="allows for 2 GPUs"):
        workers.visible_gpu(2)


def test_the_gpu_of_a_worker(monkeypatch):
    """torchrun's workers see all GPUs, and each takes its own; others take the first that they see."""
    import torch

    from dml_analysis.config import Settings
    from dml_analysis.networks import modules

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    for rank, device in ((None, "cuda:0"), ("1", "cuda:1"), ("2", "cuda"), ("x", "cuda:0")):
        if rank is not None:
            monkeypatch.setenv("LOCAL_RANK", rank)
        assert str(modules.device_of(Settings("x"))) == device
        assert str(modules.device_of(Settings("x", device="cuda:1"))) == "cuda:1"


# ---------------------------------------------------------------------------------------------------------------------
# On one machine.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_process_for_each_device(tmp_path, expected, count):
    """Any number of them gives the same bytes, each part once."""
    settings = settings_of(tmp_path / "shared")
    ended = run_small(settings.paths["results"], "--devices", ",".join(["cpu"] * count), "--slow", 0.2)
    assert ended.returncode == 0, ended.stderr
    folder = settings.results / "workers" / "small_stage"
    logs = [(folder / f"worker{rank}.log").read_text() for rank in range(count)]
    assert sorted(number for log in logs for number in re.findall("making ([0-9])", log)) == ["0", "1", "2"]
    found = {path: content for path, content in snapshot(settings.results).items() if "workers" not in path.parts}
    assert list(found.values()) == expected


def test_a_worker_that_fails_does_not_stop_the_others(tmp_path, expected):
    """Whoever is at part 2 dies there: the end of its log is shown, what is left is said, and the same command makes it."""
    settings = settings_of(tmp_path / "shared")
    ended = run_small(settings.paths["results"], "--devices", "cpu,cpu", "--slow", 0.5, "--die", 2)
    assert ended.returncode == 3
    assert re.search(r"worker [01] has failed; the end of .*\n.*(\n  \| .*)*\n  \| .*making 2", ended.stdout), (
        ended.stdout
    )
    assert re.search("1 parts are missing; worker .* failed; run the same command again", ended.stderr)
    assert {path.stem[-1] for path in settings.results.rglob("0*.npz")} == {"0", "1"}
    assert run_small(settings.paths["results"], "--devices", "cpu,cpu").returncode == 0
    found = {path: content for path, content in snapshot(settings.results).items() if "workers" not in path.parts}
    assert list(found.values()) == expected


def test_torchrun(tmp_path, expected):
    settings = settings_of(tmp_path / "shared")
    start = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    ended = run_small(settings.paths["results"], "--slow", 0.5, "--devices", "cpu,cpu,cpu", start=start)
    assert ended.returncode == 0, ended.stderr
    assert sorted(line for line in ended.stdout.splitlines() if line.startswith("making")) == [
        "making 0",
        "making 1",
        "making 2",
    ]
    assert list(snapshot(settings.results).values()) == expected  # workers start none


# ---------------------------------------------------------------------------------------------------------------------
# Watching.
# ---------------------------------------------------------------------------------------------------------------------
def test_watching(tmp_path, capsys):
    """A table whenever something changes, and once the end of a failed worker's log; ends when all have ended."""
    log = tmp_path / "1.log"
    log.write_bytes(b"begun\nmaps: 1%\rmaps: 50%\rmaps: 90%\r\nerror: no such \x1b[31m image\n\n")
    states = [(PENDING, RUNNING), (RUNNING, RUNNING), (RUNNING, FAILED), (RUNNING, FAILED), (DONE, FAILED)]
    looks = iter([[Seen("a", a, "here", tmp_path / "0.log"), Seen("b", b, "there", log)] for a, b in states])
    missing = iter([5, 5, 4, 3, 3, 1])
    assert workers.watch(lambda: next(looks), lambda: next(missing), "maps", pause=0) == ["b"]
    shown = capsys.readouterr().out
    assert shown.count("workers at") == 4 and shown.count("b has failed") == 1
    assert "  | maps: 90%" in shown and "maps: 50%\n" not in shown and r"| error: no such \x1b[31m image" in shown


def test_a_log_that_does_not_exist(tmp_path):
    assert workers.last_lines(tmp_path / "none.log") == ["(it does not exist)"]


# ---------------------------------------------------------------------------------------------------------------------
# Job arrays, as far as they can be seen without a cluster; tests/slurm has a real one.
# ---------------------------------------------------------------------------------------------------------------------
def array_in(folder, tasks=3, command=("script.py",)):
    folder.mkdir(parents=True)
    (folder / cluster.RECORD).write_text(json.dumps({"job": "17", "tasks": tasks, "command": list(command)}))
    return cluster.Array(folder)


def test_the_states_of_tasks(tmp_path, monkeypatch):
    """By the queue, and once they are gone from there by what they have left; one that has left nothing is lost after a while."""
    array, queue = array_in(tmp_path / "array", 4), {}
    monkeypatch.setattr(cluster, "queued", lambda job: queue)

    def states():
        return [each.state for each in array.look()]

    queue |= {
        "17_0": ("RUNNING", "n1"),
        "17_1": ("PENDING", ""),
        "17_2": ("REQUEUE_HOLD", ""),
        "17_3": ("COMPLETING", "n2"),
    }
    assert states() == [RUNNING, PENDING, PENDING, RUNNING]
    cluster.status_file(array.folder, 0).write_text('{"failed": false}')
    cluster.status_file(array.folder, 1).write_text('{"failed": true}')
    assert states()[:2] == [RUNNING, PENDING]  # it runs once more
    queue.clear()
    assert states() == [DONE, FAILED, RUNNING, RUNNING]
    for _ in range(cluster.PATIENCE):
        array.look()
    assert states() == [DONE, FAILED, FAILED, FAILED]
    assert [each.where for each in array.look()] == ["n1", "", "", "n2"]
    assert array.look()[1].log == array.folder / "17_1_0_log.out"


def test_an_array_of_one_task_has_another_name(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "queued", lambda job: {"17": ("RUNNING", "n1")})
    (seen,) = array_in(tmp_path / "array", 1).look()
    assert (seen.name, seen.state, seen.log.name) == ("17", RUNNING, "17_0_log.out")


def test_an_array_that_is_at_work_is_found(tmp_path, monkeypatch):
    """The newest of the same command."""
    for day, command in (("1", ["a"]), ("2", ["a"]), ("3", ["b"])):
        array_in(tmp_path / day, command=command)
    monkeypatch.setattr(cluster, "queued", lambda job: {"17_0": ("PENDING", "")})
    assert cluster.at_work(tmp_path, ["a"]).folder == tmp_path / "2" and cluster.at_work(tmp_path, ["c"]) is None
    monkeypatch.setattr(cluster, "queued", lambda job: {})
    assert cluster.at_work(tmp_path, ["a"]) is None


def fake_squeue(monkeypatch, status, out="", err=""):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], status, out, err))


def test_the_queue(monkeypatch):
    fake_squeue(monkeypatch, 0, "17_0|RUNNING|n1\n17_1|PENDING|\n")
    assert cluster.queued("17") == {"17_0": ("RUNNING", "n1"), "17_1": ("PENDING", "")}
    fake_squeue(monkeypatch, 1, err="slurm_load_jobs error: Invalid job id specified")
    assert cluster.queued("17") == {}
    fake_squeue(monkeypatch, 1, err="Unable to contact slurm controller")
    with pytest.raises(InputError, match="squeue: Unable to contact slurm controller"):
        cluster.queued("17")


@pytest.mark.parametrize(
    "code, failed", [("", False), ("sys.exit(0)", False), ("sys.exit(3)", True), ("sys.exit('error: x')", True)]
)
def test_what_a_task_leaves(tmp_path, monkeypatch, code, failed):
    """Its status, and the line that says what went wrong in its log; the script runs with its own command line and place."""
    script = tmp_path / "script.py"
    script.write_text(f"import os, sys\nprint(sys.argv[1], os.environ['RANK'], os.environ['WORLD_SIZE'])\n{code}\n")
    task = cluster.ScriptTask([str(script), "--x"], 1, 3, str(tmp_path))
    command = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); from dml_analysis.cluster import ScriptTask; "
               "ScriptTask([sys.argv[2], '--x'], 1, 3, sys.argv[3])()", ROOT, script, tmp_path]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.stdout.startswith("--x 1 3\n") and (ended.returncode != 0) is failed
    assert json.loads(cluster.status_file(tmp_path, 1).read_text()) == {"failed": failed}
    assert ("error: x" in ended.stderr) is ("error: x" in code)
    assert task.checkpoint().function == task


def test_what_submitit_puts_back_leaves_no_status(tmp_path):
    """It ends a task with status -1."""
    script = tmp_path / "script.py"
    script.write_text("import sys; sys.exit(-1)")
    environ = dict(os.environ)
    try:
        with pytest.raises(SystemExit):
            cluster.ScriptTask([str(script)], 0, 1, str(tmp_path))()
    finally:
        os.environ.clear()
        os.environ.update(environ)
    assert not cluster.status_file(tmp_path, 0).exists()


def test_what_submitit_is_told():
    """What is not set is left to the cluster; submitit knows all of the names."""
    import submitit

    least = cluster.parameters(ClusterSettings(), 8)
    assert least["timeout_min"] == 24 * 60 and least["gpus_per_node"] == 1 and least["slurm_array_parallelism"] == 8
    assert not {"mem_gb", "slurm_partition", "slurm_account", "slurm_additional_parameters"} & least.keys()
    some = ClusterSettings(3, 0.5, 0, 2, 16, "gpu", "lab", ["module load cuda"], {"qos": "long"})
    told = cluster.parameters(some, 3)
    assert told["timeout_min"] == 30 and told["mem_gb"] == 16 and "gpus_per_node" not in told
    assert told["slurm_setup"][-1] == "module load cuda" and str(ROOT) in told["slurm_setup"][0]
    for each in (least, told):
        known = submitit.AutoExecutor._valid_parameters() | {
            f"slurm_{name}" for name in submitit.SlurmExecutor._valid_parameters()
        }
        assert each.keys() <= known | {"name"}


def test_without_a_cluster(project, fails, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    before = snapshot(project)
    message = fails("saliency/1_compute_maps.py", project / "tiny.yaml", "--executor", "slurm")
    assert message == "error: --executor slurm: no sbatch here; run this where jobs can be submitted"
    assert all(snapshot(project)[path] == content for path, content in before.items())
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    assert "pip install" in fails("saliency/1_compute_maps.py", project / "tiny.yaml", "--executor", "slurm")


@pytest.mark.parametrize(
    "options, message",
    [(["--wait"], "--wait: goes with"), (["--executor", "slurm", "--devices", "0"], "--devices: is for")],
)
def test_options_that_contradict_each_other(project, fails, options, message):
    assert message in fails("saliency/1_compute_maps.py", project / "tiny.yaml", *options)


@pytest.mark.parametrize(
    "block, message",
    [({"tasks": 0}, "cluster: tasks is 0"), ({"hours": 0}, "cluster: hours is 0"), ({"gpus": -1}, "cluster: gpus is -1"),
     ({"partition": ""}, "cluster: partition"), ({"setup": "module load"}, "cluster: setup"), ({"nodes": 2}, "cluster: .*nodes"),
     ({"sbatch": {"--qos": "x"}}, "cluster: sbatch")],
)  # fmt: skip
def test_settings_of_clusters(tmp_path, block, message):
    with pytest.raises(InputError, match=message):
        load_settings(fake_data.write_settings(tmp_path, cluster=block))
